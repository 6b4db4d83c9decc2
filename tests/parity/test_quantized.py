"""Quantized builders against torchvision's, in both forms: with quantize=true the logits of both executors, from state
dicts that Python saved in both file formats and all three layouts of packed parameters, at several batches and sizes,
and the numbers that a seed gives; with quantize=false names, order, values and logits of the random network.

    test_quantized.py [--markdown FILE] TOOL [BUILDER...]     (TOOL is parity_tool; without names: every quantized builder)

The judge is the torchvision that is installed: it makes the int8 networks, from random numbers, without a download.
In int8 both sides run the same kernels on the same numbers, so logits are equal bit for bit. Prints one row a builder,
tries files that must be refused, and ends with status 1 when anything fails. --markdown puts the table into docs/parity.md.
"""
import argparse
import copy
import os
import resource
import subprocess
import sys
import tempfile
import time
import typing
import unittest.mock
import warnings

import torch
import torchvision
from torchvision.models.quantization.utils import quantize_model

from test_parity import SEED, TOLERANCE, Parity, Tool, disturb, smallest_side, write_table

CLASSES = 12
SIZES = [(1, 96, 96), (3, 33, 65), (2, 71, 38), (1, 1, 1)]
FLOAT_SIZES = SIZES[1:2]
EXECUTORS = ("reference", "fused")
# Their published files are float, of quantisation-aware training, and become int8 when they are loaded.
TRAINED = ("quantized_mobilenet_v3_large",)
# The largest one repeats the blocks of the one before it: one file instead of four.
READ_ONCE = ("quantized_resnext101_64x4d",)


def backend_of(builder):
    return torchvision.models.get_model_weights(builder).DEFAULT.meta["backend"]


def python_model(builder, seed=SEED, **options):
    torch.manual_seed(seed)
    return torchvision.models.get_model(builder, weights=None, num_classes=CLASSES, **options).eval()


def int8_model(builder, backend, seed=SEED):
    """torchvision's own steps, with numbers in between whose logits differ from class to class."""
    model = python_model(builder, seed)
    disturb(model, max(96, 4 * smallest_side(builder)))  # statistics that calibration's 299 pixels do not overstep
    quantize_model(model, backend)
    return model


def answers(model, smallest, sizes=SIZES):
    generator = torch.Generator().manual_seed(SEED)
    pairs = []
    with torch.inference_mode():
        for batch, height, width in sizes:
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

PACKED = "._packed_params._packed_params"


def packed_layers(state):
    return [name.removesuffix(PACKED) for name in state if name.endswith(PACKED)]


def version_3(state):
    return state


def version_2(state):
    result = dict(state)
    for layer in packed_layers(state):
        weight, bias = result.pop(layer + PACKED)
        result[f"{layer}._packed_params.weight"] = weight
        result[f"{layer}._packed_params.bias"] = bias
    return result


def version_1(state):
    result = dict(state)
    for layer in packed_layers(state):
        weight, bias = result.pop(layer + PACKED)
        del result[f"{layer}._packed_params.dtype"]
        result[f"{layer}.weight"] = weight
        result[f"{layer}.bias"] = torch.nn.Parameter(bias)
    return result


def one_tensor_a_name(state):
    """What is saved here: Python's order, with weight and bias in the place of the pair. Python reads it as version 1."""
    result = {}
    for name, value in state.items():
        layer, packed, part = name.partition("._packed_params.")
        if not packed:
            result[name] = value
        elif part == "_packed_params":
            result[f"{layer}.weight"], result[f"{layer}.bias"] = value
    return result


FILES = [  # layout, zip format
    (version_3, True),
    (version_3, False),
    (version_2, True),
    (version_1, False),
]


# ---- files of quantisation-aware training ----

def trained_model(builder, backend):
    """What torchvision builds before it reads such a file, after a little training: its observers have seen images."""
    model = python_model(builder)
    disturb(model)
    model.train()
    model.fuse_model(is_qat=True)
    model.qconfig = torch.ao.quantization.get_default_qat_qconfig(backend)
    torch.ao.quantization.prepare_qat(model, inplace=True)
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(2, 3, 64, 64, generator=generator))
    return model


def frozen(state):
    """As training's last epochs leave it: observers no longer look."""
    return {name: torch.zeros_like(tensor) if name.endswith("observer_enabled") else tensor
            for name, tensor in state.items()}


