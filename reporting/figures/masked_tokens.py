"""Figures of what networks fill in for masked tokens."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from threefold.datasets.ragged import PAD
from threefold.datasets.texts.masking import NO_PLACE
from threefold.datasets.texts.tokenizing import token_names
from threefold.reporting.figures.style import GREEN, STYLE, VERMILION, head, new_figure, plain
from threefold.tasks.evaluation import Evaluation

TEXTS_SHOWN = 8
LINE_WIDTH = 140  # characters
TOKENS_SHOWN = 120  # of a text
TEXT_COLOUR = "#222222"


@matplotlib.rc_context(STYLE)
def filled_masks(evaluation: Evaluation) -> Figure:
    """Write some texts with what was filled in for their masked tokens."""
    task = evaluation.task
    names = token_names(task.facts.tokenizer)
    rows = np.arange(min(TEXTS_SHOWN, len(evaluation.source)))
    masked, texts = task.mask(evaluation.source[rows])
    lines = []
    for row in rows:
        tokens = np.concatenate([texts[name][row] for name in task.texts])
        tokens = tokens[tokens != PAD][:TOKENS_SHOWN]
        words = [[names[token], TEXT_COLOUR, ""] for token in tokens]
        for mask in np.flatnonzero(masked.places[row] != NO_PLACE):
            place = masked.places[row][mask]
            if place < len(words):
                found, true = (
                    evaluation.predictions["candidates"][row, mask, 0],
                    masked.wanted[row][mask],
                )
                right = found == true
                note = "" if right else names[true]
                words[place] = [names[found], GREEN if right else VERMILION, note]
        lines += _lay_out(words)
    figure = new_figure(10.5, 0.36 * len(lines) + 0.9)
    head(figure, f"Masked tokens filled in, {plain(evaluation.split)}: (what is true)")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set(xlim=(0, LINE_WIDTH), ylim=(len(lines), -1))
    for height, line in enumerate(lines):
        for place, word, colour, note in line:
            axes.text(place, height, word, family="monospace", fontsize=8.5, color=colour)
            if note:
                axes.text(place, height + 0.36, f"({note})", fontsize=6, color=VERMILION)
    return figure


def _lay_out(words: list[list[str]]) -> list[list[tuple[int, str, str, str]]]:
    """Break a text into lines of (column, token, colour, note); an empty one ends it."""
    lines, place = [[]], 0
    for word, colour, note in words:
        joined = word.startswith("##")
        word, note = plain(word.removeprefix("##"), 30), plain(note, 30)
        place -= int(joined and place > 0)
        # A note may be longer than the token that it belongs to.
        width = max(len(word), int(0.75 * len(note)))
        if place + width > LINE_WIDTH and lines[-1]:
            lines.append([])
            place = 0
        lines[-1].append((place, word, colour, note))
        place += width + 1
    return [*lines, []]
