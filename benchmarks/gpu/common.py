"""What the GPU benchmarks share: whether there is a GPU, driven processes, interleaved rounds, medians with intervals, floors,
and the table's place in docs/benchmarks-gpu.md. The interval is that of benchmarks/models.py."""
import argparse
import importlib.util
import pathlib
import random
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs/benchmarks-gpu.md"
SKIPPED = 77


def _cpu_benchmark():
    spec = importlib.util.spec_from_file_location("cpu_models", HERE.parent / "models.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


interval = _cpu_benchmark().interval  # values, generator -> low, high: 90 %, from 1000 resamplings


def torch_with_gpu():
    """torch, or None after saying why not."""
    try:
        import torch
    except ImportError as error:
        print(f"SKIP: no torch: {error}")
        return None
    if not torch.cuda.is_available():
        print("SKIP: torch sees no GPU")
        return None
    return torch


# GPU, as part of its name: bytes/s of its memory, fp16 FLOP/s without sparsity, as its maker states them.
PEAKS = {"H200": (4.8e12, 989e12), "H100": (3.35e12, 989e12), "A100": (2.0e12, 312e12), "L4": (0.3e12, 121e12)}


def floor_seconds(name, read_and_written, operations=0.0):
    """No program is quicker: memory and arithmetic at their peaks, beside each other. None for a GPU that is not listed."""
    for part, (bandwidth, rate) in PEAKS.items():
        if part in name:
            return max(read_and_written / bandwidth, operations / rate)
    return None


class Process:
    """A program that says "ready ..." and then, for each line, milliseconds of a batch."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(list(map(str, command)), env=environment, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.ready = self.read().split()[1:]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args}: ended with status {self.process.wait()}")
        return line

    def __call__(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.read())

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def timed(torch, run, repeats):
    """A function that measures milliseconds of one `run()`, of `repeats` one behind the other, with the GPU's own events."""
    def measure():
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        begin.record()
        for _ in range(repeats):
            run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / repeats
    return measure


def rounds(cases, count, generator):
    """Milliseconds of each case, by name: all of them once a round, in random order, after one that does not count."""
    times = {name: [] for name in cases}
    for turn in range(count + 1):
        for name in generator.sample(list(cases), len(cases)):
            value = cases[name]()
            if turn:
                times[name].append(value)
    return times


def against(times, ours, peer, generator):
    """How many times as long the peer takes: "1.30 (1.28 to 1.33)"."""
    ratios = [a / b for a, b in zip(times[peer], times[ours], strict=True)]
    low, high = interval(ratios, generator)
    return f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"


def fraction(floor, milliseconds):
    return "-" if floor is None else f"{floor * 1e3 / milliseconds:.0%}"


def options(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks-gpu.md")
    parser.add_argument("build", type=pathlib.Path, help="build folder of tests/gpu/run.sh --benchmarks")
    return parser.parse_args()


def publish(name, lines, write):
    print("\n".join(lines))
    if not write:
        return
    text = PAGE.read_text()
    head, mark, rest = text.partition(f"<!-- {name} -->\n")
    _, end, tail = rest.partition(f"<!-- end of {name} -->")
    if not mark or not end:
        sys.exit(f"error: {PAGE} has no place for the table {name}")
    PAGE.write_text(head + mark + "\n".join(lines) + "\n" + end + tail)


def generator():
    return random.Random(0)
