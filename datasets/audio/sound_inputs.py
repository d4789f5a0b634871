"""Raw recordings for a prediction."""

from collections.abc import Iterator

from threefold.datasets.audio.audio_files import SUFFIXES, read_sound_inputs
from threefold.datasets.facts import SpeechFacts
from threefold.datasets.raw_inputs import Given, Inputs

READS = ("speech",)


def read(given: Given, facts: SpeechFacts, batch_size: int) -> Iterator[Inputs]:
    """Read recordings.

    Args:
        given: Given. Files, or `-` for their paths, one on each line.
        facts: SpeechFacts. The sampling rate of the run.
        batch_size: int. Recordings in one part.

    Returns:
        iterator of Inputs. Recordings `samples` float32.
    """
    return read_sound_inputs(given.paths(SUFFIXES), facts.rate, batch_size)
