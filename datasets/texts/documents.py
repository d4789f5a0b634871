"""From texts to datasets: the tokenizer is trained on the training split, then all are encoded."""

from collections.abc import Mapping, Sequence

import numpy as np

from threefold.core.errors import UserError
from threefold.datasets.dataset import (
    ArraySource,
    Dataset,
    Source,
    SubsetSource,
    fingerprint_arrays,
)
from threefold.datasets.facts import Facts, PairFacts, TextFacts
from threefold.datasets.ragged import Ragged
from threefold.datasets.texts.token_notes import describe_tokens, describe_unknown
from threefold.datasets.texts.tokenizer_config import (
    SummaryTokenizerConfig,
    TokenizerConfig,
    WindowTokenizerConfig,
)
from threefold.datasets.texts.tokenizing import (
    END,
    START,
    encode,
    encode_words,
    token_names,
)
from threefold.datasets.texts.truncation import shorten

Rows = Mapping[str, np.ndarray]  # of each split
NO_TAG = -1  # of a token that goes on with a word


def known_facts(facts: Facts | None, kind: type[Facts], *, tagged: bool = False):
    """Return the facts of a run that can rule: those of another kind are compared and refused."""
    fits = isinstance(facts, kind) and getattr(facts, "tagged", False) == tagged
    return facts if fits else None


