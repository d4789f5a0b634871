"""Programs that ask a model of numbers: of a table's row, a series, a series that goes on."""

import csv
import io
import json
from collections.abc import Mapping, Sequence

import numpy as np

from threefold.exporting.examples.parts import Parts, literal, print_answer
from threefold.tasks.signature import Field
from threefold.tasks.task import Task

FILE, ROW = "example.csv", "example.json"
COLUMNS_SHOWN = 40  # in the program; wider rows lie beside it
Examples = Mapping[str, np.ndarray]

_DAYS = '''def days(date):
    """Return the days since 1970 of a date in UTC, such as 2024-12-31 or 2024-12-31T18:30."""
    return np.datetime64(date, "s").astype(np.int64) / 86400


'''


def begin_with_row(task: Task, example: Examples) -> Parts:
    """Return how a row of a table is answered, given by the columns' own names."""
    raw, fields = task.raw_inputs(example), task.input_fields()
    dates, files = {column.name for column in task.facts.dates}, {}
    if len(fields) > COLUMNS_SHOWN:
        row = {field.column: raw[field.name][0].item() for field in fields}
        files[ROW] = json.dumps(row, indent=1).encode()
        row = f"""# By the names of columns: numbers, words, and dates as days since 1970.
row = json.loads((here / "{ROW}").read_text(encoding="utf-8"))
"""
    else:
        cells = [_cell(raw[field.name][0], field.column in dates) for field in fields]
        lines = zip(fields, cells, strict=True)
        row = "".join(f"    {literal(field.column)}: {cell},\n" for field, cell in lines)
        row = f"""{_DAYS if dates else ""}# None where a number is missing, "" where a word is.
row = {{
{row}}}
"""
    code = f"""{row}\
columns = json.loads((here / "artifact.json").read_text(encoding="utf-8"))["signature"]["inputs"]
answers = predict({{
    column["name"]: np.array([row[column["column"]]], column["dtype"].replace("string", "str"))
    for column in columns
}})
{print_answer(task)}"""
    return Parts(code, ("import json",), files=files)


def _cell(value: np.generic, is_date: bool) -> str:
    if isinstance(value, np.str_):
        return literal(str(value))
    if np.isnan(value):
        return "None"
    if not is_date:
        return repr(float(str(value)))  # of 32 bits, no more digits than there are
    # float32 holds a day to minutes.
    stamp = np.datetime64(round(float(value) * 1440), "m")
    day, _, time = str(stamp).partition("T")
    return f'days("{day}")' if time == "00:00" else f'days("{stamp}")'


def begin_with_series(task: Task, example: Examples) -> Parts:
    """Return how a series gets its class."""
    file = _write_csv([column.name for column in task.facts.channels], example["values"][0])
    code = f"""# A line for each step, a column for each channel; nan where a number is missing.
values = np.loadtxt(here / "{FILE}", np.float32, delimiter=",", skiprows=1, ndmin=2)
answers = predict({{"values": values[None], "lengths": np.array([len(values)], np.int64)}})
{print_answer(task)}"""
    return Parts(code, files={FILE: file})


def begin_with_history(task: Task, example: Examples) -> Parts:
    """Return how a series goes on, with what else is known of its steps."""
    facts, raw = task.facts, task.raw_inputs(example)
    steps = facts.context + facts.horizon
    names, columns, lines = [], [], []
    known = {"history": facts.targets[:1], "past_covariates": facts.past_covariates,
             "future_covariates": facts.future_covariates}  # fmt: skip
    for field in task.input_fields():
        found = [column.name for column in known.get(field.name, ())] or [field.meaning]
        array = raw[field.name][0].reshape(raw[field.name].shape[1], -1)
        ahead = field.name == "time"
        array = array.astype(str)
        blank = np.full((steps - len(array), array.shape[1]), "nan")
        columns.append(np.concatenate([blank, array] if ahead else [array, blank]))
        lines.append(_slice(field, len(names), len(found), facts.context))
        names += found
    code = f"""# A line for each of {facts.context} steps and each of the {facts.horizon} to come.
steps = np.loadtxt(here / "{FILE}", delimiter=",", skiprows=1, ndmin=2)
answers = predict({{
{"".join(lines)}}})

# A line for each step to come; README.md says what its numbers are.
for numbers in answers["forecasts"][0]:
    print(*(f"{{number:.6g}}" for number in numbers))
"""
    return Parts(code, files={FILE: _write_csv(names, np.concatenate(columns, axis=1))})


def _slice(field: Field, first: int, count: int, context: int) -> str:
    """Return the line that takes an input out of all columns."""
    rows = f"{context}:" if field.name == "time" else f":{context}"
    if field.name == "future_covariates":
        rows = ":"
    columns = f"{first}:{first + count}" if len(field.shape) == 3 else str(first)
    return f'    "{field.name}": steps[None, {rows}, {columns}].astype(np.{field.dtype}),\n'


def _write_csv(names: Sequence[str], rows: np.ndarray) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([" ".join(name.split()) for name in names])
    writer.writerows(rows.astype(str))  # no more digits than a type has
    return text.getvalue().encode()
