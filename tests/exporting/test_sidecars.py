"""A program that knows nothing but an artifact's files asks as Threefold does, from raw input."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cells import CELLS, WORDS
from fitted import FittedCell
from odd_texts import BLANK, odd_texts
from programs import assigned_in, first_inputs

from threefold.datasets.inference_inputs import read_inputs
from threefold.datasets.texts.tokenizing import KINDS
from threefold.exporting.example import write_example
from threefold.exporting.sidecars import check_sidecars
from threefold.tasks.generation import GenerationConfig, _begin
from threefold.training.building import bind_task
from threefold.training.data import load_dataset

pytestmark = pytest.mark.once
TEXTS = odd_texts(500, WORDS)
FAR = 1e-5  # a probability

PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

folder = Path(sys.argv[1])
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
labels = (folder / "labels.txt").read_text(encoding="utf-8").splitlines()
for text in json.load(sys.stdin):
    ids = tokenizer.encode(text).ids or [0]
    found = session.run(["label_index", "probabilities"], {"tokens": np.array([ids], np.int64)})
    print(json.dumps([labels[found[0][0]], float(found[1].max())]))
assert not {"threefold", "keras", "tensorflow", "torch", "jax"} & sys.modules.keys()
"""


@pytest.fixture(scope="module", params=KINDS)
def classifier(request, place, fit, lasting_children):
    """A run of a small text classifier, and its artifact."""
    from threefold.exporting import export

    kind = request.param
    (cell,) = [cell for cell in CELLS if str(cell) == "rnn-text_classification"]
    path = Path(cell.data(place)[0])
    lines = path.read_text(encoding="utf-8").splitlines()
    # That have characters of all kinds, too.
    odd = [{"text": text, "label": "odd"} for text in odd_texts(60, WORDS, 1) if text.strip()]
    path = place / f"{kind}.jsonl"
    path.write_text("\n".join([*lines, *map(json.dumps, odd)]), encoding="utf-8")
    data = {"tokenizer": kind, "max_tokens": "14", "vocabulary_size": "400"}
    run = fit(kind, "rnn", "text_classification", str(path), data, cell.options)
    output = str(place / "artifacts" / kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "run_child", lasting_children.run_child)
        return run, export.export_run(run, export.Request("onnx", output))


def predict_alone(folder: Path, texts: list[str]) -> list[tuple[str, float]]:
    ended = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, folder],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert ended.returncode == 0, ended.stderr
    return [tuple(json.loads(line)) for line in ended.stdout.splitlines()]


def differing(one: list[tuple[str, float]], other: list[tuple[str, float]]) -> list[str]:
    pairs = zip(seen(TEXTS), one, other, strict=True)
    return [text for text, a, b in pairs if a[0] != b[0] or abs(a[1] - b[1]) > FAR]


def seen(texts: list[str]) -> list[str]:
    return [text for text in texts if text.strip()]


