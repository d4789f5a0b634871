"""Programs that ask a model of texts."""

import json
from collections.abc import Mapping

import numpy as np

from threefold.datasets.texts.tokenizing import (
    END,
    WORD_PATTERN,
    decode,
    find_mask,
    token_names,
)
from threefold.exporting.examples.parts import (
    LABELS,
    Parts,
    literal,
    print_answer,
    text_literal,
)
from threefold.tasks.task import Task

WORDS_SHOWN = 24
WRITTEN = 40  # tokens
Examples = Mapping[str, np.ndarray]

_LOAD = """tokenizer = Tokenizer.from_file(str(here / "{name}"))
"""
# A text of which nothing is left, such as one of spaces, is one token of padding.
_IDS = "np.array([tokenizer.encode({text}).ids or [0]], np.int64)"
_UNTIL_END = f"""{{name}} = {{name}}[: {{name}}.index({END})] if {END} in {{name}} else {{name}}"""


def _parts(code: str, name: str = "tokenizer.json") -> Parts:
    return Parts(
        _LOAD.format(name=name) + code, ("from tokenizers import Tokenizer",), ("tokenizers",)
    )


def begin_with_text(task: Task, example: Examples) -> Parts:
    """Return how a document gets its class, or the words of one their tags."""
    if task.facts.tagged:
        return _tag_words(task, example)
    text = text_literal(str(example["text"][0]))
    ids = _IDS.format(text="text")
    return _parts(f'text = {text}\nanswers = predict({{"tokens": {ids}}})\n{print_answer(task)}')


def _tag_words(task: Task, example: Examples) -> Parts:
    words = list(example["words"][0])[:WORDS_SHOWN]
    splits = json.loads(task.facts.tokenizer)["pre_tokenizer"] or {}
    if splits.get("pattern", {}).get("Regex") == WORD_PATTERN:
        given = f"""text = {text_literal(" ".join(words))}
# Words that are split already are given as they are.
words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]
"""
    else:
        given = "words = [\n" + "".join(f"    {literal(word)},\n" for word in words) + "]\n"
    return _parts(f"""{given}encoding = tokenizer.encode(words, is_pretokenized=True)
answers = predict({{"tokens": np.array([encoding.ids], np.int64)}})

{LABELS}for place, word in enumerate(encoding.word_ids):
    if place == 0 or word != encoding.word_ids[place - 1]:  # a word has the tag of its first token
        print(f"{{words[word]}}  {{labels[answers['tag_index'][0, place]]}}")
""")


def begin_with_text_pair(task: Task, example: Examples) -> Parts:
    """Return how two texts get their class."""
    sides = "".join(
        f"{side} = {text_literal(str(example[f'{side}_text'][0]))}\n" for side in task.texts
    )
    ids = "".join(f'    "{side}": {_IDS.format(text=side)},\n' for side in task.texts)
    return _parts(f"{sides}answers = predict({{\n{ids}}})\n{print_answer(task)}")


def begin_with_masked_text(task: Task, example: Examples) -> Parts:
    """Return how a masked word is filled in."""
    mask = find_mask(task.facts.tokenizer)
    (text,) = decode(task.facts.tokenizer, [example["first"][0]])
    words = text.split()[:WORDS_SHOWN]
    words[len(words) // 2 : len(words) // 2 + 1] = [token_names(task.facts.tokenizer)[mask]]
    first, *others = task.texts
    nothing = "".join(f'    "{name}": np.array([[0]], np.int64),\n' for name in others)
    return _parts(f"""text = {text_literal(" ".join(words))}
ids = tokenizer.encode(text).ids
masked = np.array([np.flatnonzero(np.equal(ids, {mask}))], np.int64)
answers = predict({{
    "{first}": np.array([ids], np.int64),
{nothing}    "masked": masked,
    "wanted": np.zeros_like(masked),
}})

candidates, odds = answers["candidates"][0], answers["candidate_probabilities"][0]
for mask in range(masked.shape[1]):
    for token, probability in zip(candidates[mask], odds[mask]):
        print(f"{{tokenizer.id_to_token(token)}}  {{probability:.4f}}")
""")


def begin_with_prompt(task: Task, example: Examples) -> Parts:
    """Return how a text goes on."""
    (text,) = decode(task.facts.tokenizer, [example["tokens"][0][1:]])
    prompt = " ".join(text.split()[:6])
    return _parts(f"""prompt = {text_literal(prompt)}
answers = predict({{
    "tokens": np.array([tokenizer.encode(prompt).ids], np.int64),
    "uniforms": np.random.default_rng(0).random((1, {WRITTEN}), np.float32),
    "temperature": np.array([1], np.float32),
    "top_k": np.array([50], np.float32),
    "top_p": np.array([1], np.float32),
}})

written = answers["written"][0].tolist()
{_UNTIL_END.format(name="written")}
print(prompt, "...", tokenizer.decode(written, skip_special_tokens=False))
""")


def begin_with_source(task: Task, example: Examples) -> Parts:
    """Return how a text is made of another."""
    text = text_literal(str(example["source_text"][0]))
    return _parts(
        f"""text = {text}
answers = predict({{"source": {_IDS.format(text="text")}}})

best = answers["tokens"][0, 0].tolist()
{_UNTIL_END.format(name="best")}
writer = Tokenizer.from_file(str(here / "target_tokenizer.json"))
print(writer.decode(best, skip_special_tokens=False))
""",
        "source_tokenizer.json",
    )


def begin_with_question(task: Task, example: Examples) -> Parts:
    """Return how a question is answered out of a context."""
    facts = task.facts
    answer = "context[begin:end]"
    if facts.unanswerable:
        answer += ' if answers["score"][best] > 0 else "no answer"'
    return _parts(f"""question = {text_literal(str(example["question_text"][0]))}
context = {text_literal(str(example["context_text"][0]))}
# tokenizer.json cuts a text into windows, as contexts are; a question is cut where it is too long.
encoding = tokenizer.encode(context)
windows = [encoding, *encoding.overflowing]
tokenizer.enable_truncation({facts.max_question_length})
answers = predict({{
    "question": np.array([tokenizer.encode(question).ids or [0]] * len(windows), np.int64),
    "context": np.array([window.ids or [0] for window in windows], np.int64),
}})

best = answers["score"].argmax()
begin, _ = windows[best].offsets[answers["start"][best] - 1]
_, end = windows[best].offsets[answers["end"][best] - 1]
print({answer})
""")
