"""Masked tokens and next sentences: what is asked, what counts as right, what a person reads."""

import io

import numpy as np
import pytest

from threefold.core.errors import UserError
from threefold.datasets.facts import MaskedTextFacts
from threefold.datasets.inference_inputs import read_inputs
from threefold.datasets.texts.masked_texts import MaskedTexts
from threefold.datasets.texts.masking import NO_PLACE
from threefold.datasets.texts.tokenizing import find_mask, train_tokenizer
from threefold.tasks.masked_language_modeling import OTHER, TASK

TEXTS = [
    "bread cheese apple. soup river stone. cloud forest.",
    "engine wheel. piston valve bread.",
    "one word",
]
CONTENT = train_tokenizer("word", TEXTS, 50, mask=True)
FACTS = {"tokenizer": CONTENT, "vocabulary_size": 20, "max_length": 6, "mask_rate": 0.3}


def make_task(paired=True, masking="token", **options):
    facts = MaskedTextFacts(**FACTS, masking=masking, paired=paired)
    return TASK(facts, options=options)


@pytest.fixture
def examples():
    source = MaskedTexts(CONTENT, TEXTS, 6)
    return source[np.arange(len(source))]


def whole(texts, names):
    rows = np.concatenate([texts[name] for name in names], axis=1)
    return [row[row != 0] for row in rows]


@pytest.mark.parametrize("options", [{}, {"next_sentence": False}])
def test_places_count_the_true_tokens_of_all_parts(examples, options):
    task = make_task(**options)
    inputs, targets = task.model_inputs(examples), task.targets(examples)
    assert set(inputs) == {*task.texts, "masked"} and "masked" in targets
    mask = find_mask(CONTENT)
    for row, tokens in enumerate(whole(inputs, task.texts)):
        places = inputs["masked"][row][inputs["masked"][row] != NO_PLACE]
        assert len(places) > 0 and set(np.flatnonzero(tokens == mask)) <= set(places)
        assert (targets["masked"][row][: len(places)] > mask).all()


def test_half_of_the_pairs_follow_and_the_label_says_which():
    source = MaskedTexts(CONTENT, TEXTS[:2] * 100, 6)
    task, rows = make_task(), np.arange(len(source))
    examples = source.sample(0, 0, rows)
    assert np.mean(task.targets(examples)["next"]) == pytest.approx(0.5, abs=0.1)
    masked, texts = task.mask(examples)
    for row in rows:
        tokens = texts["second"][row].copy()
        tokens = tokens[tokens != 0]
        from_where = "other" if task.targets(examples)["next"][row] == OTHER else "following"
        same = tokens == examples[from_where][row]
        assert len(same) == len(examples[from_where][row])
        # But for what was masked.
        assert np.count_nonzero(~same) <= np.count_nonzero(masked.places[row] != NO_PLACE)


def test_weights_leave_out_what_is_not_masked(examples):
    task = make_task()
    targets = task.targets(examples)
    weights = task.sample_weights(targets)
    assert ((weights["masked"] > 0) == (targets["masked"] != 0)).all()
    assert weights["masked"].mean() == pytest.approx(1) and (weights["next"] == 1).all()


def answers_of(task, examples, right):
    """Return the answers of a network that is sure of the truth, or of something else."""
    asked, truth = task.inference_inputs(examples), task.truth(examples)
    logits = np.zeros((*asked["masked"].shape, 20), np.float32)
    chosen = truth["masked"] if right else (truth["masked"] + 1) % 20
    np.put_along_axis(logits, chosen[..., None], 9.0, axis=-1)
    one = np.where(truth["next"] == OTHER, -9.0, 9.0) * (1 if right else -1)
    outputs = {"masked": logits, "wanted": asked["wanted"]}
    outputs |= {"next": np.stack([one, -one], axis=1).astype(np.float32)}
    return task.postprocess(outputs), truth


def test_metrics_of_a_network_that_knows_all_and_of_one_that_is_wrong(examples):
    task = make_task()
    best = task.compute_metrics(*answers_of(task, examples, True))
    assert best["masked_accuracy"] == best["next_accuracy"] == best["masked_top_5"] == 1
    assert best["perplexity"] == pytest.approx(1, abs=0.01)
    assert best["loss"] == pytest.approx(best["masked_loss"] + best["next_loss"])
    worst = task.compute_metrics(*answers_of(task, examples, False))
    assert worst["masked_accuracy"] == worst["next_accuracy"] == 0
    assert worst["masked_loss"] == pytest.approx(9, abs=0.1)


def test_the_candidates_are_the_most_probable_tokens_in_order(examples):
    task, numbers = make_task(next_sentence=False), np.random.default_rng(0)
    asked = task.inference_inputs(examples)
    logits = numbers.normal(size=(*asked["masked"].shape, 20)).astype(np.float32)
    found = task.postprocess({"masked": logits, "wanted": asked["wanted"]})
    order = np.argsort(-logits, axis=-1)
    np.testing.assert_array_equal(found["candidates"], order[..., :5])
    odds = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    wanted = np.take_along_axis(odds, order[..., :6], axis=-1)
    np.testing.assert_allclose(found["candidate_probabilities"], wanted[..., :5], rtol=1e-4)
    np.testing.assert_allclose(found["runner_up"], wanted[..., 5], rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"next_sentence": False}])
def test_a_persons_masks_are_filled_in(options):
    task = make_task(**options)
    lines = b"[MASK] cheese [MASK].\nnothing to fill\n\n"
    (read,) = read_inputs(["-"], task.facts, io.BytesIO(lines), 8)
    assert [str(error) for error in read.errors] == [
        "standard input line 2 has no [MASK]; write it where a word is to be filled in"
    ]
    asked = task.inference_inputs(read.examples)
    assert asked["masked"][0][:3].tolist() == [0, 2, NO_PLACE]
    logits = np.zeros((1, asked["masked"].shape[1], 20), np.float32)
    names = {name: number for number, name in enumerate(_names())}
    logits[0, 0, names["bread"]] = logits[0, 1, names["soup"]] = 5
    outputs = {"masked": logits, "wanted": asked["wanted"], "next": np.zeros((1, 2), np.float32)}
    (record,) = task.describe(task.postprocess(outputs), read.examples)
    assert record["filled"] == "bread cheese soup ."
    assert list(record["masks"][0])[0] == "bread" and len(record["masks"]) == 2


def _names():
    from threefold.datasets.texts.tokenizing import token_names

    return token_names(CONTENT)


def test_texts_without_a_second_sentence_cannot_be_paired():
    with pytest.raises(UserError, match="next_sentence=false"):
        make_task(paired=False)
    assert make_task(paired=False, next_sentence=False).texts == {"tokens": "time"}


def test_the_baseline_knows_what_stands_between_the_same_neighbours():
    task = make_task(next_sentence=False)
    source = MaskedTexts(CONTENT, TEXTS[:2] * 20, 6)
    (compute_baseline_metrics,) = task.baselines(source).values()
    assert compute_baseline_metrics(source)["masked_accuracy"] > 0.6
