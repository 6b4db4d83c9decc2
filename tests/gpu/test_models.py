"""Every float builder on the GPU, in fp32, fp16 and bf16, against the reference executor on the CPU.

    test_models.py TOOL [BUILDER...]        (TOOL is parity_tool; without names: those in $TV_BUILDERS, else every float builder)

Random weights of one seed, the same pictures for all. A row a builder: of each precision the largest difference of logits, as a
share of the spread of the reference's logits over the pictures, and the pictures with the same best class. Fails where a row
is out of BOUNDS. Half precision may move the best class where two are near: agreement counts pictures whose two best logits
are further apart than the bound alone.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch

SEED = 20260801
PICTURES = 8
# Largest difference / spread of the logits. fp32 is without TF32; halves have 11 and 8 bits, and errors add up over layers.
BOUNDS = {"fp32": 1e-3, "fp16": 3e-2, "bf16": 2e-1}
# Builders whose smallest image, or only one, is another.
SIDES = {"inception_v3": 299, "vit_h_14": 224, "swin_v2_t": 256, "swin_v2_s": 256, "swin_v2_b": 256}


class Tool:
    """parity_tool, which says what its commands are."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("ok"):
                return
            if line.startswith("error"):
                raise RuntimeError(line.strip())
        raise RuntimeError(f"the tool ended with status {self.process.wait()}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def pictures(side):
    """Smooth ones of different grounds: a network sees little difference between kinds of noise."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(PICTURES, 3, 5, 5, generator=generator) * 2
    return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").contiguous()


def logits(tool, folder, side, loading):
    source, target = folder / "in.bin", folder / "out.bin"
    tool("executor", *loading)
    tool("run", PICTURES, side, side, source, target)
    return torch.from_numpy(np.fromfile(target, np.float32)).reshape(PICTURES, -1).double()


def compare(reference, found, bound):
    """Difference as a share of the spread; how many best classes agree; of how many that are clear."""
    spread = (reference - reference.mean(1, keepdim=True)).abs().max().item()
    difference = (reference - found).abs().max().item() / spread
    best = reference.topk(2).values
    clear = (best[:, 0] - best[:, 1]) > 2 * bound * spread
    same = reference.argmax(1) == found.argmax(1)
    return difference, int((same & clear).sum()), int(clear.sum())


def row(path, builder, folder):
    side = SIDES.get(builder, 224)
    pictures(side).numpy().tofile(folder / "in.bin")
    tool = Tool(path)  # one process a builder: the largest models fit once
    try:
        tool("model", builder, 1000)
        tool("random", SEED)
        reference = logits(tool, folder, side, ["reference", "cpu"])
        cells, good = [], bool(reference.isfinite().all())
        for precision, bound in BOUNDS.items():
            found = logits(tool, folder, side, ["fused", "cuda", precision])
            difference, same, clear = compare(reference, found, bound)
            good = good and difference <= bound and same == clear  # NaN: not good
            cells.append(f"{difference:.1e}, {same} of {clear}")
    finally:
        tool.close()
    return f"| {builder} | " + " | ".join(cells) + (" |" if good else " | FAILED"), good


def main(path, *names):
    if not torch.cuda.is_available():
        print("SKIP: torch sees no GPU")
        return 77
    listed = subprocess.run([path, "--list"], check=True, capture_output=True, text=True).stdout.split()
    builders = names or os.environ.get("TV_BUILDERS", "").split() or [name for name in listed if not name.startswith("quantized_")]
    print(f"bounds: {BOUNDS}\n| Builder | " + " | ".join(BOUNDS) + " |\n|---|" + "--:|" * len(BOUNDS), flush=True)
    failed = []
    with tempfile.TemporaryDirectory() as name:
        for builder in builders:
            try:
                line, good = row(path, builder, pathlib.Path(name))
            except RuntimeError as error:
                line, good = f"| {builder} | {error}", False
            print(line, flush=True)
            failed += [] if good else [builder]
    print(f"{len(builders) - len(failed)} of {len(builders)} within the bounds" + (f"; not {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
