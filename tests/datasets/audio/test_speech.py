"""Recordings of a user's own: every kind of file and of transcript, and every mistake in them."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import RATE, cut, damage, record, record_ten, tone
from refusals import refused

from threefold.core.errors import UserError
from threefold.datasets import loading
from threefold.datasets.audio import speech
from threefold.datasets.audio.audio_files import read_header, read_sound
from threefold.datasets.audio.transcripts import find_transcripts, tidy
from threefold.datasets.facts import SpeechFacts


@pytest.fixture
def folder(tmp_path) -> Path:
    """Ten recordings with transcripts alongside them."""
    return record_ten(tmp_path)


def load(path, **options):
    return loading.load(str(path), options)


def texts_of(dataset) -> dict[str, int]:
    """Every transcript, as its symbols spell it, and the samples of its recording."""
    letters = [*dataset.facts.alphabet, "?"]
    found = {}
    for source in dataset.splits.values():
        examples = source[np.arange(len(source))]
        for symbols, samples in zip(examples["symbols"], examples["samples"], strict=True):
            found["".join(letters[symbol - 1] for symbol in symbols)] = len(samples)
    return found


def only_note(dataset, word: str) -> str:
    (note,) = [note for note in dataset.notes if word in note]
    return note


def test_a_folder_of_recordings_is_known_by_its_files(folder):
    dataset = loading.load(str(folder))
    assert dataset.task == "speech_recognition"
    facts = dataset.facts
    assert (facts.rate, facts.max_length, facts.max_transcript_length) == (RATE, 3920, 4)
    assert facts.alphabet == ("0", "1")
    assert {name: len(source) for name, source in dataset.splits.items()} == {
        "train": 7, "validation": 2, "test": 1,
    }  # fmt: skip
    samples = dataset.splits["train"][np.arange(7)]["samples"]
    assert all(found.dtype == np.float32 and found.max() == pytest.approx(0.5, abs=0.01)
               for found in samples)  # fmt: skip
    lengths = dataset.splits["train"].lengths
    assert lengths.tolist() == [len(found) for found in samples]
    assert len(texts_of(dataset)) == 10
    only_note(dataset, "no validation or test split")


def test_nothing_is_decoded_before_it_is_asked_for(folder, monkeypatch):
    dataset = load(folder)
    read = []
    monkeypatch.setattr(speech, "read_sounds", lambda paths, rate: read.extend(paths))
    dataset.splits["train"][np.array([1, 2])]
    assert len(read) == 2


TABLES = {
    "transcripts.tsv": 'file\ttext\na.wav\tone\nsub/b.wav\tsay "two"\n',
    "transcripts.csv": 'text,file\none,a.wav\n"say ""two""",sub/b.wav\n',
    "metadata.csv": 'a|one|one\nb|say "two"|2\n',  # LJ Speech's
    "metadata.tsv": 'client_id\tpath\tsentence\n1\ta\tone\n1\tsub/b\tsay "two"\n',
    "sub/metadata.csv": 'file_name,transcription\n../a.wav,one\nb.wav,"say ""two"""\n',
    "1-2.trans.txt": 'a one\nb say "two"\n',  # LibriSpeech's
}


@pytest.mark.parametrize("name", TABLES)
def test_transcripts_are_read_from_every_kind_of_table(tmp_path, name):
    names = ["a.wav", "sub/b.wav"]
    for recording in names:
        record(tmp_path / recording)
    (tmp_path / name).write_text(TABLES[name], encoding="utf-8-sig")
    found = find_transcripts(tmp_path, names)
    assert found.texts == {"a.wav": "one", "sub/b.wav": 'say "two"'}
    assert found.notes == []


def test_names_with_dots_are_found_with_and_without_a_suffix(tmp_path):
    names = ["v1.a.wav", "v1.b.flac"]
    for recording in names:
        record(tmp_path / recording)
    (tmp_path / "transcripts.tsv").write_text("file\ttext\nv1.a\tx\nv1.b.flac\ty\n")
    assert find_transcripts(tmp_path, names).texts == {"v1.a.wav": "x", "v1.b.flac": "y"}


