"""What every blueprint promises, for each of its tasks.

The cells are found, not listed: a new family is tested as soon as its file is there.
"""

import numpy as np
import pytest

from threefold.training.checkpoints import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.each_backend
ROWS = 6
STEPS = (0, 1, 0, 1, 2, 0)  # which batch each step takes
# Measured: 2e-7; 2e-5 for image_regression, where Adam divides gradients that are zero but for
# rounding by their own size.
AGREEMENT = 5e-5


def predict_all(model, inputs) -> list[np.ndarray]:
    """Return all raw outputs of a model, of which most have one."""
    import keras

    return [np.asarray(array) for array in keras.tree.flatten(model.predict_on_batch(inputs))]


@pytest.fixture(scope="module")
def trained(cell, across):
    """A model after some steps, with the losses before each."""
    model = cell.build_without_dropout()
    across.start_alike(str(cell), model.weights)
    return model, cell.step_losses(model, list(STEPS))


@pytest.mark.at_home
@pytest.mark.leads
def test_raw_outputs_have_the_promised_shape(cell, trained):
    model, _ = trained
    inputs = cell.model_inputs(ROWS)
    assert set(model.input) == set(inputs) == {tensor.name for tensor in model.inputs}
    promised = [tensor.shape for tensor in model.outputs]
    for shape, outputs in zip(promised, predict_all(model, inputs), strict=True):
        shape = [side or found for side, found in zip(shape, outputs.shape, strict=True)]
        assert list(outputs.shape) == shape and len(outputs) == ROWS
        assert outputs.dtype == np.float32 and np.isfinite(outputs).all()
    predictions = cell.task.postprocess(cell.predict_with(model, ROWS))
    fields = {field.name: field for field in cell.task.output_fields()}
    # How near the nearest decision was is for the proof of an export alone.
    assert set(predictions) - {"margin"} == set(fields)
    for name, array in ((name, predictions[name]) for name in fields):
        wanted = [ROWS if side == "batch" else side for side in fields[name].shape]
        found = [w if isinstance(w, str) else s for s, w in zip(array.shape, wanted, strict=True)]
        assert (array.dtype, found) == (fields[name].dtype, wanted)


def test_names_of_layers_and_weights_are_unique_and_lasting(cell):
    one, other = cell.build(), cell.build()
    paths = [weight.path for weight in one.weights]
    assert len(set(paths)) == len(paths)
    assert paths == [weight.path for weight in other.weights]
    layers = [layer.name for layer in one.layers]
    assert len(set(layers)) == len(layers)
    assert layers == [layer.name for layer in other.layers]


def test_the_seed_decides_the_first_weights(cell):
    one, same, other = (cell.build(seed).get_weights() for seed in (1, 1, 2))
    for array, alike in zip(one, same, strict=True):
        np.testing.assert_array_equal(array, alike)
    assert any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_few_steps_lower_the_loss_alike_on_all_backends(cell, trained, across):
    _, losses = trained
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.99 * losses[0], losses  # of the same batch
    across.compare(str(cell), losses, rtol=AGREEMENT)


def test_a_saved_model_answers_as_before(cell, trained, tmp_path):
    from threefold.training import state

    model, _ = trained
    save_checkpoint(tmp_path, "best", state.collect_weights(model), {})
    inputs = cell.model_inputs(ROWS)
    wanted = predict_all(model, inputs)
    # One that is compiled already, with the weights of another.
    model.set_weights(cell.build(seed=1).get_weights())
    changed = zip(predict_all(model, inputs), wanted, strict=True)
    assert not any(np.array_equal(found, before) for found, before in changed)
    state.restore_weights(model, load_checkpoint(tmp_path, "best")[0])
    for found, before in zip(predict_all(model, inputs), wanted, strict=True):
        np.testing.assert_array_equal(found, before)


def test_an_answer_does_not_depend_on_the_rest_of_the_batch(cell, trained):
    model, _ = trained
    inputs = cell.model_inputs(ROWS)
    together = predict_all(model, inputs)
    rows = [{name: array[i : i + 1] for name, array in inputs.items()} for i in range(ROWS)]
    alone = zip(*(predict_all(model, row) for row in rows), strict=True)
    for parts, whole in zip(alone, together, strict=True):
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.at_home
@pytest.mark.leads
def test_dropout_is_for_training_alone(cell):
    given = dict.fromkeys((name for name in cell.options if "dropout" in name), "0.5")
    model, inputs = cell.build(**given), cell.model_inputs(ROWS)
    for one, other in zip(predict_all(model, inputs), predict_all(model, inputs), strict=True):
        np.testing.assert_array_equal(one, other)
    if given:
        from keras import ops, tree

        once, again = (tree.flatten(model(inputs, training=True)) for _ in range(2))
        for one, other in zip(once, again, strict=True):
            assert not np.array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))
