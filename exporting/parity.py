"""A process of its own, without Keras: run a model file on real rows and compare.

What the training backend answered for the same rows lies in `reference.npz`, written before the
export began.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from threefold.core.files import replace_file
from threefold.datasets.dataset import Source
from threefold.exporting.declared import check_declared, read_declared
from threefold.exporting.runtime import Run, fits, load_runtime
from threefold.tasks.evaluation import Evaluation, fit_evaluator_on_training_split, join_batches
from threefold.tasks.metrics.bootstrap import bootstrap_intervals
from threefold.tasks.signature import Output, Signature
from threefold.tasks.task import Arrays, Task
from threefold.training.building import bind_part
from threefold.training.data import load_run_dataset
from threefold.training.run import open_run

BATCH_SIZES = (1, 2, 7, 32)
REPEATED_ROWS = 64  # replayed at every batch size; the whole split at the largest
LARGE = 10.0  # units of a probe's output, from which on a difference counts as a share
RANGE_ROWS = 1024  # of the training split, read at a time
# Of float16, in the units of `scale`: logits near 16 are rounded by 2^-7, and layers add up.
FLOAT16_LIMIT = 5e-3
CLIPPED = "of extreme numbers"  # a probe that a float16 file answers as if they were less extreme
EXAMPLES = 4  # rows kept with the artifact


def main() -> None:
    """Do the job that a JSON file describes; write `parity.json` alongside it."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    scratch, staged = Path(job["scratch"]), Path(job["staged"])
    record = open_run(job["run"]).record
    task = bind_part(record, job["part"])
    splits = load_run_dataset(record, record.facts.raw()).splits
    source = splits[job["split"]]
    fit_evaluator_on_training_split(task, splits)
    signature = Signature(inputs=task.input_fields(), outputs=task.output_fields())
    run = load_runtime(staged / job["model"], job["format"], signature)
    declared = read_declared(staged / job["model"], job["format"])
    with np.load(scratch / "reference.npz", allow_pickle=False) as file:
        reference = {name: file[name] for name in file.files}
    is_float16 = job["precision"] == "float16"
    atol = job["atol"] or (FLOAT16_LIMIT if is_float16 else None)
    comparison = Comparison(task, signature.outputs, atol, is_float16)
    comparison.refusals.extend(check_declared(declared, signature))
    predictions = compare(run, task, source, reference, comparison)
    truth = _only(reference, "truth")
    metrics = {"run": task.compute_metrics(_only(reference, "answers"), truth)}
    if predictions is not None:
        try:
            metrics["artifact"] = task.compute_metrics(predictions, truth)
        except ValueError as error:  # of numbers that no model of this task answers
            comparison.refuse(f"the answers cannot be evaluated: {error}")
            predictions = None
    if predictions is not None:
        _keep_examples(staged, run, task, source)
        np.savez(scratch / "one_row.npz", **task.raw_inputs(source[np.arange(1)]))
        replace_file(scratch / "signature.json", signature.model_dump_json().encode())
    report = comparison.report() | {
        "split": job["split"],
        "rows": len(source),
        "declared": declared,
        "batch_sizes": BATCH_SIZES,
        "probes": list(_probes(task, source, reference)),
        "metrics": {
            who: {
                name: found[name]
                for name in dict.fromkeys((*task.summary_metrics, task.primary_metric))
                if name in found
            }
            for who, found in metrics.items()
        },
        "keras": sys.modules.get("keras") is not None,
    }
    if predictions is not None:
        report["by_class"] = metrics["artifact"].get("by_class", {})
        report["intervals"] = _find_intervals(task, predictions, truth, metrics["artifact"])
        report["ranges"] = _find_ranges(task, splits.get("train", source))
    replace_file(scratch / "parity.json", json.dumps(report).encode())
    if predictions is None:
        return
    evaluation = Evaluation(job["split"], task, source, predictions, truth, metrics["artifact"])
    _plot(staged, task, evaluation)


