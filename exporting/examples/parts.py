"""What the program of an artifact is put together from."""

from dataclasses import dataclass, field

from threefold.tasks.task import Task

TEXT_SHOWN = 400  # characters
WIDTH = 80  # of one line of a text in a program


@dataclass(frozen=True)
class Parts:
    """How a program asks a model.

    Args:
        code: str. Lines that make inputs of what a user has, give them to `predict`, and print its
            answers.
        imports: tuple of str. Lines that import what it takes beside NumPy and the runtime.
        packages: tuple of str. Those of them that are not Python's own.
        files: dict of str to bytes. What it reads, by the names of files.
    """

    code: str
    imports: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)


def literal(text: str) -> str:
    """Return a text as it is written in a program: what cannot be seen is escaped."""
    # Python quotes a text with " that holds ', as the house does all.
    return repr(text) if '"' in text else f'"{repr(chr(39) + text)[2:]}'


def text_literal(text: str) -> str:
    """Return the beginning of a text of any length, in several lines where it is long."""
    if len(text) > TEXT_SHOWN:
        text = text.strip()[:TEXT_SHOWN].rsplit(maxsplit=1)[0]
    if len(text) <= WIDTH:
        return literal(text)
    ends = [*range(WIDTH, len(text), WIDTH), len(text)]
    lines = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return "(\n" + "".join(f"    {literal(line)}\n" for line in lines) + ")"


LABELS = """labels = (here / "labels.txt").read_text(encoding="utf-8").splitlines()
"""
PRINT_LABEL = f"""
{LABELS}best = answers["label_index"][0]
print(f"{{labels[best]}}  {{answers['probabilities'][0, best]:.4f}}")
"""
PRINT_SHARES = f"""
{LABELS}counts = np.bincount(answers["class_index"].ravel(), minlength=len(labels))
for label, count in zip(labels, counts):
    if count:
        print(f"{{label}}  {{count / counts.sum():.1%}} of the pixels")
"""
PRINT_OBJECTS = f"""
{LABELS}for number in range(answers["count"][0]):
    label, score = labels[answers["class_index"][0, number]], answers["scores"][0, number]
    left, top, right, bottom = answers["boxes"][0, number]
    place = f"({{left:.0f}}, {{top:.0f}}) to ({{right:.0f}}, {{bottom:.0f}})"
    print(f"{{label}}  {{score:.3f}}  from {{place}}")
"""
PRINT_ALL = """
for name, array in answers.items():
    print(name, array[0].tolist())
"""


def print_answer(task: Task) -> str:
    """Return what prints the class or classes, objects, numbers by their names, or all answers."""
    outputs = {field.name for field in task.output_fields()}
    if {"label_index", "probabilities"} <= outputs:
        return PRINT_LABEL
    if "boxes" in outputs:
        return PRINT_OBJECTS
    if "class_index" in outputs:
        return PRINT_SHARES
    if "predictions" not in outputs:  # a task that somebody added
        return PRINT_ALL
    listed = ", ".join(literal(target.name) for target in task.facts.targets)
    return f"""
for name, number in zip([{listed}], answers["predictions"][0]):
    print(f"{{name}}  {{number:.6g}}")
"""
