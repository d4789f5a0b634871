"""The script that runs the tests ends with 0 when all is well, and only then."""

import pytest

from tests import run

REPORT = """<a><testcase classname="tests.x" name="test_y" time="1.5">
<failure message="1 is not 2&#10;more"/></testcase>
<testcase classname="tests.x" name="test_z" time="0.5"/></a>"""


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """Run the script while pytest is played: its exit codes by part, and what each part takes."""

    def end(codes: dict[str, int], spent: float, *words: str):
        took, clock = [], iter(range(100))
        monkeypatch.setattr(run, "REPORTS", tmp_path / "tests")
        monkeypatch.setattr(run, "used", lambda: spent * next(clock))
        monkeypatch.setattr(run.sys, "argv", ["run.py", *words])

        def play(part, before, *words, report):
            took.append(part)
            (run.REPORTS / f"{report}.xml").write_text(REPORT if codes.get(part) == 1 else "<a/>")
            return codes.get(part, 0)

        monkeypatch.setattr(run, "pytest", play)
        with pytest.raises(SystemExit) as stop:
            run.main()
        return stop.value.code, took

    return end


def test_all_parts_that_pass_are_a_success(ended):
    code, took = ended({}, 1.0)
    assert not code and code != ""  # Python ends with 1 for an empty text
    assert took == ["plain", "tensorflow", "jax", "torch"]


def test_a_part_that_fails_is_a_failure_and_the_rest_is_not_run(ended):
    code, took = ended({"tensorflow": 1}, 1.0)
    assert code.splitlines() == [
        "tensorflow: tests.x::test_y: 1 is not 2",
        "tensorflow: pytest ended with 1",
    ]
    assert took == ["plain", "tensorflow"]


def test_a_part_without_tests_fails_only_where_all_were_wanted(ended):
    assert ended({"plain": run.NO_TESTS}, 1.0)[0] == "plain: pytest ended with 5"
    assert ended({"plain": run.NO_TESTS}, 1.0, "-k", "gan")[0] is None


def test_a_part_may_take_half_again_its_budget(ended):
    budget = run.BUDGETS["plain"]
    assert ended({}, 1.4 * budget, "--only", "plain")[0] is None
    code, _ = ended({}, 1.6 * budget, "--only", "plain")
    assert code.startswith("plain has outgrown its budget")
    assert ended({}, 1.6 * budget, "--only", "plain", "-k", "gan")[0] is None