def test_transcripts_and_recordings_without_each_other_are_left_out_and_said(folder):
    (folder / "3.wav").unlink()
    (folder / "5.txt").unlink()
    dataset = load(folder)
    assert len(texts_of(dataset)) == 8
    assert "1 text file has no recording" in only_note(dataset, "'3.txt'")
    assert "1 recording has no transcript" in only_note(dataset, "'5.wav'")


def test_a_line_without_a_recording_is_said_with_its_place(tmp_path):
    record(tmp_path / "a.wav")
    (tmp_path / "transcripts.csv").write_text("file,text\na.wav,one\nzz.wav,two\nyy.wav,x\n")
    (note,) = find_transcripts(tmp_path, ["a.wav"]).notes
    assert "2 transcripts have no recording, such as 'zz.wav'" in note
    assert "transcripts.csv line 3" in note


@pytest.mark.parametrize(
    ("name", "content", "explicit"),
    [
        ("transcripts.csv", "file,text\na.wav,x\na,y\n", "line 3: 'a.wav' .* already in line 2"),
        ("transcripts.csv", "file,text\na.wav\n", "line 2: expected at least 2 cells, got 1"),
        ("transcripts.tsv", "file,text\na.wav,x\n", "column of files .* got file,text"),
        ("transcripts.tsv", "", "expected a column of files"),
        ("metadata.csv", "name,words\na.wav,x\n", "one of texts .* got name, words"),
        ("a.txt", b"caf\xe9", r"a\.txt line 1.*UTF-8"),
        ("x.trans.txt", b"a caf\xe9", r"x\.trans\.txt line 1.*UTF-8"),
    ],
)  # fmt: skip
def test_transcripts_that_cannot_be_read_are_refused_with_their_place(
    tmp_path, name, content, explicit
):
    record(tmp_path / "a.wav")
    content = content.encode() if isinstance(content, str) else content
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=explicit):
        load(tmp_path)


@pytest.mark.parametrize(
    ("count", "explicit"), [(0, "holds no recordings"), (2, "none of the 2 rec")]
)
def test_a_folder_without_recordings_or_transcripts_is_refused(tmp_path, count, explicit):
    for number in range(count):
        record(tmp_path / f"{number}.wav")
    with pytest.raises(UserError, match=explicit):
        loading.load(str(tmp_path), task="speech_recognition")


def test_a_file_is_no_folder_of_recordings(folder):
    with pytest.raises(UserError, match="is no folder; expected one of recordings"):
        loading.load(str(folder / "1.wav"), task="speech_recognition")


def test_empty_transcripts_are_kept_and_said(folder):
    (folder / "2.txt").write_text(" \n")
    dataset = load(folder)
    assert "" in texts_of(dataset)
    assert "1 transcript is empty, such as that of '2.wav'" in only_note(dataset, "nothing is said")


def test_nothing_but_empty_transcripts_is_refused(folder):
    for path in folder.glob("*.txt"):
        path.write_text("")
    with pytest.raises(UserError, match="are empty"):
        load(folder)


KINDS = {
    "8-bit.wav": "PCM_U8",
    "16-bit.wav": "PCM_16",
    "24-bit.wav": "PCM_24",
    "32-bit.wav": "PCM_32",
    "float.wav": "FLOAT",
    "double.wav": "DOUBLE",
    "a.flac": None,
    "a.ogg": None,
    "a.aiff": None,
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_the_same_samples(tmp_path, name):
    path = record(tmp_path / name, tone(), subtype=KINDS[name])
    found = read_sound(str(path), RATE)
    loose = name in ("8-bit.wav", "a.ogg")
    np.testing.assert_allclose(found, tone(), atol=0.06 if loose else 1e-4)
    assert read_header(str(path))[1:] == (800, 1, False)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=50))