@dataclass
class Comparison:
    """Gathers how far answers lie from the reference.

    Args:
        task: Task. Knows which answers are near_ties.
        outputs: tuple of Output. Their limits and units.
        atol: float. A limit for all of them, or `None` for each its own.
        is_float16: bool. Whether extreme numbers need an answer, but not the same.
    """

    task: Task
    outputs: tuple[Output, ...]
    atol: float | None
    is_float16: bool = False
    refusals: list[str] = field(default_factory=list)
    worst: float = 0.0
    total: float = 0.0
    numbers: int = 0
    agreed: int = 0
    compared: int = 0
    whole: bool = True  # whether there are answers to evaluate, be they right or wrong

    @property
    def limit(self) -> float:
        """The least limit of the outputs."""
        return self.atol or min(output.limit for output in self.outputs if output.limit)

    def add(
        self, predictions: Arrays, reference: Arrays, situation: str, *, probe: bool = False
    ) -> None:
        """Compare the answers of one batch; whatever cannot be is a refusal.

        Args:
            predictions: dict of str to array. Those of the artifact.
            reference: dict of str to array. Those of the trained model.
            situation: str. Of what rows, in which batch.
            probe: bool. Whether they are no real rows: a trained model, too, may then answer what
                is no number, or so large a one that differences count as a share of it.
        """
        near_ties = self.task.near_ties(reference, self.limit)
        for output in self.outputs:
            found, wanted = predictions.get(output.name), reference[output.name]
            if found is not None and found.ndim == wanted.ndim > 1 and output.shape[1] == "time":
                # Answers after the end of every sequence of a batch are nobody's.
                length = min(found.shape[1], wanted.shape[1])
                found, wanted = found[:, :length], wanted[:, :length]
            if found is None or found.shape != wanted.shape:
                shape = "nothing" if found is None else f"the shape {found.shape}"
                self.refuse(f"{output.name} has {shape}, not {wanted.shape}, {situation}")
                self.whole = False
            elif not fits(found.shape, output.shape) or not _is_of(output.dtype, found):
                declared = f"{output.dtype} ({', '.join(map(str, output.shape))})"
                self.refuse(f"{output.name} is {found.dtype} {found.shape}, not {declared}, as "
                            f"the card says, {situation}")  # fmt: skip
            elif output.limit is None:
                equal = (found == wanted).reshape(len(found), -1).all(axis=1)
                same = equal | near_ties
                if self.is_float16 and situation.endswith(CLIPPED):
                    continue
                self.agreed += int(np.count_nonzero(equal))
                self.compared += len(found)
                if not same.all():
                    self.refuse(f"{output.name} differs in {np.count_nonzero(~same)} of "
                                f"{len(same)} rows {situation}")  # fmt: skip
            else:
                if output.decided:
                    found, wanted = found[~near_ties], wanted[~near_ties]
                self._add_numbers(output, found, wanted, situation, probe)

    def _add_numbers(
        self,
        output: Output,
        found: np.ndarray,
        wanted: np.ndarray,
        situation: str,
        probe: bool,
    ) -> None:
        if not found.size:  # of a single token there is none that follows another
            return
        limit = self.atol or output.limit
        if self.is_float16 and situation.endswith(CLIPPED):
            if not np.isfinite(found).all():
                self.refuse(f"{output.name} is not a number in some rows {situation}")
            return
        known = np.isfinite(wanted) if probe else np.ones(wanted.shape, bool)
        if not (np.isfinite(found) == known).all():
            self.refuse(f"{output.name} is not a number in some rows {situation}")
            self.worst, self.whole = float("inf"), False
            return
        units = np.broadcast_to(np.array(output.scale), wanted.shape)
        if probe:
            units = units * np.maximum(1, np.abs(np.where(known, wanted, 0) / units) / LARGE)
        found, wanted = (np.where(known, a, 0).astype(np.float64) for a in (found, wanted))
        far = np.abs(found - wanted) / units
        self.worst = max(self.worst, float(far.max()))
        self.total += float(far.sum())
        self.numbers += far.size
        if not far.max() <= limit:  # which no difference is where the limit is not a number
            self.refuse(f"{output.name} is off by {far.max():.3g} {situation}; limit {limit:g}")

    def refuse(self, reason: str) -> None:
        """Note why the artifact is refused."""
        self.refusals.append(reason)

    def report(self) -> dict[str, Any]:
        """Return what was found, as plain data."""
        return {
            "refusals": self.refusals,
            "max_abs_diff": self.worst,
            "mean_abs_diff": self.total / max(self.numbers, 1),
            "limit": self.limit,
            "agreement": self.agreed / self.compared if self.compared else 1.0,
        }


