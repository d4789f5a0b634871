"""Bundled sets that are read from the sources of Python's standard library."""

import inspect
import textwrap
import threading

import numpy as np
import pytest
from refusals import refused

from threefold.datasets.bundled import (
    standard_library,
    stdlib_docstrings,
    stdlib_prose,
    stdlib_tokens,
)
from threefold.datasets.loading import load
from threefold.datasets.ragged import PAD
from threefold.datasets.texts.tokenizing import decode, kind_of


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library instead of Python's own."""
    monkeypatch.setattr(standard_library.sysconfig, "get_paths", lambda: {"stdlib": tmp_path})
    for module in (stdlib_docstrings, stdlib_tokens):
        monkeypatch.setattr(module, "_read", module._read.__wrapped__)
    monkeypatch.setattr(stdlib_prose, "_read", stdlib_prose._read.__wrapped__)
    return tmp_path


def everything(dataset):
    parts = [split[np.arange(len(split))] for split in dataset.splits.values()]
    return {name: [item for part in parts for item in part[name]] for name in parts[0]}


def test_docstrings_are_of_areas_and_each_there_once():
    dataset = load("stdlib_docstrings")
    assert dataset.facts.class_names == tuple(standard_library.AREAS)
    assert min(dataset.facts.class_counts) > 50
    found = everything(dataset)
    assert len(set(found["text"])) == len(found["text"]) > 4000
    areas = {
        text: dataset.facts.class_names[label]
        for text, label in zip(found["text"], found["label"], strict=True)
    }
    assert areas[inspect.getdoc(textwrap.TextWrapper)] == "text"
    assert areas[inspect.getdoc(threading.Thread)] == "concurrency"


def test_tokens_are_tagged_names_of_sequences():
    dataset = load("stdlib_tokens")
    assert dataset.facts.class_names[0] == "O" and "I-module" in dataset.facts.class_names
    train = dataset.splits["train"][np.arange(500)]
    for words, tokens, tags in zip(train["words"], train["tokens"], train["tags"], strict=True):
        assert 4 <= len(words) <= 100
        assert len(tokens) == len(tags) <= 192
        assert np.count_nonzero(tags >= 0) <= len(words)
    assert min(dataset.facts.class_counts) > 20


def test_prose_is_python_s_own():
    dataset = load("stdlib_prose")
    assert kind_of(dataset.facts.tokenizer) == "character"
    windows = dataset.splits["train"][np.arange(400)]["tokens"]
    assert windows.shape == (400, 129) and PAD not in windows
    assert "statement" in "".join(decode(dataset.facts.tokenizer, windows[:, :-1]))
    assert len(dataset.splits["train"]) > 5000
    alone = load("stdlib_prose", {"docstrings": "false", "tokenizer": "bpe",
                                  "vocabulary_size": "500", "context": "64"})  # fmt: skip
    assert alone.facts.vocabulary_size == 500 and alone.facts.max_length == 64


@pytest.mark.parametrize("name", ["stdlib_docstrings", "stdlib_tokens", "stdlib_prose"])
def test_a_runs_tokenizer_rules_and_gives_the_same_data(name):
    dataset = load(name)
    again = load(name, {"vocabulary_size": "300", "tokenizer": "word"}, facts=dataset.facts)
    assert again.facts == dataset.facts and again.fingerprint == dataset.fingerprint
    for split in dataset.splits:
        rows = np.arange(5)
        before, after = dataset.splits[split][rows], again.splits[split][rows]
        for column in before:
            for one, other in zip(before[column], after[column], strict=True):
                assert np.array_equal(one, other)


def test_files_are_parsed_and_not_imported_and_tests_are_none_of_them(library):
    for area, modules in standard_library.AREAS.items():
        file = library / f"{modules.split()[0]}.py"
        file.write_text(f'"""{area} and all {area}."""\nraise SystemExit\n')
    (library / "re/test").mkdir(parents=True)
    (library / "re/test/x.py").write_text('"""Not of the library, but its test."""')
    source = 'if 1:\n  class A:\n    def g(self): "A method that does things."'
    (library / "re/__init__.py").write_text(source)
    dataset = load("stdlib_docstrings", {"validation_fraction": "0", "test_fraction": "0"})
    assert sorted(everything(dataset)["text"]) == sorted(
        [*(f"{area} and all {area}." for area in standard_library.AREAS),
         "A method that does things."]
    )  # fmt: skip


def test_a_docstring_that_repeats_another_is_left_out():
    seen = set()
    text = "Return the number of words that a text holds."
    assert standard_library.is_new(text, seen)
    assert not standard_library.is_new(text.upper() + "!", seen)
    assert not standard_library.is_new("Return the number of words that a line holds.", seen)
    assert standard_library.is_new("Write the words of a text into a file.", seen)
    assert not standard_library.is_new("Too short.", seen)


@pytest.mark.parametrize("name", ["stdlib_docstrings", "stdlib_tokens", "stdlib_prose"])
def test_a_python_without_sources_is_one_clear_line(library, name):
    with refused("sources of Python's standard library are not in"):
        load(name)


def test_paragraphs_that_topics_share_are_there_once(library):
    (library / "pydoc_data").mkdir()
    (library / "pydoc_data/topics.py").write_text(
        "topics = {'a': 'First part.\\n\\nShared part.\\n', 'b': 'Shared part.\\n\\nOwn part.\\n'}"
    )
    assert stdlib_prose._read(False) == ["First part.\n\nShared part.\n", "Own part.\n"]
