"""The command line answers at once: nothing heavy is imported before it is needed."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from threefold.training import backend as switch

pytestmark = pytest.mark.once

HEAVY = ("keras", "tensorflow", "jax", "torch", "numpy", "pandas", "sklearn", "matplotlib")

# Each line is what must be printed, the exit code, and the command.
ASKED = """
import contextlib, io, sys
from threefold import cli

def check_command(said, code, *words):
    sys.argv = ["threefold", *words]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            cli.main()
        except SystemExit as stop:
            assert (stop.code or 0) == code, (words, stop.code)
    assert said in printed.getvalue(), (words, printed.getvalue())
    found = sorted(set(sys.modules) & heavy)
    assert not found, (words, found)

heavy = set(%r)

check_command("one blueprint, three backends, one command", 0, "--help")
check_command("--learning-rate", 0, "fit", "--help")
check_command("other data than the run's own", 0, "evaluate", "--help")
check_command("INPUT", 0, "predict", "--help")
check_command("version", 0, "--version")
check_command("No such option '--epoks'", 2, "fit", "cnn", "--epoks", "3")
check_command("No such command 'fitt'", 2, "fitt")
check_command("--epochs 0 does not fit", 2, "fit", "cnn", "--epochs", "0")
check_command("'adm' is not one of", 2, "fit", "cnn", "--optimizer", "adm")
check_command("expected KEY=VALUE", 2, "fit", "cnn", "-o", "filters")
check_command("give one of: a blueprint", 2, "fit")
heavy -= {"numpy"}
check_command("no blueprint 'cn'; did you mean 'cnn'?", 2, "fit", "cn")
check_command("no backend 'jux'; did you mean 'jax'?", 2, "fit", "cnn", "--backend", "jux")
"""


def run_python(*words, **environment):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=os.environ | environment
    )


def test_help_and_wrong_options_import_neither_keras_nor_a_backend():
    answer = run_python("-c", ASKED % (HEAVY,))
    assert (answer.returncode, answer.stderr) == (0, "")


def test_shell_completion_imports_nothing_heavy():
    script = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print(sorted(set(sys.modules) & set({HEAVY!r}))))\n"
        "from threefold import cli\n"
        "cli.main()\n"
    )
    answer = run_python(
        "-c", script,
        _THREEFOLD_COMPLETE="bash_complete", COMP_WORDS="threefold fit --optimizer ad",
        COMP_CWORD="3",
    )  # fmt: skip
    assert answer.stdout.split() == ["plain,adagrad", "plain,adam", "plain,adamw", "[]"]


def test_the_version_is_that_of_the_package():
    answer = run_python("-m", "threefold.cli", "--version")
    assert answer.stdout.split()[-1] == version("threefold")


def test_what_a_library_says_while_it_is_loaded_shows_only_when_that_fails(
    in_tmp, monkeypatch, capfd
):
    """Libraries write past Python; the file stands for one of theirs."""
    Path("noisy.py").write_text("import os; os.write(2, b'I0000 a greeting\\n')")
    Path("broken.py").write_text("import os; os.write(2, b'no such chip\\n'); raise ImportError")
    monkeypatch.syspath_prepend(str(in_tmp))
    switch.import_without_greeting("noisy")
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"
    with pytest.raises(ImportError):
        switch.import_without_greeting("broken")
    assert capfd.readouterr().err == "no such chip\n"


# Fits one run under a configuration of Keras's own that no network here is made for.
CHANNELS_FIRST = """
import sys
from threefold import cli

sys.argv = ["threefold", "fit", *sys.argv[1:], "--epochs", "1", "--run", "run"]
try:
    cli.main()
finally:
    import keras
    print("format", keras.config.image_data_format(), keras.config.floatx())
"""


@pytest.mark.parametrize("family", ["cnn", "resnet"])
def test_the_image_data_format_of_keras_does_not_matter(in_tmp, family):
    """Images that differ in nothing but which column is bright: one axis for another shows."""
    Path("home").mkdir()
    Path("home/keras.json").write_text(
        json.dumps({"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1})
    )
    for number in range(12):
        for place, name in enumerate(("left", "right")):
            pixels = np.zeros((8, 12), np.uint8)
            pixels[:, 2 + 7 * place] = 200 + number
            path = Path(f"photos/{name}/{number}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    answer = run_python("-c", CHANNELS_FIRST, family, "--dataset", "photos", KERAS_HOME="home")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "format channels_last float32"