def old_trained(state):
    """As files were before hard sigmoids had an observer and observers had an epsilon."""
    return {name: tensor for name, tensor in frozen(state).items()
            if "scale_activation.activation_post_process" not in name and not name.endswith(".eps")}


TRAINED_FILES = [  # change, zip format
    (dict, True),
    (frozen, False),
    (old_trained, True),
]


class Quantized:
    def __init__(self, parity):
        self.parity = parity

    def row(self, builder):
        """Levels of the wanted logits, largest difference in int8 in steps and in float relative."""
        backend = backend_of(builder)
        torch.backends.quantized.engine = backend  # torchvision's MobileNetV3 leaves it to the user
        tool = Tool(self.parity.tool_path)
        floats = self.float_form(tool, builder)
        steps = [self.random_numbers(tool, builder, backend)]
        model = int8_model(builder, backend)
        wanted = answers(model, smallest_side(builder))
        distinct = max(len(torch.unique(y)) for _, y in wanted)
        for layout, zip_format in FILES[:1] if builder in READ_ONCE else FILES:
            steps.append(self.file(tool, builder, layout(model.state_dict()), zip_format, wanted))
        if builder not in READ_ONCE:
            self.saved_again(tool, int8_model(builder, backend, SEED + 1), wanted)
        if builder in TRAINED:
            steps += [self.trained_file(tool, builder, backend, change, zip_format)
                      for change, zip_format in TRAINED_FILES]
        tool.close()
        return distinct, max(steps), floats

    def float_form(self, tool, builder):
        model = python_model(builder)
        tool("model", builder, CLASSES)
        tool("random", SEED)
        tool("executor", "reference")
        self.parity.same_state(tool, model.state_dict())
        disturb(model)
        path = self.parity.path("floats.pt")
        torch.save(model.state_dict(), path)
        tool("file", path)
        tool("executor", "fused")
        return self.parity.largest_difference(tool, answers(model, smallest_side(builder), FLOAT_SIZES), CLASSES)

    def random_numbers(self, tool, builder, backend):
        """weights=None with quantize=True: random numbers, calibrated with random pixels."""
        model = python_model(builder, quantize=True)
        tool("drop")
        tool("model", builder, CLASSES, f"backend={backend}")
        tool("random", SEED)
        tool("executor", "fused")
        path = self.parity.path("random.pt")
        tool("save", path)
        wanted, found = one_tensor_a_name(model.state_dict()), torch.load(path, weights_only=True)
        assert list(found) == list(wanted), set(found) ^ set(wanted) or "another order"
        assert all(module["version"] == 1 for module in found._metadata.values()), "Python would look for a pair"
        for name, tensor in wanted.items():
            assert same(found[name], tensor), f"{name} of the seed is another"
        return self.steps(tool, answers(model, smallest_side(builder), SIZES[:1]), model)

    def file(self, tool, builder, state, zip_format, wanted):
        path = self.parity.path("weights.pt")
        torch.save(state, path, _use_new_zipfile_serialization=zip_format)
        tool("drop")
        tool("model", builder, CLASSES, f"backend={backend_of(builder)}")
        tool("file", path)
        worst = 0.0
        for executor in EXECUTORS:
            tool("executor", executor)
            worst = max(worst, self.steps(tool, wanted, None, last_scale(state)))
        return worst

    def trained_file(self, tool, builder, backend, change, zip_format):
        model = trained_model(builder, backend)
        state = change(copy.deepcopy(model.state_dict()))  # converting moves the ranges of observers that still look
        model.load_state_dict(state | {n: t for n, t in model.state_dict().items() if n not in state})
        torch.ao.quantization.convert(model, inplace=True)
        model.eval()
        wanted = answers(model, smallest_side(builder))
        assert min(len(torch.unique(y)) for _, y in wanted) >= CLASSES // 2
        path = self.parity.path("trained.pt")
        torch.save(state, path, _use_new_zipfile_serialization=zip_format)
        tool("drop")
        tool("model", builder, CLASSES, f"backend={backend}")
        tool("file", path)
        tool("executor", "fused")
        return self.steps(tool, wanted, model)

    def steps(self, tool, wanted, model, scale=None):
        """Largest difference of logits in steps of the last layer's scale."""
        scale = scale or last_scale(model.state_dict())
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


