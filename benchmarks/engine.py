"""Streams through tvclassify on this CPU: one model for all against one for each, against the synchronous element.

    scripts/run python3 benchmarks/engine.py [--baseline FOLDER] [--rounds N] [--output docs/benchmarks-engine.md] BUILD

BUILD is the build folder, made with -Dbenchmarks=true. FOLDER holds the plugin of a version before the element became
asynchronous, with its backend beside it as BUILD has them (gst-plugin/, elements/inference/backend_cpu/); without it those
rows are left out. Each measurement is a process of its own; in each round all run once, in random order, so that whatever else
the machine does hits all alike. Medians over the rounds; ratios are medians of the rounds' ratios with a 90 % interval from
1000 resamplings. OMP_NUM_THREADS is 1.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

MODELS = ("resnet18", "mobilenet_v2")
SIZE = ("1280", "720")
STREAMS = (1, 4, 16)
FRAMES = 160  # of all streams together
OWN_FRAMES = 20000
OWN = "tvclassify model=resnet18 weights=none crop-size=32 resize-size=32"


class Case:
    def __init__(self, name, backend, plugin, streams, frames, size, element):
        self.name, self.streams = name, streams
        self.command = [str(streams), str(frames), *size, *element.split()]
        self.environment = {"TV_BACKEND_PATH": str(backend), "GST_PLUGIN_PATH": str(plugin)}
        self.results = []

    def run(self, program, registry):
        # The plugins of two builds have the same name: each build has its own registry.
        cache = pathlib.Path(registry) / (str(abs(hash(self.environment["GST_PLUGIN_PATH"]))) + ".bin")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GST_REGISTRY": str(cache), **self.environment}
        ran = subprocess.run([program, *self.command], env=environment, text=True, capture_output=True, check=False)
        if ran.returncode != 0:
            raise SystemExit(f"{self.name}: status {ran.returncode}\n{ran.stderr}")
        self.results.append(json.loads(ran.stdout.splitlines()[-1]))

    def median(self, field):
        return statistics.median(result[field] for result in self.results)


def interval(values, generator):
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(1000))
    return statistics.median(values), medians[50], medians[949]


def make_cases(build, baseline):
    backend, plugin = build / "elements/inference/backend_cpu", build / "gst-plugin"
    stub = build / "benchmarks/stub"
    cases = {}

    def add(key, *arguments):
        cases[key] = Case(" ".join(map(str, key)), *arguments)

    add(("own", "identity"), stub, plugin, 1, OWN_FRAMES, ("32", "32"), "identity")
    add(("own", "queue"), stub, plugin, 1, OWN_FRAMES, ("32", "32"), "queue")
    add(("own", "left out"), stub, plugin, 1, OWN_FRAMES, ("32", "32"), OWN + " interval=1000000")
    add(("own", "classified"), stub, plugin, 1, OWN_FRAMES, ("32", "32"), OWN)
    for model in MODELS:
        element = f"tvclassify model={model} weights=none"
        if baseline:
            add((model, "synchronous", 1), baseline / "elements/inference/backend_cpu", baseline / "gst-plugin", 1, FRAMES,
                SIZE, element)
        for streams in STREAMS:
            add((model, "shared", streams), backend, plugin, streams, FRAMES, SIZE, element)
            if streams > 1:
                add((model, "separate", streams), backend, plugin, streams, FRAMES, SIZE, element + " share=false")
                add((model, "shared, batch-size=4", streams), backend, plugin, streams, FRAMES, SIZE,
                    element + " batch-size=4")
    return cases


def table(cases, generator):
    yield "| Element | µs of CPU a frame | allocations a frame | p50, ms |"
    yield "|---|--:|--:|--:|"
    for (kind, name), case in ((key, case) for key, case in cases.items() if key[0] == "own"):
        yield f"| {name} | {case.median('cpu_us'):.1f} | {case.median('allocations'):.0f} | {case.median('p50_ms'):.3f} |"
    yield ""
    yield ("| Model | Streams | Element | frames/s | of one shared stream | p50, ms | p99, ms | ms of CPU a frame | "
           "MiB |")
    yield "|---|--:|---|--:|:-:|--:|--:|--:|--:|"
    for key, case in cases.items():
        if key[0] == "own":
            continue
        one = cases[(key[0], "shared", 1)]
        ratios = [mine["frames_per_second"] / its["frames_per_second"]
                  for mine, its in zip(case.results, one.results, strict=True)]
        middle, low, high = interval(ratios, generator)
        yield (f"| {key[0]} | {key[2]} | {key[1]} | {case.median('frames_per_second'):.1f} | "
               f"{middle:.2f} ({low:.2f} to {high:.2f}) | {case.median('p50_ms'):.0f} | {case.median('p99_ms'):.0f} | "
               f"{case.median('cpu_us') / 1000:.1f} | {case.median('memory_mib'):.0f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--baseline", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    options = parser.parse_args()
    generator = random.Random(1)
    cases = make_cases(options.build.resolve(), options.baseline and options.baseline.resolve())
    program = str(options.build / "benchmarks/engine-benchmark")
    with tempfile.TemporaryDirectory() as registry:
        for turn in range(options.rounds):
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr, flush=True)
            for case in generator.sample(list(cases.values()), len(cases)):
                case.run(program, registry)
    lines = list(table(cases, generator))
    print("\n".join(lines))
    if options.output:
        head, mark, rest = options.output.read_text().partition("<!-- table -->\n")
        _, end, tail = rest.partition("<!-- end of table -->")
        assert mark and end, f"{options.output} has no <!-- table --> before <!-- end of table -->"
        options.output.write_text(head + mark + "\n".join(lines) + "\n" + end + tail)


if __name__ == "__main__":
    main()