def test_odd_texts_are_answered_alike(classifier, in_tmp):
    from threefold.exporting.answering import predict_artifact
    from threefold.training.evaluate import predict_run

    run, artifact = classifier
    file = in_tmp / "odd.jsonl"
    file.write_text("\n".join(json.dumps({"text": text}) for text in TEXTS), encoding="utf-8")
    found = []
    for predict, what in ((predict_run, run), (predict_artifact, artifact)):
        with pytest.warns(UserWarning, match="longer than 14 tokens"):
            predictions = predict(what, [str(file)], {}, None)
        found.append([(record["label"], record["probability"]) for record in predictions.records])
        # In which there is nothing to see: they are refused, whoever is asked.
        assert len(predictions.errors) == len(TEXTS) - len(seen(TEXTS)) >= len(BLANK)
    alone = predict_alone(artifact.folder, TEXTS)
    assert len(alone) == len(TEXTS) == 500
    alone = [answer for text, answer in zip(TEXTS, alone, strict=True) if text.strip()]
    assert differing(found[0], found[1]) == differing(found[0], alone) == []
    assert len({label for label, _ in alone}) > 1  # not one answer for all

    spoilt = Path(shutil.copytree(artifact.folder, in_tmp / "spoilt"))
    content = json.loads((spoilt / "tokenizer.json").read_text(encoding="utf-8"))
    content["truncation"] = None
    (spoilt / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    assert differing(found[0], predict_alone(spoilt, seen(TEXTS)))
    reason = next(check_sidecars(spoilt, bind_task(run.record), {}))
    assert reason == "tokenizer.json is not what the answers were trained with"


TASKS = {cell.task: cell for cell in CELLS if cell.task != "image_generation"}


def program_of(cell: FittedCell, folder: Path, row: int) -> dict[str, np.ndarray]:
    """Write the program of an artifact that there need not be; return its example."""
    task = cell.task
    reference, options = cell.cell.data(folder)
    dataset = load_dataset(reference, options, task=cell.task_name, facts=task.facts.raw())
    for name, text in task.facts.sidecars().items():
        (folder / name).write_text(text, encoding="utf-8")
    fields = [field.model_dump() for field in task.input_fields()]
    (folder / "artifact.json").write_text(json.dumps({"signature": {"inputs": fields}}))
    example = dataset.splits["train"][np.array([row])]
    write_example(folder, "onnx", task, example)
    return example


@pytest.mark.parametrize("row", [0, 3])
@pytest.mark.parametrize("task_name", TASKS)
def test_the_example_gives_the_inputs_that_the_task_makes(task_name, row, in_tmp):
    cell = FittedCell(TASKS[task_name], in_tmp, None)
    example, task = program_of(cell, in_tmp, row), cell.task
    names = [field.name for field in task.input_fields()]
    asked = first_inputs(in_tmp, names)
    if task_name == "text_generation":
        config = GenerationConfig(prompt=assigned_in(in_tmp, "prompt"))
        wanted = {"tokens": _begin(task, config)[None]}
        assert len(asked["uniforms"][0]) > 1 and asked["tokens"][0, 0] == 2
    elif task_name == "masked_language_modeling":
        wanted = masked_by_hand(task, assigned_in(in_tmp, "text"), in_tmp)
    elif task_name == "question_answering":
        train = cell.dataset.splits["train"]
        train = train[np.arange(len(train))]
        same = train["question_id"] == example["question_id"]
        wanted = task.raw_inputs({name: array[same] for name, array in train.items()})
    else:
        wanted = task.raw_inputs(example)
    for name, array in wanted.items():
        assert asked[name].shape == array.shape, name
        if task_name != "text_generation":
            assert asked[name].dtype.kind == array.dtype.kind, name
        if array.dtype.kind == "U":
            assert asked[name].tolist() == array.tolist()
        else:  # a recording has 16 bits
            atol = 2**-15 if task_name == "speech_recognition" else 0
            np.testing.assert_allclose(asked[name], array, rtol=0, atol=atol, err_msg=name)


def masked_by_hand(task, text: str, folder: Path) -> dict[str, np.ndarray]:
    """Return what `predict` asks of a text, without what fills it up."""
    (folder / "masked.txt").write_text(text, encoding="utf-8")
    (inputs,) = read_inputs([str(folder / "masked.txt")], task.facts, None, 1)
    wanted, masks = task.raw_inputs(inputs.examples), text.count("[MASK]")
    lengths = {name: max(1, np.count_nonzero(wanted[name])) for name in task.texts}
    return {name: array[:, : lengths.get(name, masks)] for name, array in wanted.items()}


def test_a_prompt_without_its_start_is_another(in_tmp):
    """What the test above rests on: the file says that a prompt begins with `[START]`."""
    cell = FittedCell(TASKS["text_generation"], in_tmp, None)
    program_of(cell, in_tmp, 0)
    names = [field.name for field in cell.task.input_fields()]
    before = first_inputs(in_tmp, names)["tokens"]
    content = json.loads((in_tmp / "tokenizer.json").read_text(encoding="utf-8"))
    content["post_processor"] = None
    (in_tmp / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    after = first_inputs(in_tmp, names)["tokens"]
    np.testing.assert_array_equal(before[:, 1:], after)
