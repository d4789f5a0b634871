"""Options that ask for other operations: each model answers in both formats as in Keras.

TensorFlow writes the files whichever backend trained; nothing is fitted here.
"""

import numpy as np
import pytest

from threefold.core.errors import Failure
from threefold.datasets.facts import (
    CategoricalColumn,
    DateColumn,
    ImageFacts,
    NumericColumn,
    TableFacts,
)
from threefold.datasets.facts_base import NumericTarget
from threefold.datasets.images.image_files import stack_images
from threefold.exporting.runtime import load_runtime
from threefold.tasks.signature import Signature
from threefold.tasks.task import Task, find_task
from threefold.training.building import build_model

# Warnings are of tf2onnx and ONNX, which else have a process of their own.
pytestmark = [pytest.mark.with_tensorflow, pytest.mark.filterwarnings("default")]

TARGETS = (
    NumericTarget(name="weight", mean=-4e3, scale=250.0),
    NumericTarget(name="share", mean=0.5, scale=0.01),
)
CLASSES = {"class_names": ("a", "b", "c"), "class_counts": (1, 1, 1)}
COLOUR, GRAY = (14, 11, 3), (8, 8, 1)


def table(words: int = 2, numbers: int = 2, dates: int = 1, **target_facts) -> TableFacts:
    return TableFacts(
        numeric=tuple(NumericColumn(name=f"n {i}", mean=i, scale=0.5) for i in range(numbers)),
        dates=tuple(DateColumn(name=f"d {i}", mean=15_000, scale=800) for i in range(dates)),
        categorical=tuple(
            CategoricalColumn(name=f"w {i}", vocabulary=("ä", "b b", "c")[: i + 1])
            for i in range(words)
        ),
        target_name="y",
        **(target_facts or CLASSES),
    )


IMAGES = {
    "gelu": {"activation": "gelu"},
    "elu": {"activation": "elu"},
    "leaky relu": {"activation": "leaky_relu"},
    "silu": {"activation": "silu"},
    "tanh": {"activation": "tanh"},
    "sigmoid": {"activation": "sigmoid"},
    "local response": {"normalization": "local_response"},
    "no normalization": {"normalization": "none", "pooling": "none"},
    "average pooling": {"pooling": "average", "pool_size": "3"},
    "valid padding": {"padding": "valid", "filters": "4", "kernel_size": "2"},
    "stride 2": {"stride": "2", "pooling": "none"},
    "no hidden layer": {"dense_units": "", "filters": "3"},
    "an even window": {"kernel_size": "4"},
}
ROWS = {
    "batch": (table(), {"normalization": "batch", "activation": "elu"}),
    "layer": (table(), {"normalization": "layer", "activation": "gelu"}),
    "numbers alone": (table(words=0, dates=0), {"activation": "leaky_relu"}),
    "dates alone": (table(words=0, numbers=0), {"activation": "silu"}),
    "words alone": (table(numbers=0, dates=0), {}),
    "one column of words": (table(words=1, numbers=1, dates=0), {}),
    "two targets": (table(targets=TARGETS), {}),
}


def scatter_weights(model) -> None:
    """Give every weight a value of its own: first weights are zeros and ones in places."""
    sample = np.random.default_rng(0)
    for weight in model.weights:
        if "float" in weight.dtype:
            low, high = (0.5, 1.5) if "variance" in weight.path else (-0.5, 0.5)
            weight.assign(sample.uniform(low, high, weight.shape))


def some_images(facts: ImageFacts) -> list[np.ndarray]:
    """Return batches of the network's size, of others, of one pixel and of mixed sizes."""
    sample = np.random.default_rng(1)
    height, width, channels = facts.image_shape

    def batch(count, *size):
        return sample.integers(0, 256, (count, *size, channels), dtype=np.uint8)

    mixed = stack_images([image for size in ((9, 9), (30, 5), (9, 9)) for image in batch(1, *size)])
    sizes = ((height, width), (2 * height + 1, 3 * width), (5, 6), (1, 1), (height, 40))
    return [*(batch(3, *size) for size in sizes), mixed]


