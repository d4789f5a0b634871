import io
import shlex

import pytest
from rich.console import Console

from threefold.reporting.catalogue import catalogue_tables, description_tables, doctor_tables
from threefold.training.inspection.description import catalogue


def printed(page, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(page, crop=False)
    return console.file.getvalue()


def fits(text, width=80):
    return all(len(line) <= width for line in text.splitlines())


def layer(name, kind="Conv2D", shape=(112, 112, 64), parameters=0, field=(35, 35, 4)):
    height, width, step = field or (0, 0, 0)
    stride = [step, step] if step else None
    known = {"height": height, "width": width, "stride": stride} if field else None
    return {
        "name": name, "type": kind, "output_shape": list(shape), "parameters": parameters,
        "receptive_field": known,
    }  # fmt: skip


@pytest.fixture
def blueprint():
    option = {
        "name": "filters", "type": "whole numbers from 1, with commas between", "choices": [],
        "default": (32, 64), "value": (32, 64), "help": "Filters of each [bold] stage.",
    }  # fmt: skip
    return {
        "blueprint": "net",
        "command": "threefold fit net --dataset '" + "long folder/" * 12 + "'",
        "summary": "A network.",
        "about": "Choose it when\nnothing else serves.",
        "tasks": ["image_classification"],
        "task": "image_classification",
        "dataset": "digits",
        "data": "grayscale images",
        "signature": "build(image_shape, filters=(32, 64))",
        "arguments": [{"name": "image_shape", "value": (8, 8, 1), "help": "Height, width."}],
        "options": [option],
        "training": {"epochs": 30, "augment": ["flip", "shift"]},
        "recipes": {"paper": {"options": {"filters": (8,)}, "settings": {"warmup": 0.1}}},
        "layers": [
            layer("stage_3_block_12_activation_1", "BatchNormalization", parameters=2_359_296),
            layer("pool", "GlobalAveragePooling2D", (512,), field=(224, 224, 0)),
            layer("odd", field=None),
        ],
        "parameters": 2_359_296,
        "trainable_parameters": 2_000_000,
        "megabytes": 9.437184,
        "notes": ["without the fused kernel of a GPU: recurrent_1; why"],
    }


@pytest.fixture
def run():
    return {
        "run": "runs/net-digits-001",
        "command": "threefold fit net " + "-o option=value " * 12,
        "blueprint": "net",
        "task": "image_classification",
        "options": {"filters": [32, 64], "dense_units": []},
        "settings": {"epochs": 30, "clip_norm": None},
        "dataset": {"reference": "./[photos]", "sizes": {"train": 1200}, "notes": ["guessed"]},
        "data": "grayscale images",
        "backend": "jax",
        "device": "cpu",
        "versions": {"jax": "0.10.1"},
        "created": "2026-01-01T00:00:00+00:00",
        "status": "finished",
        "epochs_done": 12,
        "epochs": 30,
        "best_epoch": 9,
        "metrics": {"test": {"accuracy": 0.9876}},
        "report": "runs/net-digits-001/report/index.html",
    }


@pytest.fixture
def machine():
    works = {"installed": True, "version": "2.1", "works": True, "devices": ["gpu: H200", "cpu"],
             "error": None}  # fmt: skip
    gone = works | {"installed": False, "version": None, "works": False, "devices": []}
    return {
        "threefold": "0.1.0",
        "python": "3.11.7",
        "keras": "3.15.1",
        "platform": "Linux",
        "chosen": {"backend": "torch", "by": "KERAS_BACKEND"},
        "healthy": False,
        "backends": {"jax": works, "torch": gone, "tensorflow": works | {"works": False}},
        "extras": {
            "torch": {"for": "the backend torch", "installed": False,
                      "install": "pip install 'threefold[torch]'"},
        },
        "machine": {"cores": 2, "memory_gb": 25.3, "folder": "/tmp", "folder_writable": True,
                    "disk_free_gb": 80.2},
        "problems": ["torch is chosen but not installed: pip install 'threefold[torch]'"],
    }  # fmt: skip


def test_the_list_fits_a_narrow_terminal_and_leaves_nothing_out():
    found = catalogue()
    text = printed(catalogue_tables(found))
    assert fits(text) and "…" not in text
    words = text.split()
    for name, one in (*found["blueprints"].items(), *found["datasets"].items()):
        assert name in words
        assert all(part in words for part in one["summary"].split())


def test_every_task_stands_beside_its_default_data():
    lines = printed(catalogue_tables(catalogue())).splitlines()
    assert ["image_regression", "digit_angles"] in [line.split() for line in lines]


def test_a_blueprint_says_what_it_takes_and_what_it_draws(blueprint):
    text = printed(description_tables(blueprint))
    assert "Choose it when nothing else serves." in text
    assert "32,64" in text and "not 32,64" not in text
    assert "Filters of each [bold] stage." in text  # a docstring is no markup
    assert "flip,shift" in text
    assert "2,359,296 parameters, 2,000,000 of them trainable; about 9.4 MB" in text
    assert blueprint["notes"][0] in text


def test_an_option_that_was_changed_shows_its_default_too(blueprint):
    blueprint["options"][0]["value"] = ()
    text = printed(description_tables(blueprint))
    assert "(empty)" in text and "not 32,64" in text


def test_layers_keep_their_whole_names_in_a_narrow_terminal(blueprint):
    text = printed(description_tables(blueprint))
    rows = [line.split() for line in text.splitlines()]
    [row] = [row for row in rows if row[:1] == ["stage_3_block_12_activation_1"]]
    assert row[-4:] == ["112×112×64", "35×35", "4", "2,359,296"]
    [pool] = [row for row in rows if row[:1] == ["pool"]]
    assert pool[-3:] == ["512", "224×224", "all"]
    [odd] = [row for row in rows if row[:1] == ["odd"]]
    assert odd[-1] == "?"
    rest = [line for line in text.splitlines() if not line.startswith("threefold fit")]
    assert fits("\n".join(rest)) and "…" not in text


def test_a_network_without_images_shows_no_fields(blueprint):
    blueprint["layers"] = [layer("dense", "Dense", (3,), 12, field=None)]
    text = printed(description_tables(blueprint))
    assert "field" not in text and "?" not in text


def test_a_command_stays_in_one_line_to_be_copied(blueprint, run):
    for described in (blueprint, run):
        assert described["command"] in printed(description_tables(described))
    assert shlex.split(blueprint["command"])[-1].endswith("/")


def test_a_run_says_how_it_went_and_what_to_type_next(run):
    text = printed(description_tables(run))
    assert "runs/net-digits-001: finished" in text
    assert "12 of 30 epochs, the best is epoch 9" in text
    assert "./[photos]: grayscale images; 1,200 train" in text and "guessed" in text
    assert "0.9876" in text and "dense_units (empty)" in text
    assert "clip_norm" not in text  # it was off
    assert "threefold predict runs/net-digits-001" in text and "--resume" not in text


def test_a_cut_run_says_how_to_go_on(run):
    run |= {"status": "cut", "epochs_done": 0, "best_epoch": None, "metrics": {}, "report": None}
    text = printed(description_tables(run))
    assert "threefold fit --resume runs/net-digits-001" in text
    assert "0 of 30 epochs" in text and "best" not in text and "evaluate" not in text
    assert "--resume" not in printed(description_tables(run | {"status": "running"}))


def test_the_doctor_says_what_works_and_what_to_install(machine):
    text = printed(doctor_tables(machine))
    assert fits(text)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "jax 2.1 works gpu: H200, cpu" in lines
    assert "torch not installed" in lines
    assert "tensorflow 2.1 does not work gpu: H200, cpu" in lines
    assert "torch the backend torch pip install 'threefold[torch]'" in lines
    assert "! torch is chosen but not installed: pip install 'threefold[torch]'" in lines
    assert "nothing is amiss" in printed(doctor_tables(machine | {"problems": []}))


def test_wide_terminals_do_not_make_long_lines(blueprint):
    blueprint["about"] = "word " * 100
    lines = printed(description_tables(blueprint), width=300).splitlines()
    assert all(len(line) <= 100 for line in lines if not line.startswith("threefold fit"))