def classify(
    reference: str,
    texts: Sequence[str],
    labels: np.ndarray,
    class_names: Sequence[str],
    rows: Rows,
    tokenizer_config: TokenizerConfig,
    *,
    facts: Facts | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """Make a dataset of documents that each have a class.

    Args:
        reference: str. The dataset's.
        texts: sequence of str. The documents.
        labels: int array of shape (documents,). Positions in `class_names`.
        class_names: sequence of str. In the run's order where there are `facts`.
        rows: mapping of str to int array. The documents of each split.
        tokenizer_config: TokenizerConfig. How they become tokens; `facts` know better.
        facts: Facts. Those of a run.
        notes: sequence of str. What was decided before.

    Returns:
        Dataset. `tokens` int32, as objects, `label` int64, and the whole `text`.
    """
    known = known_facts(facts, TextFacts)
    if known is None:
        content = tokenizer_config.learn([texts[row] for row in rows["train"]])
        counts = np.bincount(labels[rows["train"]], minlength=len(class_names))
        known = _text_facts(content, tokenizer_config, class_names, counts)
    tokens = encode(known.tokenizer, texts)
    parts, remarks = shorten(tokens, known.max_length, tokenizer_config.long, "documents")
    if facts is None:
        remarks += describe_tokens(known.tokenizer, tokens, rows, "documents")
    raw = {"text": as_objects(texts), "label": labels.astype(np.int64)}
    arrays = {name: array[parts.owners] for name, array in raw.items()}
    source = ArraySource({"tokens": parts.of(tokens), **arrays})
    splits = {name: SubsetSource(source, parts.rows(found)) for name, found in rows.items()}
    task, fingerprint = "text_classification", fingerprint_arrays(raw)
    return Dataset(reference, task, known, splits, fingerprint, [*notes, *remarks])


def tag(
    reference: str,
    sentences: Sequence[Sequence[str]],
    tags: Sequence[Sequence[int]],
    class_names: Sequence[str],
    rows: Rows,
    tokenizer_config: TokenizerConfig,
    *,
    facts: Facts | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """Make a dataset of sentences whose words each have a tag.

    Args:
        reference: str. The dataset's.
        sentences: sequence of sequences of str. The words of each.
        tags: sequence of sequences of int. Of each word, a position in `class_names`.
        class_names: sequence of str. In the run's order where there are `facts`.
        rows: mapping of str to int array. The sentences of each split.
        tokenizer_config: TokenizerConfig. How they become tokens; `facts` know better.
        facts: Facts. Those of a run.
        notes: sequence of str. What was decided before.

    Returns:
        Dataset. `tokens` and `tags` int32 of one length, as objects, and the `words` as tuples. A
        word's tag stands at its first token, `NO_TAG` at its others.
    """
    known = known_facts(facts, TextFacts, tagged=True)
    if known is None:
        content = tokenizer_config.learn([" ".join(sentences[row]) for row in rows["train"]])
        train = np.concatenate([np.asarray(tags[row], np.int64) for row in rows["train"]])
        counts = np.bincount(train, minlength=len(class_names))
        known = _text_facts(content, tokenizer_config, class_names, counts, tagged=True)
    tokens, begins = encode_words(known.tokenizer, sentences)
    places = Ragged.join([np.asarray(row) for row in tags], np.int32)
    starts = np.repeat(places.offsets[:-1], begins.lengths)
    found = places.values[np.where(begins.values < 0, 0, begins.values + starts)]
    found = Ragged(np.where(begins.values < 0, NO_TAG, found), begins.offsets)
    parts, remarks = shorten(tokens, known.max_length, tokenizer_config.long, "sentences")
    if facts is None:
        remarks += describe_tokens(known.tokenizer, tokens, rows, "sentences")
    words = as_objects([tuple(words) for words in sentences])
    fingerprint = fingerprint_arrays({"words": words, "tags": places})
    if tokenizer_config.long == "split":  # each word is in the part in which it begins
        within = parts.of(begins)[np.arange(len(parts.owners))]
        words = as_objects([
            tuple(sentences[owner][number] for number in numbers[numbers >= 0])
            for owner, numbers in zip(parts.owners, within, strict=True)
        ])  # fmt: skip
    source = ArraySource({"tokens": parts.of(tokens), "tags": parts.of(found), "words": words})
    splits = {name: SubsetSource(source, parts.rows(chosen)) for name, chosen in rows.items()}
    task = "token_classification"
    return Dataset(reference, task, known, splits, fingerprint, [*notes, *remarks])


def continue_text(
    reference: str,
    documents: Mapping[str, Sequence[str]],
    tokenizer_config: WindowTokenizerConfig,
    *,
    facts: Facts | None = None,
    notes: Sequence[str] = (),
) -> Dataset:
    """Make a dataset of texts to be continued.

    Args:
        reference: str. The dataset's.
        documents: mapping of str to sequence of str. The documents of each split.
        tokenizer_config: TokenizerConfig. How they become tokens; its `max_tokens` is the length of
            a window.
        facts: Facts. Those of a run.
        notes: sequence of str. What was decided before.

    Returns:
        Dataset. As from `Windows`.

    Raises:
        UserError: where there is too little text for one window.
    """
    known = known_facts(facts, TextFacts)
    if known is None:
        known = _text_facts(
            tokenizer_config.learn(documents["train"], writes=True), tokenizer_config, (), ()
        )
    splits: dict[str, Source] = {}
    for name, texts in documents.items():
        tokens = encode(known.tokenizer, texts)
        if tokens.lengths.sum() + 2 * len(tokens) <= known.max_length:
            raise UserError(
                f"{reference}: the {name} split holds {tokens.lengths.sum()} tokens, less than "
                f"one window of {known.max_length}; give more text, or -d context=N"
            )
        splits[name] = Windows(tokens, known.max_length)
        if facts is None:
            notes = [*notes, *describe_unknown(known.tokenizer, tokens.values, name)]
    raw = {name: as_objects(texts) for name, texts in documents.items()}
    fingerprint = fingerprint_arrays(raw)
    return Dataset(reference, "text_generation", known, splits, fingerprint, list(notes))


class Windows:
    """Texts cut into windows: each token but the first is to be predicted once.

    The texts lie end to end, each between a start and an end.

    Args:
        tokens: Ragged. The texts.
        context: int. Tokens of a window.
    """

    def __init__(self, tokens: Ragged, context: int):
        # A start before and an end after each text, all at once.
        places = np.stack([tokens.offsets[:-1], tokens.offsets[1:]], axis=1).ravel()
        marks = np.tile(np.array([START, END], np.int32), len(tokens))
        self.stream = np.insert(tokens.values, places, marks)
        self.context = context

    def __len__(self) -> int:
        return (len(self.stream) - 1) // self.context

    def __getitem__(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return `tokens` int32 of shape (batch, context + 1); the last is only to be predicted."""
        starts = np.asarray(indices, np.int64) * self.context
        return {"tokens": self.stream[starts[:, None] + np.arange(self.context + 1)]}


def pair(
    reference: str,
    sources: Sequence[str],
    targets: Sequence[str],
    rows: Rows,
    tokenizer_config: SummaryTokenizerConfig,
    *,
    task: str = "translation",
    unit: str = "word",
    facts: Facts | None = None,
    notes: Sequence[str] = (),
    where: Sequence[str] = (),
) -> Dataset:
    """Make a dataset of texts, one to be made of the other.

    Args:
        reference: str. The dataset's.
        sources: sequence of str. What is given.
        targets: sequence of str. What is to be made of each.
        rows: mapping of str to int array. The pairs of each split.
        tokenizer_config: SummaryTokenizerConfig. How sources and targets become tokens; `facts`
            know better.
        task: str. `translation`, or `summarization` of documents.
        unit: str. What an error rate counts in the targets.
        facts: Facts. Those of a run.
        notes: sequence of str. What was decided before.
        where: sequence of str. What messages call each pair, for a tokenizer_config that refuses.

    Returns:
        Dataset. `source` and `target` int32, as objects, and `source_text` and `target_text`.

    Raises:
        UserError: for a text that is too long, where the tokenizer_config refuses such.
    """
    known, sides = known_facts(facts, PairFacts), tokenizer_config.sides()
    if known is None:
        train = [[texts[row] for row in rows["train"]] for texts in (sources, targets)]
        if tokenizer_config.shared_vocabulary:
            first = second = sides[0].learn(train[0] + train[1], writes=True)
        else:
            first, second = (
                side.learn(texts, writes=True) for side, texts in zip(sides, train, strict=True)
            )
        known = PairFacts(
            source_tokenizer=first,
            target_tokenizer=second,
            source_vocabulary_size=len(token_names(first)),
            target_vocabulary_size=len(token_names(second)),
            max_source_length=sides[0].max_tokens,
            max_target_length=sides[1].max_tokens,
            unit=unit,
            documents=task == "summarization",
        )
    given, wanted = encode(known.source_tokenizer, sources), encode(known.target_tokenizer, targets)
    what = ("documents", "summaries") if known.documents else ("sources", "targets")
    of_sources, about_sources = shorten(
        given, known.max_source_length, tokenizer_config.long, what[0], where=where
    )
    of_targets, about_targets = shorten(
        wanted, known.max_target_length, tokenizer_config.long, what[1],
        option="max_target_tokens", where=where,
    )  # fmt: skip
    raw = {"source_text": as_objects(sources), "target_text": as_objects(targets)}
    source = ArraySource({"source": of_sources.of(given), "target": of_targets.of(wanted), **raw})
    splits = {name: SubsetSource(source, found) for name, found in rows.items()}
    fingerprint = fingerprint_arrays(raw)
    notes = [*notes, *about_sources, *about_targets]
    if facts is None:
        notes += describe_tokens(known.source_tokenizer, given, rows, what[0])
        notes += describe_tokens(known.target_tokenizer, wanted, rows, what[1])
    return Dataset(reference, task, known, splits, fingerprint, notes)


def as_objects(items: Sequence) -> np.ndarray:
    """Return an array of objects, also where the items are sequences themselves."""
    found = np.empty(len(items), object)
    found[:] = items
    return found


def _text_facts(
    content: str,
    tokenizer_config: TokenizerConfig,
    class_names: Sequence[str],
    counts: Sequence[int],
    *,
    tagged: bool = False,
) -> TextFacts:
    return TextFacts(
        tokenizer=content,
        vocabulary_size=len(token_names(content)),
        max_length=tokenizer_config.max_tokens,
        class_names=tuple(class_names),
        class_counts=tuple(int(count) for count in counts),
        tagged=tagged,
    )
