"""Tagged words in the columns of CoNLL."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import flatten, refused

from threefold.core.errors import UserError
from threefold.datasets.loading import load
from threefold.datasets.texts.conll import read_sentences

JOHN = "John NNP B-PER\nSmith NNP I-PER\nlives VBZ O\nin IN O\nRome NNP B-LOC\n. . O\n\n"


def write(text, name="news.conll"):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")
    return name


def refuse(reference, **options):
    with refused() as raised:
        load(reference, options, task="token_classification")
    return str(raised.value)


def tags(text):
    sentences, scheme = read_sentences(Path(write(text)))
    return [sentence.tags for sentence in sentences], scheme


def test_words_and_tags_are_read(in_tmp):
    dataset = load(write("-DOCSTART- -X- O\n\n" + JOHN * 10))
    assert dataset.task == "token_classification"
    assert dataset.facts.class_names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert dataset.facts.class_counts == (21, 7, 0, 7, 7)
    train = dataset.splits["train"][np.arange(7)]
    assert train["words"][0] == ("John", "Smith", "lives", "in", "Rome", ".")
    assert train["tags"][0][train["tags"][0] >= 0].tolist() == [3, 4, 0, 0, 1, 0]
    assert sorted(map(len, dataset.splits.values())) == [1, 2, 7]
    assert dataset.notes == [
        "no validation or test split: of 10 sentences 15 % for validation and 15 % for test, seed 0"
    ]


def test_files_of_a_folder_are_the_splits(in_tmp):
    write(JOHN * 3, "news/train.txt")
    write(JOHN * 2, "news/dev.txt")
    write("Rome\tB-LOC\n", "news/test.conll")
    write("x", "news/readme.md")
    dataset = load("news", task="token_classification")
    assert [len(split) for split in dataset.splits.values()] == [3, 2, 1]
    assert list(dataset.splits) == ["train", "validation", "test"]
    assert dataset.notes == []
    write("Rome B-LOC\n", "news/valid.conll")
    assert "'news/dev.txt' and 'news/valid.conll' are both for validation" in refuse("news")


def test_columns_can_be_told(in_tmp):
    text = "".join(f"{number} w{number} B-x O\n\n" for number in range(9))
    dataset = load(write(text), {"word_column": "2", "tag_column": "3"})
    words = dataset.splits["train"][np.arange(1)]["words"][0]
    assert words[0].startswith("w")
    assert dataset.facts.class_names == ("O", "B-x", "I-x")


# Of each scheme its tags, and the same in BIO.
SCHEMES = {
    "BIO": {"O B-x I-x B-x O": "O B-x I-x B-x O", "B-a-b I-a-b": "B-a-b I-a-b"},
    "IOB1": {"I-x I-x B-x O I-y": "B-x I-x B-x O B-y"},
    "BIOES": {"B-x I-x E-x S-y O": "B-x I-x I-x B-y O", "B-x L-x U-y O U-y": "B-x I-x B-y O B-y"},
}


@pytest.mark.parametrize(("scheme", "given_tags", "expected"), flatten(SCHEMES))
def test_other_schemes_are_brought_to_bio(in_tmp, scheme, given_tags, expected):
    text = "\n".join(f"w {tag}" for tag in given_tags.split())
    assert tags(text) == ([expected.split()], scheme)


@given(st.lists(st.tuples(st.sampled_from("xy"), st.integers(1, 3), st.booleans()), max_size=6))
def test_every_scheme_tells_the_same_spans(tmp_path_factory, spans):
    bio, bioes, iob1, before = [], [], [], None
    for kind, length, gap in spans:
        bio += [f"B-{kind}", *[f"I-{kind}"] * (length - 1)]
        bioes += [f"S-{kind}"] if length == 1 else [
            f"B-{kind}", *[f"I-{kind}"] * (length - 2), f"E-{kind}"
        ]  # fmt: skip
        first = "B" if before == kind else "I"
        iob1 += [f"{first}-{kind}", *[f"I-{kind}"] * (length - 1)]
        before = None if gap else kind
        for scheme in (bio, bioes, iob1) if gap else ():
            scheme.append("O")
    file = tmp_path_factory.mktemp("schemes") / "x.conll"
    for scheme in (bio, bioes, iob1):
        file.write_text("\n".join(f"w {tag}" for tag in ["O", *scheme]))
        (sentence,), _ = read_sentences(file)
        assert sentence.tags == ["O", *bio]


def test_a_scheme_that_was_changed_is_said(in_tmp):
    assert load(write("a I-x\n\n" * 9)).notes[0] == ("news.conll: tags are in IOB1, brought to BIO")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a B-x\nb\nc O\n", "news.conll line 2: 1 column; expected 2, as in line 1"),
        ("a B-x\n\nb N O\n", "news.conll line 3: 3 columns; expected 2, as in line 1"),
        ("word\n", "line 1: 1 column; expected at least 2, a word and its tag"),
        ("a\tO\n\tO\n", "line 2: the word is empty"),
        ("a\tO\nb\t\n", "line 2: the tag is empty"),
        ("a NOUN\n", "line 1: 'NOUN' is no tag in BIO; expected O, or B- or I- and a name"),
        ("a B-x\nb X-y\n", "line 2: 'X-y' is no tag in BIO"),
        ("a S-x\nb X-y\n", "line 2: 'X-y' is no tag in BIO"),
        ("a B-\n", "line 1: 'B-' is no tag in BIO"),
        ("a B-x\nb O\nc I-x\n", "line 3: 'I-x' goes on with a span that did not begin"),
        ("a S-x\nb O\nc E-x\n", "line 3: 'E-x' goes on with a span that did not begin"),
        ("", "news.conll is empty; expected a word and its tag on each line"),
        ("a O\nb O\n", "every tag is O; there is nothing to find"),
    ],
)
def test_what_is_no_conll_is_refused_by_its_line(in_tmp, text, message):
    assert message in refuse(write(text))


def test_bytes_that_are_not_utf_8_are_refused_by_line(in_tmp):
    Path("x.conll").write_bytes(b"a O\ncaf\xe9 B-x\n")
    assert "x.conll line 2: byte 0xe9 is not utf-8" in refuse("x.conll")


def test_a_folder_without_a_file_to_train_on_is_refused(in_tmp):
    write(JOHN, "news/test.conll")
    assert "folder 'news' holds no file to train on; expected train.conll" in refuse("news")


def test_data_for_a_run_have_its_tags(in_tmp):
    run = load(write(JOHN * 10)).facts
    other = load(write("Rome B-LOC\n\n" * 9, "other.conll"), facts=run)
    assert other.facts == run
    write("a B-PER\nb I-ORG\n\n" * 9, "more.conll")
    with pytest.raises(UserError, match="more.conll line 2: 'I-ORG' goes on"):
        load("more.conll", facts=run)
    write("a B-ORG\n\n" * 9, "more.conll")
    with pytest.raises(UserError, match="more.conll line 1: the tag 'B-ORG' is none of the run's"):
        load("more.conll", facts=run)


def test_sentences_over_the_limit_are_cut_and_counted(in_tmp):
    dataset = load(write(JOHN * 10), {"max_tokens": "3", "tokenizer": "word"})
    assert dataset.notes[-1].startswith("10 of 10 sentences are longer than 3 tokens and cut")
    assert len(dataset.splits["train"][np.arange(1)]["tags"][0]) == 3


def words_of(text, **options):
    sentences, _ = read_sentences(Path(write(text)), **options)
    return [sentence.words for sentence in sentences]


@pytest.mark.parametrize("between", ["\t", " ", "   "])
def test_comments_are_no_words_and_a_word_of_that_sign_is_none(in_tmp, between):
    row = between.join
    text = "\n".join([
        "# newdoc", "# sent_id = 1", "# text = Rome = # O", row(["Rome", "B-LOC"]),
        row(["#", "O"]), "#begin document (x); part 0", "# odd", row(["#1", "O"]), "",
        "# text = it", row(["#", "B-LOC"]), row(["it", "O"]),
    ])  # fmt: skip
    assert words_of(text) == [["Rome", "#", "#1"], ["#", "it"]]
    with refused("column"):
        words_of(text, comments=False)


def test_comments_are_counted_and_can_be_overruled(in_tmp):
    dataset = load(write("# sent_id = 1\n# newpar\n" + JOHN * 10))
    assert dataset.notes[0] == (
        "news.conll: 2 lines that begin with # are comments and ignored "
        "(-d comments=false: they are words)"
    )
    assert "line 2: 3 columns; expected 4, as in line 1" in refuse(
        write("# sent_id = 1\n" + JOHN), comments="false"
    )


@pytest.mark.parametrize("between", ["\t", " "])
@pytest.mark.parametrize("space", ["\xa0", "\u202f", "\u3000", "\u2009"])
def test_only_tabs_and_spaces_are_between_columns(in_tmp, between, space):
    word = f"10{space}000{space}"
    assert words_of(f"{word}{between}O\nkm{between}B-LOC\n{space}\nit{between}O\n") == [
        [word, "km"], ["it"],
    ]  # fmt: skip
