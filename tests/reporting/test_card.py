"""The card of an artifact: what it does, how well, and how that was proven."""

import re

import pytest

from threefold.datasets.facts import CategoricalColumn, ImageFacts, NumericColumn, TableFacts
from threefold.datasets.facts_base import NumericTarget
from threefold.reporting.card import write_card
from threefold.tasks.signature import Signature
from threefold.tasks.task import find_task
from threefold.training.run import RunRecord

HOME = "/home/somebody/private"


@pytest.fixture
def content(examples):
    """What `artifact.json` would hold of a small run on a folder of images."""

    def content(facts=None, task="image_classification", **changes):
        record = examples.make_record(task=task, init=f"{HOME}/runs/older")
        record["dataset"]["reference"] = f"{HOME}/my photos"
        record["dataset"]["notes"] = [f"no test split in {HOME}/my photos: 15 % kept for it"]
        run = RunRecord.model_validate(record)
        facts = facts or ImageFacts(image_shape=(4, 4, 1), class_names=("cat", "dog"))
        run = run.model_copy(update={"facts": facts}).without_places()
        bound = find_task(task)(facts)
        numbers = {name: 0.25 for name in bound.summary_metrics}
        return {
            "format": "onnx",
            "precision": "float32",
            "task": task,
            "signature": Signature(inputs=bound.input_fields(), outputs=bound.output_fields()),
            "labels": facts.class_names,
            "run": run,
            "parity": {
                "split": "test",
                "rows": 1234,
                "batch_sizes": (1, 2, 7, 32),
                "empty_batch": True,
                "probes": ("of another size", "of one token"),
                "max_abs_diff": 3.21e-7,
                "mean_abs_diff": 1.5e-8,
                "limit": 1e-5,
                "agreement": 1.0,
                "metrics": {"run": numbers, "artifact": numbers | {bound.primary_metric: 0.375}},
                "quantized": False,
            },
        } | changes

    return content


def write(folder, content, *images) -> str:
    for name in images:
        (folder / name).write_bytes(b"")
    write_card(folder, content, "answers = predict(row)\n")
    return (folder / "README.md").read_text("utf-8")


