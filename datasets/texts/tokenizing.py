"""Texts to tokens and back, by Hugging Face's `tokenizers`.

A tokenizer is kept as text, the content of a `tokenizer.json`, which every runtime can read. Its
first four tokens are always the same: padding, unknown, the start and the end of a text. No text
can be read as one of them but as unknown.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.ragged import PAD, Ragged

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Kind = Literal["word", "character", "wordpiece", "bpe"]
KINDS = get_args(Kind)
SPECIAL = ("[PAD]", "[UNK]", "[START]", "[END]")
MASK = "[MASK]"
UNKNOWN, START, END = 1, 2, 3

# Scripts that put no space between words: each of their characters is a word, with its marks.
_SPACELESS_SCRIPTS = (
    "Han Hiragana Katakana Bopomofo Yi Tangut Nushu Thai Lao Khmer Myanmar Tibetan Javanese "
    "Balinese Cham Tai_Le New_Tai_Lue Tai_Tham Tai_Viet"
).split()
# With the long vowel of kana, which is of no script.
_SPACELESS = "\u30fc" + "".join(rf"\p{{{script}}}" for script in _SPACELESS_SCRIPTS)
# Words of letters, digits and underscores; any other visible character is a word of its own.
WORD_PATTERN = (
    rf"[{_SPACELESS}]\p{{M}}*|[\p{{L}}\p{{M}}\p{{N}}_&&[^{_SPACELESS}]]+"
    r"|[^\p{L}\p{M}\p{N}_\s]"
)
CHARACTER_PATTERN = r"[\s\S]"
_PREFIX = "##"  # of a piece that does not begin a word
_SPACE = ("Ġ", "▁")  # of a piece that does, in byte pairs and in SentencePiece
_LARGEST_CODE_POINT = 0x10FFFF
_AT_A_TIME = 1000  # texts whose tokens the library holds, with all that it knows of them


def train_tokenizer(
    kind: Kind,
    texts: Sequence[str],
    vocabulary_size: int,
    *,
    lowercase: bool = False,
    mask: bool = False,
) -> str:
    """Learn a vocabulary.

    Args:
        kind: str. `word`: words and punctuation, the commonest. `character`: each a token, the
            commonest. `wordpiece`: words in pieces (Schuster & Nakajima 2012). `bpe`: byte pairs
            (Sennrich et al. 2016), out of which any text can be had back.
        texts: sequence of str. What to learn from.
        vocabulary_size: int. The most tokens, the special ones among them. Byte pairs need 260.
        lowercase: bool. Whether texts are brought to small letters first.
        mask: bool. Whether there is a token `[MASK]`, for networks that learn to fill it in.

    Returns:
        str. The content of a `tokenizer.json`; the same for the same arguments.
    """
    tokenizer = _untrained(kind, lowercase)
    special = [*SPECIAL, MASK] if mask else list(SPECIAL)
    if kind == "character":
        letters = _commonest(_lower(tokenizer, texts), vocabulary_size - len(special))
        vocabulary = [*special, *letters]
        content = json.loads(tokenizer.to_str())
        content["model"]["vocab"] = {token: number for number, token in enumerate(vocabulary)}
        return json.dumps(content, ensure_ascii=False)
    tokenizer.train_from_iterator(texts, _trainer(kind, tokenizer, texts, vocabulary_size, special))
    content = json.loads(tokenizer.to_str())
    # Tokens that were added are looked for in texts: a text that says `[PAD]` would be padding.
    content["added_tokens"] = []
    return json.dumps(content, ensure_ascii=False)


@lru_cache(maxsize=2)
def _word_splitter(pattern: str = WORD_PATTERN):
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(pattern), "removed", invert=True)


def _joined(prefix: str):
    """Return the decoder of words and pieces: a space between two, but where none is written."""
    from tokenizers import Regex, decoders

    first = decoders.WordPiece(prefix) if prefix else decoders.WordPiece("\0", cleanup=False)
    between = Regex(rf"(?<=[{_SPACELESS}]) (?=[{_SPACELESS}])")
    return decoders.Sequence([first, decoders.Fuse(), decoders.Replace(between, "")])


def _untrained(kind: Kind, lowercase: bool) -> "Tokenizer":
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    # Set, whatever it is, it keeps the library from warning of every process that is started.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    unknown = {"unk_token": SPECIAL[UNKNOWN]}
    if kind == "bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    elif kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(**unknown, continuing_subword_prefix=_PREFIX))
        tokenizer.pre_tokenizer = _word_splitter()
        tokenizer.decoder = _joined(_PREFIX)
    else:
        tokenizer = Tokenizer(models.WordLevel(**unknown))
        tokenizer.pre_tokenizer = _word_splitter()
        tokenizer.decoder = _joined("")
        if kind == "character":
            tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(CHARACTER_PATTERN), "isolated")
            tokenizer.decoder = decoders.Fuse()
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    return tokenizer


def _trainer(
    kind: Kind,
    tokenizer: "Tokenizer",
    texts: Sequence[str],
    vocabulary_size: int,
    special: list[str],
):
    from tokenizers import pre_tokenizers, trainers

    common = {"vocab_size": vocabulary_size, "show_progress": False}
    if kind == "word":
        return trainers.WordLevelTrainer(**common, special_tokens=special)
    if kind == "bpe":
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        return trainers.BpeTrainer(**common, special_tokens=special, initial_alphabet=alphabet)
    # The library numbers the pieces of one character in an order of random numbers, which then
    # decides between pairs that are equally common. Those that are there before keep their numbers.
    lowered = _lower(tokenizer, texts)
    letters = _commonest(lowered, max(1, vocabulary_size // 4))
    whole = _commonest_spaceless(lowered, vocabulary_size // 2)
    letters = sorted({letter for letter in letters if not letter.isspace()} - set(whole))
    pieces = [*letters, *(_PREFIX + letter for letter in letters), *whole]
    return trainers.WordPieceTrainer(
        **common,
        special_tokens=[*special, *pieces],
        limit_alphabet=len(letters) + len(whole),
        initial_alphabet=[*letters, *whole],
    )


def _commonest_spaceless(texts: Sequence[str], count: int) -> list[str]:
    """Return the commonest characters that are words, which never go on with one, in order."""
    found = _commonest(texts, _LARGEST_CODE_POINT)
    spaceless = _word_splitter(rf"[{_SPACELESS}&&[^\p{{M}}]]").pre_tokenize_str("".join(found))
    return sorted(letter for letter, _ in spaceless[:count])


def _commonest(texts: Sequence[str], count: int) -> list[str]:
    """Return the commonest characters, the commonest first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    return sorted(counts, key=lambda letter: (-counts[letter], letter))[:count]


