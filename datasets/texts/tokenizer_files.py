"""Tokenizers that were trained elsewhere: of a `tokenizer.json`, a `vocab.txt`, or another run."""

import json
import re
from pathlib import Path
from typing import Any

from threefold.core.errors import UserError, suggest
from threefold.core.files import parse_json
from threefold.datasets.texts.text_files import read_text
from threefold.datasets.texts.tokenizing import KINDS, Kind, load_tokenizer, token_names

PADDING = ("[PAD]", "<pad>", "<PAD>")
# What a folder may hold, the first that is there counts: Hugging Face's form, BERT's older one,
# a preset of keras-hub, a run.
IN_A_FOLDER = ("tokenizer.json", "vocab.txt", "assets/tokenizer/vocabulary.txt", "run.json")


# The option of a loader: a kind to be trained, or the path of a tokenizer. The path may be gone
# when a run is evaluated, which has the tokenizer in its facts.
TokenizerOption = Kind | str


def read_tokenizer(path: str) -> str:
    """Read a tokenizer.

    Args:
        path: str. A `tokenizer.json`, a `vocab.txt` of WordPiece, or a folder that holds one of
            them: a checkpoint of Hugging Face, a keras-hub preset, a run.

    Returns:
        str. The content of a `tokenizer.json` that adds no marks to texts, cuts and pads nothing,
        and takes no word of a text for a special token.

    Raises:
        UserError: for a file that is no tokenizer, or one whose token 0 is not padding.
    """
    file = _find_file(Path(path).expanduser())
    if file.suffix == ".txt":
        content = _from_vocabulary(file)
    else:
        content = _read_json(file)
        if file.name == "run.json":
            content = parse_json((content.get("facts") or {}).get("tokenizer") or "{}")
    if not isinstance(content.get("model"), dict):
        raise UserError(f"{file} holds no tokenizer of Hugging Face's form")
    content |= {"truncation": None, "padding": None, "post_processor": None}
    vocabulary = content["model"].get("vocab")
    for token in content.get("added_tokens", []):
        if isinstance(vocabulary, dict):
            vocabulary.setdefault(token["content"], token["id"])
    content["added_tokens"] = []
    text = json.dumps(content, ensure_ascii=False)
    try:
        load_tokenizer(text)
    except Exception as error:  # the library raises nothing narrower
        raise UserError(f"{file} holds no tokenizer that can be read: {error}") from None
    first = token_names(text)[0]
    if first not in PADDING:
        raise UserError(f"{file}: the token 0 must be padding, such as [PAD]; it is '{first}'")
    return text


def _find_file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        hint = suggest(str(path), KINDS)
        raise UserError(f"-d tokenizer={path}: no such file or folder, and no kind{hint}")
    for name in IN_A_FOLDER:
        found = path / name
        # The preset of keras-hub has a `tokenizer.json` of another kind.
        if found.is_file() and not (name == "tokenizer.json" and "model" not in _read_json(found)):
            return found
    raise UserError(f"{path} holds no tokenizer: expected {', '.join(IN_A_FOLDER[:2])}")


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = parse_json(read_text(file))
    except json.JSONDecodeError as error:
        raise UserError(f"{file} line {error.lineno}: no JSON ({error.msg})") from None
    if not isinstance(content, dict):
        raise UserError(f"{file} holds no tokenizer of Hugging Face's form")
    return content


def _from_vocabulary(file: Path) -> dict[str, Any]:
    """Return the WordPiece tokenizer of BERT (Devlin et al. 2019) for a vocabulary."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    pieces = [line.rstrip("\n") for line in read_text(file).splitlines()]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    if "[UNK]" not in vocabulary:
        raise UserError(f"{file} is no vocabulary of WordPiece: it has no [UNK]")
    cased = any(re.match("[A-Z]", piece) for piece in pieces)
    explicit = (
        _read_json(beside) if (beside := file.parent / "tokenizer_config.json").exists() else {}
    )
    lowercase = bool(explicit.get("do_lower_case", not cased))
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return parse_json(tokenizer.to_str())
