"""Documents with summaries."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused
from small_tables import pairs_of

from threefold.datasets.loading import load
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts.tokenizing import decode

TASK = "summarization"


def write(content, name):
    content = content if isinstance(content, str) else "\n".join(content) + "\n"
    Path(name).write_text(content, encoding="utf-8")
    return name


def news(count=20, **names):
    """Objects of JSON Lines; `names` are those of the columns."""
    source, target = names.get("source", "article"), names.get("target", "highlights")
    return [
        json.dumps({"id": str(n), source: f"dog {n} sleeps.\nIt is old.", target: f"old dog {n}"})
        for n in range(count)
    ]


def refuse(reference, **options):
    with refused() as raised:
        load(reference, options, task=TASK)
    return str(raised.value)


WANTED = {(f"dog {n} sleeps.\nIt is old.", f"old dog {n}") for n in range(20)}


def test_documents_and_summaries_are_known_by_the_names_of_their_columns(in_tmp):
    dataset = load(write(news(), "news.jsonl"))
    assert dataset.task == TASK and pairs_of(dataset) == WANTED
    assert dataset.notes == ["20 pairs: 'highlights' of 'article'"]
    assert dataset.facts.documents and "documents with summaries" in dataset.facts.describe()
    test = dataset.splits["test"][np.arange(2)]
    assert decode(dataset.facts.source_tokenizer, test["source"]) == test["source_text"].tolist()
    assert decode(dataset.facts.target_tokenizer, test["target"]) == test["target_text"].tolist()
    named = write(news(source="Body", target="Title"), "other.jsonl")
    assert pairs_of(load(named, task=TASK)) == WANTED


def test_the_likelier_name_is_taken_and_another_can_be_told(in_tmp):
    rows = [json.dumps({"title": f"t{n}", "text": f"x{n}", "summary": f"s{n}"}) for n in range(9)]
    name = write(rows, "three.jsonl")
    assert ("x3", "s3") in pairs_of(load(name, task=TASK))
    assert ("x3", "t3") in pairs_of(load(name, {"target": "title"}, task=TASK))
    assert ("s3", "t3") in pairs_of(load(name, {"source": "summary"}, task=TASK))


def test_tables_hold_documents_of_many_lines(in_tmp):
    import pandas as pd

    frame = pd.DataFrame(sorted(WANTED), columns=["text", "summary"])
    frame.to_csv("news.csv", index=False)
    frame.to_parquet("news.parquet")
    for name in ("news.csv", "news.parquet"):
        assert pairs_of(load(name, task=TASK)) == WANTED


def test_lines_with_a_tab_between_and_two_files_are_pairs_too(in_tmp):
    wanted = {(f'dog {n}, "old"', f"d{n}") for n in range(20)}
    lines = [f"{source}\t{target}" for source, target in sorted(wanted)]
    assert pairs_of(load(write(lines, "a.txt"), task=TASK)) == wanted
    named = write(["id\tdocument\tsummary", *(f"7\t{line}" for line in lines)], "b.tsv")
    assert pairs_of(load(named, task=TASK)) == wanted
    write([target for _, target in sorted(wanted)], "short.txt")
    alone = write([source for source, _ in sorted(wanted)], "long.txt")
    dataset = load(alone, {"target_file": "short.txt"}, task=TASK)
    assert pairs_of(dataset) == wanted
    assert dataset.notes == ["20 pairs: the lines of short.txt of those of long.txt"]


def test_one_vocabulary_is_learned_from_both_sides_of_the_training_split_alone(in_tmp):
    name = write(news(), "news.jsonl")
    options = {"tokenizer": "word", "lowercase": "true"}
    dataset = load(name, options, task=TASK)
    facts = dataset.facts
    assert facts.source_tokenizer == facts.target_tokenizer
    assert facts.source_vocabulary_size == facts.target_vocabulary_size
    train = dataset.splits["train"][np.arange(len(dataset.splits["train"]))]
    numbers = {text.split()[1] for text in train["source_text"]}
    test = dataset.splits["test"][np.arange(2)]
    for text, line in zip(test["source_text"], decode(facts.source_tokenizer, test["source"]),
                          strict=True):  # fmt: skip
        number = text.split()[1]
        assert number not in numbers and "dog [UNK] sleeps" in line
    apart = load(name, options | {"shared_vocabulary": "false"}, task=TASK).facts
    assert apart.source_tokenizer != apart.target_tokenizer
    again = load(name, {"vocabulary_size": "300"}, task=TASK, facts=facts)
    assert again.facts == facts and again.fingerprint == dataset.fingerprint


def test_what_is_over_the_limit_is_cut_and_counted_or_refused_with_its_place(in_tmp):
    rows = [*news(), json.dumps({"article": "a b c d e f g h", "highlights": "old dog is old"})]
    name = write(rows, "news.jsonl")
    options = {"tokenizer": "word", "max_tokens": "7", "max_target_tokens": "3"}
    dataset = load(name, {**options, "max_tokens": "8"}, task=TASK)
    assert dataset.notes[1:2] == [
        "1 of 21 summaries are longer than 3 tokens and cut there (more: -d max_target_tokens=N)",
    ]
    cut = load(name, options | {"max_target_tokens": "9"}, task=TASK)
    assert cut.notes[1].startswith("21 of 21 documents are longer than 7 tokens and cut there")
    max_length = [max(map(len, split[np.arange(len(split))]["source"]))
               for split in cut.splits.values()]  # fmt: skip
    assert max(max_length) == 7
    refused = {**options, "max_tokens": "8", "long": "refuse"}
    assert refuse(name, **refused) == (
        "news.jsonl line 21: 4 tokens; 1 of 21 summaries are longer than 3 tokens; allow more with "
        "-d max_target_tokens=N, or cut them with -d long=cut"
    )
    assert "line 1: 8 tokens; 21 of 21 documents are" in refuse(
        name, **options | {"long": "refuse"}
    )
    assert "did you mean 'cut'" in refuse(name, long="cutt")


@pytest.mark.parametrize(
    ("rows", "name", "message"),
    [
        (['{"article": "a", "highlights": "b"}', '{"article": " ", "highlights": "b"}'],
         "x.jsonl", "x.jsonl line 2: the document is empty; fill it"),
        (['{"article": "a", "highlights": ""}'], "x.jsonl", "line 1: the summary is empty"),
        (['{"article": "a", "highlights": "b"}', '{"article": "a"}'], "x.jsonl",
         "x.jsonl line 2: the summary is empty"),
        (['{"article": "a"}'], "x.jsonl",
         "x.jsonl has no column 'summary'; there are: article; say which holds each summary with "
         "-d target=NAME"),
        (['{"summary": "a", "words": "b"}'], "x.jsonl",
         "x.jsonl has no column 'document'; there are: summary, words; say which"),
        (["text", "a document", "another"], "x.csv", "x.csv has no column 'summary'"),
        (["a document", "another"], "x.txt",
         "x.txt line 1: 1 cell; expected at least two, tabs between, or the summary in a file of "
         "-d target_file=FILE"),
        (["a\tb", "c"], "x.tsv", "x.tsv line 2: 1 cell; expected 2, as in line 1"),
        (["a\tb", "c\t "], "x.tsv", "x.tsv line 2: the summary is empty"),
        (["document\tsummary"], "x.tsv", "x.tsv holds no pairs; expected a document and a summary"),
        (["", ""], "x.tsv", "x.tsv is empty; expected a document, a tab and a summary"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_pair_is_refused_with_its_place(in_tmp, rows, name, message):
    assert message in refuse(write(rows, name))


def test_pairs_with_an_empty_side_can_be_left_out(in_tmp):
    rows = [*news(), '{"article": "", "highlights": "x"}', '{"article": "x"}']
    dataset = load(write(rows, "x.jsonl"), {"skip_empty": "true"}, task=TASK)
    assert pairs_of(dataset) == WANTED
    assert dataset.notes[1] == "left out with an empty side: 2 of 22 pairs"


def test_files_of_unequal_length_are_refused_with_the_ends_of_both(in_tmp):
    write(["a", "b", "c"], "long.txt")
    write(["x", "y"], "short.txt")
    assert refuse("long.txt", target_file="short.txt") == (
        "long.txt ends at line 3 and short.txt at line 2; expected as many lines in both, each the "
        "counterpart of that in the other file"
    )
    write(["x", "", "z"], "short.txt")
    message = refuse("long.txt", target_file="short.txt")
    assert message.startswith("long.txt and short.txt line 2: the summary is empty")
    assert "cannot read none.txt: No such file" in refuse("long.txt", target_file="none.txt")
    Path("short.txt").write_bytes(b"x\ny\n\xfe\n")
    assert "short.txt line 3: byte 0xfe is not utf-8" in refuse("long.txt", target_file="short.txt")
    assert "and columns are given, too" in refuse("long.txt", target_file="short.txt", source="1")
    named = write(news(), "news.jsonl")
    assert "and news.jsonl is a table" in refuse(named, target_file="short.txt")


def test_other_files_that_hold_no_summaries_are_refused(in_tmp):
    Path("x.tsv").write_bytes(b"a\tb\nc\t\xff\n")
    assert "x.tsv line 2: byte 0xff is not utf-8" in refuse("x.tsv")
    Path("x.jsonl").write_bytes(b'{"text": "a", "summary": "b"}\n{"text": "\xff"}\n')
    assert "x.jsonl line 2: byte 0xff is not utf-8" in refuse("x.jsonl")
    name = write(news(), "news.jsonl")
    assert "no column 'artikle'; did you mean 'article'?" in refuse(name, source="artikle")
    assert "'article' is both document and summary" in refuse(name, source="article",
                                                              target="article")  # fmt: skip
    assert "column 2 is both document and" in refuse(write(["a\tb"], "a.tsv"), source="2")
    assert "'.' is a folder; summarization takes a file of documents with" in refuse(".")


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.text("ab", max_size=3), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.1, 0.3]),
    st.integers(0, 5),
)
def test_no_source_is_in_two_splits_and_none_is_lost(sources, fraction, seed):
    fractions = SplitFractions(fraction, 0.2, seed)
    rows, _ = fractions.fill_in(len(sources), noun="pairs", groups=sources)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(len(sources)))
    found = [{sources[row] for row in chosen} for chosen in rows.values()]
    assert sum(map(len, found)) == len(set(sources))


# What is no tab and ends no line.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"), min_size=1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
def test_what_was_written_is_read(tmp_path_factory, rows):
    from threefold.datasets.texts.pairs.pair_files import SUMMARIES, PairFiles, read_pairs

    rows = [(f"x{source}", f"y{target}") for source, target in rows]
    folder = tmp_path_factory.mktemp("pairs")
    content = {"lines.tsv": "".join(f"{a}\t{b}\n" for a, b in rows),
               "long.txt": "".join(f"{a}\n" for a, _ in rows),
               "short.txt": "".join(f"{b}\n" for _, b in rows),
               "rows.jsonl": "\n".join(json.dumps({"text": a, "title": b})
                                       for a, b in rows)}  # fmt: skip
    for name, text in content.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, other in (("lines.tsv", None), ("rows.jsonl", None), ("long.txt", "short.txt")):
        explicit = PairFiles(target_file=str(folder / other) if other else None)
        found = read_pairs(str(folder / name), SUMMARIES, explicit)
        read = list(zip(found.sources, found.targets, strict=True))
        strip = name == "lines.tsv"
        assert read == [(a.strip(), b.strip()) if strip else (a, b) for a, b in rows]
