"""A tokenizer as other programs get it: one that alone makes of a text what a model takes.

The tokenizer of a run's facts only splits texts, so that each task can put its tokens together.
Cutting, marks and padding are said in a `tokenizer.json` as well, and so are they here.
"""

import json

from threefold.datasets.ragged import PAD
from threefold.datasets.texts.tokenizing import SPECIAL, START, find_mask, token_names


def complete_tokenizer(
    content: str,
    max_length: int | None = None,
    *,
    stride: int = 0,
    start: bool = False,
    mask: bool = False,
) -> str:
    """Return a tokenizer that cuts, marks and pads, too.

    Args:
        content: str. The content of a `tokenizer.json`.
        max_length: int. How many tokens of a text are kept, from its start; `None` for all.
        stride: int. Tokens that two parts share of a text that is read in several.
        start: bool. Whether a text begins with the token for its start.
        mask: bool. Whether a text can say `[MASK]`, and mean the token.

    Returns:
        str. The content of a `tokenizer.json`; the shorter texts of a batch are filled up.
    """
    found = json.loads(content)
    found["padding"] = {
        "strategy": "BatchLongest",
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": PAD,
        "pad_type_id": 0,
        "pad_token": token_names(content)[PAD],
    }
    if max_length is not None:
        found["truncation"] = {
            "direction": "Right",
            "max_length": max_length,
            "strategy": "LongestFirst",
            "stride": stride,
        }
    if start:
        name = SPECIAL[START]
        pieces = [{"SpecialToken": {"id": name, "type_id": 0}}]
        found["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [*pieces, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [*pieces, *({"Sequence": {"id": text, "type_id": 0}} for text in "AB")],
            "special_tokens": {name: {"id": name, "ids": [START], "tokens": [name]}},
        }
    if mask:
        number = find_mask(content)
        sides = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        name = token_names(content)[number]
        found["added_tokens"] = [{"id": number, "content": name, **sides, "special": True}]
    return json.dumps(found, ensure_ascii=False)
