"""Export every blueprint, trained on every backend, in both formats; keep what was proven.

    python benchmarks/exports.py                           all of it, which takes hours
    python benchmarks/exports.py --only rnn --backends jax    some of it
    python benchmarks/exports.py --stale                   nothing: lists what is not up to date
    python benchmarks/exports.py --table                   nothing: writes docs/export.md's table

Each cell is a fit of one epoch with default options, and an export that would have been refused
had its answers been off. It is kept in `exporting/proven.csv`, which `threefold show` reads. Stop
it at any time; the same words go on with what is missing or older than the code.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence

from kept import FIT_ROOMS, ROOT, Kept, Row, find_cells, options_of_cells, run_command, write_table

from threefold.exporting.artifact import open_artifact
from threefold.exporting.proven import COLUMNS, TABLE, render_table

KEPT = Kept(TABLE, COLUMNS[:5], (*FIT_ROOMS, "exporting"))
BEGIN, END = "<!-- benchmarks/exports.py -->", "<!-- end of exports -->"
PAGE = ROOT / "docs" / "export.md"
FORMATS = ("savedmodel", "onnx")


def prove(wanted: Sequence[tuple[str, ...]]) -> Iterator[Row]:
    """Fit once, and export; make a row for each format that is wanted."""
    blueprint, task, data, backend, _ = wanted[0]
    with tempfile.TemporaryDirectory() as folder:
        fitted = f"{folder}/run"
        run_command(
            "fit", blueprint, "--task", task, "--epochs", "1", "--run", fitted, backend=backend
        )
        for *_, format in wanted:
            place = f"{folder}/{format}"
            run_command("export", fitted, "--format", format, "--output", place, backend=backend)
            record = open_artifact(place).record
            free = {length for field in record.signature.inputs for length in field.shape
                    if isinstance(length, str)}  # fmt: skip
            parity = record.parity
            cells = (blueprint, task, data, backend, format, " ".join(sorted(free)), parity.rows,
                     parity.max_abs_diff, parity.limit, parity.agreement)  # fmt: skip
            yield dict(zip(COLUMNS[:-1], cells, strict=True))


def main() -> None:
    given = options_of_cells(__doc__).parse_args()
    groups = [
        [(*cell, backend, format) for format in FORMATS]
        for cell in find_cells(given.only)
        for backend in given.backends.split(",")
    ]
    wanted = [names for group in groups for names in group]
    if given.stale:
        sys.exit(KEPT.list_stale(wanted, each=True))
    try:
        good = given.table or KEPT.fill(groups, prove, given.again)
    finally:  # stopped or not, it shows what is kept
        write_table(render_table(), BEGIN, END, PAGE)
    KEPT.list_stale(wanted, each=False)
    sys.exit(not good)


if __name__ == "__main__":
    main()