def some_rows(task: Task) -> list[dict[str, np.ndarray]]:
    sample = np.random.default_rng(1)
    batches = []
    for count in (1, 6):
        examples = {
            "numeric": sample.normal(0, 3, (count, len(task.facts.numeric))).astype(np.float32),
            "dates": sample.uniform(0, 3e4, (count, len(task.facts.dates))).astype(np.float32),
            "categorical": np.stack(
                [sample.integers(0, len(c.vocabulary) + 1, count) for c in task.facts.categorical]
                or [np.zeros(count, int)],
                axis=1,
            ).astype(np.int32),
        }
        for kind in ("numeric", "dates"):
            examples[kind][sample.random(examples[kind].shape) < 0.2] = np.nan
        batches.append(examples)
    return batches


def assert_answers_agree(blueprint: str, task: Task, options: dict[str, str], folder) -> None:
    from threefold.exporting.building import write_savedmodel
    from threefold.exporting.writers.onnx_file import write_onnx

    model, _ = build_model(blueprint, task, options, "float32")
    scatter_weights(model)
    write_savedmodel(model, task, folder / "1")
    inputs, outputs = task.input_fields(), task.output_fields()
    write_onnx(folder / "1", inputs, outputs, folder / "model.onnx", 18, {})
    signature = Signature(inputs=inputs, outputs=outputs)
    runs = [
        load_runtime(folder / "1" / "saved_model.pb", "savedmodel", signature),
        load_runtime(folder / "model.onnx", "onnx", signature),
    ]
    if task.facts.kind == "image":
        batches = [{"image": images} for images in some_images(task.facts)]
    else:
        batches = some_rows(task)
    for examples in batches:
        wanted = task.postprocess(np.asarray(model.predict_on_batch(task.model_inputs(examples))))
        decided = ~task.near_ties(wanted, 1e-5)
        for run in runs:
            found = run(task.raw_inputs(examples))
            assert set(found) == {field.name for field in outputs}
            for field in outputs:
                assert found[field.name].dtype == field.dtype
                if field.limit is None:
                    same = found[field.name] == wanted[field.name]
                    assert same[decided].all()
                else:
                    far = np.abs(found[field.name] - wanted[field.name]) / np.array(field.scale)
                    assert far.shape == wanted[field.name].shape and far.max() <= field.limit


@pytest.mark.parametrize("kind", IMAGES)
def test_a_network_for_images_answers_alike(kind, tmp_path):
    task = find_task("image_classification")(ImageFacts(image_shape=COLOUR, **CLASSES))
    options = {"filters": "4,5", "dense_units": "6"} | IMAGES[kind]
    assert_answers_agree("cnn", task, options, tmp_path)


@pytest.mark.parametrize("kind", ROWS)
def test_a_network_for_tables_answers_alike(kind, tmp_path):
    facts, options = ROWS[kind]
    name = "tabular_regression" if facts.targets else "tabular_classification"
    assert_answers_agree("dnn", find_task(name)(facts), {"widths": "8,5"} | options, tmp_path)


def test_a_sigmoid_for_each_class_answers_alike(tmp_path):
    facts = ImageFacts(image_shape=GRAY, **CLASSES)
    task = find_task("image_classification")(facts, loss="binary_cross_entropy")
    assert_answers_agree("cnn", task, {"filters": "4", "dense_units": "6"}, tmp_path)


def test_several_numbers_of_a_image_answer_alike_in_their_own_units(tmp_path):
    task = find_task("image_regression")(ImageFacts(image_shape=GRAY, targets=TARGETS))
    assert_answers_agree("cnn", task, {"filters": "4", "dense_units": "6"}, tmp_path)


