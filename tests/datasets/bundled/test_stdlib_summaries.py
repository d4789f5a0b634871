"""What functions, classes and modules of the standard library do, in short."""

import numpy as np
import pytest
from refusals import refused

from threefold.datasets.bundled import standard_library, stdlib_summaries
from threefold.datasets.loading import load
from threefold.datasets.texts.tokenizing import decode


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small library instead of Python's own."""
    monkeypatch.setattr(standard_library.sysconfig, "get_paths", lambda: {"stdlib": tmp_path})
    monkeypatch.setattr(
        stdlib_summaries, "read_summaries", stdlib_summaries.read_summaries.__wrapped__
    )
    return tmp_path


def everything(dataset):
    parts = [split[np.arange(len(split))] for split in dataset.splits.values()]
    return [list(zip(part["source_text"], part["target_text"], strict=True)) for part in parts]


@pytest.fixture(scope="module")
def dataset():
    return load("stdlib_summaries")


def test_documents_tell_what_is_summarised_and_do_not_hold_the_summary(dataset):
    pairs = [pair for part in everything(dataset) for pair in part]
    assert dataset.task == "summarization" and len(pairs) > 3000
    found = dict(pairs)
    document = next(text for text in found if text.startswith("namedtuple(typename, "))
    assert found[document] == "Returns a new subclass of tuple with named fields."
    assert ">>> Point = namedtuple" in document
    held = [" ".join(source.split()).count(target) for source, target in pairs]
    assert np.count_nonzero(held) < 0.02 * len(pairs)
    words = [len(target.split()) for _, target in pairs]
    assert min(words) >= 3 and max(words) <= 30


def test_no_document_is_in_two_splits(dataset):
    parts = [{source for source, _ in part} for part in everything(dataset)]
    assert list(dataset.splits) == ["train", "validation", "test"]
    assert sum(map(len, parts)) == len(set.union(*parts)) == sum(
        len(split) for split in dataset.splits.values()
    )  # fmt: skip


def test_one_tokenizer_gives_both_sides_back(dataset):
    facts = dataset.facts
    assert facts.source_tokenizer == facts.target_tokenizer and facts.documents
    test = dataset.splits["test"][np.arange(50)]
    for name, max_length in (
        ("source", facts.max_source_length),
        ("target", facts.max_target_length),
    ):
        texts = decode(facts.source_tokenizer, test[name])
        for whole, text, tokens in zip(test[f"{name}_text"], texts, test[name], strict=True):
            assert whole == text or len(tokens) == max_length and whole.startswith(text[:-1])
    again = load("stdlib_summaries", {"vocabulary_size": "300"}, facts=facts)
    assert again.facts == facts and again.fingerprint == dataset.fingerprint


def test_the_document_is_signature_the_rest_of_the_docstring_and_code(library):
    (library / "string.py").write_text(
        '"""All about strings here.\n\nNot those of guitars, though."""\n'
        "class Rope(object):\n"
        '    """A very long string."""\n\n'
        "    def cut(self, where=0):\n"
        '        """Part the rope\n        in two.\n\n'
        '        Of no use after its end.\n        """\n'
        "        # Both parts are ropes.\n"
        "        return self[:where], self[where:]\n\n"
        '    def tie(self): "Make one knot in it."; return None\n'
        "def knot(a, *, b):\n"
        '    """knot(a, b) -> rope of both\n\n    That is a signature, and no summary."""\n'
        "def twin(self, where=0):\n"
        '    """Part it again in two."""\n'
        "    # Both parts are ropes.\n"
        "    return self[:where], self[where:]\n"
    )
    options = {"validation_fraction": "0", "test_fraction": "0", "vocabulary_size": "300"}
    assert everything(load("stdlib_summaries", options)) == [
        [
            ("module string\n\nNot those of guitars, though.", "All about strings here."),
            (
                "Rope.cut(self, where=0)\n\nOf no use after its end.\n\n"
                "# Both parts are ropes.\nreturn self[:where], self[where:]",
                "Part the rope in two.",
            ),
        ]
    ]


def test_a_python_without_sources_is_one_clear_line(library):
    with refused("sources of Python's standard library are not in"):
        load("stdlib_summaries")
