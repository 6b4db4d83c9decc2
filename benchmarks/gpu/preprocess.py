"""1080p NV12 in GPU memory to ResNet-50's fp16 input: our kernel against torchvision's v2 transforms on CUDA.

    python3 benchmarks/gpu/preprocess.py [--rounds N] [--write] BUILD

torchvision defines no YUV: the peer's colour step is the shortest that torch allows (BT.709, limited range, nearest chroma).
Both hold the frames in GPU memory; the floor reads what the crop sees of them and writes the input.
"""
import statistics
import sys

import common

BATCHES = (1, 4, 16, 64)
SEEN = 950 * 950 * 3 // 2  # bytes of NV12 under a crop of 224 of 256 in 1920x1080
WRITTEN = 224 * 224 * 4 * 2


def prepare(torch, frames):
    """NV12 [N, 1620, 1920] in GPU memory -> fp16 [N, 3, 224, 224], channels-last."""
    from torchvision.transforms import v2
    matrix = torch.tensor([[1.164384, 0.0, 1.792741], [1.164384, -0.213249, -0.532909], [1.164384, 2.112402, 0.0]],
                          device="cuda", dtype=torch.float16)
    luma = frames[:, :1080].half() - 16
    chroma = frames[:, 1080:].reshape(-1, 540, 960, 2).half() - 128
    chroma = chroma.repeat_interleave(2, 1).repeat_interleave(2, 2)
    rgb = torch.cat([luma.unsqueeze(-1), chroma], -1) @ matrix.T
    rgb = rgb.round_().clamp_(0, 255).to(torch.uint8).permute(0, 3, 1, 2)
    pipeline = v2.Compose([v2.Resize(256, antialias=True), v2.CenterCrop(224), v2.ToDtype(torch.float16, scale=True),
                           v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    return pipeline(rgb).contiguous(memory_format=torch.channels_last)


def peer(torch, batch):
    frames = torch.randint(0, 256, (batch, 1620, 1920), dtype=torch.uint8, device="cuda")
    return common.timed(torch, lambda: prepare(torch, frames), 20)


def main():
    options = common.options(__doc__.splitlines()[0])
    torch = common.torch_with_gpu()
    if torch is None:
        return common.SKIPPED
    generator, name = common.generator(), torch.cuda.get_device_name()
    lines = [f"GPU: {name}; microseconds a frame.", "",
             "| Batch | ours | torchvision v2 | torchvision / ours | of the floor |", "|--:|--:|--:|:-:|--:|"]
    for batch in BATCHES:
        ours = common.Process([options.build / "benchmarks/gpu/gpu-preprocess-benchmark", batch])
        times = common.rounds({"ours": ours, "torchvision": peer(torch, batch)}, options.rounds, generator)
        ours.end()
        mine, its = (statistics.median(times[case]) for case in ("ours", "torchvision"))
        floor = common.floor_seconds(name, batch * (SEEN + WRITTEN))
        lines.append(f"| {batch} | {mine * 1e3 / batch:.2f} | {its * 1e3 / batch:.2f} | "
                     f"{common.against(times, 'ours', 'torchvision', generator)} | {common.fraction(floor, mine)} |")
    common.publish("preprocess", lines, options.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
