"""Word vectors from a file."""

from unittest.mock import MagicMock

import numpy as np
import pytest
from cells import Cell

from threefold.core.errors import UserError
from threefold.datasets.texts.tokenizing import token_names
from threefold.training import fit as fitting
from threefold.training.building import rebuild_model
from threefold.training.pretrained.word_vectors import measure_vectors
from threefold.training.settings import TrainingSettings

pytestmark = pytest.mark.each_backend

VECTORS = {"bread": [1.0, 2.0, 3.0], "river": [-1.0, 0.5, 0.25], "unheard": [9.0, 9.0, 9.0]}
GLOVE = "".join(f"{word} {' '.join(map(str, row))}\n" for word, row in VECTORS.items())


@pytest.fixture
def fit(in_tmp):
    def fit(text: str, **options: str):
        (in_tmp / "vectors.txt").write_text(text)
        reference, data = Cell("rnn", "text_classification").data(in_tmp)
        explicit = []
        command = fitting.Command(
            blueprint="rnn",
            task="text_classification",
            dataset=reference,
            data_options=data | {"tokenizer": "word"},
            options={"units": "3", "embeddings": "vectors.txt"} | options,
            settings=TrainingSettings.parse({"epochs": "1", "ema": "0"}),
        )

        def announce(run, dataset, model):
            explicit.extend(dataset.notes)
            return MagicMock()

        return fitting.start(command, announce).run, explicit

    return fit


def vectors_of(run) -> dict[str, np.ndarray]:
    table = np.asarray(rebuild_model(run)[0].get_layer("embedding").embeddings.numpy())
    return dict(zip(token_names(run.record.facts.tokenizer), table, strict=True))


@pytest.mark.parametrize("head", ["", "3 3\n"], ids=["glove", "word2vec"])
def test_frozen_vectors_stay_those_of_the_file(fit, head):
    run, explicit = fit(head + GLOVE, tune_embeddings="false")
    found = vectors_of(run)
    for word in ("bread", "river"):
        np.testing.assert_array_equal(found[word], np.array(VECTORS[word], np.float32))
    assert run.record.options["embedding_dim"] == 3
    assert any("vectors.txt: vectors for 2 of" in note for note in explicit)


def test_tuned_vectors_start_from_the_file_and_are_trained(fit):
    run, _ = fit(GLOVE)
    found = vectors_of(run)["bread"]
    assert not np.array_equal(found, VECTORS["bread"])
    np.testing.assert_allclose(found, VECTORS["bread"], atol=0.1)


def test_a_run_needs_the_file_no_more(fit, in_tmp):
    run, _ = fit(GLOVE)
    (in_tmp / "vectors.txt").unlink()
    assert "bread" in vectors_of(run)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GLOVE + "cloud 1 2\n", "line 4: expected a word and 3 numbers"),
        (GLOVE + "cloud 1 x 3\n", "line 4: '1 x 3' are not 3 numbers"),
        ("word\n", "expected a file of word vectors"),
        ("2 5\nbread 1 2\n", "line 2: expected a word and 5 numbers"),
    ],
)
def test_a_line_that_is_no_vector_is_named(fit, text, said):
    with pytest.raises(UserError, match=said):
        fit(text)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(UserError, match="-o embeddings=nowhere.txt"):
        measure_vectors("nowhere.txt")


def test_vectors_that_nobody_trained_cannot_be_frozen(fit):
    with pytest.raises(UserError, match="tune_embeddings=false"):
        fit(GLOVE, embeddings="none", tune_embeddings="false")
