"""Texts to tokens and back, by every kind of tokenizer."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.datasets.ragged import PAD
from threefold.datasets.texts.tokenizing import (
    END,
    SPECIAL,
    START,
    UNKNOWN,
    decode,
    encode,
    encode_words,
    kind_of,
    load_tokenizer,
    split_words,
    token_names,
    train_tokenizer,
)

KINDS = ("word", "character", "wordpiece", "bpe")
TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Foxes don't jump; dogs are quick, the fox is lazy!",
    "Le renard était là, où le chien dormait. [PAD] [UNK]",
] * 4
CONTENTS = {kind: train_tokenizer(kind, TEXTS, 320) for kind in KINDS}
TEXT = st.text(max_size=40) | st.sampled_from([*TEXTS, *SPECIAL, "a[PAD]b", "\n\t \xa0", "ß🦊"])


@pytest.fixture(params=KINDS)
def content(request) -> str:
    return CONTENTS[request.param]


def rows(ragged):
    return list(ragged[np.arange(len(ragged))])


def test_a_tokenizer_is_a_json_that_the_library_reads(content):
    assert json.loads(content)["version"]
    names = token_names(content)
    assert tuple(names[:4]) == SPECIAL
    assert len(names) == len(set(names)) == load_tokenizer(content).get_vocab_size() <= 320
    assert load_tokenizer(content) is load_tokenizer(content)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_known_again(kind):
    assert kind_of(CONTENTS[kind]) == kind


def test_training_is_the_same_in_every_process():
    script = """if True:
        import hashlib, sys
        from threefold.datasets.texts.tokenizing import train_tokenizer
        texts = [" ".join(f"{a}{b}{c}" for a in "xyzw" for b in "abcdü" for c in "0123")] * 3
        for kind in ("word", "character", "wordpiece", "bpe"):
            print(hashlib.sha256(train_tokenizer(kind, texts, 300).encode()).hexdigest())
    """
    found = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    assert len({done.stdout for done in found}) == 1
    assert found[0].stderr == ""


def test_the_vocabulary_keeps_to_its_size_and_to_what_is_common():
    texts = ["common common common words words rare", "aaaa bbb c"]
    assert token_names(train_tokenizer("word", texts, 6))[4:] == ["common", "words"]
    assert token_names(train_tokenizer("character", texts, 6))[4:] == ["o", " "]


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_no_text_is_padding_a_start_or_an_end(texts):
    for content in CONTENTS.values():
        found = encode(content, texts)
        assert len(found) == len(texts)
        assert found.values.dtype == np.int32
        assert not np.isin(found.values, (PAD, START, END)).any()


@settings(max_examples=60, deadline=None)
@given(TEXT)
def test_byte_pairs_give_every_text_back(text):
    content = CONTENTS["bpe"]
    assert decode(content, rows(encode(content, [text]))) == [text]
    assert UNKNOWN not in encode(content, [text]).values


@settings(max_examples=60, deadline=None)
@given(TEXT)
def test_characters_are_tokens_as_the_library_has_them(text):
    content = CONTENTS["character"]
    (found,) = rows(encode(content, [text]))
    assert found.tolist() == load_tokenizer(content).encode(text).ids
    known = set(token_names(content))
    back = decode(content, [found])[0]
    assert back == "".join(letter if letter in known else "[UNK]" for letter in text)


@given(st.lists(st.sampled_from("the quick brown fox , . !".split()), min_size=1))
def test_words_come_back_with_one_space_between(words):
    for kind in ("word", "wordpiece"):
        (back,) = decode(CONTENTS[kind], rows(encode(CONTENTS[kind], [" ".join(words)])))
        assert back.split() == words if kind == "word" else split_words(back) == words


def test_what_was_never_seen_is_unknown():
    assert rows(encode(CONTENTS["word"], ["The unicorn"]))[0][1] == UNKNOWN
    assert rows(encode(CONTENTS["wordpiece"], ["中"]))[0].tolist() == [UNKNOWN]
    assert rows(encode(CONTENTS["character"], ["d中g"]))[0][1] == UNKNOWN


def test_small_letters_are_made_before_learning_and_before_reading():
    for kind in KINDS:
        content = train_tokenizer(kind, TEXTS, 320, lowercase=True)
        upper, lower = rows(encode(content, ["THE FOX É", "the fox é"]))
        assert upper.tolist() == lower.tolist()


def test_texts_are_cut_at_their_end(content):
    whole, short = rows(encode(content, [TEXTS[0], ""]))
    assert len(short) == 0
    assert rows(encode(content, [TEXTS[0]], 5))[0].tolist() == whole[:5].tolist()
    assert len(encode(content, [])) == 0


def test_the_end_of_a_text_ends_it(content):
    (ids,) = rows(encode(content, ["fox"]))
    framed = np.array([START, *ids, END, *ids, PAD])
    assert decode(content, [framed, np.array([], np.int32)]) == ["fox", ""]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.text(min_size=1, max_size=8), max_size=6), max_size=3))
def test_every_word_has_one_first_token(sentences):
    for content in CONTENTS.values():
        tokens, begins = encode_words(content, sentences)
        for words, ids, places in zip(sentences, rows(tokens), rows(begins), strict=True):
            assert len(ids) == len(places)
            assert places[places >= 0].tolist() == list(range(len(words)))
            assert (places[:1] == 0).all()


def test_words_are_cut_where_their_tokens_are():
    tokens, begins = encode_words(CONTENTS["character"], [["fox", "dog"], ["the"]], 4)
    assert [places.tolist() for places in rows(begins)] == [[0, -1, -1, 1], [0, -1, -1]]
    assert [len(ids) for ids in rows(tokens)] == [4, 3]


def test_text_is_split_around_punctuation():
    assert split_words("don't_stop (now), 3.5€") == (
        ["don", "'", "t_stop", "(", "now", ")", ",", "3", ".", "5", "€"]
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我学Python3,很好。", ["我", "学", "Python3", ",", "很", "好", "。"]),
        ("コーヒーを飲む人々", list("コーヒーを飲む人々")),
        ("สวัสดี ไทย๑", ["ส", "วั", "ส", "ดี", "ไ", "ท", "ย", "๑"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("မြန်မာ", ["မြ", "န်", "မာ"]),
        ("ລາວ", list("ລາວ")),
        (
            "한국어 입니다 हिन्दी भाषा e\u0301t\u00e9",
            "한국어 입니다 हिन्दी भाषा e\u0301t\u00e9".split(),
        ),
    ],
)
@pytest.mark.parametrize("kind", ["word", "wordpiece"])
def test_scripts_without_spaces_have_a_word_for_each_character(kind, text, words):
    content = train_tokenizer(kind, [text] * 3, 200)
    (ids,) = rows(encode(content, [text]))
    assert split_words(text) == words
    if kind == "word":
        assert [token_names(content)[number] for number in ids] == words
    assert len(ids) >= len(words) and UNKNOWN not in ids
    assert kind_of(content) == kind


@pytest.mark.parametrize("kind", KINDS)
def test_documents_of_chinese_have_many_tokens(kind):
    random = np.random.default_rng(0)
    documents = ["".join(map(chr, random.integers(0x4E00, 0x5DAC, 60))) for _ in range(200)]
    (ids,) = rows(encode(train_tokenizer(kind, documents, 8000), documents[:1]))
    assert len(ids) > 20 and UNKNOWN not in ids
    assert decode(train_tokenizer(kind, documents, 8000), [ids]) == documents[:1]


@settings(max_examples=60, deadline=None)
@given(TEXT | st.text("漢かカーไดิ់ក a1_,", max_size=20))
def test_words_are_those_of_the_tokenizer_in_every_place(text):
    encoded = load_tokenizer(CONTENTS["word"]).encode(text)
    assert split_words(text) == [text[start:stop] for start, stop in encoded.offsets]


def test_words_of_scripts_without_spaces_are_written_without_them():
    content = train_tokenizer("word", ["我 是 Bob 好", "I am"], 50)
    (ids,) = rows(encode(content, ["我是 Bob 好"]))
    assert decode(content, [ids]) == ["我是 Bob 好"]