def compare(
    run: Run, task: Task, source: Source, reference: Arrays, comparison: Comparison
) -> Arrays | None:
    """Replay rows at several batch sizes, and some of them at another free size.

    Returns:
        dict of str to array. The artifact's answers for all rows, or `None` where it lacks some.
    """

    def replay(examples: Arrays, wanted: Arrays, situation: str, probe: bool = False) -> Arrays:
        try:
            predictions = run(task.raw_inputs(examples))
        except Exception as error:  # of as many kinds as there are runtimes
            comparison.refuse(f"the runtime fails {situation}: {' '.join(str(error).split())}")
            comparison.whole = False
            return {}
        comparison.add(predictions, wanted, situation, probe=probe)
        return predictions

    wanted = _only(reference, "answers")
    for batch_size in BATCH_SIZES:
        rows = len(source) if batch_size == max(BATCH_SIZES) else min(REPEATED_ROWS, len(source))
        found = []
        for chosen in _batches(rows, batch_size):
            part = {name: array[chosen] for name, array in wanted.items()}
            found.append(replay(source[chosen], part, f"in a batch of {len(chosen)}"))
        if rows < batch_size:  # what the card says was run is run: few rows, again and again
            chosen = np.arange(batch_size) % rows
            part = {name: array[chosen] for name, array in wanted.items()}
            replay(source[chosen], part, f"in a batch of {batch_size}")
    if not comparison.whole:
        return None
    for situation, examples in _probes(task, source, reference).items():
        replay(examples, _only(reference, situation), f"on inputs {situation}", probe=True)
    return join_batches(found) if comparison.whole else None


def _probes(task: Task, source: Source, reference: Arrays) -> dict[str, Arrays]:
    """Return the task's probes of the rows that the training backend answered for."""
    return task.probes(source[np.arange(int(reference["probe_rows"]))])


def _is_of(dtype: str, array: np.ndarray) -> bool:
    """Return whether an array is of a field's type."""
    return array.dtype.kind in "OSU" if dtype == "string" else array.dtype.name == dtype


def _batches(rows: int, batch_size: int) -> Iterator[np.ndarray]:
    for start in range(0, rows, batch_size):
        yield np.arange(start, min(start + batch_size, rows))


def _only(reference: Arrays, kind: str) -> Arrays:
    return {n.partition("/")[2]: a for n, a in reference.items() if n.startswith(f"{kind}/")}


def _find_intervals(
    task: Task, predictions: Arrays, truth: Arrays, metrics: dict[str, Any]
) -> dict[str, tuple[float, float]]:
    """Return how sure the metrics are, by the task's own intervals where it has such."""
    if task.generates == "images":  # whose metrics are of no single rows
        found = metrics.get("intervals", {}).items()
        return {name: (bounds["low"], bounds["high"]) for name, bounds in found}

    def compute(rows: np.ndarray) -> dict[str, float]:
        sampled = ({name: array[rows] for name, array in a.items()} for a in (predictions, truth))
        return task.compute_metrics(*sampled)

    rows = len(next(iter(truth.values())))
    return bootstrap_intervals(compute, rows, task.summary_metrics)


def _find_ranges(task: Task, train: Source) -> dict[str, tuple[float, float]]:
    """Return the least and the largest number of each column of a table."""
    columns = [field.name for field in task.input_fields() if field.column and not field.words]
    found: dict[str, tuple[float, float]] = {}
    for rows in _batches(len(train), RANGE_ROWS) if columns else ():
        raw = task.raw_inputs(train[rows])
        for name in columns:
            numbers = raw[name][np.isfinite(raw[name])] if raw[name].dtype.kind == "f" else ()
            if len(numbers):
                both = (*found.get(name, ()), float(numbers.min()), float(numbers.max()))
                found[name] = (min(both), max(both))
    return found


def _keep_examples(staged: Path, run: Run, task: Task, source: Source) -> None:
    """Write some rows of one shape, and what the artifact answers for them."""
    raw = task.raw_inputs(source[np.arange(min(max(BATCH_SIZES), len(source)))])
    chosen = np.arange(len(next(iter(raw.values()))))
    for array in raw.values():
        if array.dtype == object:
            chosen = np.array([i for i, item in enumerate(array) if item.shape == array[0].shape])
    chosen = chosen[:EXAMPLES]
    raw = {
        name: np.stack(list(array[chosen])) if array.dtype == object else array[chosen]
        for name, array in raw.items()
    }
    predictions = {f"expected_{name}": array for name, array in run(raw).items()}
    np.savez(staged / "examples.npz", **raw, **predictions)


def _plot(staged: Path, task: Task, evaluation: Evaluation) -> None:
    """Draw the first of the task's images that has something to show."""
    from threefold.reporting.figures.plotting import plot
    from threefold.reporting.report import save_figure

    for figure in task.figures:
        plotted = plot(figure, evaluation)
        if plotted is not None:
            save_figure(staged / f"{figure.name}.png", plotted)
            return