def test_samples_come_back_as_they_were_written(tmp_path_factory, values):
    samples = np.array(values, np.float32) / 32768
    path = record(tmp_path_factory.getbasetemp() / "written.wav", samples)
    np.testing.assert_array_equal(read_sound(str(path), RATE), samples)


@pytest.mark.parametrize("rate", [16_000, 11_025, 44_100, 4000])
def test_another_rate_is_resampled_and_said(folder, rate):
    record(folder / "0.wav", tone(0.5, rate), rate)
    dataset = load(folder)
    assert dataset.facts.rate == RATE  # that of most
    assert texts_of(dataset)["0000"] == 4000
    assert f"1 of 10 recordings are of {rate:,} Hz" in only_note(dataset, "resampled to 8,000 Hz")
    found = read_sound(str(folder / "0.wav"), RATE)
    np.testing.assert_allclose(found[400:-400], tone(0.5)[400:-400], atol=0.01)


def test_the_rate_can_be_told(folder):
    dataset = load(folder, rate="4000")
    assert (dataset.facts.rate, dataset.facts.max_length) == (4000, 1960)
    assert "10 of 10" in only_note(dataset, "resampled to 4,000 Hz")


def test_stereo_is_mixed_and_said(folder):
    left, right = tone(), tone(pitch=900.0)
    record(folder / "0.wav", np.stack([left, right], axis=1))
    assert "1 of 10" in only_note(load(folder), "several channels")
    found = read_sound(str(folder / "0.wav"), RATE)
    np.testing.assert_allclose(found, (left + right) / 2, atol=1e-4)


def test_silence_is_kept_and_said(folder):
    late = np.zeros(90_000, np.float32)
    late[-10] = 0.2
    record(folder / "0.wav", np.zeros(900, np.float32))
    record(folder / "1.wav", late)
    dataset = load(folder)
    assert "in 1 of 10 recordings, such as '0.wav': kept" in only_note(dataset, "nothing sounds")
    assert texts_of(dataset)["0000"] == 900


