"""Texts of `hf:` and `tfds:` from the command line: fitted, evaluated, asked, gone on with."""

import json

import pytest
from compiled_once import CompiledOnce
from resuming import cut_at
from small_hubs import REVIEWS, reviews, save

pytestmark = pytest.mark.once


@pytest.mark.parametrize("library", ["hf", "tfds"])
def test_texts_of_a_library_go_all_the_way(library, run_cli, in_tmp, monkeypatch, capsys):
    CompiledOnce().stand_in(monkeypatch)
    reference, options = save(library, in_tmp, REVIEWS, train=reviews(40), test=reviews(8, 40))
    capsys.readouterr()  # what TFDS prints while it prepares
    explicit = [word for name, value in options.items() for word in ("-d", f"{name}={value}")]
    fit = ["fit", "rnn", "--dataset", reference, *explicit, "-o", "units=4", "-d", "max_tokens=12",
           "--epochs", "2", "--batch-size", "8"]  # fmt: skip
    code, out, err = run_cli(*fit, "--run", "whole", "--json")
    assert code == 0, err
    assert "predicts label (2 classes) of sentence: 34 train, 6 validation, 8 test" in err
    assert json.loads(out)["metrics"]["test"]["accuracy"] >= 0
    with monkeypatch.context() as patch:
        cut_at(patch, epoch=1, step=2)
        assert run_cli(*fit, "--run", "cut")[0] == 143
    code, out, err = run_cli("fit", "--resume", "cut")
    assert code == 0, err
    assert (in_tmp / "cut/history.csv").read_text() == (in_tmp / "whole/history.csv").read_text()
    code, out, err = run_cli("evaluate", "cut", "--split", "test", "--json")
    assert code == 0, err
    code, out, err = run_cli("predict", "cut", "-", "--json", stdin=b"a good film\na zebra\n")
    assert code == 0, err
    assert {found["label"] for found in json.loads(out)["predictions"]} <= {"bad", "good"}
