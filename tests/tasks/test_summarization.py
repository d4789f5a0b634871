"""Summaries are evaluated by ROUGE, whole texts against whole texts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import PairFacts
from threefold.datasets.texts.documents import as_objects
from threefold.datasets.texts.tokenizing import END, encode, train_tokenizer
from threefold.tasks.summarization import ROUGE, Summarization, rouge
from threefold.tasks.task import find_task

TEXTS = ["the cat sat on the mat . it slept !", "a dog barked at the cat"]
WORDS = train_tokenizer("word", TEXTS, 60)
FACTS = PairFacts(
    source_tokenizer=WORDS, target_tokenizer=WORDS, source_vocabulary_size=20,
    target_vocabulary_size=20, max_source_length=12, max_target_length=4, documents=True,
)  # fmt: skip
TASK = find_task("summarization")(FACTS)


def examples(documents, summaries):
    tokens = {"source": encode(WORDS, documents, 12), "target": encode(WORDS, summaries, 4)}
    raw = {"source_text": as_objects(documents), "target_text": as_objects(summaries)}
    return ArraySource(tokens | raw)


def write(texts):
    """Answers of one beam each."""
    found = np.zeros((len(texts), 1, 5), np.int64)
    for row, tokens in zip(found[:, 0], encode(WORDS, texts)[np.arange(len(texts))], strict=True):
        row[: len(tokens)], row[len(tokens)] = tokens, END
    return {"tokens": found, "scores": np.zeros((len(texts), 1), np.float32)}


def compute_baseline_metrics(found, wanted):
    source = examples(["the cat"] * len(wanted), wanted)
    return TASK.compute_metrics(write(found), TASK.truth(source[np.arange(len(wanted))]))


@settings(deadline=None)  # the library is imported when it is first needed
@given(st.lists(st.tuples(st.text("abc .,\n"), st.text("abc .,\n")), min_size=1, max_size=5))
def test_of_latin_letters_it_is_googles_rouge(pairs):
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(ROUGE)
    found = rouge(*zip(*pairs, strict=True))
    for row, (one, other) in enumerate(pairs):
        for name, score in scorer.score(other, one).items():
            assert found[name][row] == pytest.approx(score.fmeasure)


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=127)), st.text(st.characters(max_codepoint=127)))
def test_any_ascii_is_split_as_google_splits_it(one, other):
    from rouge_score.rouge_scorer import RougeScorer

    scores = RougeScorer(["rouge1"]).score(other, one)
    assert rouge([one], [other])["rouge1"][0] == pytest.approx(scores["rouge1"].fmeasure)


@pytest.mark.parametrize(
    ("found", "wanted", "scores"),
    [
        ("Größe zählt", "größe, über alles", (0.4, 0, 0.4)),
        ("猫は寝る", "猫が寝る", (0.75, 1 / 3, 0.75)),
        ("привет мир", "мир привет", (1, 0, 0.5)),
        ("", "something", (0, 0, 0)),
    ],
)
def test_other_scripts_count_too(found, wanted, scores):
    assert [rouge([found], [wanted])[name][0] for name in ROUGE] == pytest.approx(scores)


def test_a_split_is_judged_by_the_means_of_its_texts():
    metrics = compute_baseline_metrics(["the cat", "a dog barked"], ["the cat", "a cat barked"])
    assert metrics == {
        "rouge1": pytest.approx((1 + 2 / 3) / 2),
        "rouge2": pytest.approx(0.5),
        "rougeL": pytest.approx((1 + 2 / 3) / 2),
        "length_ratio": pytest.approx(1.0),
        "exact_match": 0.5,
    }
    assert set(TASK.summary_metrics) < set(metrics) and TASK.primary_metric in TASK.summary_metrics
    assert compute_baseline_metrics([""], ["the cat"])["length_ratio"] == 0


def test_a_summary_is_judged_by_all_of_the_true_one_though_the_network_cannot_write_it():
    metrics = compute_baseline_metrics(["the cat sat on"], ["the cat sat on the mat it slept"])
    assert metrics["rouge1"] == pytest.approx(2 * 4 / (4 + 8))
    assert metrics["length_ratio"] == 0.5


def test_words_that_the_tokenizer_lacks_are_missed_and_not_matched():
    assert compute_baseline_metrics(["the cat"], ["the zebra"])["rouge1"] == 0.5
    assert compute_baseline_metrics(["[UNK]"], ["zebra"])["rouge1"] == 0


def test_the_truth_can_be_kept_without_pickle(tmp_path):
    source = examples(["a dog"] * 2, ["the cat", "a dog barked at the cat"])
    np.savez(tmp_path / "truth.npz", **TASK.truth(source[np.arange(2)]))
    with np.load(tmp_path / "truth.npz", allow_pickle=False) as file:
        assert file["text"].tolist() == ["the cat", "a dog barked at the cat"]


@pytest.mark.parametrize(
    ("document", "lead"),
    [
        ("the cat sat. it slept", "the cat sat ."),
        (" \nthe cat\nsat on the mat", "the cat"),
        ("the cat sat on the mat. it slept", "the cat sat on"),
        ("it slept! the cat", "it slept !"),
    ],
)
def test_the_baseline_is_the_first_sentence_no_longer_than_a_summary(document, lead):
    source = examples([document], [lead])
    beside = TASK.baselines(source)["lead-1"](source)
    assert beside == dict.fromkeys(TASK.summary_metrics, pytest.approx(1.0)) | {
        "rouge2": pytest.approx(1.0 if len(lead.split()) > 1 else 0.0)
    }


def test_a_prediction_is_a_summary_with_others_that_are_less_probable():
    predictions = write(["the cat", "a dog"])
    predictions = {"tokens": predictions["tokens"].reshape(1, 2, 5),
               "scores": np.array([[-0.1, -0.7]], np.float32)}  # fmt: skip
    (record,) = TASK.describe(predictions, {})
    assert record["text"] == "the cat" and record["score"] == pytest.approx(-0.1)
    assert record["alternatives"] == [{"text": "a dog", "score": pytest.approx(-0.7)}]


def test_the_task_is_found_by_its_name():
    assert isinstance(TASK, Summarization)
    assert [field.name for field in TASK.input_fields()] == ["source"]
    assert [field.name for field in TASK.output_fields()] == ["tokens", "scores"]
