import importlib.util
import json
import re

import pytest

from threefold.training.inspection import doctor

pytestmark = pytest.mark.each_backend


@pytest.fixture
def only(monkeypatch):
    """Examine some backends alone: trying all three takes long."""

    def choose(*names):
        monkeypatch.setattr(doctor, "BACKENDS", names)

    return choose


@pytest.fixture
def pretend(monkeypatch):
    """Say what trying a backend finds, without trying it."""

    def set_(**found):
        whole = {"installed": True, "version": "1", "works": True, "devices": [], "error": None}
        monkeypatch.setattr(doctor, "examine_backend", lambda name: whole | found)

    return set_


@pytest.fixture
def fake_jax(tmp_path, monkeypatch):
    """Put a package called jax before the real one, for this process and those it starts."""

    def write(body):
        (tmp_path / "jax").mkdir()
        (tmp_path / "jax" / "__init__.py").write_text(body)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return write


@pytest.fixture(autouse=True)
def no_configuration(tmp_path, monkeypatch):
    """Keep what this machine's user has configured out of the tests."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)


def test_the_backend_of_this_test_works_and_has_a_device(backend, only, run_cli):
    only(backend)
    code, out, _ = run_cli("doctor", "--backend", backend, "--json")
    found = json.loads(out)
    assert code == 0 and found["healthy"]
    one = found["backends"][backend]
    assert one["works"] and one["error"] is None and re.match(r"\d+\.\d+", one["version"])
    assert any(re.match("cpu|gpu|tpu|cuda", device) for device in one["devices"])
    assert found["machine"]["cores"] >= 1 and found["machine"]["memory_gb"] > 0.5
    assert found["problems"] == []


def test_a_backend_that_crashes_takes_nothing_else_with_it(fake_jax):
    fake_jax("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    found = doctor.examine_backend("jax")
    assert found["installed"] and not found["works"]
    assert found["error"] == "it crashed with SIGSEGV"


def test_a_backend_that_cannot_be_imported_says_why(fake_jax):
    fake_jax("raise ImportError('libcudnn.so.9 is missing')\n")
    assert doctor.examine_backend("jax")["error"] == "ImportError: libcudnn.so.9 is missing"


def test_a_backend_that_hangs_is_given_up(fake_jax, monkeypatch):
    fake_jax("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(doctor, "TIMEOUT_SECONDS", 1)
    assert doctor.examine_backend("jax")["error"] == "no answer within 1 seconds"


def test_a_missing_backend_is_named_with_its_extra(only, monkeypatch, run_cli):
    only("torch")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda p: None if p == "torch" else version(p))
    code, out, _ = run_cli("doctor", "--backend", "torch")
    assert code == 1
    assert "torch is chosen but not installed: pip install 'threefold[torch]'" in out
    code, out, _ = run_cli("doctor", "--backend", "torch", "--json")
    extra = json.loads(out)["extras"]["torch"]
    assert code == 1 and not extra["installed"]
    assert extra["install"] == "pip install 'threefold[torch]'"


def test_a_version_that_is_known_to_fail_is_named(only, monkeypatch):
    only("jax")
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda p: "0.10.2" if p == "jax" else version(p))
    found = doctor.examine("jax")
    assert not found["healthy"] and not found["backends"]["jax"]["works"]
    [problem] = found["problems"]
    assert problem.startswith("jax 0.10.2 is too old or known to fail: pip install 'jax!=0.10.2")


def test_another_backend_that_fails_is_no_failure_of_the_chosen_one(pretend, monkeypatch):
    whole = {"installed": True, "version": "1", "devices": [], "works": True, "error": None}
    broken = whole | {"works": False, "error": "it crashed with SIGILL"}
    monkeypatch.setattr(doctor, "examine_backend", lambda n: broken if n == "jax" else whole)
    assert doctor.examine("torch")["healthy"]
    found = doctor.examine("jax")
    assert not found["healthy"] and found["problems"] == [
        "jax does not work: it crashed with SIGILL"
    ]


def test_an_odd_environment_is_said(pretend, monkeypatch, run_cli):
    pretend()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflo")
    code, out, _ = run_cli("doctor", "--json")
    found = json.loads(out)
    assert code == 1 and not found["healthy"]
    assert found["chosen"] == {"backend": "tensorflo", "by": "KERAS_BACKEND"}
    assert "did you mean 'tensorflow'" in found["problems"][0]


def test_the_backend_is_chosen_as_every_command_chooses_it(pretend, tmp_path, monkeypatch):
    pretend()
    assert doctor.examine()["chosen"] == {"backend": "tensorflow", "by": "default"}
    path = tmp_path / "keras" / "keras.json"
    path.parent.mkdir()
    path.write_text('{"backend": "torch"}')
    assert doctor.examine()["chosen"] == {"backend": "torch", "by": str(path)}
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert doctor.examine()["chosen"] == {"backend": "jax", "by": "KERAS_BACKEND"}
    assert doctor.examine("torch")["chosen"] == {"backend": "torch", "by": "--backend"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"image_data_format": "channels_first", "floatx": "float16"}', None),  # it is set anew
        ('{"backend": "theano"}', "names the backend 'theano'"),
        ('{"backend": ', "cannot be read"),
        ("[]", "holds no JSON object"),
        ('{"backend": "jax", "floatx": "float32"}', None),
    ],
)
def test_an_odd_configuration_file_is_said(content, words, pretend, tmp_path):
    pretend()
    path = tmp_path / "keras" / "keras.json"
    path.parent.mkdir()
    path.write_text(content)
    problems = doctor.examine()["problems"]
    assert (problems == []) if words is None else (words in problems[0]), problems


def test_a_full_disk_and_a_folder_that_cannot_be_written_are_said(pretend, monkeypatch, in_tmp):
    pretend()
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: type("", (), {"free": 3e8}))
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    problems = doctor.examine()["problems"]
    assert any(line.startswith("only 0.3 GB are free") for line in problems)
    assert any("cannot be written" in line for line in problems)
