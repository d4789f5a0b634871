"""Pairs of texts, one to be made of the other."""

from pathlib import Path

import numpy as np
import pytest
from refusals import refused
from small_tables import pairs_of

from threefold.datasets.loading import load
from threefold.datasets.texts.tokenizing import UNKNOWN, decode, encode, kind_of

TASK = "translation"


def write(lines, name="pairs.tsv"):
    Path(name).write_text("\n".join(lines), encoding="utf-8")
    return name


def lines(count=20):
    return [f'the "{number}" dogs\tles {number} chiens\tnote' for number in range(count)]


def refuse(reference, **options):
    with refused() as raised:
        load(reference, options, task=TASK)
    return str(raised.value)


def test_the_first_two_columns_are_source_and_target(in_tmp):
    dataset = load(write(lines()), task=TASK)
    assert pairs_of(dataset) == {(f'the "{n}" dogs', f"les {n} chiens") for n in range(20)}
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 16, "validation": 2, "test": 2,
    }  # fmt: skip
    assert dataset.notes == ["20 pairs: column 2 of column 1"]
    test = dataset.splits["test"][np.arange(2)]
    assert decode(dataset.facts.source_tokenizer, test["source"]) == test["source_text"].tolist()
    assert decode(dataset.facts.target_tokenizer, test["target"]) == test["target_text"].tolist()


def test_columns_can_be_told_by_number_and_by_name(in_tmp):
    assert ("note", "les 3 chiens") in pairs_of(
        load(write(lines()), {"source": "3", "target": "2"}, task=TASK)
    )
    named = write(["eng\tfra\tx", *lines()])
    found = pairs_of(load(named, {"source": "fra", "target": "eng"}, task=TASK))
    assert len(found) == 20 and ("les 3 chiens", 'the "3" dogs') in found
    assert len(pairs_of(load(write(["Source\tTarget\tx", *lines()]), task=TASK))) == 20


def test_json_lines_are_known_by_their_names(in_tmp):
    name = write(['{"source": "a b", "target": "A"}'] * 3 + ['{"source": "b", "target": "B"}'] * 9,
                 "pairs.jsonl")  # fmt: skip
    dataset = load(name)
    assert dataset.task == TASK and pairs_of(dataset) == {("a b", "A"), ("b", "B")}
    assert dataset.notes[:1] == ["12 pairs: 'target' of 'source'"]


def test_a_source_is_in_one_split_with_all_its_targets(in_tmp):
    rows = [f"w{number % 30}\tt{number}" for number in range(90)]
    dataset = load(write(rows), {"validation_fraction": "0.3", "test_fraction": "0.3"}, task=TASK)
    sources = [
        set(split[np.arange(len(split))]["source_text"]) for split in dataset.splits.values()
    ]
    assert sum(map(len, sources)) == len(set.union(*sources)) == 30
    assert sum(map(len, dataset.splits.values())) == 90


def test_each_side_has_its_tokenizer(in_tmp):
    options = {"tokenizer": "character", "target_tokenizer": "word", "unit": "phoneme"}
    facts = load(write(lines()), options, task=TASK).facts
    assert kind_of(facts.source_tokenizer) == "character"
    assert kind_of(facts.target_tokenizer) == "word"
    assert facts.unit == "phoneme"
    again = load(write(lines(5)), task=TASK, facts=facts)
    assert again.facts == facts


def test_both_sides_can_have_one_vocabulary(in_tmp):
    facts = load(
        write(lines()), {"shared_vocabulary": "true", "tokenizer": "word"}, task=TASK
    ).facts
    assert facts.source_tokenizer == facts.target_tokenizer
    found = encode(facts.source_tokenizer, ["les dogs"])[np.array([0])][0]
    assert UNKNOWN not in found.tolist()
    assert refuse("pairs.tsv", shared_vocabulary="true", target_tokenizer="word") == (
        "-d shared_vocabulary=true makes one tokenizer, of the kind bpe; leave "
        "-d target_tokenizer=word out"
    )


def test_each_side_can_have_its_file(in_tmp):
    write([f"{n} chiens" for n in range(20)], "corpus.fr")
    write([f"{n} dogs" for n in range(20)], "corpus.en")
    dataset = load("corpus.en", {"target_file": "corpus.fr"}, task=TASK)
    assert pairs_of(dataset) == {(f"{n} dogs", f"{n} chiens") for n in range(20)}
    write([f"{n} chiens" for n in range(19)], "corpus.fr")
    message = refuse("corpus.en", target_file="corpus.fr")
    assert message.startswith("corpus.en ends at line 20 and corpus.fr at line 19; expected")


def test_texts_over_the_limit_are_cut_and_counted(in_tmp):
    dataset = load(write(lines()), {"max_tokens": "2", "tokenizer": "word"}, task=TASK)
    assert dataset.notes[1:3] == [
        f"20 of 20 {side} are longer than 2 tokens and cut there (more: -d {option}=N)"
        for side, option in (("sources", "max_tokens"), ("targets", "max_target_tokens"))
    ]
    wider = {"max_tokens": "2", "max_target_tokens": "9", "tokenizer": "word"}
    notes = load(write(lines()), wider, task=TASK).notes
    assert sum("longer than" in note for note in notes) == 1
    assert "line 1: 5 tokens; 20 of 20 sources" in refuse(write(lines()), **wider, long="refuse")


def test_a_pair_with_an_empty_side_is_refused_or_left_out(in_tmp):
    name = write([*lines(), "\tles chiens\tx", "dogs\t \tx"])
    assert "pairs.tsv line 21: the source is empty; fill it" in refuse(name)
    dataset = load(name, {"skip_empty": "true"}, task=TASK)
    assert len(pairs_of(dataset)) == 20
    assert dataset.notes[1] == "left out with an empty side: 2 of 22 pairs"


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (["a\tb", "c"], {}, "pairs.tsv line 2: 1 cell; expected 2, as in line 1"),
        (["a\tb", "", "c\td\te"], {}, "pairs.tsv line 3: 3 cells; expected 2, as in line 1"),
        (["a b", "c d"], {}, "line 1: 1 cell; expected at least two, tabs between"),
        ([""], {}, "pairs.tsv is empty; expected a source, a tab and a target"),
        (["source\ttarget"], {}, "pairs.tsv holds no pairs"),
        (["a\tb"] * 3, {"target": "3"}, "pairs.tsv has 2 columns, none of number 3"),
        (["eng\tfra", "a\tb"], {"source": "end"}, "no column 'end'; did you mean 'eng'"),
    ],
)
def test_lines_that_are_no_pairs_are_refused_by_number(in_tmp, rows, options, message):
    assert message in refuse(write(rows), **options)


def test_other_files_that_are_no_pairs_are_refused(in_tmp):
    Path("x.tsv").write_bytes(b"a\tb\nc\t\xff\n")
    assert "x.tsv line 2: byte 0xff is not utf-8" in refuse("x.tsv")
    assert "no column 'target'" in refuse(write(['{"source": "a"}'], "x.jsonl"))
    assert "'.' is a folder; translation takes a file of pairs" in refuse(".")
