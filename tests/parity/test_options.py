"""Keyword arguments of the builders against torchvision: the random state dict and the logits that they lead to,
with and without weights, and what is refused.

    test_options.py TOOL        (TOOL is parity_tool)

Weights are numbers drawn here, which torchvision's own builders load in place of a download.
"""
import inspect
import json
import os
import subprocess
import sys
import tempfile
import warnings
from unittest import mock

import numpy as np
import torch
import torchvision
from torchvision.models import get_model

from test_parity import SEED, TOLERANCE, Parity, Tool, answers, disturb, image_matters

CLASSES = 6
WEIGHTS = {
    "densenet121": "DenseNet121_Weights.IMAGENET1K_V1",
    "googlenet": "GoogLeNet_Weights.IMAGENET1K_V1",
    "inception_v3": "Inception_V3_Weights.IMAGENET1K_V1",
    "vgg16": "VGG16_Weights.IMAGENET1K_FEATURES",
}

# Random initialisation: the builder and its options.
RANDOM = [
    ("googlenet", {"aux_logits": False}),
    ("googlenet", {"init_weights": False}),
    ("googlenet", {"aux_logits": True, "init_weights": True, "transform_input": False}),
    ("inception_v3", {"aux_logits": False}),
    ("inception_v3", {"init_weights": False}),
    ("vgg11", {"init_weights": False}),
    ("resnet18", {"zero_init_residual": True}),
    ("resnext50_32x4d", {"zero_init_residual": True, "progress": False}),
    ("efficientnet_b0", {"dropout": 0.7, "stochastic_depth_prob": 0.3}),
    ("densenet121", {"drop_rate": 0.5}),
]

# Every keyword of the C++ builders but weights and num_classes, with a value that Python takes.
KEYWORDS = {
    "attention_dropout": 0.25,
    "aux_logits": True,
    "backend": "fbgemm",
    "drop_rate": 0.25,
    "dropout": 0.25,
    "dropout_aux": 0.25,
    "image_size": 224,
    "init_weights": False,
    "mlp_dropout": 0.25,
    "progress": False,
    "quantize": True,
    "stochastic_depth_prob": 0.25,
    "transform_input": True,
    "zero_init_residual": False,
}
# torchvision's networks that swallow any keyword, and those of the above that each reads.
SWALLOWING = {
    torchvision.models.ConvNeXt: ["stochastic_depth_prob"],
    torchvision.models.quantization.mobilenetv3.QuantizableMobileNetV3: ["backend", "dropout"],
    torchvision.models.MobileNetV3: ["dropout"],
}

# With an entry, whose file holds the auxiliary heads.
WITH_WEIGHTS = [
    ("googlenet", {}),
    ("googlenet", {"aux_logits": True}),
    ("googlenet", {"transform_input": False, "init_weights": False}),
    ("inception_v3", {}),
    ("inception_v3", {"aux_logits": True, "transform_input": False}),
    ("densenet121", {}),
]

# Both refuse, with a word of the tool's message.
REFUSED = [
    ("googlenet", True, {"aux_logits": False}, "aux_logits is false, but with weights it is true"),
    ("googlenet", True, {"init_weights": True}, "init_weights is true, but with weights it is false"),
    ("googlenet", True, {"num_classes": CLASSES}, "num_classes is 6"),
    ("inception_v3", True, {"aux_logits": False}, "aux_logits is false, but with weights it is true"),
    ("inception_v3", True, {"init_weights": True}, "init_weights is true, but with weights it is false"),
    ("densenet121", True, {"num_classes": CLASSES}, "num_classes is 6"),
    ("densenet121", False, {"aux_logits": True}, "densenet121 has no option aux_logits"),
    ("vgg11", False, {"transform_input": True}, "vgg11 has no option transform_input"),
    ("alexnet", False, {"init_weights": True}, "alexnet has no option init_weights"),
    ("alexnet", False, {"dropout": 1.5}, "alexnet: dropout is 1.5 (expected 0..1)"),
    ("vit_h_14", False, {"pretrained": True}, "pretrained=true means IMAGENET1K_V1, and there is no such entry"),
]


def words(builder, weights, options):
    """The tool's arguments for torchvision's."""
    options = dict(options)
    classes = options.pop("num_classes", 1000)
    chosen = [f"weights={WEIGHTS[builder]}"] if weights else []
    return [builder, classes, *chosen, *(f"{name}={str(value).lower()}" for name, value in options.items())]


def build(builder, options, state=None):
    """torchvision's builder, whose download yields `state`."""
    weights = torchvision.models.get_weight(WEIGHTS[builder]) if state is not None else None
    with mock.patch("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: dict(state)):
        return get_model(builder, weights=weights, **options).eval()


def published(builder):
    """A state dict such as the entry's file holds."""
    torch.manual_seed(SEED)
    model = get_model(builder, weights=None)
    disturb(model)
    state = model.state_dict()
    if builder.startswith("densenet"):  # older than the counters, and than today's names
        state = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
        for kind in ("norm1.", "norm2.", "conv1.", "conv2."):
            dotted = f"{kind[:4]}.{kind[4:]}"
            state = {name.replace("." + kind, "." + dotted): tensor for name, tensor in state.items()}
        assert "features.denseblock1.denselayer1.norm.1.weight" in state
    return state


def without(state, *prefixes):
    return {name: tensor for name, tensor in state.items() if not name.startswith(prefixes)}


def python_takes(builder, keyword):
    if keyword in inspect.signature(torchvision.models.get_model_builder(builder)).parameters:
        return True
    named = "input_size" if (builder, keyword) == ("maxvit_t", "image_size") else keyword
    value = (KEYWORDS[keyword],) * 2 if named == "input_size" else KEYWORDS[keyword]
    # RegNet calculates with tensors; of the keywords here it takes none, and says so before it has built anything.
    with torch.device("cpu" if builder.startswith("regnet") else "meta"):
        try:
            model = get_model(builder, **{named: value})
        except TypeError as problem:
            # Swin and MaxViT set some themselves, so that nobody else can.
            assert "unexpected keyword" in str(problem) or "multiple values" in str(problem), problem
            return False
    reads = next((names for kind, names in SWALLOWING.items() if isinstance(model, kind)), [keyword])
    return keyword in reads


class Options(Parity):
    def check_logits(self, tool, model, classes):
        wanted = answers(model, [(2, 96, 80)], 75)
        assert image_matters(wanted)
        for executor in ("reference", "fused"):
            tool("executor", executor)
            difference = self.largest_difference(tool, wanted, classes)
            assert difference <= TOLERANCE, f"{executor}: logits differ by {difference:.1e}"

    def random(self, builder, options):
        torch.manual_seed(SEED)
        model = build(builder, options)
        tool = Tool(self.tool_path)
        tool("model", *words(builder, False, options))
        tool("random", SEED)
        tool("executor", "reference")
        self.same_state(tool, model.state_dict())
        tool.close()

    def file(self, arguments, state, model, classes):
        path = self.path("weights.pt")
        torch.save(state, path)
        tool = Tool(self.tool_path)
        tool("model", *arguments)
        tool("file", path)
        tool("executor", "reference")
        self.same_state(tool, model.state_dict())
        self.check_logits(tool, model, classes)
        tool.close()
        os.remove(path)

    def with_weights(self, builder, options):
        state = published(builder)
        model = build(builder, options, state)
        self.file(words(builder, True, options), state, model, 1000)
        if builder == "densenet121":
            return
        # The entry's file is complete, or it is not the entry's.
        torch.save(without(state, "fc."), self.path("short.pt"))
        self.refused(words(builder, True, options), "2 missing: fc.weight, fc.bias", self.path("short.pt"))

    def transform_input(self, builder):
        """Without weights: the same numbers, other logits."""
        torch.manual_seed(SEED)
        model = build(builder, {"num_classes": CLASSES, "transform_input": True})
        disturb(model)
        arguments = [builder, CLASSES, "transform_input=true"]
        self.file(arguments, model.state_dict(), model, CLASSES)
        try:
            self.file(arguments[:2], model.state_dict(), model, CLASSES)
        except AssertionError as problem:
            assert "logits differ" in str(problem), problem
        else:
            raise AssertionError(f"{builder}: transform_input changes nothing")

    def own_file(self, builder, heads):
        """A fine-tuned file, saved before or after the auxiliary heads were removed."""
        torch.manual_seed(SEED)
        model = build(builder, {"num_classes": CLASSES, "transform_input": True})
        disturb(model)
        state = model.state_dict()
        for head in heads:
            setattr(model, head, None)
        assert len(model.state_dict()) < len(state)
        entry = f"weights={WEIGHTS[builder]}"
        for file in (state, model.state_dict()):
            self.file([builder, CLASSES, entry, "own_file=true"], file, model, CLASSES)
            self.file([builder, CLASSES, "own_file=true", "transform_input=true"], file, model, CLASSES)
        # Without the promise that the file is another, the heads are missed.
        torch.save(model.state_dict(), self.path("no-heads.pt"))
        self.refused([builder, CLASSES], f"missing: {heads[0]}.", self.path("no-heads.pt"))

    def refused(self, arguments, message, path=None):
        tool = Tool(self.tool_path)
        try:
            tool("model", *arguments)
            if path:
                tool("file", path)
                tool("executor", "reference")
        except AssertionError as problem:
            assert message in str(problem), problem
        else:
            raise AssertionError(f"{arguments} is not refused")
        finally:
            tool.process.stdin.close()
            tool.process.wait()

    def refused_by_both(self, builder, weights, options, message):
        try:
            build(builder, options, {} if weights else None)
        except (TypeError, ValueError):
            pass
        else:
            raise AssertionError(f"torchvision does not refuse {builder}, {options}")
        self.refused(words(builder, weights, options), message)

    def keywords(self, builder):
        """Each is taken where Python takes it, and refused by its name where Python does not know it."""
        for keyword, value in KEYWORDS.items():
            words = [builder, 1000, f"{keyword}={str(value).lower()}"]
            if not python_takes(builder, keyword):
                self.refused(words, keyword)
                continue
            tool = Tool(self.tool_path)
            tool("model", *words)
            tool.close()

    def features_of_vgg16(self):
        """The entry without categories says nothing about the number of classes."""
        meta_model = get_model("vgg16", num_classes=CLASSES, init_weights=False)
        model = build("vgg16", {"num_classes": CLASSES}, meta_model.state_dict())
        assert model.classifier[6].out_features == CLASSES
        tool = Tool(self.tool_path)
        tool("model", *words("vgg16", True, {"num_classes": CLASSES}))
        tool("model", *words("vgg16", True, {"init_weights": True}))
        tool.close()

    def file_of_features(self):
        """Its file has NaN for the whole classifier, and is loaded all the same; no other NaN is, nor another's."""
        torch.manual_seed(SEED)
        with torch.device("meta"):
            state = get_model("vgg16", init_weights=False).state_dict()
        for name, tensor in state.items():
            if name.startswith("classifier."):  # one number a tensor: the file is small
                state[name] = torch.full((1,), torch.nan, dtype=torch.half).expand(tensor.shape)
            else:
                state[name] = 0.05 * torch.randn(tensor.shape).half()
        torch.save(state, self.path("features.pt"))
        model = build("vgg16", {}, {name: tensor.float() for name, tensor in state.items()}).eval()
        x = torch.rand(1, 3, 32, 32)
        with torch.inference_mode():
            assert model(x).isnan().all() and not model.features(x).isnan().any()
        tool = Tool(self.tool_path)
        tool("model", *words("vgg16", True, {}))
        tool("file", self.path("features.pt"))
        tool("executor", "reference")
        assert self.logits(tool, x, 1000).isnan().all()
        self.same_numbers(tool, {name: tensor for name, tensor in model.state_dict().items() if "features" in name})
        tool.close()
        self.refused(["vgg16", 1000, "weights=VGG16_Weights.IMAGENET1K_V1"],
                     "classifier.0.weight holds a NaN or an infinity", self.path("features.pt"))
        state["features.7.bias"][3] = torch.nan
        torch.save(state, self.path("features.pt"))
        self.refused(words("vgg16", True, {}), "features.7.bias holds a NaN or an infinity", self.path("features.pt"))

    def same_numbers(self, tool, wanted):
        """Every bit of the tensors that are wanted, among others."""
        found = {line.split(" ")[1]: json.loads(line.split(" ", 3)[3]) for line in tool("state", self.path("state"))}
        data = np.memmap(self.path("state"), np.float32, "r")
        offset, equal = 0, 0
        for name, shape in found.items():
            count = int(np.prod(shape))
            if name in wanted:
                equal += np.array_equal(data[offset:offset + count], wanted[name].reshape(-1).numpy())
            offset += count
        assert equal == len(wanted) > 0, f"{equal} of {len(wanted)} tensors are equal"


def main(tool_path):
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    warnings.filterwarnings("ignore", "The default weight initialization", FutureWarning)
    warnings.filterwarnings("ignore", ".*pretrained.* is deprecated|Arguments other than a weight enum")
    warnings.filterwarnings("ignore", "auxiliary heads in the pretrained")
    with tempfile.TemporaryDirectory() as folder:
        options = Options(tool_path, folder)
        cases = [(f"{builder} {chosen}", options.random, (builder, chosen)) for builder, chosen in RANDOM]
        cases += [(f"{builder} with weights {chosen}", options.with_weights, (builder, chosen))
                  for builder, chosen in WITH_WEIGHTS]
        cases += [(f"{row[0]} refuses {row[2]}", options.refused_by_both, row) for row in REFUSED]
        cases += [(f"{builder} transforms its input", options.transform_input, (builder,))
                  for builder in ("googlenet", "inception_v3")]
        cases += [("googlenet from a file", options.own_file, ("googlenet", ["aux1", "aux2"])),
                  ("inception_v3 from a file", options.own_file, ("inception_v3", ["AuxLogits"])),
                  ("vgg16 features with other classes", options.features_of_vgg16, ()),
                  ("vgg16 features from a file", options.file_of_features, ())]
        available = subprocess.run([tool_path, "--list"], capture_output=True, text=True, check=True).stdout.split()
        cases += [(f"keywords of {builder}", options.keywords, (builder,)) for builder in available]
        failed = 0
        for name, check, arguments in cases:
            try:
                check(*arguments)
            except AssertionError as problem:
                failed += 1
                print(f"FAILED {name}: {problem}", flush=True)
            else:
                print(f"ok {name}", flush=True)
    print(f"{len(cases) - failed} of {len(cases)} cases equal torchvision {torchvision.__version__}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
