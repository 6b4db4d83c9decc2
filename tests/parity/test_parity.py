"""Every builder against torchvision: names, order, shapes and values of the random state dict, and logits of both
executors from random numbers and from files saved by Python, at several input sizes.

    test_parity.py [--markdown FILE] TOOL [BUILDER...]        (TOOL is parity_tool; without names: every builder)

The judge is the torchvision that is installed; nothing is compared with stored numbers. Prints one row a builder, in
the order in which they are done, and ends with status 1 when any row fails. --markdown puts the table into docs/parity.md.
"""
import argparse
import collections
import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import typing

import numpy as np
import torch
import torchvision

SEED = 20260801
TOLERANCE = 5e-5  # largest difference of logits / largest logit; 1.1e-5 is the most that is seen, 1e-4 is promised
CLASSES = 6       # of the fine-tuned variant
# batch, height, width; raised to the builder's smallest image
RANDOM_SIZES = [(1, 224, 224)]
FILE_SIZES = [(1, 96, 96), (3, 33, 65), (1, 1, 1), (2, 71, 38)]
# Builders for images of one size (224 unless told): the sides that the two files are for, and their batch sizes.
FIXED_SIZES = {
    "maxvit_t": ((222, 2), (448, 1)),
    "vit_b_16": ((224, 2), (48, 3)),
    "vit_b_32": ((224, 2), (96, 3)),
    "vit_l_16": ((224, 1), (48, 3)),
    "vit_l_32": ((224, 1), (96, 3)),
    "vit_h_14": ((224, 1), (42, 1)),
}
# Builders with more parameters have one small image: an executor keeps a copy of their weights for every image size.
LARGE = 60_000_000
LARGE_SIZES = [(1, 32, 48)]
# Builders with still more, regnet_y_128gf and vit_h_14, run random numbers in the reference executor alone and have no
# legacy file: with these regnet_y_128gf takes 122 s instead of 88, and vit_h_14 15.6 GB instead of 13.1.
HUGE = 400_000_000


class Tool:
    """parity_tool, one process a builder."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline().rstrip("\n")
            if line == "ok":
                return lines
            if not line or line.startswith("error"):
                raise AssertionError(f"{words}: {line or 'the tool ended'}")
            lines.append(line)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


class Parity:
    def __init__(self, tool_path, folder):
        self.tool_path = tool_path
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def logits(self, tool, x, classes):
        x.contiguous().numpy().tofile(self.path("x"))
        tool("run", x.shape[0], x.shape[2], x.shape[3], self.path("x"), self.path("y"))
        return torch.from_numpy(np.fromfile(self.path("y"), np.float32).reshape(x.shape[0], classes))

    def largest_difference(self, tool, wanted, classes):
        worst = 0.0
        for x, y in wanted:
            found = self.logits(tool, x, classes)
            scale = float(y.abs().max())
            assert scale > 0, "the wanted logits are all zero: the test would prove nothing"
            difference = float((found - y).abs().max()) / scale
            worst = max(worst, difference) if difference == difference else float("inf")
        return worst

    def same_state(self, tool, state):
        """Names, order, types, shapes and every bit."""
        lines = tool("state", self.path("state"))
        data = np.memmap(self.path("state"), np.uint8, "r")
        assert len(lines) == len(state), f"{len(lines)} tensors, torchvision has {len(state)}"
        offset = 0
        for line, (name, tensor) in zip(lines, state.items()):
            _, found_name, dtype, shape = line.split(" ", 3)
            assert found_name == name, f"{found_name}, torchvision has {name}"
            assert dtype == str(tensor.dtype).removeprefix("torch."), f"{name}: {dtype}"
            assert json.loads(shape) == list(tensor.shape), f"{name}: {shape}"
            bytes_ = tensor.contiguous().numpy().reshape(-1).view(np.uint8)
            assert np.array_equal(data[offset:offset + bytes_.size], bytes_), f"{name}: other values"
            offset += bytes_.size
        assert offset == data.size

    def random_numbers(self, tool, builder):
        torch.manual_seed(SEED)
        model = torchvision.models.get_model(builder, weights=None).eval()
        params = sum(p.numel() for p in model.parameters())
        large = params > LARGE
        wanted = []
        if builder.startswith("vit_"):  # its head begins as zeros: the file's has others
            assert not model.heads.head.weight.any()
        else:
            wanted = answers(model, LARGE_SIZES if large else RANDOM_SIZES, smallest_side(builder))
        path = self.path("random.pt")
        torch.save(model.state_dict(), path)
        del model  # the tool needs the memory: twice a model's size and once its file's
        tool("model", builder, 1000)
        tool("random", SEED)
        tool("executor", "reference")
        self.same_state(tool, mapped(path))
        os.remove(path)
        differences = [self.largest_difference(tool, wanted, 1000)]
        if wanted and params <= HUGE:
            tool("executor", "fused")
            differences.append(self.largest_difference(tool, wanted, 1000))
        tool("drop")
        return params, differences

    def python_file(self, tool, builder, zip_format, executors, sizes=None):
        """A fine-tuned model with statistics that a mistake in batch norm cannot survive."""
        torch.manual_seed(SEED + 1)
        arguments, options, usual_sizes = file_case(builder, zip_format)
        model = torchvision.models.get_model(builder, weights=None, num_classes=CLASSES, **options).eval()
        sizes = sizes or usual_sizes
        smallest = smallest_side(builder)
        disturb(model, side=max(smallest, sizes[0][1], 1 if builder in FIXED_SIZES else 96))
        wanted = answers(model, sizes, smallest)
        assert image_matters(wanted), "the wanted logits hardly depend on the image: the test would prove little"
        path = self.path("weights.pt")
        torch.save(model.state_dict(), path, _use_new_zipfile_serialization=zip_format)
        del model
        tool("drop")
        tool("model", builder, CLASSES, *arguments)
        tool("file", path)
        results = []
        for executor in executors:
            tool("executor", executor)
            results.append(self.largest_difference(tool, wanted, CLASSES))
            if executor == "reference":  # of the two it needs less memory
                self.same_file(tool, path)
        os.remove(path)
        return results

    def same_file(self, tool, path):
        """The tool writes what it has read."""
        saved = self.path("saved.pt")
        tool("save", saved)
        state, again = mapped(path), mapped(saved)
        assert list(again) == list(state)
        assert all(torch.equal(again[name], tensor) for name, tensor in state.items())
        wanted, found = state._metadata, again._metadata
        holders = {"", *(name.rpartition(".")[0] for name in state)}
        assert holders <= found.keys() <= wanted.keys(), "other modules"
        assert all(found[module]["version"] == wanted[module].get("version") for module in found), "other versions"
        os.remove(saved)

    def row(self, builder):
        tool = Tool(self.tool_path)
        params, (reference, *fused) = self.random_numbers(tool, builder)
        large = params > LARGE
        sizes = LARGE_SIZES if large and builder not in FIXED_SIZES else None
        results = self.python_file(tool, builder, True, ("reference", "fused"), sizes)
        if params <= HUGE:  # reading differs between the formats, executing and writing do not
            results += self.python_file(tool, builder, False, ("fused",), sizes)
        tool.close()
        return params, max(reference, results[0]), max(fused + results[1:])


def mapped(path):
    return torch.load(path, weights_only=True, mmap=True)


def file_case(builder, zip_format):
    """Of one file: what the tool is told, torchvision's keyword arguments, and the images."""
    if builder not in FIXED_SIZES:
        return [], {}, FILE_SIZES if zip_format else FILE_SIZES[:1]
    side, batch = FIXED_SIZES[builder][0 if zip_format else 1]
    keyword = {"input_size": (side, side)} if builder == "maxvit_t" else {"image_size": side}
    return [f"image_size={side}"], keyword, [(batch, side, side)]


def smallest_side(builder):
    if builder in FIXED_SIZES:
        return 1  # the sizes say it all
    if builder.startswith("swin_"):
        return 4  # torchvision's meta has the size of the training; smaller images run
    weights = torchvision.models.get_model_weights(builder)
    return weights.DEFAULT.meta["min_size"][0]


def answers(model, sizes, smallest):
    generator = torch.Generator().manual_seed(SEED)
    pairs = []
    with torch.inference_mode():
        for batch, height, width in sizes:
            x = torch.randn(batch, 3, max(height, smallest), max(width, smallest), generator=generator)
            pairs.append((x, model(x)))
    return pairs


# Tensors that no module of torch.nn holds, by the last part of their name.
DISTURBED = {
    "layer_scale": lambda t: t.uniform_(0.2, 0.6),  # 1e-6 hides what the block computes
    "in_proj_bias": lambda t: t.normal_(0, 0.1),
    "class_token": lambda t: t.normal_(0, 0.5),
    "logit_scale": lambda t: t.uniform_(1, 6),  # clamped above 4.6
    "relative_position_bias_table": lambda t: t.normal_(0, 1),
    "relative_coords_table": lambda t: t.normal_(0, 2),
    "relative_position_index": lambda t: t.copy_(t.flatten()[torch.randperm(t.numel())].view_as(t)),
}


def image_matters(wanted):
    """Whether images of one batch differ in their logits by far more than is tolerated."""
    spreads = [float((y - y[0]).abs().max() / y.abs().max()) for _, y in wanted if len(y) > 1]
    return not spreads or max(spreads) > 1e-3


def disturb(model, side=96):
    """Every parameter and statistic off its default (mean 0, variance 1, weight 1, bias 0), and near what training gives:
    the statistics are those of noise, moved, so that the image reaches the logits of a deep network."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for module in model.modules():
            if getattr(module, "bias", None) is not None:
                module.bias.normal_(0, 0.1)
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.uniform_(0.5, 1.5)
            # With larger weights deep networks are chaotic, and multiply roundings by thousands; with smaller ones or
            # smaller biases the image fades. A trained network is neither.
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.3, 0.9)
                module.bias.normal_(0, 0.5)
        for name, tensor in model.state_dict().items():
            if rule := DISTURBED.get(name.rpartition(".")[2]):
                rule(tensor)
        if hasattr(model, "heads"):
            model.heads.head.weight.normal_(0, 0.1)
        # SqueezeNet's head ends in a relu: keep most of its logits above zero.
        if isinstance(model, torchvision.models.SqueezeNet):
            model.classifier[1].bias.add_(1)
        if norms:
            observe(model, norms, torch.randn(4, 3, side, side))
        for norm in norms:
            norm.running_mean += 0.3 * torch.randn_like(norm.running_mean) * norm.running_var.sqrt()
            norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.7, 2)
            norm.num_batches_tracked.fill_(12345)


def observe(model, norms, images):
    """Sets running statistics to those of the images."""
    training, momentum = model.training, norms[0].momentum
    model.eval()  # auxiliary heads stay out
    for norm in norms:
        norm.train().momentum = 1.0
    model(images)
    model.train(training)
    for norm in norms:
        norm.momentum = momentum
        norm.running_var.clamp_(min=1e-4)  # a channel that is the same everywhere


class Row(typing.NamedTuple):
    builder: str
    params: int = 0
    reference: float = 0.0  # largest difference of logits / largest logit
    fused: float = 0.0
    seconds: float = 0.0
    gigabytes: float = 0.0  # of both processes, at most, since the lane began
    problem: str = ""


def measure(tool_path, builder):
    begin = time.monotonic()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    with tempfile.TemporaryDirectory() as folder:
        try:
            params, reference, fused = Parity(tool_path, folder).row(builder)
        except AssertionError as problem:
            return Row(builder, problem=str(problem) or "a check failed")
    problem = "" if reference <= TOLERANCE and fused <= TOLERANCE else f"above {TOLERANCE}"
    kilobytes = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Row(builder, params, reference, fused, time.monotonic() - begin, kilobytes / 1e6, problem)


def lane(tool_path, take, report):
    """Builders one after the other, in a process of its own: seeds are global in Python."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as process:
        while builder := take():
            report(process.submit(measure, tool_path, builder).result())


def parameters_of(builder):
    return torchvision.models.get_model_weights(builder).DEFAULT.meta["num_params"]


def run(tool_path, builders, report):
    """Two lanes. One begins with the largest builders and the other with the smallest, which never takes a large one,
    so that memory holds one of these at a time."""
    left = collections.deque(sorted(builders, key=parameters_of))

    def largest():
        return left.pop() if left else None

    def smallest():
        return left.popleft() if left and parameters_of(left[0]) <= LARGE else None

    with concurrent.futures.ThreadPoolExecutor(2) as lanes:
        for done in [lanes.submit(lane, tool_path, take, report) for take in (largest, smallest)]:
            done.result()


def write_table(page, name, lines):
    """Puts the lines between the page's <!-- NAME --> and <!-- end of NAME -->."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    page = pathlib.Path(page)
    head, mark, rest = page.read_text().partition(begin)
    _, mark_behind, tail = rest.partition(end)
    assert mark and mark_behind, f"{page} has no {begin.strip()} before {end}"
    page.write_text(head + begin + "\n".join(lines) + "\n" + end + tail)


def markdown(rows):
    shown = "{:.1e}".format
    return ["| Builder | Parameters | Reference executor | Fused executor |", "|---|--:|--:|--:|",
            *(f"| {row.builder} | {row.params:,} | {shown(row.reference) if row.reference else 0} | {shown(row.fused)} |"
              for row in sorted(rows))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--markdown")
    parser.add_argument("tool")
    parser.add_argument("builders", nargs="*")
    options = parser.parse_args()
    available = subprocess.run([options.tool, "--list"], capture_output=True, text=True, check=True).stdout.split()
    available = [builder for builder in available if not builder.startswith("quantized_")]
    judge = torchvision.models.list_models(module=torchvision.models)
    assert sorted(available) == sorted(judge), f"torchvision has {sorted(set(judge) ^ set(available))}"
    wanted = options.builders or available
    rows = []

    def report(row):
        rows.append(row)
        print(f"{row.builder:<20}{row.params:>12}{row.reference:>12.1e}{row.fused:>12.1e}{row.seconds:>8.1f}"
              f"{row.gigabytes:>8.1f}   {'FAILED: ' + row.problem if row.problem else 'ok'}", flush=True)

    print(f"{'builder':<20}{'params':>12}{'reference':>12}{'fused':>12}{'s':>8}{'GB':>8}   "
          f"torchvision {torchvision.__version__}")
    begin = time.monotonic()
    run(options.tool, wanted, report)
    good = [row for row in rows if not row.problem]
    print(f"{len(good)} of {len(wanted)} builders equal torchvision, {time.monotonic() - begin:.0f} s")
    if options.markdown:
        write_table(options.markdown, "float", markdown(rows))
    return 0 if len(good) == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
