"""What a user wants predicted, found and read in the order in which it was given."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from threefold.core.errors import UserError
from threefold.datasets.facts import CategoricalColumn, ImageFacts, NumericColumn, TableFacts
from threefold.datasets.inference_inputs import read_inputs

IMAGES = ImageFacts(image_shape=(4, 4, 1), class_names=("a", "b"))
TABLE = TableFacts(
    numeric=(NumericColumn(name="age", mean=0, scale=1),),
    categorical=(CategoricalColumn(name="city", vocabulary=("Bonn", "Köln")),),
    target_name="y",
    class_names=("no", "yes"),
)


@pytest.fixture
def images(in_tmp) -> list[str]:
    """Five images, each of one level of grayscale: its number."""
    paths = [f"shots/{name}" for name in ("b.png", "a.PNG", "deep/c.bmp", "deep/d.png", "e.jpg")]
    Path("shots/deep").mkdir(parents=True)
    for level, path in enumerate(paths):
        Image.new("L", (4, 4), level).save(path)
    Path("shots/notes.txt").write_text("no image")
    return paths


def read(*given, facts=IMAGES, stdin=b"", batch_size=2, **options):
    """Return names, examples and errors of all parts together."""
    parts = list(read_inputs(given, facts, io.BytesIO(stdin), batch_size, **options))
    names = [name for part in parts for name in part.names]
    errors = [str(error) for part in parts for error in part.errors]
    return names, [part.examples for part in parts], errors


def levels(parts):
    return np.concatenate([part["image"][:, 0, 0, 0] for part in parts]).tolist()


def test_images_come_in_the_order_given(images):
    given = [images[3], images[0], images[3], images[1], images[2]]
    names, parts, errors = read(*given)
    assert (names, errors) == (given, [])
    assert levels(parts) == [3, 0, 3, 1, 2]
    assert [len(part["image"]) for part in parts] == [2, 2, 1]


def test_a_folder_stands_for_the_images_in_it(images):
    names, parts, errors = read("shots/e.jpg", "shots", batch_size=10)
    assert names == ["shots/e.jpg", *sorted(images)]
    assert levels(parts) == [4, 1, 0, 2, 3, 4]
    assert errors == []


def test_globs_are_expanded_where_the_shell_did_not(images):
    assert read("shots/*.png")[0] == ["shots/b.png"]
    assert read("shots/**/*.png")[0] == ["shots/b.png", "shots/deep/d.png"]
    assert read("shots/[be].*", "shots/deep/c*")[0] == [
        "shots/b.png", "shots/e.jpg", "shots/deep/c.bmp"
    ]  # fmt: skip


def test_a_name_that_looks_like_a_glob_is_a_file_where_there_is_one(in_tmp):
    Image.new("L", (4, 4)).save("shot[1].png")
    assert read("shot[1].png")[0] == ["shot[1].png"]


def test_home_is_expanded(images, monkeypatch):
    monkeypatch.setenv("HOME", os.getcwd())
    assert read("~/shots/b.png")[0] == [f"{os.getcwd()}/shots/b.png"]


def test_standard_input_gives_paths_of_images_between_others(images):
    stdin = f"{images[4]}\r\n\n{images[2]}\n".encode()
    assert read(images[0], "-", images[1], stdin=stdin)[0] == [
        images[0], images[4], images[2], images[1]
    ]  # fmt: skip


def test_a_path_need_not_be_utf8(in_tmp):
    name = b"caf\xe9.png"
    Image.new("L", (4, 4), 7).save(os.fsdecode(name))
    names, parts, _ = read("-", stdin=name + b"\n")
    assert [os.fsencode(name) for name in names] == [name]
    assert levels(parts) == [7]


def test_bad_images_are_left_out_and_named(images):
    Path("shots/bad.png").write_text("no image either")
    whole = Path(images[0]).read_bytes()
    Path("shots/cut.png").write_bytes(whole[: len(whole) // 2])
    names, parts, errors = read("shots/bad.png", images[1], "shots/cut.png", "-", images[2],
                                stdin=b"gone.png\n")  # fmt: skip
    assert names == [images[1], images[2]]
    assert levels(parts) == [1, 2]
    bad = ("shots/bad.png", "shots/cut.png", "gone.png")
    for path, error in zip(bad, errors, strict=True):
        assert path in error


def test_bad_images_alone_leave_an_empty_batch(in_tmp):
    Path("bad.png").write_text("x")
    names, parts, errors = read("bad.png")
    assert (names, len(errors)) == ([], 1)
    assert parts[0]["image"].shape == (0, 4, 4, 1)


@pytest.mark.parametrize("word", ["gone.png", "gone*.png", "gone/"])
def test_a_path_that_is_not_there_is_refused_at_once(in_tmp, word):
    with pytest.raises(UserError, match="no file, folder or match for 'gone"):
        read_inputs([word], IMAGES, io.BytesIO(), 2)
    with pytest.raises(UserError, match="no file, folder or match for 'gone"):
        read_inputs([word], TABLE, io.BytesIO(), 2)


def test_a_folder_without_anything_to_read_is_refused(in_tmp):
    Path("empty").mkdir()
    Path("empty/readme.txt").touch()
    with pytest.raises(UserError, match="empty holds no file of the kinds .jpg"):
        read_inputs(["empty"], IMAGES, io.BytesIO(), 2)
    with pytest.raises(UserError, match="empty holds no file of the kinds .csv"):
        read_inputs(["empty"], TABLE, io.BytesIO(), 2)


def test_rows_are_named_as_errors_name_them(in_tmp):
    Path("people.csv").write_text('city,age\n"Bo\nnn",30\n\nKöln,old\nKöln,50\n', encoding="utf-8")
    names, parts, errors = read("people.csv", facts=TABLE)
    assert names == ["people.csv line 2", "people.csv line 6"]
    assert parts[0]["numeric"].tolist() == [[30], [50]]
    assert errors == ["people.csv line 5: column 'age' holds 'old', expected a number that "
                      "float32 can hold"]  # fmt: skip


def test_tables_of_several_files_and_of_standard_input(in_tmp):
    Path("more").mkdir()
    Path("more/b.tsv").write_text("age\tcity\n2\tBonn\n")
    Path("more/a.csv").write_text("age,city\n1,Bonn\n")
    Path("more/ignored.txt").touch()
    names, parts, _ = read("-", "more", facts=TABLE, stdin=b"city,age\nBonn,0\n")
    assert names == ["standard input line 2", "more/a.csv line 2", "more/b.tsv line 2"]
    assert [part["numeric"].item() for part in parts] == [0, 1, 2]


def test_a_table_that_cannot_be_read_costs_no_other(in_tmp):
    Path("a.csv").write_text("age,city\n1,Bonn\n")
    Path("b.csv").write_text("ages,city\n2,Bonn\n")
    Path("c.csv").write_bytes("age,city\n3,Köln\n".encode("latin-1"))
    names, parts, errors = read("b.csv", "a.csv", "c.csv", facts=TABLE)
    assert names == ["a.csv line 2"]
    assert "b.csv has no column 'age'; did you mean 'ages'?" in errors[0]
    assert "c.csv line 2: byte 0xf6 is not utf-8" in errors[1]


def test_another_encoding_can_be_told(in_tmp):
    Path("c.csv").write_bytes("age,city\n3,Köln\n".encode("latin-1"))
    _, parts, errors = read("c.csv", facts=TABLE, encoding="latin-1")
    assert errors == []
    assert parts[0]["categorical"].tolist() == [[2]]