def same(a, b):
    if a.dtype != b.dtype or not b.is_quantized:
        return a.dtype == b.dtype and torch.equal(a, b)
    if a.qscheme() != b.qscheme() or not torch.equal(a.int_repr(), b.int_repr()):
        return False
    if b.qscheme() == torch.per_tensor_affine:
        return a.q_scale() == b.q_scale() and a.q_zero_point() == b.q_zero_point()
    return (a.q_per_channel_axis() == b.q_per_channel_axis()
            and torch.equal(a.q_per_channel_scales(), b.q_per_channel_scales())
            and torch.equal(a.q_per_channel_zero_points(), b.q_per_channel_zero_points()))


def last_scale(state):
    return float([tensor for name, tensor in state.items()
                  if name in ("fc.scale", "classifier.1.scale", "classifier.3.scale")][-1])


# ---- files that must be refused ----

BROKEN = "quantized_shufflenet_v2_x0_5"


def changed(name, change):
    def apply(state):
        return state | {name: change(state[name])}
    return apply


def weight_of(tensor, scales=None, axis=0, zero_points=None, values=None):
    """The same weight with something else about it."""
    scales = tensor.q_per_channel_scales() if scales is None else scales
    zeros = torch.zeros(len(scales), dtype=torch.int64) if zero_points is None else zero_points
    return torch._make_per_channel_quantized_tensor(tensor.int_repr() if values is None else values, scales, zeros, axis)


def scales_of(tensor, first):
    scales = tensor.q_per_channel_scales().clone()
    scales[0] = first
    return scales


CONV, PAIR = "conv1.0.weight", "fc" + PACKED
REFUSED = [  # what to do to BROKEN's state, what the error says
    (changed(PAIR, lambda pair: pair[:1]), "fc._packed_params._packed_params"),
    (changed(PAIR, lambda pair: (pair[0], None)), "fc.bias is no tensor"),
    (changed(PAIR, lambda pair: (pair[0].dequantize(), pair[1])), "fc.weight float32, expected qint8"),
    (changed(PAIR, lambda pair: (pair[1], pair[0])), "fc.weight float32, expected qint8"),
    (changed(PAIR, lambda pair: (pair[0], pair[1][:-1])), "fc.bias [11], expected [12]"),
    (changed("fc._packed_params.dtype", lambda _: torch.float16), "fc._packed_params.dtype"),
    (changed(CONV, lambda t: t.dequantize()), "conv1.0.weight float32, expected qint8"),
    (changed(CONV, lambda t: t.int_repr()), "conv1.0.weight int8, expected qint8"),
    (changed(CONV, lambda t: weight_of(t, t.q_per_channel_scales()[:3], 1)), "another dimension"),
    (changed(CONV, lambda t: weight_of(t, scales_of(t, float("nan")))), "a quantiser's scale is not a positive finite number"),
    (changed(CONV, lambda t: weight_of(t, scales_of(t, 0.0))), "a quantiser's scale is not a positive finite number"),
    (changed(CONV, lambda t: weight_of(t, scales_of(t, -1.0))), "a quantiser's scale is not a positive finite number"),
    (changed("conv1.0.scale", lambda t: t * 0), "conv1.0.scale is not positive"),
    (changed("conv1.0.scale", lambda t: t / 0), "conv1.0.scale holds a NaN or an infinity"),
    (changed("conv1.0.zero_point", lambda t: t * 0 + 256), "conv1.0.zero_point is outside 0..255"),
    (changed("conv1.0.zero_point", lambda t: t * 0 - 1), "conv1.0.zero_point is outside 0..255"),
    (changed("conv1.0.bias", lambda t: torch.full_like(t, float("nan"))), "conv1.0.bias holds a NaN"),
    (lambda state: {n: t for n, t in state.items() if n != "quant.scale"}, "missing: quant.scale"),
]


def refusal(parity, builder, state, *arguments):
    """What the tool says to a file."""
    tool = Tool(parity.tool_path)
    path = parity.path("refused.pt")
    torch.save(state, path)
    tool("model", builder, CLASSES, *arguments)
    tool("file", path)
    try:
        tool("executor", "fused")
    except AssertionError as error:
        return str(error)
    tool.close()
    return "the file was taken"