def tables(text: str) -> list[list[list[str]]]:
    """Return the cells of every table, as a reader of Markdown splits them."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
        found.append([[cell.strip() for cell in row] for row in rows])
    return found


def test_the_card_says_what_it_is_and_what_was_proven(content, tmp_path):
    text = write(tmp_path, content(), "confusion_matrix.png")
    assert text.startswith("# cnn on my photos\n")
    assert "trained with Keras on jax and exported for onnxruntime (`model.onnx`)" in text
    assert "100 train, 20 test examples" in text
    assert "1,234 rows were replayed through this file by onnxruntime without Keras" in text
    assert "in batches of 1, 2, 7, 32; so were inputs of another size, of one token. They" in text
    assert "largest difference 3.2e-07" in text and "at most 1e-05 was allowed" in text
    assert "the same answer for 100 % of the rows" in text
    assert "`cat`, `dog`" in text and "threefold fit cnn" in text
    assert "8-bit" not in text and "None" not in text
    assert "](confusion_matrix.png)" in text and text.count("](") == 1


def test_a_savedmodel_names_its_own_file_and_runtime(content, tmp_path):
    text = write(tmp_path, content(format="savedmodel"))
    assert "exported for TensorFlow (`1/saved_model.pb`)" in text
    assert "by TensorFlow without Keras" in text and "onnx" not in text
    assert "](" not in text  # no image, no link to one


def test_tables_hold_inputs_outputs_and_metrics(content, tmp_path):
    inputs, outputs, metrics = tables(write(tmp_path, content()))
    assert inputs[0] == ["input", "type", "shape", "meaning"]
    assert [row[:3] for row in inputs[2:]] == [
        ["`image`", "uint8", "(batch, height, width, 1)"],
    ]
    assert [row[:3] for row in outputs[2:]] == [
        ["`probabilities`", "float32", "(batch, 2)"],
        ["`label_index`", "int64", "(batch)"],
    ]
    assert metrics[0] == ["", "accuracy", "f1", "loss"]
    assert metrics[2:] == [
        ["trained model", "0.2500", "0.2500", "0.2500"],
        ["this file", "0.3750", "0.2500", "0.2500"],
    ]


ODD = TableFacts(
    numeric=(
        NumericColumn(name="a|b", mean=0, scale=1),
        NumericColumn(name="c\\", mean=0, scale=1),
    ),
    categorical=(
        CategoricalColumn(name="city", vocabulary=tuple(f"word {n}" for n in range(20))),
        CategoricalColumn(name="x\ny", vocabulary=("p|q",)),
    ),
    target_name="y",
    targets=(NumericTarget(name="price|unit", mean=0, scale=1),),
)


def test_columns_of_any_name_keep_tables_whole(content, tmp_path):
    text = write(tmp_path, content(ODD, "tabular_regression", labels=()))
    inputs, outputs, metrics = tables(text)
    for table in (inputs, outputs, metrics):
        assert {len(row) for row in table} == {len(table[0])}, table
    assert [row[0] for row in inputs[2:]] == ["`a_b`", "`c`", "`city`", "`x_y`"]
    assert "column `a\\|b`" in inputs[2][3] and "column" not in inputs[4][3]
    assert "price\\|unit" in outputs[2][3]
    assert metrics[0] == ["", "mae", "rmse", "r2"]
    assert "Classes" not in text
    assert "Words of `city`: `word 0`, " in text and "`word 11`, and 8 more." in text


def test_folders_of_the_one_who_trained_are_nobodys_business(content, tmp_path):
    text = write(tmp_path, content(), "residuals.png")
    assert "somebody" not in text and "private" not in text and str(tmp_path) not in text
    assert "--dataset 'my photos'" in text and "--init older" in text
    assert "no test split in my photos" in text


def test_names_of_bundled_and_of_other_libraries_sets_are_kept(content, tmp_path):
    for reference in ("digits", "tfds:mnist", "hf:user/set:config"):
        made = content()
        data = made["run"].dataset.model_copy(update={"reference": reference, "notes": ["said"]})
        made["run"] = made["run"].model_copy(update={"dataset": data, "init": None})
        text = write(tmp_path, made)
        assert text.startswith(f"# cnn on {reference}\n")
        assert f"--dataset {reference} " in text and "- said" in text and "--init" not in text


def test_8_bit_integers_are_judged_by_the_score(content, tmp_path):
    made = content()
    made["parity"] |= {"quantized": True, "agreement": 0.98765, "probes": ()}
    text = write(tmp_path, made)
    assert "Its weights and activations are 8-bit integers." in text
    assert "the score fell by less than allowed" in text and "was allowed)" not in text
    assert "98.77 %" in text and "another size" not in text


def test_float16_is_said_with_what_stays_and_what_is_clipped(content, tmp_path):
    assert "float16" not in write(tmp_path, content())
    text = write(tmp_path, content(precision="float16"))
    assert "From its first layer with weights to the last it computes in float16" in text
    assert "reads what lies beyond ±256 as ±256" in text


def test_intervals_simple_methods_and_classes_stand_beside_the_metrics(content, tmp_path):
    made = content()
    by_class = {
        f"c{i}": {"precision": 0.5, "recall": 0.25, "f1": 0.3, "count": 7} for i in range(41)
    }
    made["parity"] |= {
        "rows": 12,
        "intervals": {"accuracy": (0.125, 0.625), "f1": (0.1, 0.5)},
        "baselines": {"linear": {"accuracy": 0.5, "loss": 1.25}},
        "by_class": by_class,
    }
    text = write(tmp_path, made)
    _, _, metrics, classes = tables(text)
    assert metrics[4] == ["95 % interval", "0.1250 to 0.6250", "0.1000 to 0.5000", ""]
    assert metrics[5] == ["linear (a simple method)", "0.5000", "", "1.2500"]
    assert classes[0] == ["class", "precision", "recall", "f1", "examples"]
    assert classes[2] == ["`c0`", "0.5000", "0.2500", "0.3000", "7"] and len(classes) == 42
    assert "1 more classes are in `artifact.json`" in text and "12 examples are few" in text
    assert "Licence and date of the data are not known here" in text
    assert "with python 3.11.7, keras 3.15.1" in text


def test_a_column_says_between_what_it_lay_in_training(content, tmp_path):
    made = content(ODD, "tabular_regression", labels=())
    first, *others = made["signature"].inputs
    inputs = (first.model_copy(update={"range": (-2.5, 1e6)}), *others)
    made["signature"] = made["signature"].model_copy(update={"inputs": inputs})
    inputs, _, _ = tables(write(tmp_path, made))
    assert inputs[2][3].endswith("; in training -2.5 to 1e+06") and "training" not in inputs[3][3]


def test_a_card_without_metrics_says_why():
    from threefold.reporting.card import _describe_metrics

    found = _describe_metrics({"metrics": {"run": {}, "artifact": {}}})
    assert found == ["None: these are too few to judge by."]
