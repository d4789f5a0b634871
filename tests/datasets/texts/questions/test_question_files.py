"""Questions with contexts and answers: files, windows, what is refused, and predictions."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import flatten, refused

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.bundled.stdlib_questions import read_questions as read_bundled
from threefold.datasets.facts import QuestionFacts
from threefold.datasets.inference_inputs import read_inputs
from threefold.datasets.texts.questions.questions import (
    Question,
    QuestionWindows,
    cut_answer,
    find_tokens,
)
from threefold.datasets.texts.tokenizing import (
    KINDS,
    encode,
    encode_with_offsets,
    token_names,
    train_tokenizer,
)

CONTEXTS = [f"The river {n} rises in the hills. It ends in lake number {n}." for n in range(10)]


def row(context: str, question: str, answer: str | None, **more) -> dict:
    found = {"text": [], "answer_start": []}
    if answer is not None:
        found = {"text": [answer], "answer_start": [context.index(answer)]}
    return {"question": question, "context": context, "answers": found} | more


ROWS = [
    made
    for n, context in enumerate(CONTEXTS)
    for made in (
        row(context, f"Where does river {n} rise?", "the hills", id=f"rise-{n}"),
        row(context, f"Where does river {n} end?", f"lake number {n}", id=f"end-{n}"),
    )
]


def squad(rows: list[dict]) -> dict:
    """Return rows in SQuAD's form, a paragraph for each context."""
    paragraphs = {}
    for one in rows:
        answers = one["answers"]
        pairs = zip(answers["text"], answers["answer_start"], strict=True)
        question = {
            "id": one["id"],
            "question": one["question"],
            "answers": [{"text": text, "answer_start": start} for text, start in pairs],
        }
        if not answers["text"]:
            question["is_impossible"] = True
        paragraphs.setdefault(one["context"], []).append(question)
    held = [{"context": text, "qas": found} for text, found in paragraphs.items()]
    return {"version": "v2.0", "data": [{"title": "Rivers", "paragraphs": held}]}


def write(path, content) -> str:
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, content)))
    else:
        path.write_text(json.dumps(content))
    return str(path)


def load(path: str, facts=None, **options: str):
    return loading.load(path, options, task="question_answering", facts=facts)


def rows_of(dataset) -> list[dict]:
    """Return all examples, one by one."""
    found = []
    for split in dataset.splits.values():
        examples = split[np.arange(len(split))]
        found += [{n: a[i] for n, a in examples.items()} for i in range(len(split))]
    return found


@pytest.mark.parametrize("form", ["squad.json", "rows.json", "data.json", "rows.jsonl", "l.json"])
def test_every_form_is_read_without_a_word_and_alike(form, tmp_path):
    content = {"squad.json": squad(ROWS), "data.json": {"data": ROWS}}.get(form, ROWS)
    path = write(tmp_path / form, content)
    if form == "l.json":  # as the hub calls files of lines
        (tmp_path / form).write_text("\n".join(map(json.dumps, ROWS)))
    found = loading.load(path)
    assert found.task == "question_answering" and not found.facts.unanswerable
    assert "20 questions about 10 contexts" in found.notes
    wanted = {(r["question"], r["context"]): r["answers"]["text"][0] for r in ROWS}
    seen = rows_of(found)
    assert len(seen) == len(ROWS)
    for example in seen:
        answer = wanted[example["question_text"], example["context_text"]]
        assert example["answers"] == (answer,)
        begin, end = cut_answer(
            example["context_text"], example["offsets"], example["start"], example["end"]
        )
        assert example["context_text"][begin:end] == answer


def test_no_context_is_in_two_splits(tmp_path):
    found = load(write(tmp_path / "rows.jsonl", ROWS))
    seen = [set(split[np.arange(len(split))]["context_text"]) for split in found.splits.values()]
    assert [len(contexts) for contexts in seen] == [7, 2, 1]
    assert len(set.union(*seen)) == sum(map(len, seen)) == len(CONTEXTS)
    again = load(write(tmp_path / "rows.jsonl", ROWS), split_seed="1")
    assert seen[0] != set(again.splits["train"][np.arange(14)]["context_text"])


