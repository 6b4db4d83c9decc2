#!/usr/bin/env python3
"""Reads meson's testlog.json and closes a test run.

    summarize_tests.py TESTLOG ACCEPTED_SKIPS

Prints every failed test and every skipped one with the reason it printed, then "N passed, N failed, N skipped".
Exit status 1 when a test failed, when a test was skipped for a reason that the list does not hold, or when none ran.
"""
import json
import pathlib
import sys


def skip_reason(test):
    """The last line that a skipped test printed: `SKIP: reason`."""
    lines = [line for line in (test.get("stdout", "") + test.get("stderr", "")).splitlines() if line.startswith("SKIP: ")]
    return lines[-1].removeprefix("SKIP: ").strip() if lines else "no reason printed"


def main(log, accepted_file):
    tests = [json.loads(line) for line in pathlib.Path(log).read_text().splitlines()]
    accepted = {
        line.strip() for line in pathlib.Path(accepted_file).read_text().splitlines() if line.strip() and line[0] != "#"
    }
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
    passed = len(tests) - len(failed) - len(skipped)
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or refused or passed == 0 else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    sys.exit(main(*sys.argv[1:]))
