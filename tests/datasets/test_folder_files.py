"""What a fit ignores in a folder, a prediction ignores too; nothing but files is opened."""

import io
import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from refusals import refusal_of

from threefold.core.errors import UserError
from threefold.datasets.facts import ImageFacts
from threefold.datasets.folder_files import visible_files, walk
from threefold.datasets.images.image_files import SUFFIXES
from threefold.datasets.inference_inputs import read_inputs
from threefold.datasets.loading import load

LEFT = ("._00.png", ".hidden.png", "Thumbs.db", "desktop.ini", ".DS_Store", "__MACOSX/00.png")
FACTS = ImageFacts(image_shape=(4, 4, 1), class_names=("cat", "dog"))


@pytest.fixture
def photos(in_tmp) -> Path:
    for number in range(10):
        for name in ("cat", "dog"):
            Path("photos", name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), 10 * number).save(f"photos/{name}/{number:02}.png")
    return Path("photos")


def count(dataset) -> int:
    return sum(len(split) for split in dataset.splits.values())


def names_read(*given, stdin=b"", facts=FACTS) -> tuple[list[str], list[str]]:
    parts = list(read_inputs(given, facts, io.BytesIO(stdin), 8))
    errors = [str(error) for part in parts for error in part.errors]
    return [name for part in parts for name in part.names], errors


@pytest.mark.parametrize("where", ["photos/cat", "photos/cat/deep"])
def test_a_prediction_ignores_what_a_fit_ignores(photos, where):
    for name in LEFT:
        path = Path(where, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no image")
    dataset = load("photos")
    assert count(dataset) == 20
    assert dataset.notes[0] == "ignored as hidden or no images: 5 hidden"
    read, errors = names_read("photos")
    assert (len(read), errors) == (20, [])


def test_what_an_archive_of_a_mac_leaves_is_no_class(photos):
    shutil.copytree("photos/cat", "photos/__MACOSX")
    assert load("photos").facts.class_names == ("cat", "dog")
    assert len(names_read("photos")[0]) == 20


def test_formats_that_are_not_read_are_counted(photos):
    for number in range(3):
        Path(f"photos/cat/{number}.HEIC").write_bytes(b"x")
    Path("photos/dog/a.psd").write_bytes(b"x")
    Path("photos/dog/notes.txt").write_text("x")
    assert load("photos").notes[:2] == [
        "3 .heic, 1 .psd: not read; convert them to one of the kinds that are",
        "ignored as hidden or no images: 1 .txt",
    ]


def test_a_prediction_says_what_it_does_not_read(photos):
    for number in range(3):
        Path(f"photos/cat/{number}.HEIC").write_bytes(b"x")
    read, errors = names_read("photos")
    assert len(read) == 20
    assert errors == ["photos: 3 .heic: not read; convert them to one of the kinds that are"]


def test_a_folder_of_images_that_are_not_read_says_so(in_tmp):
    for name in ("cat", "dog"):
        Path("photos", name).mkdir(parents=True)
        Path(f"photos/{name}/a.heic").write_bytes(b"x")
    assert "2 .heic: not read; convert them" in refusal_of(lambda: load("photos"))
    assert "2 .heic" in refusal_of(lambda: names_read("photos"))


@pytest.mark.parametrize("kind", ["pipe", "socket", "link", "device", "loop"])
def test_what_is_no_file_is_counted_and_not_opened(photos, kind):
    place = Path("photos/cat/p.png")
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(place))
        server.close()
    else:
        target = {"link": "nowhere.png", "device": "/dev/zero", "loop": "p.png"}[kind]
        place.symlink_to(target)
    dataset = load("photos", {"skip_bad": "true"})
    assert count(dataset) == 20
    assert dataset.notes[0].startswith("1 not a file (a pipe, a socket or a dangling link)")
    assert len(names_read("photos")[0]) == 20


def test_texts_and_recordings_are_not_waited_for(in_tmp):
    for number in range(20):
        for name in ("good", "bad"):
            Path("texts", name).mkdir(parents=True, exist_ok=True)
            Path(f"texts/{name}/{number}.txt").write_text(f"{name} words {number} " * 30)
        Path("sounds").mkdir(exist_ok=True)
        soundfile.write(f"sounds/{number}.wav", np.zeros(800), 8000)
        Path(f"sounds/{number}.txt").write_text("one two")
    for place in ("texts/good/p.txt", "sounds/p.wav", "sounds/p.txt", "sounds/transcripts.csv"):
        os.mkfifo(place)
    texts = load("texts", task="text_classification")
    assert count(texts) == 40 and "1 not a file" in texts.notes[0]
    assert "1 not a file" in load("texts", task="text_generation").notes[0]
    sounds = load("sounds")
    assert count(sounds) == 20 and "1 not a file" in sounds.notes[0]


@pytest.mark.parametrize("name", ["p.csv", "p.txt", "p.png", "p", "p.jsonl", "p.wav", "p.ts"])
def test_a_pipe_for_a_dataset_is_refused(in_tmp, name):
    os.mkfifo(name)
    assert refusal_of(lambda: load(name)) == (
        f"'{name}' is a named pipe, not a file; write what it gives to a file first"
    )
    assert "is a named pipe" in refusal_of(lambda: names_read(name))


def test_a_device_for_a_dataset_is_refused():
    assert "'/dev/null' is a device" in refusal_of(lambda: load("/dev/null"))


def test_a_pipe_among_the_paths_of_standard_input_is_an_error_of_its_own(photos):
    os.mkfifo("p.png")
    read, errors = names_read("-", stdin=b"p.png\nphotos/cat/00.png\n")
    assert read == ["photos/cat/00.png"]
    assert len(errors) == 1 and "'p.png' is a named pipe" in errors[0]


def test_both_ways_to_list_a_folder_agree(photos):
    for name in LEFT:
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    found = {str(path.relative_to(photos)) for path in visible_files(photos)}
    assert found == set(walk(photos, SUFFIXES).names)


def test_a_folder_that_cannot_be_read_is_named(in_tmp):
    with pytest.raises(UserError, match="cannot read folder 'none'"):
        walk(Path("none"), SUFFIXES)
