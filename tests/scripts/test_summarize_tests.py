"""What scripts/summarize_tests.py makes of a log: only a whole run without a fault passes. Needs TV_SCRIPTS (folder)."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(os.environ["TV_SCRIPTS"]) / "summarize_tests.py"
REASON = "no such device here"


def row(name, result="OK", **fields):
    return {"name": name, "result": result, "stdout": "", "stderr": "", **fields}


@pytest.fixture
def summarize(tmp_path):
    def call(rows, expected=None, status=0, cut=0):
        """`cut`: characters that are missing at the end of the log."""
        log, accepted, names = tmp_path / "log.json", tmp_path / "accepted", tmp_path / "names"
        text = "".join(json.dumps(r) + "\n" for r in rows)
        log.write_text(text[: len(text) - cut])
        accepted.write_text(f"# reasons\n\n{REASON}\n")
        names.write_text("".join(f"{name}\n" for name in (expected if expected is not None else [r["name"] for r in rows])))
        result = subprocess.run(
            [sys.executable, PROGRAM, log, accepted, names, str(status)], capture_output=True, text=True, timeout=60
        )
        assert result.stderr == ""
        lines = result.stdout.splitlines()
        return result.returncode, lines[-1], lines[:-1]

    return call


def test_all_passed(summarize):
    assert summarize([row("a / x"), row("a / y"), row("a / z", "EXPECTEDFAIL")]) == (0, "3 passed, 0 failed, 0 skipped", [])


@pytest.mark.parametrize("result", ["FAIL", "TIMEOUT", "ERROR", "INTERRUPT", "UNEXPECTEDPASS"])
def test_a_failure_fails(summarize, result):
    # meson's status is the number of failures; the log alone is enough.
    for status in (0, 1):
        found = summarize([row("a / x"), row("a / y", result)], status=status)
        assert found == (1, "1 passed, 1 failed, 0 skipped", [f"failed: a / y ({result.lower()})"])


def test_meson_killed_between_two_tests(summarize):
    """Nothing in the log is wrong, it is only too short."""
    status, summary, said = summarize([row("a / x")], expected=["a / x", "a / y", "b / z"], status=0)
    assert (status, summary) == (1, "1 passed, 0 failed, 0 skipped")
    assert said == ["error: a / y was listed and left no result", "error: b / z was listed and left no result"]


def test_meson_killed_while_it_wrote(summarize):
    status, summary, said = summarize([row("a / x"), row("a / y")], cut=9, status=137)
    assert (status, summary) == (1, "1 passed, 0 failed, 0 skipped")
    assert "ends in the middle of a result" in said[0] and said[1] == "error: a / y was listed and left no result"


def test_two_tests_of_one_name_are_two(summarize):
    assert summarize([row("a / x"), row("a / x")])[0] == 0
    assert summarize([row("a / x")], expected=["a / x", "a / x"])[0] == 1


def test_status_of_meson_counts(summarize):
    status, _, said = summarize([row("a / x")], status=2)
    assert status == 1 and said == ["error: meson test ended with status 2 although no test failed"]


def test_skips_need_an_accepted_reason(summarize):
    good = row("a / y", "SKIP", stdout=f"SKIP: something else\nSKIP: {REASON}\n")
    assert summarize([row("a / x"), good]) == (0, "1 passed, 0 failed, 1 skipped", [f"skipped: a / y: {REASON}"])
    for text, reason in ((f"SKIP: {REASON}, almost\n", f"{REASON}, almost"), ("quiet\n", "no reason printed")):
        status, _, said = summarize([row("a / x"), row("a / y", "SKIP", stdout=text)])
        assert status == 1 and said[0] == f"skipped: a / y: {reason}" and "does not list" in said[1]


def test_nothing_ran(summarize):
    assert summarize([])[:2] == (1, "0 passed, 0 failed, 0 skipped")
    assert summarize([row("a / x", "SKIP", stdout=f"SKIP: {REASON}\n")])[0] == 1


def test_wrong_usage():
    result = subprocess.run([sys.executable, PROGRAM, "log"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "STATUS" in result.stderr
