"""Texts of records: what files of documents, tagged words, prose or pairs hold, out of columns.

Columns are read into what the reader of such files makes of a file, and go on from there as files
do. Options that are not given have the defaults of that reader.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from threefold.core.errors import UserError
from threefold.core.options import arguments_of, check_options, options_of
from threefold.datasets.dataset import SPLITS, Dataset
from threefold.datasets.facts import Facts
from threefold.datasets.hubs.record_cells import count_bad, place_of, require_kind, say_columns
from threefold.datasets.hubs.record_prose import (
    find_text,
    holds_prose,
    read_masked,
    read_prose,
    read_texts_of,
)
from threefold.datasets.hubs.record_tables import Choices, RecordTable
from threefold.datasets.hubs.record_targets import only, read_target, split_table
from threefold.datasets.splitting import SplitFractions
from threefold.datasets.texts import conll, labeled_texts, masked_texts, prose
from threefold.datasets.texts.documents import pair
from threefold.datasets.texts.pairs import text_pairs, translation_pairs
from threefold.datasets.texts.pairs.pair_files import TRANSLATIONS, Pairs, require_both

# The columns that each task can be given.
TEXT_COLUMNS = {
    "text_classification": ("text", "label"),
    "text_pair_classification": ("first", "second", "label"),
    "token_classification": ("tokens", "tags"),
    "text_generation": ("text",),
    "masked_language_modeling": ("text",),
    "translation": ("source", "target"),
}
FILES = {
    "text_classification": labeled_texts,
    "text_pair_classification": text_pairs,
    "token_classification": conll,
    "text_generation": prose,
    "masked_language_modeling": masked_texts,
    "translation": translation_pairs,
}
TOKEN_NAMES = ("tokens", "words")
TAG_NAMES = ("ner_tags", "ner", "tags", "labels")
PAIR_NAMES = ("source", "target")


def guess_task(table: RecordTable, choices: Choices) -> str | None:
    """Return the task of texts that the columns suggest, None for images and tables.

    Args:
        table: RecordTable. The source, under our names of splits.
        choices: Choices. The user's options; the columns among them are there.
    """
    texts = table.named("text")
    if choices.tokens or choices.tags:
        return "token_classification"
    if choices.first or choices.second:
        return "text_pair_classification"
    if choices.source:
        return "translation"
    if choices.image or (table.named("image") and not choices.text):
        return None
    if table.named("words") and (table.named("tags") or set(TAG_NAMES) & set(table.columns)):
        return "token_classification"
    if table.languages or set(PAIR_NAMES) <= set(texts):
        return "translation"
    if choices.target or not (choices.text or holds_prose(table)):
        return None
    labelled = bool(choices.label or _guess_label(table))
    if labelled and not choices.text and text_pairs.guess_columns(texts) is not None:
        return "text_pair_classification"
    if labelled:
        return "text_classification"
    others = table.named("classes", "number", "boolean")
    return None if others and not choices.text else "text_generation"


def to_texts(table: RecordTable, choices: Choices, task: str, facts: Facts | None) -> Dataset:
    """Make a dataset of texts.

    Args:
        table: RecordTable. The source, under our names of splits.
        choices: Choices. The user's options.
        task: str. One of `TEXT_COLUMNS`.
        facts: Facts, optional. Those of a run: its tokenizers and classes then rule.

    Returns:
        Dataset. As from a file of the task.

    Raises:
        UserError: where the columns do not serve the task, and for a row that cannot be used.
    """
    known = options_of(FILES[task].load)
    for name in choices.reading:
        if name not in known:
            raise UserError(f"{task} has no use for -d {name}")
    options = {name: option.default for name, option in known.items()}
    options |= check_options(known, choices.reading, flag="-d", owner=task)
    arguments = arguments_of(FILES[task].load, options)
    return _READERS[task](table, choices, arguments, facts)


def _read_documents(
    table: RecordTable, choices: Choices, options: Mapping[str, Any], facts: Facts | None
) -> Dataset:
    label = choices.label or _guess_label(table)
    label = label or only(table, "classes", "classes", "-d label=NAME")
    column = find_text(table, choices.text, label)
    found_target = read_target(table, replace(choices, label=label), "text_classification", facts)
    notes = say_columns(table, label, column)
    chosen = split_table(table, choices, found_target, notes)
    texts, where, labels, rows = [], [], [], {}
    for split, (origin, kept) in chosen.items():
        rows[split] = np.arange(len(texts), len(texts) + len(kept))
        read = table.splits[origin].read(kept, [column])[column]
        texts += [cell or "" for cell in read]
        where += [place_of(table, origin, row) for row in kept.tolist()]
        labels.append(found_target.values[origin][kept])
    sizes = ", ".join(f"{len(found)} {split}" for split, found in rows.items())
    notes += [f"predicts {label} ({len(found_target.class_names)} classes) of {column}: {sizes}"]
    notes += count_bad(texts)
    if len(found_target.class_names) == len(texts):
        raise UserError(
            f"column '{label}' of '{table.reference}' holds another class in every row; name that "
            "of the classes with -d label=NAME"
        )
    found = labeled_texts.Documents(
        texts, where, np.concatenate(labels), found_target.class_names, rows, notes
    )
    return labeled_texts.classify_documents(
        table.reference,
        found,
        options["tokenizer_config"],
        skip_empty=options["text_files"].skip_empty,
        facts=facts,
    )


def _read_text_pairs(
    table: RecordTable, choices: Choices, options: Mapping[str, Any], facts: Facts | None
) -> Dataset:
    usual = text_pairs.guess_columns(table.named("text")) or (None, None)
    names = choices.first or usual[0], choices.second or usual[1]
    if None in names:
        raise UserError(
            f"dataset '{table.reference}' does not say which columns are to be compared; name them "
            f"with -d first=NAME -d second=NAME: {', '.join(table.named('text'))}"
        )
    for name in names:
        require_kind(table, name, "texts", "text")
    label = choices.label or _guess_label(table)
    label = label or only(table, "classes", "classes", "-d label=NAME")
    found_target = read_target(
        table, replace(choices, label=label), "text_pair_classification", facts
    )
    notes = say_columns(table, label, *names)
    found, labels, rows = Pairs([], [], [], []), [], {}
    for split, (origin, kept) in split_table(table, choices, found_target, notes).items():
        cells = table.splits[origin].read(kept, names)
        read = Pairs(
            *([cell or "" for cell in cells[name]] for name in names),
            [place_of(table, origin, row) for row in kept.tolist()],
            [],
        )
        full = require_both(read, text_pairs.SIDES, options["text_files"].skip_empty)
        notes += [f"{split}: {remark}" for remark in full.notes]
        start = len(found.where)
        rows[split] = np.arange(start, start + len(full.where))
        labels.append(found_target.values[origin][kept][np.isin(read.where, full.where)])
        for held, more in zip(found[:3], full[:3], strict=True):
            held.extend(more)
    sizes = ", ".join(f"{len(chosen)} {split}" for split, chosen in rows.items())
    notes += [
        f"predicts {label} ({len(found_target.class_names)} classes) of "
        f"{' and '.join(names)}: {sizes}"
    ]
    notes += count_bad([*found.sources, *found.targets])
    return text_pairs.compare(
        table.reference, found, np.concatenate(labels), found_target.class_names, rows,
        options["tokenizer_config"],
        columns=names, facts=facts, notes=notes,
    )  # fmt: skip


def _read_sentences(
    table: RecordTable, choices: Choices, options: Mapping[str, Any], facts: Facts | None
) -> Dataset:
    tokens = choices.tokens or next((n for n in TOKEN_NAMES if n in table.named("words")), None)
    tokens = tokens or only(table, "words", "lists of words", "-d tokens=NAME")
    require_kind(table, tokens, "lists of words", "words")
    lists = [name for name in table.named("tags", "words") if name != tokens]
    tags = choices.tags or next((name for name in TAG_NAMES if name in lists), None)
    tags = tags or only(table, "tags", "tags", "-d tags=NAME")
    require_kind(table, tags, "tags", "tags", "words")
    notes = [*say_columns(table, tokens, tags), f"predicts the {tags} of {tokens}"]
    found = {}
    for split in table.splits:
        read, remarks = _read_tagged(table, split, tokens, tags)
        notes += remarks
        if not read:
            continue
        found[split], scheme = conll.to_bio(read)
        if scheme != "BIO":
            notes.append(f"{split}: tags are in {scheme}, brought to BIO")
    if not found or ("train" in table.splits and "train" not in found):
        first = next(iter(table.splits))
        raise UserError(f"'{table.reference}': no row of {first} has words and their {tags}")
    notes += count_bad(word for read in found.values() for row in read for word in row.words)
    return conll.tag_sentences(
        table.reference,
        found,
        choices.split_fractions,
        options["tokenizer_config"],
        facts=facts,
        notes=notes,
    )


def _read_tagged(
    table: RecordTable, split: str, tokens: str, tags: str
) -> tuple[list[conll.Sentence], list[str]]:
    """Return the sentences of a split, their tags as they are, and what was left out."""
    records, names = table.splits[split], table.columns[tags].class_names
    cells = records.read(np.arange(len(records)), [tokens, tags])
    sentences, empty, unknown = [], 0, 0
    for row, (words, marks) in enumerate(zip(cells[tokens], cells[tags], strict=True)):
        words, place = words or [], place_of(table, split, row)
        if not words or words[0].startswith(conll.BETWEEN_DOCUMENTS):
            empty += 1
            continue
        # Public test sets often hide their tags: none, or -1 each.
        if not marks or any(mark is None or mark == -1 for mark in marks):
            unknown += 1
            continue
        if len(words) != len(marks):
            raise UserError(
                f"{place}: {len(words)} words and {len(marks)} tags; expected a tag for each word"
            )
        found = [names[mark] for mark in marks] if names else marks
        numbers = range(1, len(words) + 1)
        sentences.append(conll.Sentence(words, found, f"{place}, word", numbers))
    notes = []
    if unknown:
        notes.append(f"{split}: left out without all tags: {unknown} of {len(records)} sentences")
    if empty:
        notes.append(f"{split}: left out as empty: {empty} of {len(records)} sentences")
    return sentences, notes


def _read_pairs(
    table: RecordTable, choices: Choices, options: Mapping[str, Any], facts: Facts | None
) -> Dataset:
    names = _pair_columns(table, choices)
    found, notes = {}, say_columns(table, *names)
    for split in table.splits:
        sources, targets = (read_texts_of(table, split, name) for name in names)
        where = [place_of(table, split, row) for row in range(len(sources))]
        read = Pairs(sources, targets, where, [])
        read = require_both(read, TRANSLATIONS, options["pair_files"].skip_empty)
        notes += [f"{split}: {remark}" for remark in read.notes]
        if read.sources:
            found[split] = read
    if not found or ("train" in table.splits and "train" not in found):
        raise UserError(f"'{table.reference}' holds no pairs to train on; all have an empty side")
    sources = [part for read in found.values() for part in read.sources]
    targets = [part for read in found.values() for part in read.targets]
    where = [place for read in found.values() for place in read.where]
    rows, remarks = _divide_pairs(found, choices.split_fractions)
    notes += [f"{len(sources)} pairs: '{names[1]}' of '{names[0]}'", *remarks]
    notes += count_bad([*sources, *targets])
    return pair(
        table.reference, sources, targets, rows, options["tokenizer_config"],
        unit=options["unit"], facts=facts, notes=notes, where=where,
    )  # fmt: skip


def _divide_pairs(
    found: Mapping[str, Pairs], split_fractions: SplitFractions
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the pairs of each split, end to end; what is lacking is taken from train."""
    ends = np.cumsum([0, *(len(read.sources) for read in found.values())]).tolist()
    rows = {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(found)}
    if "train" not in found:
        return rows, []
    sources = found["train"].sources
    parts, note = split_fractions.fill_in(len(sources), found, noun="pairs", groups=sources)
    rows |= parts  # train comes first
    return {name: rows[name] for name in SPLITS if name in rows}, [note] if note else []