def test_questions_without_an_answer_point_nowhere(tmp_path):
    rows = [*ROWS, *(row(c, f"How deep is it, {n}?", None, id=n) for n, c in enumerate(CONTEXTS))]
    for path in (
        write(tmp_path / "a.json", squad(rows)),
        write(tmp_path / "a.jsonl", rows),
    ):
        found = load(path)
        assert found.facts.unanswerable and "some without an answer" in found.facts.describe()
        assert any("10 without an answer" in note for note in found.notes)
        none = [example for example in rows_of(found) if not example["answers"]]
        assert len(none) == 10 and {(e["start"], e["end"]) for e in none} == {(0, 0)}


def test_several_right_answers_are_kept_and_the_first_that_is_found_is_taught(tmp_path):
    context = CONTEXTS[0]
    start = context.index("hills")
    answers = {"text": ["mountains", "hills", "hills"], "answer_start": [3, start, start]}
    rows = [*ROWS[1:], ROWS[0] | {"answers": answers}]
    found = [e for e in rows_of(load(write(tmp_path / "rows.jsonl", rows))) if
             len(e["answers"]) > 1]  # fmt: skip
    assert found[0]["answers"] == ("mountains", "hills")
    span = cut_answer(context, found[0]["offsets"], found[0]["start"], found[0]["end"])
    assert context[slice(*span)] == "hills"


def test_misplaced_answers_are_left_out_and_counted(tmp_path):
    bad = row(CONTEXTS[0], "Where?", "the hills", id="moved")
    bad["answers"]["answer_start"] = [2]
    path = write(tmp_path / "rows.jsonl", [*ROWS, bad, bad | {"id": "again"}])
    note = next(note for note in load(path).notes if note.startswith("left out"))
    assert note == (
        "left out: 2 of 22 questions whose answer is not where answer_start says, the first: "
        f"{path} line 21, id moved"
    )
    with pytest.raises(UserError, match="no question that can be used: left out: 1 of 1"):
        load(write(tmp_path / "bad.jsonl", [bad]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": " "}, "the question is empty"),
        ({"context": ""}, "the context is empty"),
        ({"question": None}, "'question' is no text"),
        ({"answers": None}, "'answers' is missing"),
        ({"answers": "the hills"}, "'answers' is neither a list nor an object"),
        ({"answers": ["the hills"]}, "'answers' is no list of objects"),
        ({"answers": {"text": ["the hills"]}}, "holds 1 texts and 0 answer_start"),
        ({"answers": {"text": [3], "answer_start": [3]}}, "lacks a 'text'"),
        ({"answers": [{"text": "the hills"}]}, "lacks a 'answer_start'"),
        ({"id": "end-0"}, "the id is that of .*line 2, id end-0, too"),
        ({"question": "half \ud800?"}, "half a character"),
    ],
)
def test_a_bad_row_is_refused_by_its_place_or_left_out(change, said, tmp_path):
    path = write(tmp_path / "rows.jsonl", [*ROWS, ROWS[0] | {"id": "new"} | change])
    with refused(f"rows.jsonl line 21, id .*{said}") as error:
        load(path)
    assert "-d skip_bad=true" in str(error.value)
    found = load(path, skip_bad="true")
    assert len(rows_of(found)) == 20
    assert any("left out: 1 of 21 questions that cannot be used" in n for n in found.notes)


