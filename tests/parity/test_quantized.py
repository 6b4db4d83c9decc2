"""Quantized builders in int8 against torchvision's: logits of both executors from state dicts that Python saved, in both
file formats and all three layouts of packed parameters, at several batches and sizes.

    test_quantized.py TOOL [BUILDER...]        (TOOL is parity_tool; all quantized builders unless some are named)

The judge is the torchvision that is installed: it makes the int8 networks, from random numbers, without a download.
Logits are equal bit for bit where both sides run the same kernels; they do. Prints one row a builder and ends with
status 1 when any row fails.
"""
import os
import subprocess
import sys
import tempfile
import unittest.mock
import warnings

import torch
import torchvision
from torchvision.models.quantization.utils import quantize_model

from test_parity import SEED, Parity, Tool, disturb, smallest_side

CLASSES = 12
SIZES = [(1, 96, 96), (3, 33, 65), (2, 71, 38), (1, 1, 1)]
EXECUTORS = ("reference", "fused")


def backend_of(builder):
    return torchvision.models.get_model_weights(builder).DEFAULT.meta["backend"]


def int8_model(builder, backend, seed=SEED):
    """torchvision's own steps, with numbers in between whose logits differ from class to class."""
    torch.manual_seed(seed)
    model = torchvision.models.get_model(builder, weights=None, num_classes=CLASSES).eval()
    disturb(model)
    quantize_model(model, backend)
    return model


def answers(model, smallest):
    generator = torch.Generator().manual_seed(SEED)
    pairs = []
    with torch.inference_mode():
        for batch, height, width in SIZES:
            x = torch.randn(batch, 3, max(height, smallest), max(width, smallest), generator=generator)
            pairs.append((x, forward(model, x)))
    return pairs


def forward(model, x):
    """LibTorch's mean of a quantised 1x1 image, which ShuffleNet makes of up to 32x32 pixels, fails in Python: there it
    is the identity."""
    plain = torch.Tensor.mean

    def mean(tensor, dims):
        return tensor.flatten(1) if tensor.shape[2:] == (1, 1) else plain(tensor, dims)

    with unittest.mock.patch.object(torch.Tensor, "mean", mean):
        return model(x)


# ---- the layouts of torch.ao.nn.quantized.Linear's state over the years ----

def packed_layers(state):
    suffix = "._packed_params._packed_params"
    return [name.removesuffix(suffix) for name in state if name.endswith(suffix)]


def version_3(state):
    return state


def version_2(state):
    result = dict(state)
    for layer in packed_layers(state):
        weight, bias = result.pop(f"{layer}._packed_params._packed_params")
        result[f"{layer}._packed_params.weight"] = weight
        result[f"{layer}._packed_params.bias"] = bias
    return result


def version_1(state):
    result = dict(state)
    for layer in packed_layers(state):
        weight, bias = result.pop(f"{layer}._packed_params._packed_params")
        del result[f"{layer}._packed_params.dtype"]
        result[f"{layer}.weight"] = weight
        result[f"{layer}.bias"] = torch.nn.Parameter(bias)
    return result


FILES = [  # layout, zip format
    (version_3, True),
    (version_3, False),
    (version_2, True),
    (version_1, False),
]


class Quantized:
    def __init__(self, parity):
        self.parity = parity

    def row(self, builder):
        backend = backend_of(builder)
        model = int8_model(builder, backend)
        wanted = answers(model, smallest_side(builder))
        distinct = min(len(torch.unique(y)) for _, y in wanted)
        tool = Tool(self.parity.tool_path)
        worst = 0.0
        for layout, zip_format in FILES:
            path = self.parity.path("weights.pt")
            torch.save(layout(model.state_dict()), path, _use_new_zipfile_serialization=zip_format)
            tool("drop")
            tool("model", builder, CLASSES, f"backend={backend}")
            tool("file", path)
            for executor in EXECUTORS:
                tool("executor", executor)
                worst = max(worst, self.steps(tool, wanted, model))
        self.saved_again(tool, int8_model(builder, backend, SEED + 1), wanted)
        tool.close()
        return distinct, worst

    def steps(self, tool, wanted, model):
        """Largest difference of logits in steps of the last layer's scale."""
        scale = last_scale(model.state_dict())
        worst = 0.0
        for x, y in wanted:
            found = self.parity.logits(tool, x, CLASSES)
            worst = max(worst, float((found - y).abs().max()) / scale)
        return worst

    def saved_again(self, tool, other, wanted):
        """A model with other numbers takes what the tool saves, strictly, and computes the same."""
        path = self.parity.path("again.pt")
        tool("save", path)
        with torch.inference_mode():
            assert not torch.equal(forward(other, wanted[0][0]), wanted[0][1])
            other.load_state_dict(torch.load(path, weights_only=True))
            for x, y in wanted:
                assert torch.equal(forward(other, x), y), "a state dict saved here gives Python other logits"
        os.remove(path)


def last_scale(state):
    return float([tensor for name, tensor in state.items()
                  if name in ("fc.scale", "classifier.1.scale", "classifier.3.scale")][0])


def main(tool_path, *wanted):
    warnings.simplefilter("ignore")
    available = subprocess.run([tool_path, "--list"], capture_output=True, text=True, check=True).stdout.split()
    quantized = [name for name in available if name.startswith("quantized_")]
    builders = list(wanted) or quantized
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    failed = []
    print(f"{'builder':<28}{'levels':>8}{'steps':>8}   torchvision {torchvision.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        quantized = Quantized(Parity(tool_path, folder))
        for builder in builders:
            try:
                distinct, steps = quantized.row(builder)
                assert distinct >= CLASSES // 2, f"the wanted logits have {distinct} levels: proves nothing"
                assert steps == 0, f"logits differ by {steps:.2f} steps"
            except AssertionError as problem:
                failed.append(builder)
                print(f"{builder:<28} FAILED: {problem}", flush=True)
                continue
            print(f"{builder:<28}{distinct:>8}{steps:>8.1f}   ok", flush=True)
    print(f"{len(builders) - len(failed)} of {len(builders)} int8 builders equal torchvision")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