BAD = {
    "truncated": r"0\.wav is truncated: 4,\d\d\d of 6,400 bytes of sound are there",
    "no sound": r"cannot read .*0\.wav as sound: format not recognised",
    "empty": r"cannot read .*0\.wav as sound",
    "no samples": r"0\.wav holds no samples",
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_file_is_refused_or_left_out(folder, how):
    damage(folder / "0.wav", how)
    with refused(BAD[how] + ".*skip_bad=true"):
        load(folder)
    dataset = load(folder, skip_bad="true")
    assert len(texts_of(dataset)) == 9
    assert re.search(BAD[how], only_note(dataset, "1 of 10 files"))


def test_a_folder_of_nothing_but_bad_files_is_refused(folder):
    for path in folder.glob("*.wav"):
        damage(path, "no sound")
    with pytest.raises(UserError, match="nor is any other recording"):
        load(folder, skip_bad="true")


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_truncated_file_of_another_kind_is_found_out(tmp_path, suffix):
    noise = np.random.default_rng(0).normal(0, 0.1, 40_000).astype(np.float32)
    path = record(tmp_path / f"a.{suffix}", noise, 16_000)
    cut(path)
    with pytest.raises(UserError, match="is truncated: its end is missing"):
        read_header(str(path))


def test_a_stream_whose_length_was_not_known_is_read(tmp_path):
    path = record(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    assert read_header(str(path)).frames == 800


def test_values_that_are_no_numbers_are_refused(tmp_path):
    samples = tone()
    samples[7] = np.nan
    path = record(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(UserError, match="holds samples that are not numbers"):
        read_sound(str(path), RATE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("place", [0, 3000])
def test_values_that_are_no_numbers_are_found_when_the_folder_is_read(
    folder, value, subtype, place
):
    samples = tone(0.5).repeat(3)
    samples[[place, -1]] = value
    record(folder / "3.wav", samples, subtype=subtype)
    with refused(r"3\.wav holds samples that are not numbers, the first at .*skip_bad=true"):
        load(folder)
    dataset = load(folder, skip_bad="true")
    assert "left out: 1 of 10 files" in only_note(dataset, "left out")
    assert sum(map(len, dataset.splits.values())) == 9


def test_long_recordings_are_left_out_on_demand(folder):
    dataset = load(folder, max_length="0.45")
    assert max(texts_of(dataset).values()) == 3600
    assert "4 recordings" in only_note(dataset, "longer than 0.45 s")
    with pytest.raises(UserError, match="all recordings .* longer than 0.01 s"):
        load(folder, max_length="0.01")


def test_transcripts_are_brought_to_one_form(folder):
    (folder / "0.txt").write_text("  Cafe\u0301 \n  au  LAIT ", encoding="utf-8")
    assert "Café au LAIT" in texts_of(load(folder, validation_fraction="0", test_fraction="0"))
    assert "café au lait" in texts_of(
        load(folder, lowercase="true", validation_fraction="0", test_fraction="0")
    )


@given(st.text(), st.booleans())
def test_one_form_is_final(text, lowercase):
    once = tidy(text, lowercase=False)
    assert once == tidy(once, lowercase=False)
    assert "  " not in once and once == once.strip()
    assert tidy(text, lowercase=lowercase).casefold() == tidy(text, lowercase=True).casefold()


@pytest.mark.parametrize(
    "names", [("train", "dev", "test"), ("train-clean-100", "dev-clean", "test_other")]
)
def test_folders_of_splits_are_splits(tmp_path, names):
    for split, name in enumerate(names):
        for number in range(3 - split):
            record(tmp_path / name / "19" / f"{split}-{number}.flac")
        lines = [f"{split}-{number} A B" for number in range(3 - split)]
        (tmp_path / name / "19" / f"{split}.trans.txt").write_text("\n".join(lines))
    dataset = load(tmp_path)
    sizes = {name: len(source) for name, source in dataset.splits.items()}
    assert sizes == {"train": 3, "validation": 2, "test": 1}
    assert dataset.facts.alphabet == (" ", "A", "B")


def test_symbols_that_were_not_trained_on_are_said(tmp_path):
    for split, text in (("train", "ab"), ("validation", "abc"), ("test", "b")):
        record(tmp_path / split / "x.wav")
        (tmp_path / split / "x.txt").write_text(text)
    dataset = load(tmp_path)
    assert dataset.facts.alphabet == ("a", "b")
    assert "errors: 'c'" in only_note(dataset, "not in the transcripts that are trained on")
    assert dataset.splits["validation"][np.array([0])]["symbols"][0].tolist() == [1, 2, 3]


def test_a_transcript_that_nobody_can_have_spoken_is_said(folder):
    (folder / "4.txt").write_text("one hundred and eleven")
    assert "1 transcript has more than 25 symbols a second" in only_note(
        load(folder), "nobody speaks"
    )


def test_the_facts_of_a_run_rule(folder):
    (folder / "0.txt").write_text("AX")
    facts = SpeechFacts(rate=4000, max_length=9, alphabet=("a", "s", "y"), max_transcript_length=9)
    dataset = loading.load(str(folder), {}, facts=facts)
    assert dataset.facts == facts
    assert texts_of(dataset)["a?"] == 1600  # in small letters, as the run knows no others


def test_other_data_do_not_serve_a_run_on_recordings(folder):
    facts = loading.load("digits").facts
    with pytest.raises(
        UserError, match="holds recordings of up to 0.49 s .* was fitted on grayscale"
    ):
        loading.load(str(folder), facts=facts)


def test_the_fingerprint_changes_with_files_and_transcripts(folder):
    found = [load(folder).fingerprint]
    (folder / "1.txt").write_text("1")
    found.append(load(folder).fingerprint)
    record(folder / "2.wav", tone(0.3))
    found.append(load(folder).fingerprint)
    assert len(set(found)) == 3 and load(folder).fingerprint == found[-1]
