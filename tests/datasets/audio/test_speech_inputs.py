"""Recordings that are asked about: files, folders, globs and lists, and what is wrong with them."""

import io
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from recordings import RATE, damage, record, record_ten

from threefold.core.errors import UserError
from threefold.datasets.facts import SpeechFacts
from threefold.datasets.inference_inputs import read_inputs


@pytest.fixture
def folder(tmp_path) -> Path:
    """Ten recordings with transcripts alongside them."""
    return record_ten(tmp_path)


FACTS = SpeechFacts(rate=RATE, max_length=1000, alphabet=("a",), max_transcript_length=3)


def predict_with(*words, stdin=b"", batch_size=4):
    return list(read_inputs(words, FACTS, io.BytesIO(stdin), batch_size))


def test_inputs_are_files_folders_globs_and_lists(folder):
    wanted = [str(folder / f"{number}.wav") for number in range(10)]
    for words in ([str(folder)], [str(folder / "*.wav")], wanted):
        parts = predict_with(*words)
        assert [name for part in parts for name in part.names] == wanted
        assert [len(part.names) for part in parts] == [4, 4, 2]
    (part,) = predict_with("-", stdin="\n".join(wanted[:2]).encode())
    assert part.names == wanted[:2]
    assert [len(samples) for samples in part.examples["samples"]] == [3200, 3280]


def test_a_bad_input_does_not_keep_the_others_from_an_answer(folder):
    damage(folder / "1.wav", "truncated")
    damage(folder / "2.wav", "no sound")
    paths = [str(folder / f"{number}.wav") for number in range(4)]
    (part,) = predict_with(*paths)
    assert part.names == [paths[0], paths[3]] and len(part.examples["samples"]) == 2
    assert [bool(re.search("1.wav is truncated|2.wav as sound", str(e))) for e in part.errors] == [
        True, True,
    ]  # fmt: skip
    (nothing,) = predict_with(paths[1])
    assert nothing.names == [] and len(nothing.errors) == 1
    with pytest.raises(UserError, match="no file, folder or match"):
        predict_with(str(folder / "nope.wav"))
    (lost,) = predict_with("-", stdin=b"nope.wav\n")
    assert "no file 'nope.wav'" in str(lost.errors[0])


def test_inputs_of_another_form_are_answered_and_said(folder):
    record(folder / "0.wav", np.zeros((3200, 2), np.float32), 16_000)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        (part,) = predict_with(str(folder / "0.wav"), str(folder / "1.wav"))
    assert len(part.examples["samples"][0]) == 1600
    explicit = " ".join(str(warning.message) for warning in said)
    for words in ("1 of 2 recordings are of 16,000 Hz", "several channels", "nothing sounds in 1"):
        assert words in explicit
