"""LiteRT files: proven as the other formats are, or refused with the operation that is missing."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from threefold.core.errors import Failure
from threefold.exporting.artifact import open_artifact
from threefold.exporting.export import Request, export_run
from threefold.exporting.trial import try_export

pytestmark = pytest.mark.once

WORDS = "LiteRT has no counterpart of: "


@pytest.fixture(scope="session")
def rows(place, fit):
    """A run on a table of numbers and words, some of them missing."""
    path = place / "rows.csv"
    sample = np.random.default_rng(0)
    sizes = sample.normal(170, 10, 80)
    lines = [f"{'' if row % 9 == 0 else f'{size:.2f}'},{'abc'[row % 3]},"
             f"{('Bonn', 'Köln', '')[row % 3]},{'yes' if size > 170 else 'no'}"
             for row, size in enumerate(sizes)]  # fmt: skip
    path.write_text("\n".join(["Size,self,city,answer", *lines]), encoding="utf-8")
    data, options = {"target": "answer"}, {"widths": "8"}
    return fit("rows", "dnn", dataset=str(path), data=data, options=options)


def assert_proven(artifact, rows: int) -> None:
    parity = artifact.record.parity
    assert (artifact.record.format, artifact.model.name) == ("litert", "model.tflite")
    assert (parity.rows, parity.agreement) == (rows, 1)
    assert 0 <= parity.max_abs_diff <= parity.limit == 1e-5
    assert parity.batch_sizes == (1, 2, 7, 32)
    assert "exported for LiteRT (`model.tflite`)" in (artifact.folder / "README.md").read_text()


def test_images_of_any_size_are_proven(run_of, artifact_of, predict_in_process):
    folder = artifact_of("photos", "litert")
    artifact = open_artifact(str(folder))
    assert_proven(artifact, run_of("photos").record.dataset.sizes["test"])
    assert "of extreme sizes" in artifact.record.parity.probes
    images = [str(path) for path in sorted(Path(folder.parents[1], "photos/dim").iterdir())[:4]]
    [(code, out)], loaded, said = predict_in_process(("predict", str(folder), *images, "--json"))
    assert code == 0, said
    assert len(json.loads(out)["predictions"]) == 4
    assert not {"keras", "tensorflow", "onnxruntime"} & {*loaded}


def test_numbers_and_words_are_proven_and_the_example_answers(rows, in_tmp):
    artifact = export_run(rows, Request("litert", "it"))
    assert_proven(artifact, rows.record.dataset.sizes["test"])
    assert {"with every column missing", "with words never seen"} <= {
        *artifact.record.parity.probes
    }
    ended = subprocess.run(
        [sys.executable, "-I", artifact.folder / "example.py"], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith("as expected\n")


@pytest.mark.parametrize("defect", ["a weight 10 % off", "another name"])
def test_a_file_that_answers_otherwise_is_refused(run_of, artifact_of, export_from, in_tmp, defect):
    def spoil(path: Path) -> None:
        content = bytearray(path.read_bytes())
        if defect == "another name":
            content = content.replace(b"probabilities", b"probabilitiez")
        else:
            from threefold.training.building import rebuild_model

            model, _ = rebuild_model(run_of("photos"), precision="float32")
            [head] = [w for w in model.weights if tuple(w.shape) == (4, 3)]
            head = np.asarray(head.cpu().detach() if hasattr(head, "cpu") else head, np.float32)
            stored = head.T.tobytes()
            assert content.count(stored) == 1
            content = content.replace(stored, (head.T * np.float32(1.1)).tobytes())
        path.write_bytes(content)

    export_from(artifact_of("photos", "litert"), spoil)
    with pytest.raises(Failure, match="does not answer as the trained one does"):
        export_run(run_of("photos"), Request("litert", "it"))
    assert [path.name for path in in_tmp.iterdir()] == ["it.parity.json"]


def test_what_has_no_counterpart_is_named_before_the_training(fit, in_tmp):
    """A recurrent network keeps its steps in a list."""
    (in_tmp / "prose.txt").write_text("one two three four five\n\n" * 40)
    run = fit("recurrent", "rnn", "text_generation", str(in_tmp / "prose.txt"),
              {"context": "6"}, {"units": "4"})  # fmt: skip
    reason = try_export(run.record, "litert")
    assert f"{WORDS}TensorListReserve" in reason
    with pytest.raises(Failure, match=f"{WORDS}TensorListReserve"):
        export_run(run, Request("litert", "it"))
    assert not (in_tmp / "it").exists()
