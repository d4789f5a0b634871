"""A file that is replaced is the old or the new one, never a part of either."""

import errno
import os

import pytest

from threefold.core.errors import Failure
from threefold.core.files import remove_parts, replace_file, to_file_name


def test_new_and_old_files_hold_what_was_given(tmp_path):
    replace_file(tmp_path / "a.json", b"first")
    replace_file(tmp_path / "a.json", b"second")
    assert (tmp_path / "a.json").read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to("target")
    replace_file(tmp_path / "link", b"content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"content"


@pytest.mark.parametrize("operation", ["fsync", "replace"])
def test_a_full_disk_names_the_path_and_keeps_the_old_file(tmp_path, monkeypatch, operation):
    path = tmp_path / "a.json"
    replace_file(path, b"old")

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, operation, full)
        with pytest.raises(Failure, match=f"cannot write {path}: No space left on device"):
            replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(Failure, match="no/a.json: No such file"):
        replace_file(tmp_path / "no" / "a.json", b"new")


def test_what_a_kill_leaves_is_removed_and_nothing_else(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(*args):
        raise Killed

    (tmp_path / ".mine.part").touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", kill)
        with pytest.raises(Killed):
            replace_file(tmp_path / "a.json", b"new")
    assert len(os.listdir(tmp_path)) == 2
    remove_parts(tmp_path)
    assert os.listdir(tmp_path) == [".mine.part"]


@pytest.mark.parametrize(
    "word", ["..", ".", "a/b", "/etc", "../../x", "a\\b", "C:x", "x\0y", ".git", "é" * 300, "a. ",
             "\udce9", "\x1b[31m"],
)  # fmt: skip
def test_a_word_of_data_names_a_file_in_the_folder_at_hand(tmp_path, word):
    path = tmp_path / to_file_name(word)
    replace_file(path, b"here")
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert path.resolve().parent == tmp_path.resolve() and path.name[0] != "."


def test_ordinary_words_name_themselves():
    for word in ("cat", "a b", "Köln", "漢字", "x.y", ""):
        assert to_file_name(word) == word