_READERS = {
    "text_classification": _read_documents,
    "text_pair_classification": _read_text_pairs,
    "token_classification": _read_sentences,
    "text_generation": read_prose,
    "masked_language_modeling": read_masked,
    "translation": _read_pairs,
}


def _pair_columns(table: RecordTable, choices: Choices) -> tuple[str, str]:
    """Return the columns of sources and targets; of two languages, one implies the other."""
    explicit = choices.source, next(iter(choices.target), None)
    if len(choices.target) > 1:
        raise UserError(f"pairs have one column of targets, got {', '.join(choices.target)}")
    usual = table.languages
    if not usual and set(PAIR_NAMES) <= set(table.named("text")):
        usual = PAIR_NAMES
    if len(usual) == 2 and None in explicit:
        if explicit[0] is not None and explicit[0] == usual[1] or explicit[1] == usual[0]:
            usual = usual[::-1]
        explicit = explicit[0] or usual[0], explicit[1] or usual[1]
    if None in explicit:
        raise UserError(
            f"dataset '{table.reference}' does not say which columns are pairs; name them with "
            f"-d source=NAME -d target=NAME: {', '.join(table.languages or table.named('text'))}"
        )
    for name in explicit:
        require_kind(table, name, "texts", "text")
    if explicit[0] == explicit[1]:
        raise UserError(f"column '{explicit[0]}' of '{table.reference}' is both source and target")
    return explicit


def _guess_label(table: RecordTable) -> str | None:
    """Return the column of the classes that the source names, the only one, or one so called."""
    classes = table.named("classes")
    if table.label in classes or len(classes) == 1:
        return table.label if table.label in classes else classes[0]
    free = table.named("classes", "number", "boolean", "text")
    called = {name.lower(): name for name in free}
    return next((called[name] for name in labeled_texts.LABEL_NAMES if name in called), None)