def _lower(tokenizer: "Tokenizer", texts: Sequence[str]) -> Sequence[str]:
    """Return texts in the small letters of the library, which are not quite Python's."""
    if tokenizer.normalizer is None:
        return texts
    return [tokenizer.normalizer.normalize_str(text) for text in texts]


@lru_cache(maxsize=8)
def load_tokenizer(content: str) -> "Tokenizer":
    """Return the tokenizer that a `tokenizer.json` holds; it is kept for the next call."""
    from tokenizers import Tokenizer

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    return Tokenizer.from_str(content)


@lru_cache(maxsize=8)
def kind_of(content: str) -> Kind:
    """Return the kind that a tokenizer was trained as."""
    found = json.loads(content)
    model = found["model"]["type"].lower()
    if model != "wordlevel":
        return model
    pattern = (found["pre_tokenizer"] or {}).get("pattern", {}).get("Regex")
    return "character" if pattern == CHARACTER_PATTERN else "word"


@lru_cache(maxsize=8)
def find_marks(content: str) -> tuple[int, int]:
    """Return the tokens that begin and end a text for networks that read such marks.

    BERT's `[CLS]` and `[SEP]` where a tokenizer has them, else the start and the end of a text.
    """
    vocabulary = _vocabulary(content)
    for marks in (("[CLS]", "[SEP]"), ("<s>", "</s>"), (SPECIAL[START], SPECIAL[END])):
        if set(marks) <= set(vocabulary):
            return vocabulary[marks[0]], vocabulary[marks[1]]
    return START, END


@lru_cache(maxsize=8)
def find_mask(content: str) -> int:
    """Return the token that stands for a masked one.

    Raises:
        UserError: where the tokenizer has none.
    """
    vocabulary = _vocabulary(content)
    for mask in (MASK, "<mask>"):
        if mask in vocabulary:
            return vocabulary[mask]
    raise UserError(
        f"the tokenizer has no token {MASK}; this task trains one that has, or takes it from BERT's"
    )


@lru_cache(maxsize=8)
def find_ordinary(content: str) -> np.ndarray:
    """Return the tokens that stand for text: all but padding, marks, the mask."""
    special = re.compile(r"\[[A-Za-z]+\d*\]|<(s|/s|pad|unk|mask)>")
    found = [n for piece, n in _vocabulary(content).items() if not special.fullmatch(piece)]
    return np.sort(np.array(found, np.int64))


@lru_cache(maxsize=8)
def find_continuing(content: str) -> np.ndarray:
    """Return of each token whether it goes on with a word that an earlier one begins."""
    vocabulary = _vocabulary(content)
    continues = np.zeros(max(vocabulary.values()) + 1, bool)
    spaced = any(piece.startswith(_SPACE) for piece in vocabulary)
    for piece, number in vocabulary.items():
        letters = any(letter.isalnum() for letter in piece)
        continues[number] = piece.startswith(_PREFIX) or (
            spaced and letters and not piece.startswith(_SPACE)
        )
    return continues


def _vocabulary(content: str) -> dict[str, int]:
    vocabulary = json.loads(content).get("model", {}).get("vocab", {})
    if isinstance(vocabulary, dict):
        return vocabulary
    return {piece: number for number, (piece, _) in enumerate(vocabulary)}  # pieces with their odds


def find_unknown(content: str) -> int:
    """Return the token of what a tokenizer does not know."""
    found = load_tokenizer(content).token_to_id(SPECIAL[UNKNOWN])
    return UNKNOWN if found is None else found


