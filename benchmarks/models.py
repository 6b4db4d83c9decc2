"""Speed and memory of every builder on this CPU: reference against fused executor, with one and with two threads.

    scripts/run python3 benchmarks/models.py [--rounds N] [--output docs/benchmarks-cpu.md] [--table NAME] PROGRAM [BUILDER...]

Quantized builders run in int8. PROGRAM is build/benchmarks/model-benchmark. Each of the four configurations of a builder is a process of its own; rounds
are interleaved (each round runs all four, in random order), so that whatever else the machine does hits all alike.
Medians, and of the ratio reference / fused the median of the rounds with a 90 % interval from 1000 resamplings.
"""
import argparse
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys

CONFIGURATIONS = [(executor, threads) for threads in (1, 2) for executor in ("reference", "fused")]
LEAST_ROUNDS = 5
SECONDS = 20  # of runs for a builder, about: slow ones get LEAST_ROUNDS


class Process:
    def __init__(self, program, builder, executor, threads):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen([program, builder, executor], env=environment, text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.side = int(self.read().split()[1])

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args}: ended with status {self.process.wait()}")
        return line

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.read())

    def end(self):
        """Resident MiB now and at most."""
        self.process.stdin.close()
        memory = tuple(map(int, self.read().split()))
        self.process.wait()
        return memory


def interval(values, generator):
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(1000))
    return medians[50], medians[949]


def measure(program, builder, rounds, generator):
    processes = {key: Process(program, builder, *key) for key in CONFIGURATIONS}
    times = {key: [] for key in CONFIGURATIONS}
    total = 0.0
    while len(times[CONFIGURATIONS[0]]) < LEAST_ROUNDS or \
            (len(times[CONFIGURATIONS[0]]) < rounds and total < 1000 * SECONDS):
        for key in generator.sample(CONFIGURATIONS, len(CONFIGURATIONS)):
            times[key].append(processes[key].run())
            total += times[key][-1]
    side = processes[CONFIGURATIONS[0]].side
    memory = {key: process.end() for key, process in processes.items()}
    return side, times, memory


def row(builder, side, times, memory, generator):
    cells = [builder, str(side)]
    for threads in (1, 2):
        reference, fused = times["reference", threads], times["fused", threads]
        ratios = [a / b for a, b in zip(reference, fused)]
        low, high = interval(ratios, generator)
        cells += [f"{statistics.median(reference):.1f}", f"{statistics.median(fused):.1f}",
                  f"{statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"]
    cells += [str(memory["reference", 1][0]), str(memory["fused", 1][0]), str(memory["fused", 1][1])]
    return "| " + " | ".join(cells) + " |"


HEADER = """| Builder | Side | 1 thread: reference, ms | fused, ms | ratio | 2 threads: reference, ms | fused, ms | ratio \
| Reference, MiB | Fused, MiB | at most |
|---|--:|--:|--:|:-:|--:|--:|:-:|--:|--:|--:|"""


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output")
    parser.add_argument("--table", default="float", help="which one of the page: float or int8")
    parser.add_argument("program")
    parser.add_argument("builders", nargs="+")
    options = parser.parse_args()
    generator = random.Random(0)
    table = [f"CPU: {processor()}, batch of one picture, random weights.", "", HEADER]
    print("\n".join(table), flush=True)
    for builder in options.builders:
        table.append(row(builder, *measure(options.program, builder, options.rounds, generator), generator))
        print(table[-1], flush=True)
    if options.output:
        page = pathlib.Path(options.output)
        begin, end = f"<!-- {options.table} -->\n", f"<!-- end of {options.table} -->\n"
        head, mark, rest = page.read_text().partition(begin)
        _, end_mark, tail = rest.partition(end)
        if not mark or not end_mark:
            return f"error: {page} has no lines {begin.strip()} and {end.strip()}"
        page.write_text(head + mark + "\n".join(table) + "\n" + end_mark + tail)
    return 0


if __name__ == "__main__":
    sys.exit(main())
