"""A fit on a disk that is really full."""

import pytest
from full_disks import run_on_small_disk

pytestmark = pytest.mark.once

DRIVER = """
def free():
    if mounted:
        os.unlink("filler")
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

def fit(*words):
    code, notes = run("fit", *words)
    return {"code": code, "notes": notes, "sums": sums_of("run/checkpoints")}

told = [fit("dnn", "--epochs", "1", "--run", "run")]
limit_free_space(8 << 10)
told.append(fit("--resume", "run", "--epochs", "3"))
free()
told.append(fit("--resume", "run", "--epochs", "3"))
told.append(len(pathlib.Path("run/history.csv").read_text().splitlines()))
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def explicit(tmp_path_factory):
    """Fit, fit on with the disk full, free it, fit on again: what each said and left."""
    return run_on_small_disk(DRIVER, tmp_path_factory.mktemp("disk"))


def test_a_full_disk_is_one_line_that_names_the_path(explicit):
    assert explicit[0]["code"] == 0
    assert explicit[1]["code"] == 1
    error = [line for line in explicit[1]["notes"].splitlines() if line.startswith("error:")]
    assert len(error) == 1 and explicit[1]["notes"].splitlines()[-1] == error[0]
    assert "cannot write a checkpoint to run/checkpoints: " in error[0]
    assert "No space left on device" in error[0] or "File too large" in error[0]


def test_what_was_saved_before_is_untouched_and_nothing_half_written_is_left(explicit):
    assert explicit[1]["sums"] == explicit[0]["sums"] != {}


def test_with_space_again_the_run_goes_on(explicit):
    assert explicit[2]["code"] == 0
    assert explicit[3] == 1 + 3  # a head, and a row an epoch
