#!/usr/bin/env python3
"""Reads meson's testlog.json and closes a test run.

    summarize_tests.py TESTLOG ACCEPTED_SKIPS EXPECTED STATUS

EXPECTED: a file with what `meson test --list` printed, one name a line. STATUS: the exit status of `meson test`.
Prints every failed test, every skipped one with the reason it printed, and every one that left no result, then
"N passed, N failed, N skipped".
Exit status 1 when a test failed, when one was skipped for a reason that the list does not hold, when one that was
listed has no result (meson was interrupted or killed), when meson failed although no test did, or when none ran.
"""
import collections
import json
import pathlib
import sys


def skip_reason(test):
    """The last line that a skipped test printed: `SKIP: reason`."""
    lines = [line for line in (test.get("stdout", "") + test.get("stderr", "")).splitlines() if line.startswith("SKIP: ")]
    return lines[-1].removeprefix("SKIP: ").strip() if lines else "no reason printed"


def read_log(path):
    """One result a line. meson writes each when its test ends: the last line may be cut off when meson was killed."""
    tests = []
    for line in pathlib.Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            tests.append(json.loads(line))
        except ValueError:
            print(f"error: {path} ends in the middle of a result: meson was killed")
    return tests


def read_lines(path):
    return [line.strip() for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]


def main(log, accepted_file, expected_file, status):
    tests = read_log(log)
    accepted = {line for line in read_lines(accepted_file) if line[0] != "#"}
    missing = collections.Counter(read_lines(expected_file)) - collections.Counter(test["name"] for test in tests)
    failed, skipped, refused = [], [], []
    for test in tests:
        if test["result"] == "SKIP":
            skipped.append(test)
            reason = skip_reason(test)
            print(f"skipped: {test['name']}: {reason}")
            if reason not in accepted:
                refused.append(test)
        elif test["result"] not in ("OK", "EXPECTEDFAIL"):
            failed.append(test)
            print(f"failed: {test['name']} ({test['result'].lower()})")
    for test in refused:
        print(f"error: {test['name']} was skipped for a reason that {accepted_file} does not list")
    for name in missing.elements():
        print(f"error: {name} was listed and left no result")
    if status != 0 and not failed:
        print(f"error: meson test ended with status {status} although no test failed")
    passed = len(tests) - len(failed) - len(skipped)
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or refused or missing or status != 0 or passed == 0 else 0


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__.strip())
    sys.exit(main(*sys.argv[1:4], int(sys.argv[4])))
