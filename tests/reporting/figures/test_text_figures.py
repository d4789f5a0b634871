"""Figures of texts show what was found, and where it is wrong."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from plots import plot

from threefold.datasets.dataset import ArraySource
from threefold.datasets.facts import PairFacts, QuestionFacts, TextFacts
from threefold.datasets.ragged import Ragged
from threefold.datasets.texts.questions.questions import Question, QuestionWindows
from threefold.datasets.texts.tokenizing import encode, encode_words, train_tokenizer
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.question_answering import QuestionAnswering
from threefold.tasks.summarization import Summarization
from threefold.tasks.text_generation import TextGeneration
from threefold.tasks.token_classification import TokenClassification
from threefold.tasks.translation import Translation


def texts_in(figure) -> list[str]:
    FigureCanvasAgg(figure).draw()
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    for axes in figure.axes:
        found += [label.get_text() for label in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    return [text for text in found if text]


def objects(rows) -> np.ndarray:
    found = np.empty(len(rows), object)
    found[:] = rows
    return found


@pytest.fixture
def tagged() -> Evaluation:
    words = [("Ada", "Lovelace", "wrote", "$notes$"), ("in", "London")]
    tokenizer = train_tokenizer("word", [" ".join(row) for row in words], 50)
    names = ("O", "B-person", "I-person", "B-place")
    tags = [np.array([1, 2, 0, 0]), np.array([0, 3])]
    tokens, _ = encode_words(tokenizer, words)
    facts = TextFacts(
        tokenizer=tokenizer, vocabulary_size=20, max_length=8, class_names=names, tagged=True
    )
    task = TokenClassification(facts)
    source = ArraySource(
        {"tokens": tokens, "tags": Ragged.join(tags, np.int32), "words": objects(words)}
    )
    found = np.array([[1, 2, 0, 1], [0, 0, 0, 0]])
    predictions = {"tag_index": found, "probabilities": np.eye(4, dtype=np.float32)[found]}
    truth = {"tag": np.array([[2, 3, 1, 1], [1, 4, 0, 0]])}
    return Evaluation(
        "test", task, source, predictions, truth, task.compute_metrics(predictions, truth)
    )


def test_every_word_is_shown_and_beneath_a_mistake_what_is_true(tagged):
    texts = texts_in(plot("tagged_text", tagged))
    for word in ("Ada", "Lovelace", "wrote", "in", "London", "■ person", "■ place"):
        assert word in texts
    # `notes` was taken for a person, `London` for nothing.
    assert texts.count("(none)") == 1 and texts.count("(place)") == 1
    assert "(person)" not in texts


def test_a_span_has_the_colour_of_its_kind(tagged):
    figure = plot("tagged_text", tagged)
    colours = {text.get_text(): text.get_color() for axes in figure.axes for text in axes.texts}
    assert colours["Ada"] == colours["Lovelace"] == colours["■ person"]
    assert colours["wrote"] == colours["London"] != colours["■ place"]


@pytest.fixture
def translated() -> Evaluation:
    sources, targets = ["ab c", "b"], ["X Y", "Y"]
    first = train_tokenizer("character", sources, 50)
    second = train_tokenizer("word", targets, 50)
    facts = PairFacts(
        source_tokenizer=first, target_tokenizer=second, source_vocabulary_size=9,
        target_vocabulary_size=9, max_source_length=6, max_target_length=4, unit="phoneme",
    )  # fmt: skip
    source = ArraySource({"source": encode(first, sources), "target": encode(second, targets)})
    x, y = (int(encode(second, [word])[np.array([0])][0][0]) for word in "XY")
    predictions = {
        "tokens": np.array([[[x, x, 3, 0]], [[y, 3, 0, 0]]]),
        "scores": np.zeros((2, 1), np.float32),
    }
    truth = {"target": np.array([[x, y, 0, 0], [y, 0, 0, 0]])}
    task = Translation(facts)
    metrics = task.compute_metrics(predictions, truth)
    details = {"attention": np.full((2, 4, 8), 0.25, np.float32)}
    return Evaluation("test", task, source, predictions, truth, metrics, details)


def test_attention_names_the_tokens_of_both_sides(translated):
    texts = texts_in(plot("attention", translated))
    assert [texts.count(name) for name in ("a", "b", "␣", "c", "X", "Y", "(end)")] == [
        1, 2, 1, 1, 1, 2, 2,
    ]  # fmt: skip
    shapes = [axes.images[0].get_array().shape for axes in plot("attention", translated).axes]
    assert shapes == [(3, 4), (2, 1)]


def test_attention_to_a_long_text_names_its_tokens_upright_and_as_they_are_written():
    sources = [" ".join(["over the sea"] * 60), "short"]
    tokenizer = train_tokenizer("bpe", sources, 300)
    facts = PairFacts(
        source_tokenizer=tokenizer, target_tokenizer=tokenizer, source_vocabulary_size=300,
        target_vocabulary_size=300, max_source_length=180, max_target_length=4, documents=True,
    )  # fmt: skip
    tokens = encode(tokenizer, sources)
    source = ArraySource({"source": tokens, "target": encode(tokenizer, ["sea", "sea"])})
    weights = np.zeros((2, 2, 180), np.float32)
    weights[:, :, 100:130] = 0.03
    details = {"attention": weights}
    figure = plot(
        "attention", Evaluation("test", Summarization(facts), source, {}, {}, {}, details)
    )
    first, second = figure.axes
    assert first.images[0].get_array().shape[1] == tokens.lengths[0] > 120
    assert len(first.get_xticks()) == 120 and set(range(100, 130)) <= set(first.get_xticks())
    names = [label.get_text() for label in first.get_xticklabels()]
    assert {"over", "the", "sea"} <= set(names) and not any("Ġ" in name for name in names)
    assert first.get_xticklabels()[0].get_rotation() == 90
    assert first.get_position().y0 > second.get_position().y1  # below each other


def test_what_does_not_tell_its_attention_has_no_image_of_it(translated):
    translated.details.clear()
    assert plot("attention", translated) is None


def test_errors_are_drawn_by_the_length_of_the_truth(translated):
    upper, lower = plot("errors_by_length", translated).axes
    line = upper.lines[0]
    assert line.get_xdata().tolist() == [1, 2]
    assert line.get_ydata().tolist() == [0.0, 0.5]
    assert [bar.get_height() for bar in lower.patches] == [1, 1]


def test_summaries_are_shown_from_the_best_to_the_worst():
    documents = [f"document {number}: it costs $5 and $6" for number in range(20)]
    true = [f"costs of {number}" for number in range(20)]
    tokenizer = train_tokenizer("word", true + documents, 80)
    facts = PairFacts(
        source_tokenizer=tokenizer, target_tokenizer=tokenizer, source_vocabulary_size=80,
        target_vocabulary_size=80, max_source_length=20, max_target_length=6, documents=True,
    )  # fmt: skip
    source = ArraySource({"source_text": objects(documents)})
    tokens = np.zeros((20, 1, 4), np.int64)
    tokens[:, 0, :3] = np.stack(encode(tokenizer, true)[np.arange(20)])
    tokens[7:, 0, 2] = 0  # without its number
    tokens[13] = 0  # nothing at all
    truth = {"target": tokens[:, 0], "text": np.array(true)}
    evaluation = Evaluation("test", Summarization(facts), source, {"tokens": tokens}, truth, {})
    texts = texts_in(plot("summaries", evaluation))
    scores = [text.partition(", ")[2] for text in texts if text.startswith("written")]
    assert len(scores) == 8 and scores == sorted(scores, reverse=True)
    assert (scores[0], scores[-1]) == ("1.00", "0.00")
    assert "costs of 13" in texts and "–" in texts
    assert r"document 13: it costs \$5 and \$6" in texts  # as matplotlib takes it


def test_the_loss_is_drawn_by_position():
    task = TextGeneration(TextFacts(tokenizer="", vocabulary_size=5, max_length=3))
    predictions = {"log_probabilities": np.array([[-3.0, -1.0], [-5.0, -2.0]], np.float32)}
    figure = plot("loss_by_position", Evaluation("test", task, None, predictions, {}, {}))
    curve, mean = figure.axes[0].lines
    assert curve.get_xdata().tolist() == [1, 2] and curve.get_ydata().tolist() == [4.0, 1.5]
    assert set(mean.get_ydata()) == {2.75}


def test_scores_are_drawn_by_whether_the_answer_was_right():
    context = "ada wrote notes ()"
    tokenizer = train_tokenizer("word", [context], 50)
    facts = QuestionFacts(
        tokenizer=tokenizer, vocabulary_size=9, max_length=5, max_question_length=3, stride=1,
        unanswerable=True,
    )  # fmt: skip
    asked = [Question("who", 0, ("ada",), (0, 3)), Question("what", 0, ("notes",), (10, 15))]
    # An answer of punctuation alone counts as none, as it does in the metrics.
    asked += [Question("when", 0), Question("how", 0, ("()",), (16, 18))]
    source = QuestionWindows([context], asked, facts)
    task = QuestionAnswering(facts)
    logits = np.zeros((4, 2, 6), np.float32)
    logits[:2, :, 1], logits[2:, :, 0] = 5, 5  # `ada` twice, then nothing
    predictions, truth = task.postprocess(logits), task.truth(source[np.arange(4)])
    judged = Evaluation(
        "test", task, source, predictions, truth, task.compute_metrics(predictions, truth)
    )
    figure = plot("answer_scores", judged)
    (axes,) = figure.axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["answered exactly (1)", "answered otherwise, or not (1)", "has no answer (2)"]
    assert axes.get_xlim()[0] < 0 < axes.get_xlim()[1]
