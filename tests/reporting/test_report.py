import json
import os
import re
import shlex
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from threefold.core.errors import Failure
from threefold.core.image_grids import encode
from threefold.core.visible import visible
from threefold.datasets.facts import CategoricalColumn, DateColumn, NumericColumn, TableFacts
from threefold.datasets.facts_base import NumericTarget
from threefold.reporting import report
from threefold.reporting.report import repeat_command, write_report
from threefold.training.settings import TrainingSettings

HOSTILE = "<b>&\"'</b><script>alert(1)</script>"
ATTRIBUTES = {
    "lang", "charset", "name", "content", "http-equiv", "class", "scope", "src", "width", "height",
    "alt",
}  # fmt: skip
VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Reads a page as a browser would: texts, images, tables, and whether tags are closed."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.open, self.tags, self.images, self.texts = [], set(), [], []
        self.rows: list[list[str]] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.texts.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(self.texts)


@pytest.fixture(autouse=True)
def coarse_images(monkeypatch):
    """Draw quickly: these tests read the page, not the pixels."""
    monkeypatch.setattr(report, "PIXELS_PER_INCH", 30)


def cats(examples, predicted=(0, 1, 1, 1), split="test", names=("cat", "dog")):
    return examples.classify(names, [0, 1, 0, 1], predicted, [0.9, 0.8, 0.7, 0.6], split=split)


def brief(examples, split="test"):
    """One image: quick, where it matters only that it is there."""
    evaluation = cats(examples, split=split)
    evaluation.task.figures = evaluation.task.figures[1:2]  # reliability
    return evaluation


def write(folder, examples, evaluations, *, title="cnn on photos", history=None, **changes):
    history = examples.make_history(3) if history is None else history
    write_report(folder, title, examples.make_record(**changes), history, evaluations)
    return Page(folder / "index.html")


def test_the_page_tells_what_was_found(tmp_path, examples):
    page = write(tmp_path, examples, [cats(examples, split="validation"), cats(examples)])
    assert ["", "validation", "test"] in page.rows
    assert ["accuracy", "0.7500", "0.7500"] in page.rows
    assert ["examples", "4", "4"] in page.rows
    assert ["cat", "1.0000", "0.5000", "0.6667", "2"] in page.rows
    assert (
        "The weights of epoch 2 of 3 are kept: its validation loss, 0.55, is the lowest."
        in page.text
    )
    alts = [image["alt"] for image in page.images]
    assert len(alts) == 7 and alts[0].startswith("Learning curves over 3 epochs")
    assert "Confusion matrix of the test split: accuracy 0.75, f1 0.7333, loss 0.5108" in alts
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "learning_curves.png",
        *(f"{split}_{name}.png" for split in ("validation", "test")
          for name in ("confusion_matrix", "reliability", "worst_mistakes")),
    }  # fmt: skip


def test_the_page_tells_how_the_run_was_made(tmp_path, examples):
    page = write(tmp_path / "report", examples, [cats(examples)])
    for explicit in ("f1d2d2f924e986ac", "split by seed 0", "3.15.1", "cpu", "100 train, 20 test",
                 "./my photos", "32, 64", "2026-01-02 03:04:05 UTC"):  # fmt: skip
        assert explicit in page.text, explicit
    assert "--again" not in page.text
    (tmp_path / "run.json").write_text("{}")
    page = write(tmp_path / "report", examples, [cats(examples)])
    assert f"threefold fit --again {tmp_path}" in page.text


def test_remarks_stand_in_the_section_of_their_split(tmp_path, examples):
    splits = [cats(examples, split="validation"), cats(examples)]
    remarks = {"test": ["the simple method 'linear' does better", HOSTILE]}
    for _ in range(2):  # written again, they are there once
        record = examples.make_record()
        write_report(tmp_path, "cnn", record, examples.make_history(3), splits, remarks)
    page = Page(tmp_path / "index.html")
    heads = [page.texts.index(f"{name} split, 4 examples") for name in ("Validation", "Test")]
    places = [place for place, text in enumerate(page.texts) if text in remarks["test"]]
    assert len(places) == 2 and heads[0] < heads[1] < min(places) < max(places) < heads[1] + 8


def test_the_page_needs_nothing_else(tmp_path, examples):
    page = write(tmp_path, examples, [cats(examples)])
    assert not page.tags & {"script", "link", "iframe", "object", "a", "base", "form"}
    assert "http:" not in page.source and "https:" not in page.source
    assert "url(" not in page.source and "@import" not in page.source
    assert {name for name, _ in page.attributes} <= ATTRIBUTES
    for image in page.images:
        assert image["src"].startswith("data:image/png;base64,iVBOR")
        assert int(image["width"]) > 10 and int(image["height"]) > 10
        assert image["alt"]


