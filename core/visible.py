"""Text of data and of paths is shown as text: what would steer a terminal is written out."""

import json
import re
from typing import Any

# Control characters but tab and line feed, marks that turn the direction of writing, separators of
# lines, tags, and bytes of file names that are no UTF-8.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""Return a text in which characters that nobody sees are written out, such as `\x1b`."""
    return _STEERING.sub(_write_out, text.replace("\r\n", "\n"))


def to_json(content: Any) -> str:
    """Return JSON that is valid UTF-8 whatever its words are, and steers no terminal."""
    text = json.dumps(content, ensure_ascii=False)
    return _STEERING.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _write_out(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "backslashreplace").decode()
