"""Runs pytest with a folder of its own for temporary files, and removes the folder however the run ends.

usage: run_pytest.py PYTEST_ARGUMENT...

Left to itself, pytest keeps the files of its last runs in one folder for each user and removes older ones, which are
those of another run where several run at once.
"""
import os
import signal
import sys
import tempfile

import pytest


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # how Meson ends a test that takes too long
    with tempfile.TemporaryDirectory(prefix="tv-test-") as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder  # what the programs under test leave goes too
        return pytest.main(["-q", "-p", "no:cacheprovider", f"--basetemp={folder}/pytest", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
