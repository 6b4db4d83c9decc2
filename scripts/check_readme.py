#!/usr/bin/env python3
"""Runs what a page tells the reader to paste, after scripts/demo.

    check_readme.py PAGE

Runs every line of the page's blocks marked ```sh that call scripts/run, block by block, from the root of the project.
What a line prints is shown only when it fails. Exit status 1 when one failed or when there was none.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECONDS = 300  # ends a line that hangs


def blocks(page):
    """The blocks to run, each a list of lines."""
    found = re.findall(r"^```sh\n(.*?)^```$", pathlib.Path(page).read_text(encoding="utf-8"), re.M | re.S)
    return [block.splitlines() for block in found if "scripts/run " in block]


def main(page):
    lines = [line for block in blocks(page) for line in block if line.strip() and not line.startswith("#")]
    if not lines:
        return f"error: {page} has no line to run"
    for line in lines:
        print(f"+ {line}", flush=True)
        command = ["bash", "-e", "-o", "pipefail", "-c", line]
        result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, errors="replace", timeout=SECONDS)
        if result.returncode != 0:
            return f"{result.stdout}\nerror: this line of {page} ended with status {result.returncode}: {line}"
    print(f"{len(lines)} lines of {page} run as they stand")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    sys.exit(main(sys.argv[1]))