def refused_model(parity, *words):
    try:
        Tool(parity.tool_path)("model", *words)
    except AssertionError as error:
        return str(error)
    return "the model was built"


def refusals(parity, trained):
    """Pairs of what is said and what should be."""
    plain = BROKEN.removeprefix("quantized_")
    state = int8_model(BROKEN, "fbgemm").state_dict()
    floats = python_model(plain).state_dict()
    for change, wanted in REFUSED:
        yield refusal(parity, BROKEN, change(state), "backend=fbgemm"), wanted
    yield refusal(parity, BROKEN, floats, "backend=fbgemm"), f"the file is {plain} in float: build it, or {BROKEN} with quantize=false"
    yield refusal(parity, BROKEN, state), f"the file is int8: build {BROKEN} with quantize=true"
    yield refusal(parity, plain, state), f"the file is int8: build {BROKEN} with quantize=true"
    yield refused_model(parity, plain, CLASSES, "backend=fbgemm"), "takes neither quantize nor backend"
    yield refusal(parity, trained, python_model(trained).state_dict(), "backend=qnnpack"), "with quantize=false"
    state = trained_model(trained, "qnnpack").state_dict()
    observer = "features.0.0.activation_post_process.activation_post_process"
    for low, high in ((float("nan"), 1.0), (2.0, 1.0), (0.0, float("inf"))):
        broken = state | {f"{observer}.min_val": torch.tensor(low), f"{observer}.max_val": torch.tensor(high)}
        yield refusal(parity, trained, broken, "backend=qnnpack"), f"{observer}.min_val and max_val are no range"


def parameters_of(builder):
    """Of the float form for 1000 classes."""
    with torch.device("meta"):
        return sum(p.numel() for p in torchvision.models.get_model(builder, weights=None).parameters())


class Row(typing.NamedTuple):
    builder: str
    params: int = 0
    levels: int = 0      # distinct logits of one answer
    steps: float = 0.0   # int8: largest difference of logits in steps of the last layer
    floats: float = 0.0  # float: largest difference of logits / largest logit
    problem: str = ""


def measure(quantized, builder):
    try:
        row = Row(builder, parameters_of(builder), *quantized.row(builder))
    except AssertionError as problem:
        return Row(builder, problem=str(problem) or "a check failed")
    if row.levels < CLASSES // 2:
        return row._replace(problem=f"the wanted logits have {row.levels} levels: proves nothing")
    if row.steps != 0:
        return row._replace(problem="logits differ in int8")
    return row if row.floats <= TOLERANCE else row._replace(problem=f"in float above {TOLERANCE}")


def markdown(rows):
    return ["| Builder | Parameters | Distinct logits seen | int8: difference in quantization steps "
            "| Before conversion (float): relative difference |", "|---|--:|--:|--:|--:|",
            *(f"| {row.builder} | {row.params:,} | {row.levels} | {row.steps:.3g} | {row.floats:.1e} |" for row in sorted(rows))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--markdown")
    parser.add_argument("tool")
    parser.add_argument("builders", nargs="*")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    available = subprocess.run([options.tool, "--list"], capture_output=True, text=True, check=True).stdout.split()
    builders = options.builders or [name for name in available if name.startswith("quantized_")]
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    rows, failures = [], 0
    print(f"{'builder':<30}{'params':>12}{'levels':>8}{'steps':>8}{'float':>10}{'s':>8}   torchvision {torchvision.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        parity = Parity(options.tool, folder)
        quantized = Quantized(parity)
        for builder in builders:
            begin = time.monotonic()
            row = measure(quantized, builder)
            rows.append(row)
            failures += bool(row.problem)
            print(f"{builder:<30}{row.params:>12}{row.levels:>8}{row.steps:>8.1f}{row.floats:>10.1e}"
                  f"{time.monotonic() - begin:>8.1f}   {'FAILED: ' + row.problem if row.problem else 'ok'}", flush=True)
        for said, expected in refusals(parity, TRAINED[0]):
            if expected not in said:
                failures += 1
                print(f"FAILED: expected {expected!r} in {said!r}", flush=True)
    kilobytes = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"{len(builders)} quantized builders, {failures} failures, at most {kilobytes / 1e6:.1f} GB")
    if options.markdown:
        write_table(options.markdown, "int8", markdown(rows))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
