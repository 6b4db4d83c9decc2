#!/usr/bin/env python3
"""Runs what a page tells the reader to paste, after scripts/demo.

    check_readme.py PAGE

Runs every line of the page's blocks marked ```sh that call scripts/run, block by block, from the root of the project.
What a line prints is shown only when it fails. The first of these blocks has one line, and the next block of the page,
which has no mark, is what that line prints, word for word. Exit status 1 when a line failed or printed something else, or
when there was none.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECONDS = 300  # ends a line that hangs


def read(page):
    """The lines to run, and what the first of them is said to print, None where nothing is said."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", pathlib.Path(page).read_text(encoding="utf-8"), re.M | re.S)
    to_run = [i for i, (mark, block) in enumerate(blocks) if mark == "sh" and "scripts/run " in block]
    lines = [line for i in to_run for line in blocks[i][1].splitlines() if line.strip() and not line.startswith("#")]
    mark, said = blocks[to_run[0] + 1] if to_run and to_run[0] + 1 < len(blocks) else ("sh", "")
    return lines, None if mark else said


def main(page):
    lines, said = read(page)
    if not lines:
        return f"error: {page} has no line to run"
    if said is None:
        return f"error: {page} does not say what its first line prints"
    for line in lines:
        print(f"+ {line}", flush=True)
        command = ["bash", "-e", "-o", "pipefail", "-c", line]
        result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                errors="replace", timeout=SECONDS)
        if result.returncode != 0:
            return (f"{result.stdout}{result.stderr}\n"
                    f"error: this line of {page} ended with status {result.returncode}: {line}")
        if line is lines[0] and result.stdout != said:
            return f"error: the first line of {page} is said to print\n{said}and prints\n{result.stdout}"
    print(f"{len(lines)} lines of {page} run as they stand, and the first one prints what it is said to")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    sys.exit(main(sys.argv[1]))
