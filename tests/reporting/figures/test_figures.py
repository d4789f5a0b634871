import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from plots import plot

from threefold.core.best_epoch import find_best
from threefold.reporting.figures.learning_curves import learning_curves
from threefold.reporting.figures.numbers import MOST_POINTS
from threefold.reporting.mistakes import SHOWN, find_mistakes

AWKWARD = (
    "$x_",
    "$5 to $10",
    "<b>bold</b>",
    "two\nlines",
    "a name that goes on and on and on",
    "é",
)


def shown_texts(figure) -> list[str]:
    return [text.get_text() for text in visible(figure)]


def visible(figure) -> list[Text]:
    """Return the texts that are drawn; matplotlib keeps others, of ticks beyond the limits."""
    FigureCanvasAgg(figure).draw()
    found = figure.findobj(Text)
    for axes in figure.axes:
        for axis, side in ((axes.xaxis, 0), (axes.yaxis, 1)):
            of_axis = {id(text) for text in axis.findobj(Text)}
            found = [text for text in found if id(text) not in of_axis]
            if axes.axison and axis.get_visible():
                low, high = axes.get_window_extent().get_points()[:, side]
                found.append(axis.label)
                for text in axis.get_ticklabels(which="both"):
                    middle = np.mean(text.get_window_extent().get_points()[:, side])
                    found += [text] if low - 1 <= middle <= high + 1 else []
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def assert_legible(figure) -> None:
    """No text leaves the figure, none covers another."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in visible(figure)]
    for name, box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1, name
        assert box.x1 <= figure.bbox.width + 1 and box.y1 <= figure.bbox.height + 1, name
    corners = np.array([[box.x0, box.y0, box.x1, box.y1] for _, box in boxes])
    overlap = np.minimum(corners[:, None, 2:], corners[None, :, 2:]) - np.maximum(
        corners[:, None, :2], corners[None, :, :2]
    )
    covered = np.argwhere(np.triu((overlap > 1).all(axis=-1), k=1))
    assert [(boxes[i][0], boxes[j][0]) for i, j in covered] == []


def many_classes(examples, count, size=2000):
    generator = np.random.default_rng(count)
    labels = generator.integers(0, count, size)
    other = generator.integers(0, count, size)
    predicted = np.where(generator.random(size) < 0.7, labels, other)
    return examples.classify([f"species number {i}" for i in range(count)], labels, predicted, 0.6)


def test_confusion_matrix_counts_rows_by_true_class(examples):
    labels, predicted = [0, 0, 0, 1, 1, 2], [0, 0, 2, 1, 1, 1]
    figure = plot("confusion_matrix", examples.classify("abc", labels, predicted, 0.9))
    cells = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text()
             for t in figure.axes[0].texts}  # fmt: skip
    assert cells == {(0, 0): "2", (0, 2): "1", (1, 1): "2", (2, 1): "1"}
    shares = figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(shares, [[2 / 3, 0, 1 / 3], [0, 1, 0], [0, 1, 0]])
    texts = shown_texts(figure)
    assert {"a", "b", "c", "true class", "predicted class"} <= set(texts)
    assert any("4 of 6 right" in text for text in texts)


def test_a_class_without_examples_has_an_empty_row(examples):
    figure = plot("confusion_matrix", examples.classify("abc", [0, 1], [0, 1], 0.9))
    assert not figure.axes[0].images[0].get_array()[2].any()


@pytest.mark.parametrize("count", [2, 10, 30, 31, 60, 100])
def test_confusion_matrix_is_legible_for_any_number_of_classes(examples, count):
    figure = plot("confusion_matrix", many_classes(examples, count))
    assert_legible(figure)
    assert max(figure.get_size_inches()) < 16
    for text in figure.axes[0].texts:
        assert text.get_fontsize() >= 5


def test_large_counts_fit_their_cells(examples):
    labels = np.arange(30).repeat(12_345)
    figure = plot(
        "confusion_matrix", examples.classify([f"{i}" for i in range(30)], labels, labels, 0.9)
    )
    assert {text.get_text() for text in figure.axes[0].texts} == {"12k"}
    assert_legible(figure)


def test_many_classes_show_the_most_confused_pairs(examples):
    labels = np.array([7] * 5 + [8] * 3 + list(range(80)))
    predicted = np.array([9] * 5 + [7] * 3 + list(range(80)))
    names = [f"c{i}" for i in range(80)]
    figure = plot("confusion_matrix", examples.classify(names, labels, predicted, 0.9))
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["c7 → c9", "c8 → c7"]
    assert {"5 of 6", "3 of 4"} <= set(shown_texts(figure))
    perfect = examples.classify(names, range(80), range(80), 0.9)
    assert plot("confusion_matrix", perfect) is None


def test_class_names_are_shown_as_they_are(examples):
    labels = np.arange(6).repeat(2)
    evaluation = examples.classify(AWKWARD, labels, np.roll(labels, 2), 0.9)
    for name in (figure.name for figure in evaluation.task.figures):
        figure = plot(name, evaluation)
        assert_legible(figure)
        # In matplotlib, an escaped dollar sign is shown as one, and anything else would be TeX.
        texts = "\n".join(shown_texts(figure))
        assert "$" not in texts.replace(r"\$", "")
        if name != "reliability":
            assert r"\$5 to \$10" in texts and "<b>bold</b>" in texts and "two lines" in texts


def test_reliability_compares_accuracy_with_confidence(examples):
    confidence = np.array([0.9] * 10 + [0.6] * 10)
    predicted = np.array([0] * 20)
    labels = np.array([0] * 9 + [1] + [0] * 3 + [1] * 7)  # 0.9 right of 0.9; 0.3 right of 0.6
    evaluation = examples.classify(("no", "yes"), labels, predicted, confidence)
    figure = plot("reliability", evaluation)
    assert any("calibration error 0.150" in text for text in shown_texts(figure))
    upper, lower = figure.axes
    bars = {round(bar.get_x() + bar.get_width() / 2, 2): bar.get_height() for bar in upper.patches}
    assert upper.containers[0][0].get_height() == pytest.approx(0.3)
    assert upper.containers[1][0].get_y() == pytest.approx(0.3)  # the gap, from 0.3 to 0.6
    assert upper.containers[1][0].get_height() == pytest.approx(0.3)
    assert upper.containers[1][1].get_height() == pytest.approx(0.0, abs=1e-6)
    assert [bar.get_height() for bar in lower.patches] == [10, 10]
    assert len(bars) == 2
    assert_legible(figure)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 60))
def test_worst_mistakes_are_the_worst(examples, seed, size):
    generator = np.random.default_rng(seed)
    labels, predicted = generator.integers(0, 3, (2, size))
    confidence = generator.choice([0.4, 0.5, 0.75, 0.9, 0.99], size)
    evaluation = examples.classify("abc", labels, predicted, confidence)
    found = find_mistakes(evaluation)
    wrong = np.flatnonzero(labels != predicted)
    assert len(found) == min(len(wrong), SHOWN)
    assert set(found) <= set(wrong)
    assert (np.diff(confidence[found]) <= 0).all()
    left = np.setdiff1d(wrong, found)
    assert not len(left) or confidence[left].max() <= confidence[found].min()


def test_worst_mistakes_show_the_images_with_their_captions(examples):
    images = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((4, 4, 4, 3), np.uint8)
    evaluation = examples.classify(
        ("cat", "dog"), [0, 1, 0, 1], [1, 1, 1, 0], [0.6, 0.9, 0.95, 0.7], images=images
    )
    figure = plot("worst_mistakes", evaluation)
    plotted_at = [(axes.get_title(), int(axes.images[0].get_array().max())) for axes in figure.axes]
    assert plotted_at == [
        ("cat → dog\n(0.950)", 2), ("dog → cat\n(0.700)", 3), ("cat → dog\n(0.600)", 0),
    ]  # fmt: skip
    assert_legible(figure)


def test_worst_errors_weigh_targets_by_their_scale(examples):
    true = np.array([[0.0, 0.0], [1.0, 1000.0], [2.0, 2000.0]])
    predicted = true + [[2.0, 0.0], [0.0, 10.0], [0.0, 0.0]]
    evaluation = examples.measure(true, predicted, names=("small", "large"))
    assert find_mistakes(evaluation).tolist() == [0, 1]
    figure = plot("worst_mistakes", evaluation)
    assert figure.axes[0].get_title() == "small: 0 → 2\nlarge: 0 → 0"


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (8, 8, 1)), (40, (8, 8, 1)), (2, (16, 90, 3)), (7, (200, 40, 3))]
)
def test_worst_mistakes_are_legible(examples, count, shape):
    names = ("an animal with a long name", "another animal with such a name", "cat")
    labels = np.arange(count) % 3
    images = np.zeros((count, *shape), np.uint8)
    evaluation = examples.classify(names, labels, (labels + 1) % 3, 0.8, images=images)
    assert_legible(plot("worst_mistakes", evaluation))


def test_nothing_is_drawn_without_mistakes(examples):
    assert plot("worst_mistakes", examples.classify("ab", [0, 1], [0, 1], 0.9)) is None
    assert plot("worst_mistakes", examples.measure([[1.0]], [[1.0]])) is None


@pytest.mark.parametrize("size", [1, 50, MOST_POINTS + 1])
def test_residuals_have_a_row_for_each_target(examples, size):
    true = np.random.default_rng(0).normal(size=(size, 2))
    evaluation = examples.measure(true, true + 0.5, names=("width", "price in $"))
    figure = plot("residuals", evaluation)
    texts = "\n".join(shown_texts(figure))
    assert len(figure.axes) == 4
    assert "width (test)" in texts and r"price in \$ (test)" in texts
    assert texts.count("mean error 0.5,") == 2
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == size
    assert_legible(figure)


@pytest.mark.parametrize("epochs", [1, 2, 200])
@pytest.mark.parametrize(("validation", "rate"), [(True, False), (False, True)])
def test_learning_curves(examples, epochs, validation, rate):
    history = examples.make_history(epochs, validation=validation, rate=rate)
    figure = learning_curves(history, find_best(history))
    titles = [axes.get_title("left").split(" (")[0] for axes in figure.axes]
    assert titles == ["loss", "accuracy"] + ["learning rate"] * rate
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    best = epochs - 1 if validation and epochs > 1 else epochs
    assert labels == ["training"] + ["validation"] * validation + [f"best epoch: {best}"]
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    key = "val_loss" if validation else "loss"
    assert lines[f"best epoch: {best}"].get_xdata() == [best]
    assert lines[f"best epoch: {best}"].get_ydata() == [history[best - 1][key]]
    assert all(tick == int(tick) for tick in figure.axes[0].get_xticks())
    assert_legible(figure)


def test_drawing_leaves_no_trace(examples):
    before = dict(matplotlib.rcParams)
    learning_curves(examples.make_history(2), 1)
    assert dict(matplotlib.rcParams) == before
    code = (
        "import sys; from threefold.reporting import report; "
        "print('matplotlib.pyplot' in sys.modules, 'keras' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
