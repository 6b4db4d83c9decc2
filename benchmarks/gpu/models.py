"""Networks in fp16 on the GPU: ours against PyTorch's eager mode and torch.compile, at several batch sizes.

    TV_BACKEND_PATH=... python3 benchmarks/gpu/models.py [--rounds N] [--write] BUILD

Ours includes normalising the batch and finding the best classes; the peers get their input ready and stop at the logits. Random
weights: they decide nothing of the time. Peers are channels-last in inference mode. max-autotune compiles for minutes a batch.
"""
import os
import statistics
import sys

import common

BATCHES = (1, 4, 8, 32, 128, 256)
# Builder: multiply-adds of a picture, outputs of its convolutions and linear layers, parameters; all in millions.
MODELS = {
    "resnet50": (4090, 11.1, 25.6),
    "mobilenet_v3_large": (217, 4.4, 5.5),
    "efficientnet_b0": (386, 6.7, 5.3),
    "regnet_y_3_2gf": (3176, 11.3, 19.4),
    "vit_b_16": (17564, 23.9, 86.6),
    "swin_t": (4491, 17.0, 28.3),
    "convnext_tiny": (4456, 13.4, 28.6),
}
COMPILED = ("default", "reduce-overhead", "max-autotune")


def floor(name, builder, batch):
    """Each output is written once and read once, each parameter read once a batch."""
    operations, outputs, parameters = (value * 1e6 for value in MODELS[builder])
    return common.floor_seconds(name, 2 * parameters + batch * 2 * 2 * outputs, batch * 2 * operations)


def peers(torch, builder, batch):
    import torchvision
    images = torch.randn(batch, 3, 224, 224, device="cuda", dtype=torch.float16).to(memory_format=torch.channels_last)

    def case(mode):
        model = getattr(torchvision.models, builder)().eval().cuda().half().to(memory_format=torch.channels_last)
        if mode:
            torch.compiler.reset()
            model = torch.compile(model, mode=None if mode == "default" else mode)

        def run():
            with torch.inference_mode():
                return model(images)
        for _ in range(3):
            run()
        return common.timed(torch, run, 10 if batch >= 64 else 50)
    return {"eager": case(None), **{mode: case(mode) for mode in COMPILED}}


def main():
    options = common.options(__doc__.splitlines()[0])
    torch = common.torch_with_gpu()
    if torch is None:
        return common.SKIPPED
    torch.backends.cudnn.benchmark = True
    generator, name = common.generator(), torch.cuda.get_device_name()
    lines = [f"GPU: {name}; fp16; each ratio is the peer's time / ours.", "",
             "| Builder | Batch | ours, ms | pictures/s | of the floor | eager | compile | reduce-overhead | max-autotune |",
             "|---|--:|--:|--:|--:|:-:|:-:|:-:|:-:|"]
    only = os.environ.get("TV_BUILDERS", " ".join(MODELS)).split()
    batches = tuple(map(int, os.environ.get("TV_BATCHES", " ".join(map(str, BATCHES))).split()))
    for builder in only:
        for batch in batches:
            ours = common.Process([options.build / "benchmarks/gpu/gpu-model-benchmark", builder, "fp16", batch])
            times = common.rounds({"ours": ours, **peers(torch, builder, batch)}, options.rounds, generator)
            ours.end()
            mine = statistics.median(times["ours"])
            ratios = " | ".join(common.against(times, "ours", peer, generator) for peer in ("eager", *COMPILED))
            lines.append(f"| {builder} | {batch} | {mine:.3f} | {batch / mine * 1e3:.0f} | "
                         f"{common.fraction(floor(name, builder, batch), mine)} | {ratios} |")
            print(lines[-1], file=sys.stderr, flush=True)
            torch.cuda.empty_cache()
    common.publish("models", lines, options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
