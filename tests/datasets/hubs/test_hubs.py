"""Where sets of `hf:` and `tfds:` are found, and what is said where they are not."""

import io
import shutil

import datasets as hf
import pytest
from refusals import refused

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.hubs.tfds import _prepare

hf.disable_progress_bars()


@pytest.fixture
def cache(tmp_path):
    """Lay a public set of Hugging Face into a folder, as if it had been downloaded."""
    rows = {"text": [f"a text of number {i}" for i in range(30)], "label": [0, 1, 2] * 10}
    (tmp_path / "files").mkdir()
    hf.Dataset.from_dict(rows).to_parquet(tmp_path / "files" / "train.parquet")
    hf.load_dataset(str(tmp_path / "files"), cache_dir=tmp_path / "made")
    (made,) = (tmp_path / "made" / "files").iterdir()
    for config in ("default", "short"):
        copy = shutil.copytree(made, tmp_path / "cache" / "someone___films" / config)
        for arrow in copy.rglob("files-*.arrow"):
            arrow.rename(arrow.with_name(arrow.name.replace("files-", "films-")))
    return str(tmp_path / "cache")


def test_a_cache_can_lie_elsewhere(cache):
    dataset = loading.load("hf:someone/films:default", {"data_dir": cache})
    assert dataset.task == "text_classification"
    assert dataset.facts.class_names == ("0", "1", "2")
    with pytest.raises(UserError, match="'hf:other/films' is not in .*cache; download it with -d"):
        loading.load("hf:other/films", {"data_dir": cache})


NOT_THERE = {
    "hf:someone/films:defalt": "'hf:someone/films' has no config 'defalt'; did you mean 'def",
    "hf:someone/films:german": "'hf:someone/films' has no config 'german'; there are: def",
    "tfds:glue/ssst2": "'tfds:glue' has no config 'ssst2'; did you mean 'sst2'",
    "tfds:imdb_reviews": "'tfds:imdb_reviews' is not prepared in .*; prepare it online with",
}


@pytest.mark.parametrize("name", NOT_THERE)
def test_a_config_that_is_not_there_is_one_line(cache, name):
    with refused(NOT_THERE[name]):
        loading.load(name, {"data_dir": cache}, task="text_classification")


def test_several_configs_are_told_apart_by_name(monkeypatch):
    def refuse(*args, **kwargs):
        raise ValueError(
            "Config name is missing.\nPlease pick one among the available configs: ['de', 'en']"
            "\nExample of usage:\n\t`load_dataset('wiki', 'de')`"
        )

    monkeypatch.setattr(hf, "load_dataset", refuse)
    with pytest.raises(UserError, match="'hf:wiki' has several configs; .* hf:wiki:de; .*: de, en"):
        loading.load("hf:wiki")


def test_what_a_library_prints_while_it_downloads_is_no_result(monkeypatch, capsys):
    class Builder:
        def download_and_prepare(self):
            print("Downloading")

    monkeypatch.setattr(
        "threefold.datasets.hubs.tfds.urlopen", lambda *args, **kwargs: io.BytesIO()
    )
    _prepare(Builder(), "films")
    assert capsys.readouterr() == ("", "Downloading\n")


@pytest.mark.parametrize("reference", ["hf:x", "tfds:x"])
def test_options_are_those_of_texts_too(reference):
    options = loading.loader_options(loading.find_loader(reference)[0])
    assert {"text", "label", "source", "target", "tokens", "tags", "max_tokens"} <= set(options)
    assert {"library", "name", "task", "facts"}.isdisjoint(options)
    assert all(option.help for option in options.values())
