"""Connectionist temporal classification: from probabilities in frames to symbols.

A frame holds one symbol or the blank, 0. What is written is the frames without repetitions, then
without blanks: so a symbol that comes twice needs a blank in between.

Sources: Graves et al. 2006, "Connectionist temporal classification"; Hannun et al. 2014,
"First-pass large vocabulary continuous speech recognition", for the search.
"""

from types import ModuleType

import numpy as np

BEAM_WIDTH = 16  # beginnings of a transcript that are followed at a time
LEAST = 1e-4  # probability in a frame below which a symbol is not tried


def collapse(symbol_index, names: ModuleType = np):
    """Return what the frames write.

    Args:
        symbol_index: int tensor of shape (batch, frames). A symbol, or 0, for each frame.
        names: module. Whose functions to use: NumPy's, or those of `keras.ops` for its tensors.

    Returns:
        int tensor of the same shape. The symbols that remain, filled up with 0.
    """
    frames = names.shape(symbol_index)[1]
    before = names.pad(symbol_index, [(0, 0), (1, 0)])[:, :-1]
    kept = names.logical_and(symbol_index != 0, symbol_index != before)
    # In order of their frames, the symbols kept come first. Sorting is the one way to get there
    # that all backends and exported graphs have.
    places = names.where(kept, names.arange(frames, dtype="int32"), frames)
    places = names.sort(places, axis=1)
    written = names.where(kept, symbol_index, 0)
    none = names.zeros_like(symbol_index[:, :1])
    return names.take_along_axis(names.concatenate([written, none], axis=1), places, axis=1)


def search_prefixes(
    probabilities: np.ndarray, width: int = BEAM_WIDTH
) -> list[tuple[tuple[int, ...], float]]:
    """Find the most probable transcripts, each with all the ways in which frames may write it.

    Args:
        probabilities: float array of shape (frames, symbols + 1). Of one recording; 0 is the blank.
        width: int. Beginnings that are followed at a time.

    Returns:
        list of (symbols, log-probability). At most `width`, the most probable first.
    """
    # A beginning, with the probabilities that its last frame was blank and that it was not.
    beams, scale = {(): (1.0, 0.0)}, 0.0
    for frame in np.asarray(probabilities, np.float64):
        blank = frame[0]
        tried = [(symbol, frame[symbol]) for symbol in np.flatnonzero(frame[1:] >= LEAST) + 1]
        found: dict[tuple[int, ...], list[float]] = {}
        for prefix, (ended, going) in beams.items():
            same = found.setdefault(prefix, [0.0, 0.0])
            same[0] += (ended + going) * blank
            if prefix:
                same[1] += going * frame[prefix[-1]]
            for symbol, probability in tried:
                # The symbol that is sounding already begins anew only after a blank.
                before = ended if prefix and symbol == prefix[-1] else ended + going
                if before > 0:
                    longer = found.setdefault((*prefix, int(symbol)), [0.0, 0.0])
                    longer[1] += before * probability
        best = sorted(found.items(), key=lambda item: -sum(item[1]))[:width]
        # Long recordings are less probable than the smallest number: what counts is kept apart.
        total = sum(best[0][1]) or 1.0
        scale += np.log(total)
        beams = {prefix: (ended / total, going / total) for prefix, (ended, going) in best}
    with np.errstate(divide="ignore"):
        return [(prefix, float(scale + np.log(sum(parts)))) for prefix, parts in beams.items()]


def log_likelihood(probabilities: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return how probable transcripts are, in all the ways in which frames may write them.

    Args:
        probabilities: float array of shape (batch, frames, symbols + 1); 0 is the blank. Frames
            whose probabilities are all 0, which fill up, count as blank.
        symbols: int array of shape (batch, longest). Transcripts, filled up with 0.

    Returns:
        float array of shape (batch,). Logarithms; minus infinity where there is no way.
    """
    batch, frames, count = probabilities.shape
    lengths = np.count_nonzero(symbols, axis=1)
    # A state for each symbol, and for the blanks before and after: 0 a 0 b 0.
    states = np.zeros((batch, 2 * symbols.shape[1] + 1), np.int64)
    states[:, 1::2] = symbols
    may_skip = np.zeros(states.shape, bool)
    may_skip[:, 3::2] = symbols[:, 1:] != symbols[:, :-1]
    known = states < count  # a symbol that the model does not have is never written
    paths = np.zeros((batch, states.shape[1] + 2))
    paths[:, 2] = 1.0  # before the first frame, so that it may write the blank or the first symbol
    scale = np.zeros(batch)
    for frame in range(frames):
        random_numbers = probabilities[:, frame].astype(np.float64)
        random_numbers[~random_numbers.any(axis=1), 0] = 1.0
        here = np.take_along_axis(random_numbers, np.where(known, states, 0), axis=1) * known
        moved = paths[:, 2:] + paths[:, 1:-1] + np.where(may_skip, paths[:, :-2], 0.0)
        paths[:, 2:] = moved * here
        total = paths.sum(axis=1)
        with np.errstate(divide="ignore"):
            scale += np.log(total)
        paths /= np.where(total > 0, total, 1.0)[:, None]
    # The last state is the last symbol or the blank after it.
    rows, last = np.arange(batch), 2 * lengths + 2
    ends = paths[rows, last] + np.where(lengths > 0, paths[rows, last - 1], 0.0)
    with np.errstate(divide="ignore"):
        return scale + np.log(ends)


def align(probabilities: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return where a transcript would most probably have been written (Viterbi 1967).

    Args:
        probabilities: float array of shape (frames, symbols + 1). Of one recording.
        symbols: int array of shape (length,). The transcript.

    Returns:
        int array of shape (length,). The first frame of each symbol; empty where the frames are too
        few.
    """
    frames, length = len(probabilities), len(symbols)
    states = np.zeros(2 * length + 1, np.int64)
    states[1::2] = symbols
    may_skip = np.zeros(len(states), bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    costs = -np.log(np.maximum(probabilities[:, states], 1e-30, dtype=np.float64))
    best = np.full(len(states) + 2, np.inf)
    best[2] = 0.0
    steps = np.zeros((frames, len(states)), np.int64)
    for frame in range(frames):
        ways = np.stack([best[2:], best[1:-1], np.where(may_skip, best[:-2], np.inf)])
        steps[frame] = ways.argmin(axis=0)
        best[2:] = ways.min(axis=0) + costs[frame]
    state = len(states) - 1
    if length and best[state + 1] < best[state + 2]:
        state -= 1
    if not np.isfinite(best[state + 2]):
        return np.empty(0, np.int64)
    path = np.zeros(frames, np.int64)
    for frame in reversed(range(frames)):
        path[frame] = state
        state -= steps[frame, state]
    return np.searchsorted(path, np.arange(1, len(states), 2))


def count_frames(probabilities: np.ndarray) -> int:
    """Return how many frames are a recording's own: after its end, no symbol is possible."""
    sounding = np.flatnonzero(probabilities[:, 1:].any(axis=1))
    return int(sounding[-1]) + 1 if len(sounding) else len(probabilities)