def test_a_missing_key_is_named(tmp_path):
    for name in ("question", "context", "answers"):
        lacking = {key: value for key, value in ROWS[0].items() if key != name}
        path = write(tmp_path / "rows.jsonl", [*ROWS[1:], lacking])
        with pytest.raises(UserError, match=f"line 20, id rise-0: '{name}' is missing"):
            load(path)
    content = squad(ROWS)
    del content["data"][0]["paragraphs"][3]["qas"]
    with pytest.raises(UserError, match="a.json article 1 paragraph 4 has no 'qas'"):
        load(write(tmp_path / "a.json", content))
    content["data"][0]["paragraph"] = content["data"][0].pop("paragraphs")
    with pytest.raises(UserError, match="article 1 has no 'paragraphs'; did you mean 'paragraph'"):
        load(write(tmp_path / "a.json", content))


# Of each file's name what it may hold that are no questions, and what is said of it.
BAD = {
    "a.json": {
        "": "a.json is empty",
        '{"data":\n [}': "a.json line 2, character 3: no JSON",
        '"text"': "expected SQuAD's form",
        '{"rows": []}': "expected SQuAD's form",
        '{"data": [3]}': "article 1: expected an object with 'paragraphs'",
    },
    "a.jsonl": {
        json.dumps(ROWS[0]) + "\n{": "a.jsonl line 2, character 2: no JSON",
        json.dumps(ROWS[0]) + "\n3": "a.jsonl line 2: expected an object",
    },
}


@pytest.mark.parametrize(("name", "text", "said"), flatten(BAD))
def test_a_file_of_another_form_is_refused_in_one_line(name, text, said, tmp_path):
    (tmp_path / name).write_text(text)
    with refused(said):
        load(str(tmp_path / name))


def test_training_takes_an_answer_and_windows_that_move_on(tmp_path):
    none = [row(c, "How deep?", None, id=str(n)) for n, c in enumerate(CONTEXTS)]
    with pytest.raises(UserError, match="none of the 7 questions to train on has an answer"):
        load(write(tmp_path / "none.jsonl", none))
    path = write(tmp_path / "rows.jsonl", ROWS)
    with pytest.raises(UserError, match="-d stride=9 must be below max_tokens, 9"):
        load(path, stride="9", max_tokens="9")
    with pytest.raises(UserError, match="is a folder; .* takes a file of questions"):
        load(str(tmp_path))


def test_long_contexts_are_read_in_windows_and_long_questions_cut(tmp_path):
    path = write(tmp_path / "rows.jsonl", ROWS)
    options = {"max_tokens": "8", "stride": "3", "max_question_tokens": "3", "tokenizer": "word"}
    found = load(path, **options)
    assert found.notes[1:3] == [
        "20 of 20 questions are longer than 3 tokens and cut there "
        "(more: -d max_question_tokens=N)",
        "10 of 10 contexts are longer than 8 tokens: 30 windows, 3 tokens shared "
        "(longer: -d max_tokens=N)",
    ]
    examples = [e for e in rows_of(found) if e["question_text"] == "Where does river 4 end?"]
    assert [len(e["context"]) for e in examples] == [8, 8, 5]
    assert {len(e["question"]) for e in examples} == {3}
    np.testing.assert_array_equal(examples[0]["context"][5:], examples[1]["context"][:3])
    assert [(e["start"], e["end"]) for e in examples] == [(0, 0), (0, 0), (2, 4)]
    tight = load(path, **options | {"stride": "0", "max_tokens": "6"})
    assert "20 of 20 questions have an answer that no window holds whole" in tight.notes[-1]


