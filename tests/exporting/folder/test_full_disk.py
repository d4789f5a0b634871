"""An export to a disk that is really full."""

import hashlib

import pytest
from full_disks import run_on_small_disk

pytestmark = pytest.mark.once

DRIVER = """
import shutil

given, artifact = sys.argv[3:]
shutil.copytree(artifact, "shelf/it")
told = []
for free in (8 << 10, 48 << 10):  # too little for the answers; enough for these, not for the model
    limit_free_space(free)
    code, notes = run("export", given, "--format", "onnx", "--output", "shelf/it", "--force")
    lines = [line for line in notes.splitlines() if line.startswith("error:")]
    hidden = [path.name for path in pathlib.Path("shelf").glob(".*")]
    told.append({"code": code, "errors": lines, "sums": sums_of("shelf"), "hidden": hidden})
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def explicit(tmp_path_factory, run_of, artifact_of):
    """Export over an artifact with the disk full, twice: what each said and left."""
    run, artifact = run_of("digits").folder.resolve(), artifact_of("digits", "onnx")
    # The limit would hold for jax's cache of compiled code too, which warns.
    limited = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    return run_on_small_disk(DRIVER, tmp_path_factory.mktemp("disk"), run, artifact, **limited)


def test_a_full_disk_is_one_line_that_says_so(explicit):
    for found in explicit:
        assert (found["code"], len(found["errors"])) == (1, 1), found
    assert "cannot write the artifact to shelf/it: " in explicit[0]["errors"][0]
    assert "the export failed while building: " in explicit[1]["errors"][0]


def test_the_artifact_of_before_is_untouched_and_nothing_half_written_is_left(
    explicit, artifact_of
):
    folder = artifact_of("digits", "onnx")
    wanted = {
        f"shelf/it/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
    }
    for found in explicit:
        assert found["sums"] == wanted and found["hidden"] == []
