"""The figures that tasks list by name: who plots each, and what it shows."""

import importlib

from matplotlib.figure import Figure

from threefold.tasks.evaluation import Evaluation

# Name -> (module of this room that has a function of that name, the words under the image).
_FIGURES = {
    "confusion_matrix": (
        "classes",
        "Which classes were taken for which. A row is a true class.",
    ),
    "reliability": (
        "classes",
        "Whether the model is as often right as it is confident. Bars on the dashed line are "
        "perfect; a gap above a bar means too much confidence, a gap within it too little.",
    ),
    "worst_mistakes": ("classes", "The mistakes that the model was surest of."),
    "residuals": ("numbers", "Predicted against true values, and the errors."),
    "forecasts": (
        "forecasts",
        "Some forecasts with their interval, alongside the history that they were made from and "
        "what came; beneath each, the distances from the forecast. The last is the worst.",
    ),
    "errors_by_step": (
        "forecasts",
        "How the error grows with the distance (of the seasonal naive forecast in training it was "
        "1), and whether the interval holds as much of the truth as it promises.",
    ),
    "attention": (
        "texts",
        "Where the decoder looks while it writes each token of the true answer: the darker, the "
        "more.",
    ),
    "errors_by_length": (
        "texts",
        "How many of the true tokens it takes to fix the answers, by the length of the true "
        "answer. The bars say how many there are of each length.",
    ),
    "summaries": (
        "texts",
        "Some documents with their true summary and the one that was written, from the nearest to "
        "the truth (ROUGE-L 1) to the farthest (0).",
    ),
    "loss_by_position": (
        "texts",
        "How well a token is predicted by how much of the text is before it.",
    ),
    "filled_masks": (
        "masked_tokens",
        "Texts with their masked tokens filled in: green where right, red where wrong, with the "
        "truth beneath.",
    ),
    "tagged_text": (
        "texts",
        "Sentences with every span in the colour of its kind; beneath a mistake, what is true.",
    ),
    "answer_scores": (
        "texts",
        "How surely questions were answered, by whether the answer was right. Where some have no "
        "answer, a score above 0 gives one all the same.",
    ),
    "spectrogram": (
        "recordings",
        "Recordings with what was written of them and what is true: those with most errors first, "
        "then those written least surely.",
    ),
    "samples": (
        "samples",
        "Images that the model made, alongside real ones of the same number; no two belong "
        "together but by their class, where the model was given one.",
    ),
}
CAPTIONS = {name: caption for name, (_, caption) in _FIGURES.items()}


def plot(name: str, evaluation: Evaluation) -> Figure | None:
    """Plot one of the figures that a task lists.

    Args:
        name: str. One of the task's `figures`.
        evaluation: Evaluation. What to plot.

    Returns:
        Figure, or None where there is nothing to plot: no mistakes, or mistakes on the rows of a
        table, which `mistakes.tabulate_mistakes` gives as text.
    """
    module = importlib.import_module(f"threefold.reporting.figures.{_FIGURES[name][0]}")
    return getattr(module, name)(evaluation)