def test_names_are_shown_literally(tmp_path, examples):
    evaluation = cats(examples, names=(HOSTILE, "dog"))
    history = [{"epoch": 1, "loss": 1.0, HOSTILE: 0.5}]
    page = write(
        tmp_path, examples, [evaluation], title=HOSTILE, history=history, blueprint=HOSTILE,
        device=HOSTILE, init=HOSTILE, options={HOSTILE: HOSTILE}, versions={HOSTILE: HOSTILE},
    )  # fmt: skip
    assert "script" not in page.tags
    assert page.source.count("<b>") == len(evaluation.task.summary_metrics)
    assert page.text.count(HOSTILE) >= 8
    assert any(row[0] == HOSTILE for row in page.rows)


@pytest.mark.parametrize("name", ["\x1b[31mred", "\x1b]0;t\x07", "\u202egnp.exe", "\x9b1m"])
def test_characters_that_nobody_sees_are_written_out(tmp_path, examples, name):
    evaluation = cats(examples, names=(name, "dog"))
    page = write(tmp_path, examples, [evaluation], title=name, options={name: name})
    assert not any(char in page.source for char in "\x1b\x07\u202e\x9b")
    assert visible(name) in page.text


@settings(max_examples=25, deadline=None)
@given(name=st.text(min_size=1, max_size=12) | st.text("<>&\"'=/!-] ax", min_size=1))
@example(name=HOSTILE)
@example(name='" onload="alert(1)')
def test_any_text_leaves_the_page_whole(tmp_path_factory, examples, name):
    from threefold.reporting.page import render_page

    record = examples.make_record(options={name: name}, versions={name: name})
    curves = {"file": "curves.png", "caption": name, "alt": name}
    section = {
        "examples": 1,
        "metrics": {"by_class": {name: {"f1": 0.5}}},
        "summary_metrics": [],
        "figures": [curves],
        "remarks": [name],
        "mistakes": {"caption": name, "header": [name], "rows": [[name]]},
    }
    images = {"curves.png": encode(np.zeros((2, 3, 1), np.uint8))}
    page = render_page(name, record, [name], [curves], {name: section}, images)
    path = tmp_path_factory.getbasetemp() / "any.html"
    path.write_text(page, encoding="utf-8", errors="replace")
    read = Page(path)
    assert {attribute for attribute, _ in read.attributes} <= ATTRIBUTES
    assert read.tags <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "div", "figure",
        "figcaption", "img", "table", "thead", "tbody", "tr", "th", "td", "pre", "dl", "dt", "dd",
    }  # fmt: skip


def test_no_mistakes_are_said(tmp_path, examples):
    page = write(tmp_path, examples, [cats(examples, predicted=(0, 1, 0, 1))])
    assert page.text.count("No mistakes: all 4 examples are answered right.") == 1
    assert not (tmp_path / "test_worst_mistakes.png").exists()


def test_a_further_split_joins_the_page(tmp_path, examples):
    write(tmp_path, examples, [cats(examples, split="validation"), cats(examples)])
    page = write(tmp_path, examples, [cats(examples, (0, 1, 0, 1), split="train")])
    assert ["", "train", "validation", "test"] in page.rows
    assert ["accuracy", "1.0000", "0.7500", "0.7500"] in page.rows
    assert len(page.images) == 9


def test_a_split_judged_again_replaces_itself(tmp_path, examples):
    write(tmp_path, examples, [cats(examples)])
    page = write(tmp_path, examples, [cats(examples, (0, 1, 0, 1))])
    assert ["accuracy", "1.0000"] in page.rows
    assert not (tmp_path / "test_worst_mistakes.png").exists()
    assert "worst mistakes" not in " ".join(image["alt"].lower() for image in page.images)


@pytest.mark.parametrize("change", [{"title": "cnn on other"}, {"history": []}, {"device": "gpu"}])
def test_splits_of_other_weights_or_data_are_dropped(tmp_path, examples, change):
    write(tmp_path, examples, [brief(examples, "validation"), brief(examples)])
    page = write(tmp_path, examples, [brief(examples)], **change)
    assert ["", "test"] in page.rows
    assert not list(tmp_path.glob("validation_*"))


def test_history_read_back_from_a_file_is_the_same_history(tmp_path, examples):
    history = examples.make_history(3)
    write(tmp_path, examples, [brief(examples, "validation")], history=history)
    read = [{name: float(repr(value)) for name, value in row.items()} for row in history]
    page = write(tmp_path, examples, [brief(examples)], history=read)
    assert ["", "validation", "test"] in page.rows


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"key": 1}', '{"key": 1, "sections": 3}'])
def test_a_damaged_memory_is_forgotten(tmp_path, examples, content):
    write(tmp_path, examples, [brief(examples, "validation")])
    (tmp_path / "report.json").write_text(content)
    page = write(tmp_path, examples, [brief(examples)])
    assert ["", "test"] in page.rows


def test_a_figure_that_was_removed_takes_its_split_along(tmp_path, examples):
    write(tmp_path, examples, [brief(examples, "validation")])
    (tmp_path / "validation_reliability.png").unlink()
    page = write(tmp_path, examples, [brief(examples)])
    assert ["", "test"] in page.rows


