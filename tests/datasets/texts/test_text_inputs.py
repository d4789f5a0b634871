"""Texts that a user wants answers for."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest

from threefold.datasets.facts import PairFacts, QuestionFacts, TextFacts, TextPairFacts
from threefold.datasets.inference_inputs import read_inputs
from threefold.datasets.texts.tokenizing import UNKNOWN, decode, train_tokenizer

WORDS = train_tokenizer("word", ["the good film and the bad film ' s ."], 50)
LETTERS = train_tokenizer("character", ["abcdefghij 0123456789"], 50)
DOCUMENTS = TextFacts(tokenizer=WORDS, vocabulary_size=13, max_length=6, class_names=("no", "yes"))
TAGS = DOCUMENTS.model_copy(update={"tokenizer": LETTERS, "max_length": 8, "tagged": True})
PAIRS = PairFacts(
    source_tokenizer=LETTERS,
    target_tokenizer=WORDS,
    source_vocabulary_size=25,
    target_vocabulary_size=13,
    max_source_length=8,
    max_target_length=8,
)


def write(name, content):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(content, encoding="utf-8")
    return name


def read(*given, facts=DOCUMENTS, stdin="", batch_size=2, **options):
    """Return names, examples and errors of all parts together."""
    stdin = io.BytesIO(stdin.encode())
    parts = list(read_inputs(given, facts, stdin, batch_size, **options))
    assert all(len(part.names) <= batch_size for part in parts)
    names = [name for part in parts for name in part.names]
    examples = {name: [item for part in parts for item in part.examples[name]]
                for name in parts[0].examples}  # fmt: skip
    return names, examples, [str(error) for part in parts for error in part.errors]


def test_a_text_file_is_a_document(in_tmp):
    for name in ("b", "a", "deep/c"):
        write(f"texts/{name}.txt", f"the good film\n\n{name}\n")
    write("texts/notes.md", "no text")
    names, examples, errors = read("texts/b.txt", "texts", "texts/*.txt")
    assert names == [
        "texts/b.txt",
        *("texts/a.txt", "texts/b.txt", "texts/deep/c.txt"),
        *("texts/a.txt", "texts/b.txt"),
    ]
    assert errors == []
    assert examples["text"][0] == "the good film\n\nb\n"
    assert decode(WORDS, examples["tokens"][:1]) == ["the good film [UNK]"]
    assert examples["tokens"][0].dtype == np.int32


def test_standard_input_is_a_text_on_each_line():
    names, examples, _ = read("-", stdin="the film\r\n\ngood\n")
    assert names == ["standard input line 1", "standard input line 3"]
    assert examples["text"] == ["the film", "good"]


def test_blank_lines_of_standard_input_keep_their_places():
    for facts, line in ((DOCUMENTS, "film"), (TAGS, "abc"), (PAIRS, "abc")):
        stdin = io.BytesIO(f"\n{line}\n \n\n{line}\n\n".encode())
        parts = list(read_inputs(["-"], facts, stdin, 3))
        assert [(part.names, list(part.blank)) for part in parts] == [
            (["standard input line 2"],
             [(0, "standard input line 1"), (1, "standard input line 3")]),
            (["standard input line 5"],
             [(0, "standard input line 4"), (1, "standard input line 6")]),
        ]  # fmt: skip


def test_a_column_of_a_table_is_texts(in_tmp):
    write("t.csv", "id,what\n1,the good film\n2,bad film\n")
    names, examples, _ = read("t.csv")
    assert names == ["t.csv line 2", "t.csv line 3"]
    assert examples["text"] == ["the good film", "bad film"]
    assert read("t.csv", text="id")[1]["text"] == ["1", "2"]
    write("t.jsonl", '{"text": "film", "x": 1}\n')
    assert read("t.jsonl")[0] == ["t.jsonl line 1"]
    _, _, errors = read("t.csv", text="wat")
    assert errors == ["t.csv has no column 'wat'; did you mean 'what'?"]


def test_words_to_be_tagged_are_split_around_punctuation(in_tmp):
    write("a.txt", "abc's (d)\n\nefg hij 0123\n")
    with pytest.warns(UserWarning, match="1 text is longer than 8 tokens and cut there"):
        names, examples, _ = read("a.txt", facts=TAGS)
    assert names == ["a.txt line 1", "a.txt line 3"]
    assert examples["words"] == [("abc", "'", "s", "(", "d", ")"), ("efg", "hij", "0123")]
    assert [tags.tolist() for tags in examples["tags"]] == [
        [0, -1, -1, 0, 0, 0, 0, 0],
        [0, -1, -1, 0, -1, -1, 0, -1],
    ]
    assert [len(tokens) for tokens in examples["tokens"]] == [8, 8]


def test_sources_are_lines_or_a_column(in_tmp):
    write("a.tsv", "abc\tthe\nde\tbad\n")
    names, examples, _ = read("a.tsv", "-", facts=PAIRS, stdin="fgh\n")
    assert names == ["a.tsv line 1", "a.tsv line 2", "standard input line 1"]
    assert examples["source_text"] == ["abc", "de", "fgh"]
    assert decode(LETTERS, examples["source"]) == ["abc", "de", "fgh"]
    assert read("a.tsv", facts=PAIRS, source="2")[1]["source_text"] == ["the", "bad"]
    write("b.tsv", "fra\teng\nabc\tthe\n")
    assert read("b.tsv", facts=PAIRS, source="eng")[1]["source_text"] == ["the"]
    write("c.tsv", "source\ttarget\nabc\tthe\n")
    assert read("c.tsv", facts=PAIRS)[1]["source_text"] == ["abc"]
    write("a.jsonl", '{"source": "a b", "target": "x"}')
    assert read("a.jsonl", facts=PAIRS)[1]["source_text"] == ["a b"]
    write("b.jsonl", '{"text": "a b"}')
    assert read("b.jsonl", facts=PAIRS)[2] == ["b.jsonl has no column 'source'; there are: text"]


def test_a_document_to_be_summarised_is_a_file_a_line_or_a_column(in_tmp):
    facts = PAIRS.model_copy(update={"documents": True})

    def sources(*given, **options):
        return read(*given, facts=facts, **options)[1]["source_text"]

    write("a.txt", "abc\n\nde\n")
    assert sources("a.txt", "-", stdin="fg\nhij\n") == ["abc\n\nde\n", "fg", "hij"]
    write("a.tsv", "abc\tthe\nde\tbad\n")
    assert sources("a.tsv") == ["abc", "de"] and sources("a.tsv", source="2") == ["the", "bad"]
    write("b.tsv", "id\tArticle\n1\tabc\n")
    assert sources("b.tsv") == ["abc"]
    assert sources("-", stdin="text\nabc\n") == ["text", "abc"]  # each may be a document
    write("a.jsonl", '{"title": "x", "article": "a\\nb"}')
    assert sources("a.jsonl") == ["a\nb"] and sources("a.jsonl", source="title") == ["x"]
    write("b.jsonl", '{"words": "a b"}')
    _, _, errors = read("b.jsonl", facts=facts)
    assert errors == ["b.jsonl has no column 'document'; there are: words"]


def test_what_cannot_be_read_is_an_error_among_the_others(in_tmp):
    write("a.txt", "good")
    write("empty.txt", " \n")
    Path("bad.txt").write_bytes(b"fine\n\xff")
    names, examples, errors = read("empty.txt", "a.txt", "bad.txt", "a.txt")
    assert names == ["a.txt", "a.txt"]
    assert errors == [
        "empty.txt is empty; expected a text",
        "bad.txt line 2: byte 0xff is not utf-8; save the file as UTF-8 or pass "
        "-d encoding=latin-1",
    ]
    assert read("bad.txt", encoding="latin-1")[1]["text"] == ["fine\nÿ"]
    write("t.csv", "text\ngood\n ,\n")
    assert read("t.csv")[2] == ["t.csv line 3: 2 cells where the header names 1 columns"]


def test_unknown_words_are_unknown_and_long_texts_are_cut_and_said(in_tmp):
    write("a.txt", "unseen " * 9)
    write("b.txt", "film " * 7)
    with pytest.warns(UserWarning, match="2 texts are longer than 6 tokens and cut there"):
        _, examples, errors = read("a.txt", "b.txt", batch_size=1)
    assert examples["tokens"][0].tolist() == [UNKNOWN] * 6
    assert errors == []
    with warnings.catch_warnings(action="error"):
        read("-", stdin="film " * 6)


def test_blank_lines_keep_their_places_among_pairs_and_questions():
    common = {"tokenizer": WORDS, "vocabulary_size": 13, "max_length": 6}
    pairs = TextPairFacts(**common, columns=("a", "b"), class_names=("no", "yes"))
    questions = QuestionFacts(**common, max_question_length=4, stride=1, unanswerable=False)
    for facts in (pairs, questions):
        stdin = io.BytesIO(b"the\tfilm\n\nthe\tbad film\n")
        (part,) = read_inputs(["-"], facts, stdin, 8)
        assert part.names == ["standard input line 1", "standard input line 3"]
        assert list(part.blank) == [(1, "standard input line 2")] and not part.errors
