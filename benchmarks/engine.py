"""Streams through tvclassify on this CPU: one model for all against one for each, against the synchronous element.

    scripts/run python3 benchmarks/engine.py [--baseline FOLDER] [--own] [--rounds N] [--output docs/benchmarks-engine.md] BUILD

BUILD is the build folder, made with -Dbenchmarks=true. FOLDER holds the plugin of a version before the element became
asynchronous, with its backend beside it as BUILD has them (gst-plugin/, elements/inference/backend_cpu/); without it those
rows are left out. --own measures the first table alone, and leaves the second one as it is; FOLDER is then any earlier
version, whose rows say "before". What waking a thread costs depends on where it runs, so the first table is measured on all
cores and on one. Each measurement is a process of its own; in each round all run once, in random order, so that whatever else
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
    def __init__(self, name, backend, plugin, streams, frames, size, element, cores=None):
        self.name, self.streams, self.cores = name, streams, cores
        self.command = [str(streams), str(frames), *size, *element.split()]
        self.environment = {"TV_BACKEND_PATH": str(backend), "GST_PLUGIN_PATH": str(plugin)}
        self.results = []

    def run(self, program, registry):
        # The plugins of two builds have the same name: each build has its own registry.
        cache = pathlib.Path(registry) / (str(abs(hash(self.environment["GST_PLUGIN_PATH"]))) + ".bin")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GST_REGISTRY": str(cache), **self.environment}
        # The process inherits them.
        all_cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self.cores or all_cores)
        ran = subprocess.run([program, *self.command], env=environment, text=True, capture_output=True, check=False)
        os.sched_setaffinity(0, all_cores)
        if ran.returncode != 0:
            raise SystemExit(f"{self.name}: status {ran.returncode}\n{ran.stderr}")
        self.results.append(json.loads(ran.stdout.splitlines()[-1]))

    def median(self, field):
        return statistics.median(result[field] for result in self.results)


def interval(values, generator):
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(1000))
    return statistics.median(values), medians[50], medians[949]


def make_cases(build, baseline, own):
    backend, plugin = build / "elements/inference/backend_cpu", build / "gst-plugin"
    stub = build / "benchmarks/stub"
    cases = {}

    def add(key, *arguments):
        cases[key] = Case(" ".join(map(str, key)), *arguments)

    rows = [("identity", plugin, "identity"), ("queue", plugin, "queue")]
    for name, element in (("left out", OWN + " interval=1000000"), ("classified", OWN)):
        if own and baseline:
            rows.append((name + ", before", baseline / "gst-plugin", element))
        rows.append((name, plugin, element))
    for name, its_plugin, element in rows:
        for where, cores in (("all cores", None), ("one core", {min(os.sched_getaffinity(0))})):
            add(("own", name, where), stub, its_plugin, 1, OWN_FRAMES, ("32", "32"), element, cores)
    if own:
        return cases
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


def own_table(cases, generator):
    yield "| Element | µs of CPU a frame | of before | on one core | of before | allocations a frame | p50, ms |"
    yield "|---|--:|:-:|--:|:-:|--:|--:|"
    for name in dict.fromkeys(key[1] for key in cases if key[0] == "own"):
        cells = []
        for where in ("all cores", "one core"):
            case, before = cases[("own", name, where)], cases.get(("own", name + ", before", where))
            ratios = [mine["cpu_us"] / its["cpu_us"]
                      for mine, its in zip(case.results, before.results, strict=True)] if before else []
            ratio = "{:.2f} ({:.2f} to {:.2f})".format(*interval(ratios, generator)) if before else ""
            cells += [f"{case.median('cpu_us'):.1f}", ratio]
        case = cases[("own", name, "all cores")]
        yield (f"| {name} | {' | '.join(cells)} | {case.median('allocations'):.0f} | {case.median('p50_ms'):.3f} |")


def streams_table(cases, generator):
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
    parser.add_argument("--own", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    options = parser.parse_args()
    generator = random.Random(1)
    cases = make_cases(options.build.resolve(), options.baseline and options.baseline.resolve(), options.own)
    program = str(options.build / "benchmarks/engine-benchmark")
    with tempfile.TemporaryDirectory() as registry:
        for turn in range(options.rounds):
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr, flush=True)
            for case in generator.sample(list(cases.values()), len(cases)):
                case.run(program, registry)
    tables = ["\n".join(own_table(cases, generator)) + "\n"]
    if not options.own:
        tables.append("\n".join(streams_table(cases, generator)) + "\n")
    print("\n".join(tables))
    if options.output:
        head, mark, rest = options.output.read_text().partition("<!-- table -->\n")
        old, end, tail = rest.partition("<!-- end of table -->")
        assert mark and end, f"{options.output} has no <!-- table --> before <!-- end of table -->"
        if options.own:
            tables.append(old.partition("\n\n")[2])
        options.output.write_text(head + mark + "\n".join(tables) + end + tail)


if __name__ == "__main__":
    main()