def encode(content: str, texts: Sequence[str], max_length: int | None = None) -> Ragged:
    """Turn texts into tokens.

    Args:
        content: str. The content of a `tokenizer.json`.
        texts: sequence of str. Of any length, the empty ones too.
        max_length: int. How many tokens of a text are kept, from its start; `None` for all.

    Returns:
        Ragged of int32. Neither start nor end is marked.
    """
    if kind_of(content) == "character":
        # The same, a hundred times faster.
        numbers, plain = _character_table(content), _lower(load_tokenizer(content), texts)
        points = [np.frombuffer(text.encode("utf-32-le"), np.uint32) for text in plain]
        found = [numbers[codes] for codes in points]
    else:
        found = [
            np.array(encoding.ids, np.int32)
            for encoding in load_tokenizer(content).encode_batch_fast(list(texts))
        ]
    return Ragged.join([ids[:max_length] for ids in found], np.int32)


def encode_with_offsets(content: str, texts: Sequence[str]) -> tuple[Ragged, Ragged]:
    """Turn texts into tokens, and say where in its text each token stands.

    Args:
        content: str. The content of a `tokenizer.json`.
        texts: sequence of str. Of any length, the empty ones too.

    Returns:
        (Ragged, Ragged) of int32. The tokens, those of `encode`; and for each the characters
        from and to which it stands, of shape (tokens, 2). A byte pair that begins with a space
        holds that space, and tokens that share a character overlap.
    """
    tokenizer = load_tokenizer(content)
    found, places = [], []
    for start in range(0, len(texts), _AT_A_TIME):
        part = list(texts[start : start + _AT_A_TIME])
        for encoding in tokenizer.encode_batch(part, add_special_tokens=False):
            found.append(np.array(encoding.ids, np.int32))
            places.append(np.array(encoding.offsets, np.int32).reshape(-1, 2))
    if not found:
        return Ragged.join([], np.int32), Ragged(np.empty((0, 2), np.int32), np.zeros(1))
    return Ragged.join(found, np.int32), Ragged.join(places, np.int32)


@lru_cache(maxsize=8)
def _character_table(content: str) -> np.ndarray:
    """Return the token of every code point."""
    numbers = np.full(_LARGEST_CODE_POINT + 1, UNKNOWN, np.int32)
    for token, number in load_tokenizer(content).get_vocab().items():
        if len(token) == 1:
            numbers[ord(token)] = number
    return numbers


def encode_words(
    content: str, sentences: Sequence[Sequence[str]], max_length: int | None = None
) -> tuple[Ragged, Ragged]:
    """Turn sentences that are split into words already into tokens.

    Args:
        content: str. The content of a `tokenizer.json`.
        sentences: sequence of sequences of str. The words of each.
        max_length: int. How many tokens of a sentence are kept, from its start; `None` for all.

    Returns:
        (Ragged, Ragged) of int32. The tokens, and for each the position of the word that it
        begins, or -1 where it goes on with a word. Every word has a token: one of nothing visible
        is unknown.
    """
    found, begins = [], []
    batch = [list(words) for words in sentences]
    unknown = find_unknown(content)
    for words, encoding in zip(
        batch, load_tokenizer(content).encode_batch(batch, is_pretokenized=True), strict=True
    ):
        ids = np.array(encoding.ids, np.int32)
        owners = np.array(encoding.word_ids, np.int32)
        first = np.diff(owners, prepend=-1) > 0
        if np.count_nonzero(first) < len(words):
            missing = np.setdiff1d(np.arange(len(words)), owners)
            places = np.searchsorted(owners, missing)
            ids, owners = np.insert(ids, places, unknown), np.insert(owners, places, missing)
            first = np.diff(owners, prepend=-1) > 0
        found.append(ids[:max_length])
        begins.append(np.where(first, owners, -1)[:max_length])
    return Ragged.join(found, np.int32), Ragged.join(begins, np.int32)


def split_words(text: str) -> list[str]:
    """Split a text as tokenizers of words do: at spaces, and around punctuation."""
    return [text[start:stop] for start, stop in find_words(text)]


def find_words(text: str) -> list[tuple[int, int]]:
    """Return where each word of `split_words` begins and ends, in characters."""
    return [place for _, place in _word_splitter().pre_tokenize_str(text)]


def decode(content: str, ids: Sequence[np.ndarray]) -> list[str]:
    """Turn tokens into texts.

    Args:
        content: str. The content of a `tokenizer.json`.
        ids: sequence of int arrays of shape (time,). What comes after the first end of a text
            is left out, padding and starts too.

    Returns:
        list of str. Exact for byte pairs; for characters but unknown ones; words are joined by
        one space, but where their script has none.
    """
    kept = []
    for row in map(np.asarray, ids):
        ends = np.flatnonzero(row == END)
        row = row[: ends[0]] if len(ends) else row
        kept.append(row[(row != PAD) & (row != START)].tolist())
    return load_tokenizer(content).decode_batch(kept, skip_special_tokens=False)


def token_names(content: str) -> list[str]:
    """Return how a tokenizer writes each token, by its number."""
    vocabulary = load_tokenizer(content).get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)
