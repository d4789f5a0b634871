"""What benchmarks prove is kept row by row, for the code as it was."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from threefold.core.errors import Failure
from threefold.tasks.signature import Output

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "benchmarks"))
import crash  # noqa: E402
import kept  # noqa: E402
import runtimes  # noqa: E402
from replay.with_python import decode, encode  # noqa: E402

PLACES = ("blueprints", "tasks", "core/files.py")
KEYS = ("blueprint", "backend")


@pytest.fixture
def code(tmp_path, monkeypatch) -> Path:
    """A copy of some code, which the digests are of."""
    copied = ["blueprints/cnn.py", "blueprints/rnn.py", "blueprints/parts/layers.py",
              "tasks/task.py",
              "core/files.py", "datasets/bundled/digits.py"]  # fmt: skip
    for name in copied:
        place = tmp_path / "code" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place)
    monkeypatch.setattr(kept, "ROOT", tmp_path / "code")
    return tmp_path / "code"


@pytest.fixture
def table(code, tmp_path) -> kept.Kept:
    return kept.Kept(tmp_path / "rows.csv", KEYS, PLACES)


def change(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")


def make(wanted):
    for blueprint, backend in wanted:
        yield {"blueprint": blueprint, "backend": backend, "found": "1"}


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("blueprints/cnn.py", {"cnn"}),
        ("blueprints/parts/layers.py", {"cnn", "rnn"}),
        ("tasks/task.py", {"cnn", "rnn"}),
        ("core/files.py", {"cnn", "rnn"}),
        ("datasets/bundled/digits.py", set()),  # only one file of that room counts
    ],
)
def test_a_change_outdates_the_rows_that_it_concerns(name, whose, code):
    def digests():
        return {family: kept.digest_of(*PLACES, blueprint=family) for family in ("cnn", "rnn")}

    before = digests()
    change(code / name)
    after = digests()
    assert {family for family in before if before[family] != after[family]} == whose


def test_a_digest_is_short_and_sees_a_new_name_and_all_families(code):
    before = kept.digest_of(*PLACES)
    assert len(before) == 12 and before == kept.digest_of(*reversed(PLACES))
    (code / "tasks" / "task.py").rename(code / "tasks" / "other.py")
    renamed = kept.digest_of(*PLACES)
    change(code / "blueprints" / "rnn.py")
    assert len({before, renamed, kept.digest_of(*PLACES)}) == 3


def test_a_row_takes_the_place_of_the_older_one(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("blueprint,backend,found\nrnn,jax,1\ncnn,jax,1\n", encoding="utf-8")
    new = {"blueprint": "rnn", "backend": "jax", "found": 2, "digest": "abc"}
    kept.keep(path, new, KEYS)
    text = "blueprint,backend,found,digest\ncnn,jax,1,\nrnn,jax,2,abc\n"
    assert path.read_text(encoding="utf-8") == text
    kept.keep(path, new, KEYS, lambda row: not row["digest"])
    assert [row["blueprint"] for row in kept.read_rows(path)] == ["rnn"]


def test_only_what_is_missing_or_older_than_the_code_is_made(table, code, capsys):
    old = {"blueprint": "rnn", "backend": "torch", "found": "0", "digest": ""}
    kept.keep(table.path, old, KEYS)
    wanted = [("cnn", "jax"), ("rnn", "jax"), ("rnn", "torch")]
    assert table.lacking(wanted) == wanted
    assert table.fill([wanted[:1], wanted[1:]], make)
    assert table.lacking(wanted) == []
    assert not table.list_stale(wanted, each=True)

    def never(names):
        raise AssertionError(names)

    assert table.fill([wanted], never)
    change(code / "blueprints" / "rnn.py")
    assert table.lacking(wanted) == wanted[1:]
    capsys.readouterr()
    assert table.list_stale(wanted, each=True)
    out, err = capsys.readouterr()
    assert out == "rnn  jax\nrnn  torch\n" and "2 of 3 rows" in err
    assert len(kept.read_rows(table.path)) == 3  # the older ones are still shown
    made = []
    assert table.fill([wanted], lambda names: made.extend(names) or make(names), again=True)
    assert made == wanted


def test_a_cell_that_fails_keeps_nothing_and_stops_no_other(table, code, capsys):
    def fails(wanted):
        for row in make(wanted):
            if row["blueprint"] == "cnn":
                raise kept.CellFailed("out of memory")
            yield row

    assert not table.fill([[("cnn", "jax")], [("rnn", "jax")]], fails)
    assert capsys.readouterr().err == "cnn jax: out of memory\n"
    assert [row["blueprint"] for row in kept.read_rows(table.path)] == ["rnn"]

    def meanwhile(wanted):
        for row in make(wanted):
            change(code / "blueprints" / "cnn.py")
            yield row

    assert not table.fill([[("cnn", "jax")]], meanwhile)
    assert "changed meanwhile" in capsys.readouterr().err
    assert table.lacking([("cnn", "jax")])


def test_a_stop_keeps_the_rows_before_it(table, capsys):
    def stopped(wanted):
        for row in make(wanted):
            if row["blueprint"] == "rnn":
                raise KeyboardInterrupt
            yield row

    with pytest.raises(SystemExit) as stop:
        table.fill([[("cnn", "jax"), ("rnn", "jax")]], stopped)
    assert stop.value.code == 130
    assert table.lacking([("cnn", "jax"), ("rnn", "jax")]) == [("rnn", "jax")]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_half_written_file_never_takes_the_place_of_a_good_one(name, table, monkeypatch):
    kept.keep(table.path, {"blueprint": "cnn", "backend": "jax", "digest": "abc"}, KEYS)
    before = table.path.read_bytes()

    def full(*words):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, full)
        with pytest.raises(Failure, match="No space left"):
            kept.keep(table.path, {"blueprint": "rnn", "backend": "jax", "digest": "abc"}, KEYS)
    assert table.path.read_bytes() == before
    left = table.path.with_name(f".{'0' * 32}.part")  # by a process that was killed
    left.write_bytes(before[:5])
    kept.keep(table.path, {"blueprint": "rnn", "backend": "jax", "digest": "abc"}, KEYS)
    assert not left.exists() and len(kept.read_rows(table.path)) == 2


def test_a_table_takes_its_place_between_its_marks(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("Before.\n<!-- a -->\nold\n<!-- b -->\nAfter.\n", encoding="utf-8")
    rows = kept.render_rows(["one", "two"], [["1", "2"]])
    kept.write_table(rows, "<!-- a -->", "<!-- b -->", readme)
    table = "| one | two |\n| --- | --- |\n| 1 | 2 |\n"
    text = f"Before.\n<!-- a -->\n{table}<!-- b -->\nAfter.\n"
    assert readme.read_text(encoding="utf-8") == text


def test_kills_go_on_for_the_code_as_it_is_and_older_ones_stay_until_outdone(
    code, tmp_path, monkeypatch
):
    monkeypatch.setattr(crash, "KEPT", tmp_path / "crash.csv")
    monkeypatch.setattr(crash, "PLACES", PLACES)
    counts = dict.fromkeys(crash.COUNTS, 0)
    crash.keep_counts(names_now("jax"), counts | {"kills": 5})
    change(code / "blueprints" / "cnn.py")
    assert crash.read_counts(names_now("jax")) == {}
    crash.keep_counts(names_now("torch"), counts | {"kills": 9})
    crash.keep_counts(names_now("jax"), counts | {"kills": 4})
    assert crash.read_counts(names_now("jax"))["kills"] == 4
    assert crash.read_counts(names_now("jax") | {"seed": "1"}) == {}
    assert "| jax | 5 |" in crash.make_table()
    crash.keep_counts(names_now("jax"), counts | {"kills": 6})
    assert "| jax | 6 |" in crash.make_table()
    assert [row["kills"] for row in kept.read_rows(crash.KEPT)] == ["6", "9"]
    assert crash.list_stale(9, 0) and crash.list_stale(1, 0)  # tensorflow has none


def names_now(backend: str) -> dict[str, str]:
    return {"backend": backend, "seed": "0", "digest": crash.digest_now()}


OUTPUTS = (
    Output.probability("probabilities", ("batch", 2), "of each class"),
    Output.index("label_index", ("batch",), "position of the class", 2),
)


@pytest.mark.parametrize(
    ("probabilities", "index", "said"),
    [
        ([[0.25, 0.75]], [1], "0.0e+00"),
        ([[0.25, 0.750001]], [1], "1.0e-06"),
        ([[0.5, 0.5]], [1], "wrong: 0.2"),
        ([[np.nan, 0.75]], [1], "wrong: nan"),
        ([[0.25, 0.75]], [0], "wrong: label_index"),
        ([[0.25, 0.75, 0.0]], [1], "wrong: shape of probabilities"),
    ],
)
def test_a_runtime_that_answers_otherwise_is_called_wrong(probabilities, index, said):
    examples = {"expected_probabilities": np.array([[0.25, 0.75]])}
    answers = {"probabilities": np.array(probabilities), "label_index": np.array(index)}
    examples["expected_label_index"] = np.array([1])
    assert runtimes.compare(answers, examples, OUTPUTS, 0.0) == said


def test_a_reason_names_the_operation_that_is_missing():
    said = "Traceback\nFailure: LiteRT has no counterpart of: TensorListReserve\n"
    assert runtimes.shorten(said) == "no `TensorListReserve`"
    assert runtimes.shorten("first\nit is too warm\n\n") == "it is too warm"


def test_arrays_reach_another_program_bit_by_bit():
    arrays = {"x": np.array([[np.nan, 1e-45]], np.float32), "words": np.array(["é", ""], object),
              "none": np.zeros((0, 3), np.int64)}  # fmt: skip
    found = decode(json.loads(json.dumps(encode(arrays))))
    assert {name: array.tolist() for name, array in found.items() if name != "x"} == {
        "words": ["é", ""], "none": [],
    }  # fmt: skip
    assert found["none"].shape == (0, 3)
    assert found["x"].tobytes() == arrays["x"].tobytes() and found["x"].dtype == np.float32