def test_data_for_a_run_are_read_as_it_was_fitted(tmp_path):
    facts = load(write(tmp_path / "rows.jsonl", ROWS), max_tokens="8", stride="2").facts
    texts = ("A new one.", "Another one.", "Else.")
    others = [row(text, "Which?", text[:-1], id=text) for text in texts]
    others.append(row(texts[0], "None?", None, id="none"))
    again = load(write(tmp_path / "others.json", squad(others)), facts=facts)
    assert again.facts == facts


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_tokens_stand_where_their_offsets_say(kind, data):
    """Words of any letters, so also those that change their length in small letters."""
    letters = st.sampled_from(list("abAB.,İßéñ東京😀👍🏽क्ष\u0301‍﷽-'"))
    words = data.draw(st.lists(st.text(letters, min_size=1, max_size=5), min_size=1, max_size=30))
    context = " ".join(words)
    content = train_tokenizer(kind, [context], 300, lowercase=data.draw(st.booleans()))
    tokens, offsets = encode_with_offsets(content, [context])
    np.testing.assert_array_equal(tokens.values, encode(content, [context]).values)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, min(first + 3, len(words) - 1)))
    answer = " ".join(words[first : last + 1])
    start = sum(len(word) + 1 for word in words[:first])
    max_length = data.draw(st.integers(2, 12))
    stride = data.draw(st.integers(0, max_length - 1))
    facts = QuestionFacts(
        tokenizer=content, vocabulary_size=len(token_names(content)), max_length=max_length,
        max_question_length=3, stride=stride,
    )  # fmt: skip
    place = (start, start + len(answer))
    source = QuestionWindows([context], [Question("a?", 0, (answer,), place)], facts)
    span = find_tokens(offsets.values, place)
    length = span[1] - span[0] + 1
    examples = source[np.arange(len(source))]
    holding = np.flatnonzero(examples["start"])
    if span[0] >= 0 and length <= stride + 1:
        assert len(holding) >= 1
    for window in holding:
        begin, end = cut_answer(
            context, examples["offsets"][window], examples["start"][window], examples["end"][window]
        )
        assert context[begin:end] == answer
    covered = np.concatenate([part for part in examples["offsets"]])
    assert {tuple(pair) for pair in covered} == {tuple(pair) for pair in offsets.values}
    assert max(map(len, examples["context"])) <= max_length


def read(path: str, facts, stdin: bytes = b"", batch_size: int = 2):
    return list(read_inputs([path], facts, io.BytesIO(stdin), batch_size))


def test_questions_to_be_answered_come_from_files_and_lines(tmp_path):
    path = write(tmp_path / "rows.jsonl", ROWS)
    facts = load(path, max_tokens="8", stride="3", tokenizer="word").facts
    found = read(path, facts)
    assert [len(set(part.names)) for part in found] == [2] * 10
    assert [len(part.names) for part in found] == [6] * 10  # windows
    ids = np.concatenate([part.examples["question_id"] for part in found])
    assert ids.tolist() == np.repeat(np.arange(20), 3).tolist()
    nested = read(write(tmp_path / "squad.json", squad(ROWS)), facts)
    texts = [text for part in nested for text in part.examples["question_text"]]
    assert texts == [text for part in found for text in part.examples["question_text"]]
    table = tmp_path / "others.csv"
    table.write_text("context,question\nA lake.,What?\n")
    assert read(str(table), facts)[0].examples["context_text"].tolist() == ["A lake."]
    (first, second) = read("-", facts, b"What?\tA lake.\nno tab\n\tno question\n")
    assert first.names == ["standard input line 1"]
    messages = [str(error) for part in (first, second) for error in part.errors]
    assert messages == [
        "standard input line 2: expected a question and its context",
        "standard input line 3: expected a question and its context",
    ]
    assert len(second.names) == 0
    table.write_text("context,text\nA lake.,What?\n")
    assert "has no column 'question'" in str(read(str(table), facts)[0].errors[0])
    with pytest.warns(UserWarning, match="^1 question is longer than 64 tokens and cut there$"):
        read("-", facts, b"why " * 65 + b"\tA lake.\n")


def test_the_bundled_questions_are_answered_by_their_contexts():
    contexts, questions = read_bundled()
    assert 2000 < len(questions) < 6000
    none = sum(not question.answers for question in questions)
    assert 0.15 < none / len(questions) < 0.3
    for question in questions:
        if question.answers:
            assert contexts[question.context][slice(*question.place)] == question.answers[0]
            assert question.answers[0].strip() == question.answers[0] != ""
    several = np.bincount([question.context for question in questions])
    assert np.mean(several >= 3) > 0.9
