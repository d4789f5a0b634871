"""The script that measures on a GPU, tried without one: every part, in minimal sizes."""

import sys
from pathlib import Path

import keras
import pytest

pytestmark = pytest.mark.each_backend

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
import gpu  # noqa: E402
import gpu_cases  # noqa: E402


@pytest.fixture
def script(in_tmp, monkeypatch, backend, capsys):
    """Run the script in this process; return (exit code, stdout, stderr)."""
    for name, value in (("CUDA_VISIBLE_DEVICES", ""), ("JAX_PLATFORMS", "cpu")):
        monkeypatch.setenv(name, value)

    def run(*words: str):
        code = gpu.main(["--backend", backend, "--device", "cpu", "--tiny", *words])
        return code, *capsys.readouterr()

    yield run
    keras.config.set_dtype_policy("float32")


def rows_of(path: Path) -> list[list[str]]:
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_part_makes_its_table(script, backend):
    code, out, err = script("--output", "tables")
    if backend == "tensorflow":
        assert code == 2 and not out
        assert err == "error: this script measures jax and torch, not tensorflow\n"
        return
    assert code == 0 and not err
    found = {part: rows_of(Path("tables", f"{part}.md")) for part in gpu.PARTS}
    assert all(found.values()) and all(f"| {row[0]} |" in out for row in sum(found.values(), []))
    # The device is the CPU itself: all is the same.
    assert {tuple(row[3:5]) for row in found["losses"]} == {("0.0e+00", "0.0e+00")}
    assert {row[0] for row in found["speed"]} == {"rnn", "transformer, PyTorch's own"}
    assert all(float(row[3]) > 0 for row in found["speed"])
    assert [row[0] for row in found["pipeline"]] == ["cnn, JPEG files"]
    assert "--batch-size 512" in found["memory"][0][2] and found["memory"][0][1] == "1"
    assert [row[1:4] for row in found["half"]] == [["on", "4", "0"]]
    assert [row[2] for row in found["resume"]] == ["deterministic"]
    assert {row[5] for row in found["resume"]} == {"0"}


def test_a_part_that_fails_does_not_stop_the_others(script, backend, monkeypatch):
    if backend == "tensorflow":
        assert script("--parts", "memory")[0] == 2
        return
    import gpu_parts

    def fail(context):
        yield from ()
        raise ValueError("no such\nkernel")

    jobs = [("one", lambda: fail(None)), ("two", lambda: iter([("dnn", "on", 1, 0, "0", "")]))]
    monkeypatch.setattr(gpu_parts, "half_jobs", lambda context: jobs)
    code, _, err = script("--parts", "half,memory")
    assert code == 1 and err == "half, one: ValueError: no such kernel\n"
    assert len(rows_of(Path("gpu-results/half.md"))) == 1
    assert len(rows_of(Path("gpu-results/memory.md"))) == 1
    code, _, err = script("--parts", "half", "--minutes", "0")
    assert code == 0 and err == "half: no time for one; two\n"


@pytest.mark.parametrize("family", gpu_cases.FAMILIES)
def test_cases_are_of_one_length(family, backend):
    case = gpu_cases.small_case(family, tiny=True)
    inputs, targets, *_ = case.batches(1)[0]
    assert len(targets) == case.batch_size
    if case.steps > 1:
        assert {array.shape[1] for array in inputs.values()} == {case.steps}


def test_operations_are_counted(backend):
    from gpu_speed import count_operations

    case = gpu_cases.small_case("gpt", tiny=True)  # a block of width 8, for 8 tokens of 100
    tokens, width = 8 * case.batch_size, 8
    products = 4 * width**2 + 2 * width * 4 * width + 100 * width
    scores = 2 * 8 * width
    assert count_operations(case) == 3 * 2 * tokens * (products + scores)
    assert count_operations(gpu_cases.small_case("gan", tiny=True)) is None


def test_a_gpu_that_is_not_there_is_missed(in_tmp, monkeypatch, backend, capsys):
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    monkeypatch.setattr(gpu, "device_name", lambda: "cpu")
    assert gpu.main(["--backend", backend]) == 2
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1
