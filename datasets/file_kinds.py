"""What a file is by its first bytes, whatever its name says: workbooks, pages and archives."""

import re

from threefold.core.errors import UserError

START = 512  # bytes that are looked at
_AS_CSV = "save it as CSV (UTF-8) in the program that it comes from"
_AS_SAVED = "save it as CSV or plain text (UTF-8) in its program, or unpack it"
# What no text begins with.
_BINARY = {
    b"PK\x03\x04": ("an Excel workbook, a Word document or another zip archive", _AS_SAVED),
    b"\xd0\xcf\x11\xe0": ("an old Excel or Word file", _AS_SAVED),
    b"\x1f\x8b": ("compressed by gzip", "unpack it with gunzip"),
    b"BZh": ("compressed by bzip2", "unpack it with bunzip2"),
    b"\xfd7zXZ": ("compressed by xz", "unpack it with unxz"),
    b"%PDF-": ("a PDF", "export its contents as text, or as CSV"),
    b"PAR1": ("a Parquet file", "give it a name that ends in .parquet"),
    b"SQLite format 3\0": ("an SQLite database", "export the table as CSV"),
}
# Texts, but no tables.
_TEXTS = (
    (re.compile(rb"<(!doctype|html|head|table|\?xml)\b|<\?xml", re.IGNORECASE),
     "a page of HTML or XML", "download the data themselves, or save its table as CSV"),
    (re.compile(rb'\{\s*"|\[\s*[\[{]|\{\s*$|\[\s*$'), "JSON",
     "write a CSV, or an object on each line and a name that ends in .jsonl"),
    (re.compile(rb"\{\\rtf"), "a document in RTF", "save its table as CSV"),
)  # fmt: skip
_REMEDIES = {
    (".gz", ".bz2", ".xz", ".zip", ".7z", ".tar", ".tgz", ".rar", ".zst"): "unpack it first",
    (".xlsx", ".xls", ".xlsm", ".ods", ".numbers"): _AS_CSV,
    (".db", ".sqlite", ".sqlite3", ".mdb", ".accdb"): "export its table as CSV",
    (".sav", ".dta", ".sas7bdat", ".rds", ".rdata", ".mat"): "export its table as CSV",
    (".docx", ".doc", ".odt", ".rtf", ".pdf", ".pages"): "save its text as .txt",
    (".srt", ".vtt", ".md", ".log", ".text"): "if it is plain text, give it a name that ends in "
    ".txt; if it has columns, .csv or .tsv",
    (
        ".dat",
        ".data",
        ".tab",
        ".psv",
        ".asc",
    ): "if it has columns, end its name in .csv",
    (".html", ".htm", ".xml"): "save its table as CSV, or its text as .txt",
}
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def refuse_foreign(start: bytes, name: str, *, table: bool = False) -> None:
    """Refuse what is no text at all, and for a table also what is text of another kind.

    Args:
        start: bytes. The first `START` bytes of a file.
        name: str. What messages call it.
        table: bool. Whether rows of cells are expected.

    Raises:
        UserError: that says what the file is and what to do.
    """
    for mark, (what, remedy) in _BINARY.items():
        if start.startswith(mark):
            raise UserError(f"{name} is {what}, whatever its name ends in; {remedy}")
    if table:
        begin = start.removeprefix(b"\xef\xbb\xbf").lstrip()
        for pattern, what, remedy in _TEXTS:
            if pattern.match(begin):
                raise UserError(f"{name} holds {what}, not a table of cells; {remedy}")


def codec_of(start: bytes, codec: str, name: str = "") -> str:
    """Return the codec of a text: UTF-16 says so by a mark that no UTF-8 begins with.

    Raises:
        UserError: for a table, of that `name`, in UTF-16 without its mark.
    """
    if not codec.startswith("utf-8"):
        return codec
    if start[:2] in _MARKS:
        return _MARKS[start[:2]]
    if name and _has_zeros(start):
        raise UserError(
            f"{name} has NUL bytes between its letters, as UTF-16 has; "
            f"pass -d encoding={suggest_encoding(start)}, or save the file as UTF-8"
        )
    return codec


def _has_zeros(content: bytes) -> bool:
    start = content[:START]
    return start.count(0) > len(start) // 4


def suggest_encoding(content: bytes) -> str:
    """Return which encoding bytes that are no UTF-8 are of, most likely."""
    if content[:2] in _MARKS:
        return "utf-16"
    if _has_zeros(content):
        return "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    # Windows puts quotes and the sign of the euro where Latin-1 has nothing to see.
    return "cp1252" if re.search(rb"[\x80-\x9f]", content) else "latin-1"


def suggest_remedy(name: str) -> str:
    """Return what to do with a file of a kind that nothing here reads, by its name, or nothing."""
    for endings, remedy in _REMEDIES.items():
        if name.lower().endswith(endings):
            return f"; {remedy}"
    return ""
