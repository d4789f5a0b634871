"""The report as one HTML page: no scripts, no links to elsewhere, light or dark as the reader's."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape as escape_html
from typing import Any

from PIL import Image

from threefold.core.visible import visible
from threefold.reporting.numbers import format_number

# Jinja takes as long for a small page, 1.4 times as long for a large one, and 0.1 s before the
# first. That every text is escaped, a test with hostile ones holds.
PIXELS_PER_INCH = 144  # of the figures
CSS_PIXELS_PER_INCH = 96
LONG_TABLE = 12  # rows, beyond which a table is folded away

STYLE = """
:root { color-scheme: light dark;
  --ground: #ffffff; --ink: #1f2328; --faint: #59636e; --line: #d6dbe1; --tile: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #14181d; --ink: #e4e8ec; --faint: #9ba5b0; --line: #343b44; --tile: #1e242b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 4rem; max-width: 68rem;
  background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: .5rem 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-top: 1rem;
  border-top: 1px solid var(--line); overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; } .faint, figcaption { color: var(--faint); font-size: .9rem; }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0; padding: 0; }
.tiles div { background: var(--tile); border: 1px solid var(--line); border-radius: 8px;
  padding: .6rem 1rem; min-width: 8rem; }
.tiles b { display: block; font-size: 1.5rem; font-weight: 600;
  font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
.wide th, .wide td { white-space: nowrap; }
th { font-weight: 600; } td.number, th.number { text-align: right; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: .5rem 0;
  font-size: .9rem; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1rem 0 1.5rem; }
img { display: block; max-width: 100%; height: auto; background: #ffffff; border-radius: 6px;
  border: 1px solid var(--line); }
figcaption { margin-top: .4rem; max-width: 46rem; }
pre { background: var(--tile); border: 1px solid var(--line); border-radius: 6px;
  padding: .75rem 1rem; margin: .5rem 0; font-size: .85rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
summary { cursor: pointer; }
"""


def escape(text: str) -> str:
    """Return HTML that shows a text as it is, characters that nobody sees too."""
    return escape_html(visible(text))


def render_page(
    title: str,
    record: Mapping[str, Any],
    commands: Sequence[str],
    course: Sequence[Mapping[str, str]],
    sections: Mapping[str, Mapping[str, Any]],
    images: Mapping[str, bytes],
) -> str:
    """Return the page.

    Args:
        title: str. The heading.
        record: mapping. What `run.json` holds.
        commands: sequence of str. Command lines that repeat the run.
        course: sequence of mapping. `file`, `caption` and `alt` of what shows the training.
        sections: mapping of str to mapping. What `report.json` holds of each split.
        images: mapping of str to bytes. The PNG, or GIF, of every figure by its file name.

    Returns:
        str. HTML with all text escaped and all figures inside.
    """
    body = [_header(title, record, sections)]
    if sections:
        body += ["<h2>Metrics by split</h2>", _metrics_table(sections)]
    if course:
        body += ["<h2>Learning curves</h2>", *(_figure(figure, images) for figure in course)]
    for split, section in sections.items():
        body.append(_section(split, section, images))
    body.append(_origin(record, commands))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Nothing that a class or a column is named can make a reader's browser load or run it.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _header(
    title: str, record: Mapping[str, Any], sections: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return the heading and the numbers that one looks for first."""
    about = f"{record['task'].replace('_', ' ')} · {record['backend']} on {record['device']}"
    about += f" · begun {record['created'].replace('T', ' ').replace('+00:00', ' UTC')}"
    html = f'<h1>{escape(title)}</h1>\n<p class="faint">{escape(about)}</p>'
    if not sections:
        return html
    split = "test" if "test" in sections else list(sections)[-1]
    section = sections[split]
    tiles = "".join(
        f'<div><span class="faint">{escape(f"{split} {_words(name)}")}</span>'
        f"<b>{format_number(section['metrics'][name])}</b></div>"
        for name in section["summary_metrics"]
    )
    return f'{html}\n<div class="tiles">{tiles}</div>'


def _metrics_table(sections: Mapping[str, Mapping[str, Any]]) -> str:
    rows: dict[str, list[Any]] = {"examples": [s["examples"] for s in sections.values()]}
    for section in sections.values():
        for name, value in section["metrics"].items():
            if not isinstance(value, Mapping):
                rows[name] = [other["metrics"].get(name) for other in sections.values()]
    return _table(["", *sections], [[_words(name), *cells] for name, cells in rows.items()])


def _section(split: str, section: Mapping[str, Any], images: Mapping[str, bytes]) -> str:
    parts = [f"<h2>{escape(split.capitalize())} split, {section['examples']:,} examples</h2>"]
    parts += [f"<p>{escape(remark)}</p>" for remark in section["remarks"]]
    parts += [_figure(figure, images) for figure in section["figures"]]
    if section["mistakes"]:
        mistakes = section["mistakes"]
        parts += ["<h3>Worst mistakes</h3>", f'<p class="faint">{escape(mistakes["caption"])}</p>']
        parts.append(_table(mistakes["header"], mistakes["rows"], wide=True))
    for name, breakdown in section["metrics"].items():
        if isinstance(breakdown, Mapping) and breakdown:
            columns = list(next(iter(breakdown.values())))
            rows = [[part, *map(values.get, columns)] for part, values in breakdown.items()]
            table = _table(["", *map(_words, columns)], rows)
            heading = escape(_words(name).capitalize())
            parts.append(f"<h3>{heading}</h3>" + _fold(table, len(rows)))
    return "\n".join(parts)


def _origin(record: Mapping[str, Any], commands: Sequence[str]) -> str:
    """Tell how the run was made."""
    data = record["dataset"]
    sizes = ", ".join(f"{count:,} {name}" for name, count in data["sizes"].items())
    about_data = {"reference": data["reference"], **data["options"], "examples": sizes,
                  "fingerprint": data["fingerprint"]}  # fmt: skip
    parts = ["<h2>How the run was made</h2>", "<p>To repeat it, from the same folder:</p>"]
    parts.append("<p>or</p>".join(f"<pre>{escape(command)}</pre>" for command in commands))
    parts += ["<h3>Data</h3>", _pairs(about_data)]
    parts += [f'<p class="faint">{escape(note)}</p>' for note in data["notes"]]
    parts += [f"<h3>Model: {escape(record['blueprint'])}</h3>", _pairs(record["options"])]
    if record["init"]:
        parts.append(f"<p>It began with the weights of {escape(record['init'])}.</p>")
    parts += ["<h3>Training</h3>", _pairs(record["settings"])]
    machine = {"backend": record["backend"], "device": record["device"], **record["versions"]}
    parts += ["<h3>Machine and versions</h3>", _pairs(machine)]
    return "\n".join(parts)


def _figure(figure: Mapping[str, str], images: Mapping[str, bytes]) -> str:
    content = images[figure["file"]]
    with Image.open(io.BytesIO(content)) as image:
        size, kind = image.size, image.format.lower()
    # Plots are finer than a page's pixels. With its size given, nothing jumps on loading.
    scale = CSS_PIXELS_PER_INCH / PIXELS_PER_INCH if kind == "png" else 1
    width, height = (round(pixels * scale) for pixels in size)
    source = f"data:image/{kind};base64," + base64.b64encode(content).decode()
    return (
        f'<figure><img src="{source}" width="{width}" height="{height}" '
        f'alt="{escape(figure["alt"])}">\n'
        f"<figcaption>{escape(figure['caption'])}</figcaption></figure>"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]], *, wide: bool = False) -> str:
    """Return a table; numbers, and the headings over them, to the right."""
    rows = [list(row) for row in rows]
    numeric = [all(_is_number(row[i]) for row in rows) and bool(rows) for i in range(len(header))]
    head = "".join(
        f'<th scope="col"{_right(number)}>{escape(name)}</th>'
        for name, number in zip(header, numeric, strict=True)
    )
    body = "\n".join(
        "<tr>"
        + "".join(
            f"<td{_right(number)}>{escape(_cell(value))}</td>"
            for value, number in zip(row, numeric, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    kind = ' class="wide"' if wide else ""
    return (
        f'<div class="scroll"><table{kind}>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _right(number: bool) -> str:
    return ' class="number"' if number else ""


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, int | float)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return format_number(value) if isinstance(value, int | float) else str(value)


def _pairs(pairs: Mapping[str, Any]) -> str:
    items = "".join(
        f"<dt>{escape(_words(name))}</dt><dd>{escape(_format_value(value))}</dd>"
        for name, value in pairs.items()
    )
    return f"<dl>{items}</dl>" if items else '<p class="faint">none</p>'


def _format_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _fold(table: str, rows: int) -> str:
    if rows <= LONG_TABLE:
        return table
    return f"<details><summary>{rows} rows</summary>{table}</details>"


def _words(name: str) -> str:
    return name.replace("_", " ")