def test_a_residual_network_with_a_wide_stem_answers_alike(tmp_path):
    task = find_task("image_classification")(ImageFacts(image_shape=(70, 66, 3), **CLASSES))
    assert_answers_agree("resnet", task, {"width": "4", "activation": "gelu"}, tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ("self", "class", "import", "None"),
        ("probabilities", "Label_Index", "predictions"),
        ("Size", "size", "SIZE", "Identity", "StatefulPartitionedCall"),
        ("größe", "größe (cm)", "1st", "", "日本", "a|b", "x" * 200),
    ],
    ids="-".join,
)
def test_columns_of_any_name_become_inputs_of_both_formats(names, tmp_path):
    facts = TableFacts(
        numeric=tuple(NumericColumn(name=name, mean=0, scale=1) for name in names),
        categorical=(CategoricalColumn(name=names[0].upper(), vocabulary=("a", "b")),),
        target_name="y",
        **CLASSES,
    )
    task = find_task("tabular_classification")(facts)
    assert_answers_agree("dnn", task, {"widths": "4"}, tmp_path)


def write_function(function, length: int | None, folder, opset: int = 18):
    """Write a function of one array as ONNX; return what stands in its file."""
    import onnx
    import tensorflow as tf

    from threefold.exporting.writers.onnx_file import write_onnx
    from threefold.tasks.signature import Field

    module = tf.Module()
    spec = tf.TensorSpec((length,), tf.float32, name="x")
    module.serve = tf.function(lambda x: {"y": function(x)}, input_signature=[spec])
    tf.saved_model.save(module, str(folder / "saved"), signatures=module.serve)
    inputs, outputs = (
        [Field(name=name, dtype="float32", shape=("batch",), meaning="")] for name in "xy"
    )
    write_onnx(folder / "saved", inputs, outputs, folder / "model.onnx", opset, {})
    return onnx.load(folder / "model.onnx")


def test_a_function_is_written_with_named_dimensions_and_checked(tmp_path):
    import tensorflow as tf

    model = write_function(tf.sin, None, tmp_path)
    for value in (model.graph.input[0], model.graph.output[0]):
        assert [dim.dim_param for dim in value.type.tensor_type.shape.dim] == ["batch"]
    assert model.producer_name == "threefold" and not model.graph.value_info


def test_a_length_that_was_to_be_free_is_refused(tmp_path):
    import tensorflow as tf

    with pytest.raises(Failure, match="^the ONNX graph froze axis 0 of 'x'$"):
        write_function(tf.sin, 5, tmp_path)
    assert not (tmp_path / "model.onnx").exists()


def test_an_operation_that_onnx_lacks_is_named(tmp_path):
    import tensorflow as tf

    with pytest.raises(Failure, match="^ONNX opset 18 has no counterpart of: Igamma$"):
        write_function(lambda x: tf.math.igamma(x, x), None, tmp_path)
    assert not (tmp_path / "model.onnx").exists()


def test_an_operation_that_a_lower_opset_lacks_is_named_and_what_it_has_is_written(tmp_path):
    import tensorflow as tf

    def both_bits(x):
        return tf.cast(tf.bitwise.bitwise_and(tf.cast(x, tf.int32), 5), tf.float32)

    model = write_function(both_bits, None, tmp_path)
    assert [imported.version for imported in model.opset_import] == [18]
    (tmp_path / "model.onnx").unlink()
    with pytest.raises(Failure, match="^ONNX opset 17 has no counterpart of: BitwiseAnd$"):
        write_function(both_bits, None, tmp_path, opset=17)
    assert not (tmp_path / "model.onnx").exists()
    model = write_function(tf.sin, None, tmp_path, opset=17)
    assert [imported.version for imported in model.opset_import] == [17]


def test_tf2onnx_writes_no_higher_opset():
    from tf2onnx import constants

    from threefold.exporting.artifact import HIGHEST_OPSET

    assert max(constants.OPSET_TO_IR_VERSION) == HIGHEST_OPSET
