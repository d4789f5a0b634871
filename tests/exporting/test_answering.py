"""An artifact is evaluated and asked as a run is, without Keras and without what trained it."""

import json
from pathlib import Path

import numpy as np
import pytest

from threefold.datasets.bundled.digits import read_digits

pytestmark = pytest.mark.once

# TensorFlow itself imports jax where it is installed.
HELD = {"onnx": {"keras", "jax", "torch", "tensorflow"}, "savedmodel": {"keras", "torch"}}


def close(found, wanted):
    """Check that two answers are the same up to rounding, in every nested number."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for name, value in wanted.items():
            close(found[name], value)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            close(one, other)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=1e-5, rel=1e-5)
    else:
        assert found == wanted


@pytest.fixture(scope="module")
def inputs(place, photos, table) -> dict[str, list[str]]:
    """What is asked about: images of many sizes with one that is none, and rows of a table."""
    (place / "other").mkdir()
    (place / "other" / "words.png").write_text("words")
    rows = table.read_text("utf-8").split("\n")
    rows[3] = rows[3].replace("c,d", "a word that is new")
    lacking = [row.partition(",")[2] for row in rows]
    (place / "some.csv").write_text("\n".join(rows[:40]), "utf-8")
    (place / "lacking.csv").write_text("\n".join(lacking), "utf-8")
    names = ("light/04.png", "dark/00.png", "dim/05.png", "dim/02.png", "light/00.png")
    images = [str(photos / name) for name in names]
    images.insert(2, str(place / "other" / "words.png"))
    return {
        "photos": images,
        "table": [str(place / "some.csv")],
        "lacking": [str(place / "lacking.csv")],
        "nothing": [str(place / "other" / "words.png")],
    }


@pytest.fixture(scope="module", params=["onnx", "savedmodel"])
def explicit(request, artifact_of, predict_in_process, inputs, place):
    """What a process told that was asked of both artifacts, and what it had loaded."""
    photos, table = (str(artifact_of(kind, request.param)) for kind in ("photos", "table"))
    commands = {
        "evaluate photos": (
            *("evaluate", photos, "--dataset", str(place / "photos")),
            *("--split", "all", "--json"),
        ),
        "evaluate table": ("evaluate", table, "--dataset", str(place / "table.csv"), "--json"),
        "predict photos": ("predict", photos, *inputs["photos"], "--json"),
        "predict table": ("predict", table, *inputs["table"], "--json"),
        "predict lacking": ("predict", table, *inputs["lacking"], "--json"),
        "predict nothing": ("predict", photos, *inputs["nothing"], "--json"),
        "for a person": ("predict", photos, inputs["photos"][0]),
    }
    predictions, loaded, said = predict_in_process(*commands.values())
    return request.param, dict(zip(commands, predictions, strict=True)), loaded, said


@pytest.mark.parametrize(("kind", "split"), [("photos", "all"), ("table", None)])
def test_an_artifact_is_judged_as_its_run(explicit, run_of, run_cli, kind, split):
    format, predictions, _, _ = explicit
    code, out = predictions[f"evaluate {kind}"]
    found = json.loads(out)
    assert (code, set(found), found["format"]) == (0, {"artifact", "format", "metrics"}, format)
    words = ("--split", split) if split else ()
    _, out, _ = run_cli("evaluate", str(run_of(kind).folder), *words, "--json")
    close(found["metrics"], json.loads(out)["metrics"])


@pytest.mark.parametrize("kind", ["photos", "table"])
def test_an_artifact_answers_as_its_run_in_the_order_of_the_inputs(
    explicit, run_of, run_cli, inputs, kind
):
    format, predictions, _, _ = explicit
    code, out = predictions[f"predict {kind}"]
    found = json.loads(out)
    assert set(found) == {"artifact", "format", "predictions", "skipped", "notes"}
    wanted_code, out, _ = run_cli("predict", str(run_of(kind).folder), *inputs[kind], "--json")
    wanted = json.loads(out)
    close(found["predictions"], wanted["predictions"])
    assert found["skipped"] == wanted["skipped"] and code == wanted_code
    names = [record["input"] for record in found["predictions"]]
    if kind == "photos":
        assert names == [name for name in inputs["photos"] if "words" not in name]
    else:
        assert [name.rpartition(" ")[2] for name in names] == [str(n) for n in range(2, 41)]


def test_what_cannot_be_read_is_skipped_and_named(explicit):
    _, predictions, _, said = explicit
    for kind, skipped, word in (
        ("photos", 1, "words.png"),
        ("nothing", 1, "words.png"),
        ("lacking", 1, "no column 'größe (cm)'"),
    ):
        code, out = predictions[f"predict {kind}"]
        found = json.loads(out)
        assert code == 1
        assert len(found["skipped"]) == skipped and word in found["skipped"][0]
        assert word in said
    assert json.loads(predictions["predict nothing"][1])["predictions"] == []


def test_neither_keras_nor_another_backend_is_loaded(explicit):
    format, _, loaded, _ = explicit
    assert not {name.partition(".")[0] for name in loaded} & HELD[format]


def test_a_person_reads_a_table_and_no_greeting_of_a_library(explicit):
    _, predictions, _, said = explicit
    code, out = predictions["for a person"]
    assert code == 0 and "light/04.png" in "".join(out.split())
    for line in said.splitlines():
        assert line.startswith(("skipped: ", "note: ")) or line.endswith(" skipped"), line


def test_a_report_is_written_beside_and_not_into_the_artifact(explicit, artifact_of):
    folder = artifact_of("photos", explicit[0])
    assert (folder.parent / f"{folder.name}-report" / "index.html").is_file()
    assert not (folder / "report").exists()


def test_other_data_are_judged_as_one(run_cli, copy_of, run_of):
    """Data of the same classes, under an option of their own."""
    copy_of("digits", "onnx")
    words = ("--dataset", "digits", "-d", "split_seed=3", "--split", "test", "--json")
    code, out, _ = run_cli("evaluate", "copy", *words)
    assert code == 0
    _, wanted, _ = run_cli("evaluate", str(run_of("digits").folder), *words)
    close(json.loads(out)["metrics"], json.loads(wanted)["metrics"])


def test_what_the_artifact_cannot_be_asked_is_one_line(run_cli, copy_of):
    copy_of("digits", "onnx")
    for words, code, part in (
        (("evaluate", "copy", "--backend", "jax"), 2, "--backend is for runs"),
        (("predict", "copy", "x.png", "--backend", "jax"), 2, "--backend is for runs"),
        (("predict", "copy", "gone.png"), 2, "no file, folder or match for 'gone.png'"),
        (("evaluate", "copy", "--split", "tset"), 2, "did you mean 'test'?"),
        (("evaluate", "copy", "--dataset", "wine"), 2, "serves the task tabular_classification"),
        (("evaluate", "copy", "--dataset", "digit_angles"), 2, "serves the task image_regression"),
    ):
        found, out, err = run_cli(*words)
        assert (found, out) == (code, ""), words
        assert err.startswith("error: ") and err.count("\n") == 1 and part in err


def test_images_of_any_size_are_answered_alike_alone_and_together(artifact_of, run_cli, in_tmp):
    """Also where a whole batch is of one size that is not the network's."""
    from PIL import Image

    for number, image in enumerate(read_digits()[0][:5]):
        drawing = Image.fromarray(image[..., 0])
        drawing.resize((8 * (number // 2 + 1), 8)).save(f"{number}.png")
    names = [f"{number}.png" for number in (4, 0, 2, 1, 3)]
    folder = str(artifact_of("digits", "onnx"))

    def predict_with(*given):
        return json.loads(run_cli("predict", folder, *given, "--json")[1])["predictions"]

    together = predict_with(*names)
    assert [record["input"] for record in together] == names
    close(together, [record for name in names for record in predict_with(name)])
    probabilities = np.array([list(record["probabilities"].values()) for record in together])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert Path(folder).is_dir()
