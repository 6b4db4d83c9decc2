"""Time of torchvision's own preset on one 1080p RGB frame, one thread: the peer of benchmarks/preprocess.

    preprocess_torchvision.py [ROUNDS]
"""

import statistics
import sys
import time

import PIL.Image
import torch
from torchvision.transforms._presets import ImageClassification


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    torch.set_num_threads(1)
    frame = torch.randint(0, 256, (1080, 1920, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    preset = ImageClassification(crop_size=224)
    cases = {
        "tensor": frame.permute(2, 0, 1).contiguous(),
        "tensor, channels last": frame.permute(2, 0, 1),
        "pil": PIL.Image.fromarray(frame.numpy()),
    }
    spent = {name: [] for name in cases}
    for turn in range(-1, rounds):  # the first turn warms up
        for name, picture in cases.items():
            begin = time.perf_counter()
            preset(picture)
            if turn >= 0:
                spent[name].append((time.perf_counter() - begin) * 1e3)
    print(f"1920x1080 -> 224, resize 256, bilinear, antialias; median of {rounds} rounds, ms a frame")
    for name, times in spent.items():
        print(f"{name:22} {statistics.median(times):8.3f}")


if __name__ == "__main__":
    main()
