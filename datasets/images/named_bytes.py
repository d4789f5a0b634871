"""Files that are rows of a set rather than files: what messages call them."""

from pathlib import Path


class NamedBytes(bytes):
    """The content of a file, and what messages call it.

    Args:
        content: bytes. The content.
        name: str. Such as `the image of dataset 'hf:photos' train, row 3`.

    Example:
        >>> name_file(NamedBytes(b"", "the image of row 3"))
        'the image of row 3'
    """

    name: str

    def __new__(cls, content: bytes, name: str) -> "NamedBytes":
        """Return the content with its name; bytes are made whole."""
        made = super().__new__(cls, content)
        made.name = name
        return made


def name_file(file: Path | str | bytes) -> str:
    """Return what messages call a file or its content."""
    if isinstance(file, NamedBytes):
        return file.name
    return f"an image of {len(file):,} bytes" if isinstance(file, bytes) else f"'{file}'"
