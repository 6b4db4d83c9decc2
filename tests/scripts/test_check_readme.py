"""Which lines of a page scripts/check_readme.py runs, and what fails. Needs TV_SCRIPTS (folder)."""
import os
import pathlib
import subprocess
import sys

import pytest

SCRIPTS = pathlib.Path(os.environ["TV_SCRIPTS"])


@pytest.fixture
def check(tmp_path):
    def call(*blocks):
        page = tmp_path / "PAGE.md"
        page.write_text("# Page\n" + "".join(f"text\n\n{block}\n\n" for block in blocks))
        command = [sys.executable, SCRIPTS / "check_readme.py", page]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)

    return call


def sh(*lines):
    return "\n".join(["```sh", *lines, "```"])


def out(*lines):
    return "\n".join(["```", *lines, "```"])


def test_runs_every_line_from_the_root(check, tmp_path):
    result = check(sh("# a remark", f"pwd >{tmp_path}/first; : scripts/run x"), out(),
                   sh(f"echo 1 >{tmp_path}/second", ": scripts/run y", f"echo 2 >>{tmp_path}/second"))
    assert result.returncode == 0, result
    assert (tmp_path / "first").read_text() == f"{SCRIPTS.parent}\n"
    assert (tmp_path / "second").read_text() == "1\n2\n"
    assert result.stdout.splitlines()[-1].startswith("4 lines of ")


def test_leaves_set_up_and_output_alone(check, tmp_path):
    mark = tmp_path / "mark"
    result = check(sh(f"touch {mark}"), out(f"touch {mark}; : scripts/run x"), sh(": scripts/run x"), out())
    assert result.returncode == 0 and not mark.exists() and "1 lines of" in result.stdout


@pytest.mark.parametrize("line", ["echo why; false; : scripts/run x", "(echo why; exit 3) | cat; : scripts/run x"])
def test_a_line_that_fails(check, tmp_path, line):
    result = check(sh(line, f"touch {tmp_path}/after"), out("why"))
    assert result.returncode == 1 and "why" in result.stderr and line in result.stderr
    assert not (tmp_path / "after").exists()


PRINTS = "echo pot; echo 'a cup'; echo noise >&2; : scripts/run x"


def test_the_first_line_prints_what_the_page_says(check):
    result = check(sh(PRINTS), out("pot", "a cup"), sh("echo nothing is said of this; : scripts/run x"))
    assert result.returncode == 0, result


@pytest.mark.parametrize("said", [("pot",), ("pot", "a mug"), ("pot", "a cup", "pot"), ("a cup", "pot"), ()])
def test_the_first_line_prints_something_else(check, tmp_path, said):
    result = check(sh(PRINTS), out(*said), sh(f"touch {tmp_path}/after; : scripts/run x"))
    assert result.returncode == 1 and "is said to print" in result.stderr and "a cup" in result.stderr
    assert not (tmp_path / "after").exists()


@pytest.mark.parametrize("blocks", [(), (sh("true"),), (sh("true"), out())])
def test_nothing_is_said_of_the_first_line(check, blocks):
    result = check(sh(": scripts/run x"), *blocks)
    assert result.returncode == 1 and "does not say" in result.stderr


def test_a_page_without_lines(check):
    result = check(sh("true"))
    assert result.returncode == 1 and "no line to run" in result.stderr
