"""Every hostile file is refused, by name, within a second of CPU and 64 MiB beyond its own size.

usage: test_hostile.py DUMP_CHECKPOINT [--slow-build]

A build without optimisation or with sanitizers needs more time and memory: --slow-build asks for the refusals alone.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile

from craft import FLOATS, records, archive, pickle, state_dict, tensor, legacy_file, storage
from hostile import all_files

MIB = 1 << 20
MAX_SECONDS = 1.0
MAX_EXTRA = 64 * MIB


def limit_address_space():
    # A backstop: a reader that asks for gigabytes fails here rather than in swap.
    resource.setrlimit(resource.RLIMIT_AS, (512 * MIB, 512 * MIB))


def ask(program, path):
    """A process of its own, so that its peak of memory is this file's alone. None when it died or hung."""
    limit = None if "--slow-build" in sys.argv else limit_address_space
    try:
        run = subprocess.run([program, path], capture_output=True, text=True, timeout=60, preexec_fn=limit)
    except subprocess.TimeoutExpired:
        return None
    return json.loads(run.stdout) if run.returncode in (0, 1) else None


def main():
    program = sys.argv[1]
    failures, count, worst_seconds, worst_extra = [], 0, 0.0, 0

    def expect(condition, text):
        if not condition:
            failures.append(text)

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bad.pth")
        # The vocabulary itself must make good files, or every refusal below would mean nothing.
        for name, data in [("zip", archive(records(pickle(state_dict(w=tensor()))))),
                           ("legacy", legacy_file(state_dict(w=tensor(storage(extra=b"N")))))]:
            with open(path, "wb") as out:
                out.write(data)
            answer = ask(program, path)
            good = answer and answer["ok"] and answer["entries"][0][1]["sizes"] == [2, 3]
            expect(good, f"an ordinary {name} file was not read: {answer}")
        names = set()
        for name, data, want in all_files():
            count += 1
            expect(name not in names, f"{name}: occurs twice")
            names.add(name)
            with open(path, "wb") as out:
                out.write(data)
            answer = ask(program, path)
            if answer is None:
                failures.append(f"{name}: the program died or hung")
                continue
            what = answer.get("what", "")
            expect(not answer["ok"], f"{name}: was read")
            expect(answer.get("code") == "bad-checkpoint", f"{name}: code {answer.get('code')}: {what}")
            expect(want in what, f"{name}: expected {want!r} in {what!r}")
            expect(what.startswith(path + ": "), f"{name}: does not name the file: {what}")
            expect(answer.get("hint"), f"{name}: says not what to do: {what}")
            expect("\n" not in what and what.isprintable(), f"{name}: is not one printable line: {what!r}")
            extra = answer["rss_growth_kib"] * 1024 - len(data)
            worst_seconds = max(worst_seconds, answer["cpu_seconds"])
            worst_extra = max(worst_extra, extra)
            if "--slow-build" in sys.argv:
                continue
            expect(answer["cpu_seconds"] <= MAX_SECONDS, f"{name}: {answer['cpu_seconds']:.2f} s of CPU")
            expect(extra <= MAX_EXTRA, f"{name}: {extra / MIB:.1f} MiB beyond the file")
        for name, bad, code, want in [
            ("empty file", path, "unreadable", "is empty"), ("directory", folder, "unreadable", "is a directory"),
            ("device", "/dev/null", "unreadable", "is a device"), ("nothing", path + "x", "not-found", "No such file"),
            ("FIFO", os.path.join(folder, "fifo"), "unreadable", "is a FIFO"),
            ("below a file", path + "/x", "not-found", "Not a directory")]:
            count += 1
            open(path, "wb").close()
            if name == "FIFO":
                os.mkfifo(bad)
            answer = ask(program, bad) or {}
            expect(answer.get("code") == code and want in answer.get("what", ""), f"{name}: {answer}")
    for failure in failures:
        print("FAIL", failure)
    print(f"{count} hostile files, {len(failures)} failures; worst: {worst_seconds:.3f} s of CPU, "
          f"{worst_extra / MIB:.1f} MiB beyond the file")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
