"""Text of data that would steer a terminal or a page."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threefold.core.visible import to_json, visible

STEERING = ["\x1b[31m", "\x1b]0;title\x07", "\x9b1m", "\u202eabc", "\u2066", "\r", "\x7f", "\b"]


@pytest.mark.parametrize("text", STEERING)
def test_what_steers_a_terminal_is_written_out(text):
    found = visible(f"a{text}b")
    assert found.isprintable() and found.startswith("a\\") and found.endswith("b")


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"])))
def test_letters_of_every_script_stay_as_they_are(text):
    assert visible(text) == text and visible("a\n\tb") == "a\n\tb"


@given(st.text(st.characters()) | st.sampled_from(STEERING))
def test_json_is_utf_8_and_says_the_same(text):
    written = to_json({text: [text]})
    assert json.loads(written.encode().decode()) == {text: [text]}
    assert visible(written) == written


def test_a_file_name_that_is_no_utf_8_can_be_printed():
    name = os.fsdecode(b"caf\xe9.png")
    assert visible(name) == r"caf\udce9.png"
    assert json.loads(to_json([name]).encode()) == [name]
