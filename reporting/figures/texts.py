"""Figures of what networks make of texts: tagged words, attention."""

import textwrap

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rapidfuzz.distance import Levenshtein

from threefold.datasets.texts.tokenizing import decode, kind_of, token_names
from threefold.reporting.figures.style import (
    BLUE,
    GRAY,
    GREEN,
    PALE,
    STYLE,
    VERMILION,
    head,
    new_figure,
    plain,
)
from threefold.tasks.evaluation import Evaluation
from threefold.tasks.metrics.answer_scores import drop_empty, score_answers
from threefold.tasks.sequence_to_sequence import take_best
from threefold.tasks.summarization import rouge

SENTENCES_SHOWN = 12
LINE_WIDTH = 140  # characters
MOST_ACROSS, MOST_NAMED = 24, 120  # tokens of a source alongside each other
SUMMARIES_SHOWN = 8
SUMMARY_WIDTH = 135  # characters
COLOURS = (BLUE, VERMILION, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#8C6D00", GRAY)


@matplotlib.rc_context(STYLE)
def attention(evaluation: Evaluation) -> Figure | None:
    """Plot where the decoder looks while it writes each token.

    Returns:
        Figure. One panel a text, a row for each token written; None for an artifact, which does
        not tell.
    """
    if "attention" not in evaluation.details:
        return None
    weights, facts = evaluation.details["attention"], evaluation.task.facts
    examples = evaluation.source[np.arange(len(weights))]
    sources = _name_tokens(facts.source_tokenizer, examples["source"])
    targets = [
        [*names, "(end)"] for names in _name_tokens(facts.target_tokenizer, examples["target"])
    ]
    long = max(map(len, sources)) > MOST_ACROSS  # upright names, and panels below each other
    sizes = [
        (0.11 * len(s) + 1.2 if long else 0.3 * len(s) + 1.2, 0.26 * len(t) + 0.9)
        for s, t in zip(sources, targets, strict=True)
    ]
    columns = 1 if long else 2
    rows = -(-len(weights) // columns)
    width = min(columns * max(size[0] for size in sizes), 13.0)
    figure = new_figure(max(width, 6.0), rows * min(max(size[1] for size in sizes), 6.0) + 0.4)
    head(figure, f"Attention, {plain(evaluation.split)}: where each token written looks")
    for place, (source, target) in enumerate(zip(sources, targets, strict=True)):
        axes = figure.add_subplot(rows, columns, place + 1)
        shown = weights[place, : len(target), : len(source)]
        axes.imshow(shown, cmap="Blues", vmin=0, vmax=shown.max(), aspect="auto")
        # Of very long texts, those that are looked at most have a name.
        named = np.sort(np.argsort(-shown.max(axis=0), kind="stable")[:MOST_NAMED])
        axes.set_xticks(named, [source[token] for token in named], fontsize=6 if long else 8)
        axes.tick_params("x", labelrotation=90 if long else 0)
        axes.set_yticks(range(len(target)), target, fontsize=8)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.grid(False)
    return figure


def _name_tokens(tokenizer: str, texts) -> list[list[str]]:
    names, kind = token_names(tokenizer), kind_of(tokenizer)
    if kind == "bpe":  # which writes the bytes of a token as letters of its own
        names = decode(tokenizer, [np.array([number]) for number in range(len(names))])
    blank = "␣" if kind == "character" else " "
    names = [name.replace("\n", "¶").replace(" ", blank) for name in names]
    return [[plain(names[token], 12) for token in text] for text in texts]


@matplotlib.rc_context(STYLE)
def tagged_text(evaluation: Evaluation) -> Figure | None:
    """Write some sentences with each span in the colour of its kind, mistakes marked.

    Returns:
        Figure. Under each word of a span its kind; in brackets what it truly is, where that
        differs.
    """
    names = evaluation.task.facts.class_names
    kinds = sorted({name.partition("-")[2] for name in names} - {""})
    colours = {kind: COLOURS[place % len(COLOURS)] for place, kind in enumerate(kinds)}
    rows = np.arange(min(SENTENCES_SHOWN, len(evaluation.source)))
    examples = evaluation.source[rows]
    lines = []
    for row in rows:
        asked = np.asarray(examples["tags"][row]) >= 0
        true = [names[tag] for tag in np.asarray(examples["tags"][row])[asked]]
        chosen = evaluation.predictions["tag_index"][row][: len(asked)][asked]
        lines += _lay_out(examples["words"][row], true, [names[tag] for tag in chosen])
    figure = new_figure(10.5, 0.36 * len(lines) + 0.9)
    head(figure, f"Tagged text, {plain(evaluation.split)}: what was found, (what it is)")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set(xlim=(0, LINE_WIDTH), ylim=(len(lines), -1.2))
    for height, line in enumerate(lines):
        for place, word, found, true in line:
            kind, wanted = found.partition("-")[2], true.partition("-")[2]
            axes.text(place, height, word, family="monospace", fontsize=8.5,
                      color=colours.get(kind, "#222222"))  # fmt: skip
            if kind != wanted:
                note = f"({wanted or 'none'})"
                axes.text(place, height + 0.36, note, fontsize=6, color=VERMILION)
    for place, kind in enumerate(kinds):
        axes.text(place * LINE_WIDTH / max(len(kinds), 1), -0.8, f"■ {plain(kind, 14)}",
                  color=colours[kind], fontsize=8.5)  # fmt: skip
    return figure


def _lay_out(words, true: list[str], found: list[str]) -> list[list[tuple[int, str, str, str]]]:
    """Break a sentence into lines of (column, word, tag found, true tag)."""
    lines, place = [[]], 0
    for word, wanted, given in zip(words, true, found, strict=False):
        word = plain(str(word), 40)
        if place + len(word) > LINE_WIDTH and lines[-1]:
            lines.append([])
            place = 0
        lines[-1].append((place, word, given, wanted))
        place += len(word) + 1
    return [line for line in lines if line]


@matplotlib.rc_context(STYLE)
def errors_by_length(evaluation: Evaluation) -> Figure:
    """Plot the error rate of answers by the length of the true ones."""
    found, wanted = take_best(evaluation.predictions, evaluation.truth)
    lengths = np.array([len(row) for row in wanted])
    edits = np.array([Levenshtein.distance(a, b) for a, b in zip(found, wanted, strict=True)])
    sizes = np.unique(lengths[lengths > 0])
    rates = [edits[lengths == size].sum() / lengths[lengths == size].sum() for size in sizes]
    figure = new_figure(6.5, 4.2)
    head(figure, f"Errors by length, {plain(evaluation.split)}")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    upper.plot(sizes, rates, "o-", color=BLUE)
    upper.set(ylabel="edits a true token", ylim=(0, None))
    lower.bar(sizes, [np.count_nonzero(lengths == size) for size in sizes], color=PALE)
    lower.set(xlabel="tokens of the true answer", ylabel="texts")
    return figure


@matplotlib.rc_context(STYLE)
def summaries(evaluation: Evaluation) -> Figure:
    """Write some documents, with what is true of them and what was written.

    Returns:
        Figure. Evenly spread over all, from the nearest to the truth to the farthest.
    """
    found, _ = take_best(evaluation.predictions, evaluation.truth)
    found = decode(evaluation.task.facts.target_tokenizer, found)
    scores = rouge(found, evaluation.truth["text"])["rougeL"]
    order = np.argsort(-scores, kind="stable")
    places = np.linspace(0, len(order) - 1, min(SUMMARIES_SHOWN, len(order)))
    chosen = order[places.round().astype(int)]
    documents = evaluation.source[chosen]["source_text"]
    lines = []
    for row, document in zip(chosen, documents, strict=True):
        parts = (("document", document, GRAY), ("true", evaluation.truth["text"][row], GREEN),
                 (f"written, {scores[row]:.2f}", found[row], BLUE))  # fmt: skip
        for name, text, colour in parts:
            wrapped = textwrap.wrap(text, SUMMARY_WIDTH, max_lines=3, placeholder=" …") or ["–"]
            names = [name, *[""] * (len(wrapped) - 1)]
            lines += [(*line, colour) for line in zip(names, wrapped, strict=True)]
        lines.append(("", "", GRAY))
    figure = new_figure(10.5, 0.2 * len(lines) + 0.5)
    head(figure, f"Summaries, {plain(evaluation.split)}: what was written, and its ROUGE-L")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(len(lines), -0.5))
    for height, (name, text, colour) in enumerate(lines):
        axes.text(0, height, name, fontsize=8, color=GRAY)
        axes.text(0.11, height, plain(text, 2 * SUMMARY_WIDTH), fontsize=8.5, color=colour)
    return figure


@matplotlib.rc_context(STYLE)
def loss_by_position(evaluation: Evaluation) -> Figure:
    """Plot the loss of a token by its place in the window."""
    losses = -evaluation.predictions["log_probabilities"].mean(axis=0)
    figure = new_figure(6.5, 3.6)
    head(figure, f"Loss by position, {plain(evaluation.split)}")
    axes = figure.add_subplot()
    axes.plot(np.arange(1, len(losses) + 1), losses, color=BLUE)
    axes.axhline(losses.mean(), color=GRAY, linestyle="--", linewidth=1)
    axes.set(xlabel="tokens before it", ylabel="loss, nats a token", ylim=(0, None))
    return figure


@matplotlib.rc_context(STYLE)
def answer_scores(evaluation: Evaluation) -> Figure:
    """Plot how surely questions were answered, by whether the answer was right.

    Returns:
        Figure. A histogram of the scores of the best answers, one colour for each kind of question.
    """
    found, wanted, scores = evaluation.task.settle(evaluation.predictions, evaluation.truth)
    right = (
        np.array(
            [score_answers([f], [w])["exact_match"] for f, w in zip(found, wanted, strict=True)]
        )
        > 0
    )
    none = np.array([not drop_empty(texts) for texts in wanted])
    kinds = {
        "answered exactly": (~none & right, BLUE),
        "answered otherwise, or not": (~none & ~right, VERMILION),
        "has no answer": (none, GRAY),
    }
    kinds = {name: (rows, colour) for name, (rows, colour) in kinds.items() if rows.any()}
    figure = new_figure(7.5, 4.0)
    head(figure, f"Scores of the answers to {len(scores):,} questions, {plain(evaluation.split)}")
    axes = figure.add_subplot()
    spread = np.histogram_bin_edges(scores, bins=30)
    axes.hist(
        [scores[rows] for rows, _ in kinds.values()],
        spread,
        stacked=True,
        color=[colour for _, colour in kinds.values()],
        label=[f"{name} ({np.count_nonzero(rows)})" for name, (rows, _) in kinds.items()],
    )
    if evaluation.task.facts.unanswerable:
        axes.axvline(0, color="#222222", linestyle=":", linewidth=1.2)
    axes.set_xlabel("score: log-odds of the answer over none")
    axes.set_ylabel("questions")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure
