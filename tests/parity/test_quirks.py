"""Files that Python's load_state_dict() takes and changes: numbers of other types, and a Vision Transformer's names of
before torchvision 0.14. The numbers that are loaded are Python's, bit for bit, and so are the logits of both executors.

    test_quirks.py TOOL        (TOOL is parity_tool)

The judge is the torchvision that is installed: it loads the same file. Prints one row a file, and ends with status 1 when
any fails.
"""
import collections
import re
import sys
import tempfile

import torch
import torchvision

from test_parity import CLASSES, SEED, TOLERANCE, Parity, Tool, answers, disturb, smallest_side

SIZE = (2, 64, 64)
VIT_SIDE = 64


# ---- what is done to a state dict ----

def in_type(dtype):
    def change(state):
        return {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    return change


def with_old_names(state):
    """As torchvision 0.12 and 0.13 wrote a Vision Transformer: no version of the perceptron says otherwise."""
    def renamed(name):
        return re.sub(r"\.mlp\.([03])\.", lambda found: f".mlp.linear_{1 if found[1] == '0' else 2}.", name)

    old = collections.OrderedDict((renamed(name), tensor) for name, tensor in state.items())
    old._metadata = {name: {"version": 1} for name in state._metadata}
    assert sum(".mlp.linear_" in name for name in old) == 4 * 12
    return old


TAKEN = [  # builder, change, zip format
    ("shufflenet_v2_x0_5", in_type(torch.float16), True),
    ("shufflenet_v2_x0_5", in_type(torch.float16), False),
    ("mobilenet_v3_small", in_type(torch.bfloat16), True),
    ("squeezenet1_1", in_type(torch.float64), False),
    ("vit_b_32", with_old_names, True),
]
REFUSED = [  # builder, change, what is said
    ("shufflenet_v2_x0_5", in_type(torch.int8), "conv1.0.weight int8, expected float32"),
    ("shufflenet_v2_x0_5", in_type(torch.complex64), "torch.ComplexFloatStorage"),
    ("vit_b_32", lambda state: {name.replace(".mlp.0.", ".mlp.linear_3."): t for name, t in state.items()},
     "encoder.layers.encoder_layer_0.mlp.linear_3.weight"),
]


class Quirks:
    def __init__(self, parity):
        self.parity = parity

    def build(self, builder):
        """A tool with the builder, and Python's model of other numbers than its file's."""
        options = {"image_size": VIT_SIDE} if builder.startswith("vit_") else {}
        torch.manual_seed(SEED)
        tool = Tool(self.parity.tool_path)
        tool("model", builder, CLASSES, *(f"{name}={value}" for name, value in options.items()))
        return tool, torchvision.models.get_model(builder, weights=None, num_classes=CLASSES, **options).eval()

    def save(self, state, zip_format=True):
        path = self.parity.path("weights.pt")
        torch.save(state, path, _use_new_zipfile_serialization=zip_format)
        return path

    def taken(self, builder, change, zip_format):
        tool, model = self.build(builder)
        disturb(model, SIZE[1])
        path = self.save(change(model.state_dict()), zip_format)
        with torch.no_grad():
            for tensor in model.state_dict().values():
                tensor.fill_(0)
        model.load_state_dict(torch.load(path, weights_only=True))
        wanted = answers(model, [SIZE], smallest_side(builder))
        tool("file", path)
        worst = 0.0
        for executor in ("reference", "fused"):
            tool("executor", executor)
            self.parity.same_state(tool, model.state_dict())
            worst = max(worst, self.parity.largest_difference(tool, wanted, CLASSES))
        tool.close()
        assert worst <= TOLERANCE, f"logits differ by {worst:.1e}"
        return f"{worst:.1e}"

    def refused(self, builder, change, said):
        tool, model = self.build(builder)
        tool("file", self.save(change(model.state_dict())))
        try:
            tool("executor", "fused")
        except AssertionError as error:
            assert said in str(error), f"expected {said!r} in {str(error)!r}"
            return "refused"
        tool.close()
        raise AssertionError(f"{said}: the file was taken")


def main(tool_path):
    torch.set_num_threads(1)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        quirks = Quirks(Parity(tool_path, folder))
        print(f"{'builder':<20}{'logits':>10}   torchvision {torchvision.__version__}")
        for check, rows in ((quirks.taken, TAKEN), (quirks.refused, REFUSED)):
            for builder, *row in rows:
                try:
                    result = check(builder, *row)
                    print(f"{builder:<20}{result:>10}   ok", flush=True)
                except AssertionError as problem:
                    failures += 1
                    print(f"{builder:<20} FAILED: {problem}", flush=True)
    print(f"{len(TAKEN) + len(REFUSED)} files, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
