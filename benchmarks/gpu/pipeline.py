"""1080p NV12 through tvclassify in 1, 4 and 16 streams, against a Python loop of torchvision and torch.compile.

    GST_PLUGIN_PATH=... TV_BACKEND_PATH=... python3 benchmarks/gpu/pipeline.py [--rounds N] [--write] BUILD

BUILD has the plugin and engine-benchmark, which feeds frames in the computer's memory as fast as they are taken. The loop, one
process for all streams, uploads the same frames from pinned memory, 16 at a time, and takes the best classes back. Needs
GStreamer: skipped where the build has none.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import common
import preprocess

MODEL = "resnet50"
STREAMS = (1, 4, 16)
FRAMES = 4000  # of all streams together
BATCH = 16


def ours(build, streams, registry):
    environment = {**os.environ, "GST_REGISTRY": registry}
    command = [str(build / "benchmarks/engine-benchmark"), str(streams), str(FRAMES), "1920", "1080", "format=NV12", "tvclassify",
               f"model={MODEL}", "weights=none", "device=cuda", "precision=fp16", f"batch-size={BATCH}", "max-in-flight=32"]

    def measure():
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: status {ran.returncode}\n{ran.stderr}")
        return 1e3 / json.loads(ran.stdout.splitlines()[-1])["frames_per_second"]
    return measure


def loop(torch):
    """Milliseconds a frame."""
    import torchvision
    model = torchvision.models.get_model(MODEL).eval().cuda().half().to(memory_format=torch.channels_last)
    model = torch.compile(model, mode="reduce-overhead")
    host = torch.randint(0, 256, (BATCH, 1620, 1920), dtype=torch.uint8).pin_memory()

    def batch():
        with torch.inference_mode():
            frames = host.to("cuda", non_blocking=True)
            return model(preprocess.prepare(torch, frames)).float().softmax(1).topk(5).values.cpu()
    for _ in range(5):
        batch()

    def measure():
        begin = time.perf_counter()
        for _ in range(FRAMES // BATCH):
            batch()
        return (time.perf_counter() - begin) * 1e3 / (FRAMES // BATCH * BATCH)
    return measure


def main():
    options = common.options(__doc__.splitlines()[0])
    torch = common.torch_with_gpu()
    if torch is None:
        return common.SKIPPED
    if not (options.build / "benchmarks/engine-benchmark").exists():
        print("SKIP: the build has no engine-benchmark: it was made without GStreamer")
        return common.SKIPPED
    generator = common.generator()
    with tempfile.TemporaryDirectory() as folder:
        cases = {str(count): ours(options.build.resolve(), count, folder + "/registry.bin") for count in STREAMS}
        times = common.rounds({**cases, "loop": loop(torch)}, options.rounds, generator)
    lines = [f"GPU: {torch.cuda.get_device_name()}; {MODEL}, fp16.", "",
             "| Streams | tvclassify, frames/s | Python loop, frames/s | loop's time / ours |", "|--:|--:|--:|:-:|"]
    for count in map(str, STREAMS):
        lines.append(f"| {count} | {1e3 / statistics.median(times[count]):.0f} | {1e3 / statistics.median(times['loop']):.0f} | "
                     f"{common.against(times, count, 'loop', generator)} |")
    common.publish("pipeline", lines, options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