def test_a_report_without_epochs_or_splits(tmp_path, examples):
    page = write(tmp_path, examples, [], history=[])
    assert page.images == [] and "How the run was made" in page.text


def test_a_full_disk_keeps_the_old_page(tmp_path, examples, monkeypatch):
    write(tmp_path, examples, [cats(examples)])
    before = (tmp_path / "index.html").read_bytes()
    replace, calls = os.replace, []

    for allowed in (0, 4, 5):  # an image, the memory, the page
        calls.clear()

        def fail(source, target, allowed=allowed):
            calls.append(target)
            if len(calls) > allowed:
                raise OSError(28, "No space left on device")
            replace(source, target)

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(Failure, match="cannot write .*: No space left on device"):
            write(tmp_path, examples, [cats(examples, (0, 0, 1, 1))])
        assert (tmp_path / "index.html").read_bytes() == before
        assert not list(tmp_path.glob(".*"))


FACTS = TableFacts(
    numeric=(NumericColumn(name="size <cm>", mean=0, scale=1),),
    dates=(DateColumn(name="seen", mean=0, scale=1),),
    categorical=(CategoricalColumn(name="colour", vocabulary=("red", "green")),),
    target_name="kind",
    class_names=("cat", "dog"),
    class_counts=(1, 1),
)
ARRAYS = {
    "numeric": np.array([[1.25], [np.nan], [3e7]], np.float32),
    "dates": np.array([[0.0], [19874.5], [np.nan]], np.float32),
    "categorical": np.array([[1], [2], [0]], np.int32),
}


def test_mistakes_on_rows_are_told_in_the_words_of_the_table(tmp_path, examples):
    evaluation = examples.classify_rows(FACTS, ARRAYS, [0, 1, 0], [1, 0, 1], [0.6, 0.9, 0.75])
    page = write(tmp_path, examples, [evaluation])
    start = page.rows.index(["true", "predicted", "probability", "size <cm>", "seen", "colour"])
    assert page.rows[start + 1 : start + 4] == [
        ["dog", "cat", "0.900", "", "2024-05-31 12:00", "green"],
        ["cat", "dog", "0.750", "3e+07", "", "(missing or another word)"],
        ["cat", "dog", "0.600", "1.25", "1970-01-01", "red"],
    ]
    assert "All mistakes, the worst first." in page.text


def test_errors_on_rows_are_told_with_both_numbers(tmp_path, examples):
    target = NumericTarget(name="price", mean=0.0, scale=10.0)
    facts = FACTS.model_copy(update={"class_names": (), "targets": (target,)})
    evaluation = examples.measure_rows(facts, ARRAYS, [[1], [2], [3]], [[1], [12.5], [4]])
    page = write(tmp_path, examples, [evaluation], task="tabular_regression")
    start = page.rows.index(["true price", "predicted price", "size <cm>", "seen", "colour"])
    assert [row[:2] for row in page.rows[start + 1 : start + 3]] == [["2", "12.5"], ["3", "4"]]


def test_a_wide_table_shows_its_first_columns(tmp_path, examples):
    columns = tuple(NumericColumn(name=f"n{i}", mean=0, scale=1) for i in range(1000))
    facts = FACTS.model_copy(update={"numeric": columns, "dates": (), "categorical": ()})
    arrays = {"numeric": np.ones((2, 1000), np.float32)}
    evaluation = examples.classify_rows(facts, arrays, [0, 1], [1, 1], [0.6, 0.9])
    page = write(tmp_path, examples, [evaluation])
    assert "with the first 40 of 1,000 columns" in page.text
    assert max(map(len, page.rows)) == 43


def test_the_command_repeats_the_run(examples):
    from threefold.cli import fit

    record = examples.make_record(init="runs/first one")
    words = shlex.split(repeat_command(record))
    assert words[:2] == ["threefold", "fit"]
    given = fit.make_context("fit", words[2:]).params
    assert given["blueprint"] == "cnn" and given["task"] == "image_classification"
    assert given["dataset"] == "./my photos" and given["data_options"] == (("image_size", "32"),)
    assert given["options"] == (
        ("filters", "32,64"), ("dropout", "0.3"), ("dense_units", ""),
    )  # fmt: skip
    assert given["backend"] == "jax" and given["init"] == "runs/first one"
    chosen = {
        name: given[name] for name in TrainingSettings.model_fields if given[name] is not None
    }
    settings = TrainingSettings.parse(chosen)
    assert settings.model_dump(mode="json") == record["settings"]


def test_the_memory_is_plain_json(tmp_path, examples):
    write(tmp_path, examples, [cats(examples)])
    kept = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert kept["sections"]["test"]["metrics"]["accuracy"] == 0.75
    assert re.fullmatch("[0-9a-f]{64}", kept["key"])
