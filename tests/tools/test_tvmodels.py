"""tvmodels as its users run it, with torchvision as the judge. Needs TV_MODELS (the program) and TV_BACKEND_PATH."""
import contextlib
import fnmatch
import hashlib
import io
import json
import os
import pathlib
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torchvision import models
from torchvision.transforms.functional import InterpolationMode

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "model_registry" / "hub"))
from conftest import CATEGORIES, GUARD, PROGRAM, sha256  # noqa: E402
from tls_server import Certificates, Server  # noqa: E402

COMMANDS = ["list", "show", "fetch", "verify", "classify", "run", "preprocess", "save", "evaluate",
            "table"]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.pt"


def load(path):
    return torch.load(path, weights_only=True)


def save(path, value, **options):
    torch.save(value, path, **options)
    return path


# ---- the program -----------------------------------------------------------------------------------------------


def test_help_and_version(world):
    overview = world.good("--help")
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", overview, re.M), command
        text = world.good(command, "--help")
        assert text.startswith(f"Usage: tvmodels {command} ") and text.count("--help") == 1
    assert re.fullmatch(r"tvmodels \d+\.\d+\.\d+\n", world.good("--version"))


@pytest.mark.parametrize("arguments, words", [
    ([], "no command"),
    (["lst"], '"lst"'),
    (["list", "operand"], '"operand"'),
    (["list", "--bogus"], '"--bogus"'),
    (["list", "-x"], '"-x"'),
    (["list", "--json=1"], '"--json=1"'),
    (["list", "--include"], '"--include"'),
    (["show"], "NAME"),
    (["show", "resnet18", "resnet34"], '"resnet34"'),
    (["fetch"], "NAME"),
    (["verify"], "FILE"),
    (["classify"], "FILE"),
    (["classify", "--top-k", "0", "x.png"], "--top-k"),
    (["classify", "--every", "-1", "x.png"], "--every"),
    (["classify", "--top-k", "2x", "x.png"], '"2x"'),
    (["run", "--model", "resnet18", "--input", "x.pt"], "--output"),
    (["run", "--input", "x.pt", "--output", "y.pt"], "--model is missing"),
    (["save", "--weights-file", "six.pth", "--output", "y.pt"], "--model is missing"),
    (["save", "--weights", "DEFAULT", "--output", "y.pt"], "--model is missing"),
    (["run", "--model", "resnet18", "--input", "x.pt", "--output", "y.pt", "--executor", "slow"], '"slow"'),
    (["run", "--model", "resnet18", "--input", "x.pt", "--output", "y.pt", "--device", "tpu"], 'no device "tpu"'),
    (["run", "--model", "resnet18", "--input", "x.pt", "--output", "y.pt", "--precision", "int4"], 'no precision "int4"'),
    (["run", "--model", "resnet18", "--input", "x.pt", "--output", "y.pt", "--num-classes", "0"], "--num-classes"),
    (["run", "--model", "vit_b_32", "--input", "x.pt", "--output", "y.pt", "--image-size", "0"], "--image-size"),
    (["run", "--model", "resnet18", "--input", "x.pt", "--output", "y.pt", "--seed", "1", "--weights", "DEFAULT"],
     "exclude"),
    (["save", "--model", "resnet18"], "--output"),
    (["run", "--model", "resnet18", "--input", "x.pt", "--output", "-"], '"./-"'),
    (["run", "--model", "resnet18", "--input", "-", "--output", "y.pt"], '"./-"'),
    (["save", "--model", "resnet18", "--output=-"], '"./-"'),
    (["evaluate", "--weights", "resnet18", "--data", "-"], '"./-"'),
    (["classify", "x.png", "-"], '"./-"'),
    (["verify", "--", "-"], '"./-"'),
    (["preprocess", "--input", "x.pt", "--output", "y.pt"], "--weights"),
    (["preprocess", "--weights", "resnet18", "--input", "x.pt", "--output", "y.pt", "--backend", "cv"], '"cv"'),
    (["preprocess", "--weights", "resnet18", "--input", "x.pt", "--output", "y.pt", "--interpolation", "box"], '"box"'),
    (["preprocess", "--weights", "resnet18", "--input", "x.pt", "--output", "y.pt", "--crop-size", "0"], "--crop-size"),
])
def test_wrong_usage(world, arguments, words):
    assert words in world.bad(2, *arguments).stderr


def test_options_may_stand_anywhere_and_be_shortened(world):
    assert world.good("show", "resnet18", "--js") == world.good("show", "--json", "--", "resnet18")


def test_full_disk_is_a_failure(world):
    with open("/dev/full", "w") as full:
        result = world.call("list", stdout=full)
    assert result.returncode == 1 and "No space left" in result.stderr


@pytest.mark.parametrize("restore_signals", [True, False])
def test_broken_pipe_ends_quietly(world, restore_signals):
    reading, writing = os.pipe()
    os.close(reading)
    result = world.call("show", "--json", "resnet18", stdout=writing, restore_signals=restore_signals)
    os.close(writing)
    assert result.stderr == "" and result.returncode == (-signal.SIGPIPE if restore_signals else 1)


# ---- list ------------------------------------------------------------------------------------------------------


def classification_models():
    return sorted(models.list_models(module=models) + models.list_models(module=models.quantization))


def test_list(world):
    assert world.good("list").splitlines() == classification_models()


@pytest.mark.parametrize("include, exclude", [
    (["*resnet*"], []), (["*resnet*", "vgg*"], ["*_bn", "quantized_*"]), ([], ["*"]), (["resnet[!1]?"], []), (["Res*"], []),
])
def test_list_filters(world, include, exclude):
    options = [o for p in include for o in ("--include", p)] + [o for p in exclude for o in ("--exclude", p)]
    expected = [n for n in classification_models()
                if (not include or any(fnmatch.fnmatchcase(n, p) for p in include))
                and not any(fnmatch.fnmatchcase(n, p) for p in exclude)]
    assert world.good("list", *options).splitlines() == expected


def test_list_json(world):
    rows = {row["builder"]: row for row in json.loads(world.good("list", "--json"))}
    assert list(rows) == classification_models()
    for name, row in rows.items():
        if name != "resnet18":  # whose enum the user has not extended, but whose builder serves Six_Weights
            enum = models.get_model_weights(name)
            assert row["weights"] == [str(weights) for weights in enum] and row["default"] == str(enum.DEFAULT)
    assert rows["resnet18"]["runs"] is True


# ---- show ------------------------------------------------------------------------------------------------------


def plain(value):
    """Python's meta as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


@pytest.mark.parametrize("builder", ["resnet50", "vgg16", "vit_h_14", "quantized_resnet50"])
def test_show_json(world, builder):
    enum = models.get_model_weights(builder)
    shown = json.loads(world.good("show", builder, "--json"))
    assert [entry["name"] for entry in shown] == [str(weights) for weights in enum]
    for entry, weights in zip(shown, enum, strict=True):
        assert entry["url"] == weights.url and entry["is_default"] == (weights is enum.DEFAULT)
        assert entry["cache_path"] == str(world.folder / "torch/hub/checkpoints" / weights.url.rpartition("/")[2])
        for key, value in plain(weights.meta).items():
            assert entry["meta"][key] == value, key
        preset = weights.transforms()
        assert (entry["transforms"]["crop_size"], entry["transforms"]["resize_size"]) == (
            preset.crop_size[0], preset.resize_size[0])
        assert entry["transforms"]["interpolation"] == preset.interpolation.value
        assert (entry["transforms"]["mean"], entry["transforms"]["std"]) == (list(preset.mean), list(preset.std))


def test_show_one_entry(world):
    entry = json.loads(world.good("show", "resnet50.default", "--json"))
    assert entry["name"] == "ResNet50_Weights.IMAGENET1K_V2" and len(entry["meta"]["categories"]) == 1000
    text = world.good("show", "RESNET50_WEIGHTS.IMAGENET1K_V2")
    assert text.startswith("ResNet50_Weights.IMAGENET1K_V2  (DEFAULT)\n") and max(map(len, text.splitlines())) < 140
    for word in ("80.858", "25557032", "resnet50-11ad3fa6.pth", "bilinear", "1000: tench, goldfish"):
        assert word in text


def test_show_all_entries_of_a_builder_or_enum(world):
    for name in ("resnet50", "ResNet50_Weights", "RESNET50"):
        text = world.good("show", name)
        assert text.count("\n  transforms ") == 2 and text.index("IMAGENET1K_V1\n") < text.index("IMAGENET1K_V2  (")


def test_show_user_entry(world):
    entry = json.loads(world.good("show", "Six_Weights.V1", "--json"))
    assert entry["meta"]["categories"] == CATEGORIES and entry["file"] == str(world.weights)
    assert entry["sha256"] == sha256(world.weights) and entry["user_defined"] is True


@pytest.mark.parametrize("command", [["show"], ["fetch"], ["verify", "six.pth", "--weights"],
                                     ["classify", "six.pth", "--weights"]])
def test_unknown_names_are_answered_with_near_ones(world, command):
    result = world.bad(1, *command, "ResNet50_Weight.IMAGENET1K_V2")
    assert '"ResNet50_Weight"' in result.stderr and "ResNet50_Weights.IMAGENET1K_V2" in result.stderr
    assert result.stdout == ""


def test_broken_user_entries_are_warnings(world, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    result = world.call("list", environment={"TV_WEIGHTS_PATH": str(tmp_path)})
    assert result.returncode == 0 and result.stdout.splitlines() == classification_models()
    assert result.stderr.startswith("tvmodels: warning: ") and "broken.json" in result.stderr


# ---- fetch -----------------------------------------------------------------------------------------------------


def test_fetch_offline_names_the_path(world):
    result = world.bad(1, "fetch", "--offline", "resnet18", "Six_Weights.V1")
    assert result.stdout == f"{world.weights}\n"  # one failure does not keep the others back
    path = world.folder / "torch/hub/checkpoints/resnet18-f37072fd.pth"
    assert str(path) in result.stderr and models.ResNet18_Weights.DEFAULT.url in result.stderr


@pytest.fixture(scope="module")
def server(world, tmp_path_factory):
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    server = Server(certificates.good)
    server.environment = {"SSL_CERT_FILE": str(certificates.authority)}
    yield server
    server.shutdown()


def test_fetch_downloads_and_verifies(world, server):
    body = world.weights.read_bytes()
    server.routes["/six.pth"] = lambda handler, _: handler.answer(body)
    server.routes["/wrong.pth"] = lambda handler, _: handler.answer(body[:-1] + b"\1")
    folder = world.folder / "torch/hub/checkpoints"
    for entry, name in (("URL", "six"), ("WRONG", "wrong")):
        world.add_entry("Net_Weights", entry, url=server.url(f"/{name}.pth"), sha256=sha256(world.weights))
    for _ in range(2):
        result = world.good("fetch", "Net_Weights.URL", environment=server.environment)
        assert result == f"{folder}/six.pth\n" and sha256(folder / "six.pth") == sha256(world.weights)
    assert server.hits["/six.pth"] == 1
    result = world.bad(1, "fetch", "Net_Weights.WRONG", environment=server.environment)
    assert sha256(world.weights) in result.stderr and server.url("/wrong.pth") in result.stderr
    assert os.listdir(folder) == ["six.pth"]
    for entry in ("URL", "WRONG"):
        (world.folder / "user" / f"Net_Weights_{entry}.json").unlink()


def test_interrupted_download_leaves_nothing(world, server):
    stalled, hold = threading.Event(), threading.Event()

    def stall(handler, _number):
        handler.head(Content_Length=1 << 20)
        handler.wfile.write(b"\x80" * 1000)
        stalled.set()
        hold.wait(GUARD)

    server.routes["/slow.pth"] = stall
    world.add_entry("Slow_Weights", "V1", url=server.url("/slow.pth"), sha256="0" * 64)
    home = world.folder / "slow"
    process = subprocess.Popen([PROGRAM, "fetch", "Slow_Weights.V1"], stderr=subprocess.PIPE, text=True,
                               env=world.environment(TORCH_HOME=str(home), **server.environment))
    assert stalled.wait(GUARD)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=GUARD)
    hold.set()
    (world.folder / "user" / "Slow_Weights_V1.json").unlink()
    assert process.returncode == -signal.SIGINT and "cancelled" in err
    assert os.listdir(home / "hub/checkpoints") == []


# ---- verify ----------------------------------------------------------------------------------------------------


def fields(text):
    return {line.split(None, 1)[0]: line[12:] for line in text.splitlines()}


@pytest.mark.parametrize("legacy", [False, True])
def test_verify(world, tmp_path, legacy):
    path = save(tmp_path / "w.pth", world.model.state_dict(), _use_new_zipfile_serialization=not legacy)
    found = fields(world.good("verify", path))
    state = world.model.state_dict()
    assert found["format"] == ("legacy" if legacy else "zip") and found["sha256"] == sha256(path)
    assert found["tensors"] == f"{len(state)}, {sum(t.numel() for t in state.values())} elements"
    assert found["fits"] == "resnet18" and found["size"] == f"{path.stat().st_size} bytes"


def test_verify_recognises_a_known_file(world):
    assert fields(world.good("verify", "six.pth").replace("known as", "known   "))["known"] == "Six_Weights.V1"


def test_verify_against_an_entry(world, tmp_path):
    found = fields(world.good("verify", "six.pth", "--weights", "Six_Weights.V1"))
    assert found["digest"] == "matches" and found["fits"] == "resnet18 with 6 classes"
    other = save(tmp_path / "o.pth", {k: v + 1 for k, v in world.model.state_dict().items()})
    result = world.bad(1, "verify", other, "--weights", "Six_Weights.V1")
    found = fields(result.stdout)
    assert found["digest"] == "does not match" and found["fits"] == "resnet18 with 6 classes"
    assert sha256(other) in result.stderr and sha256(world.weights) in result.stderr


def test_verify_has_labels_apart_from_values(world):
    lines = world.bad(1, "verify", "six.pth", "--weights", "squeezenet1_1").stdout.splitlines()
    assert "unexpected  conv1.weight" in lines and "missing     features.0.weight" in lines
    assert f"file        {world.folder}/six.pth" in lines or "file        six.pth" in lines
    labels = {"file", "size", "format", "tensors", "sha256", "weights", "digest", "fits", "missing", "unexpected"}
    assert {line[:12].rstrip() for line in lines} == labels and all(line[11] == " " != line[12] for line in lines)


def test_verify_lists_what_does_not_fit(world):
    result = world.bad(1, "verify", "six.pth", "--weights", "resnet18")
    assert fields(result.stdout)["fits"] == "no"
    assert "fc.weight [6, 512], expected [1000, 512]" in result.stderr and "f37072fd" in result.stderr
    result = world.bad(1, "verify", "six.pth", "--weights", "resnet50")
    assert "layer1.0.conv3.weight" in result.stderr
    # The message names the first of them, the output all.
    wanted = {k: tuple(v.shape) for k, v in models.resnet50().state_dict().items() if "num_batches" not in k}
    found = {k: tuple(v.shape) for k, v in world.model.state_dict().items()}
    lines = [line.split() for line in result.stdout.splitlines()]
    assert {words[1] for words in lines if words[0] == "missing"} == wanted.keys() - found.keys()
    assert {words[1] for words in lines if words[0] == "shape"} == {k for k in wanted if found.get(k, wanted[k]) != wanted[k]}


@pytest.mark.parametrize("value, good", [(float("nan"), False), (float("inf"), False), (3e38, True)])
def test_verify_refuses_numbers_that_loading_refuses(world, tmp_path, value, good):
    state = world.model.state_dict()
    state["fc.weight"] = state["fc.weight"].clone()
    state["fc.weight"][3, 5] = value
    path = save(tmp_path / "o.pth", state)
    (tmp_path / "o.json").write_text(json.dumps({
        "enum": "Odd_Weights", "entry": "V1", "builder": "resnet18", "file": "o.pth", "categories": CATEGORIES}))
    result = world.call("verify", path, "--weights", "Odd_Weights.V1", environment={"TV_WEIGHTS_PATH": str(tmp_path)})
    assert fields(result.stdout)["fits"] == "resnet18 with 6 classes"
    assert (result.returncode, "fc.weight holds a NaN or an infinity" in result.stderr) == ((0, False) if good else (1, True))


def test_weights_without_categories_are_no_classifier(world):
    result = world.bad(1, "classify", "six.pth", "--weights", "VGG16_Weights.IMAGENET1K_FEATURES")
    assert "no classifier" in result.stderr and "choose VGG16_Weights.IMAGENET1K_V1" in result.stderr
    assert list((world.folder / "torch").rglob("vgg16*")) == []  # nor has it been fetched


@pytest.mark.parametrize("entry, spoilt, named", [
    ("FEATURES", None, None), ("FEATURES", "features.28.bias", "features.28.bias"), ("V1", None, "classifier.0.weight")])
def test_verify_knows_which_tensors_have_no_values(world, tmp_path, entry, spoilt, named):
    with torch.device("meta"):
        state = models.vgg16(init_weights=False).state_dict()
    for name, tensor in state.items():  # half a number is enough for a fit, and one for many
        value = torch.nan if name.startswith("classifier.") or name == spoilt else 0.5
        state[name] = torch.full((1,), value, dtype=torch.half).expand(tensor.shape)
    state["features.0.weight"] = torch.zeros(2 ** 24, dtype=torch.half)[:1728].view(64, 3, 3, 3)  # views reach 8 files
    result = world.call("verify", save(tmp_path / "o.pth", state), "--weights", f"VGG16_Weights.IMAGENET1K_{entry}")
    assert fields(result.stdout)["fits"] == "vgg16 with 1000 classes"
    found = [line for line in result.stderr.splitlines() if "NaN" in line]
    assert len(found) == (1 if named else 0) and all(f"tensor {named} holds" in line for line in found)
    assert "is not the file of" in result.stderr


def test_verify_refuses_what_is_no_weight_file(world, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/owned",)

    good = world.weights.read_bytes()
    (tmp_path / "cut.pth").write_bytes(good[:-1000])
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("<html>")
    with zipfile.ZipFile(tmp_path / "evil.pth", "w") as archive:
        archive.writestr("a/version", "3\n")
        archive.writestr("a/data.pkl", pickle.dumps({"x": Evil()}, 2))
    for name, word in (("cut.pth", ""), ("empty.pth", ""), ("text.pth", ""), ("evil.pth", "system"), ("none.pth", ""),
                       ("", "")):
        result = world.bad(1, "verify", tmp_path / name)
        assert str(tmp_path / name) in result.stderr and word in result.stderr and result.stdout == ""
    assert not (tmp_path / "owned").exists()


def test_names_in_a_file_cannot_drive_the_terminal(world, tmp_path):
    path = save(tmp_path / "w.pth", {"\x1b[31mred\nnext": torch.zeros(1)})
    result = world.bad(1, "verify", path, "--weights", "Six_Weights.V1")
    assert "red" in result.stderr and "\x1b" not in result.stderr and len(result.stderr.splitlines()) == 2


# ---- save and run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["seed", "entry", "file"])
def test_save_for_python(world, tmp_path, source):
    path = tmp_path / "s.pth"
    if source == "seed":
        options = ["--seed", "7", "--num-classes", "6"]
        torch.manual_seed(7)
        expected = models.resnet18(num_classes=6).state_dict()
    else:
        options = ["--weights", "Six_Weights.V1"] if source == "entry" else ["--weights-file", "six.pth"]
        expected = world.model.state_dict()
    assert world.good("save", "--model", "resnet18", *options, "--output", path) == ""
    state = load(path)
    assert list(state) == list(expected) and all(torch.equal(state[k], expected[k]) for k in expected)
    models.resnet18(num_classes=6).load_state_dict(state, strict=True)


@pytest.mark.parametrize("seed", [-1, -7, -2**63, -2**63 + 5, 2**63, 2**63 + 9, 2**64 - 1])
def test_seeds_are_those_of_torch(world, out, seed):
    """Negative ones count modulo 2^64."""
    world.good("save", "--model", "squeezenet1_1", "--seed", seed, "--num-classes", "6", "--output", out)
    torch.manual_seed(seed)
    expected = models.squeezenet1_1(num_classes=6).state_dict()
    state = load(out)
    assert list(state) == list(expected) and all(torch.equal(state[k], expected[k]) for k in expected)


@pytest.mark.parametrize("seed", [-2**63 - 1, 2**64, "1.5", "", "0x1", "+1", " 1"])
@pytest.mark.parametrize("command", [["save"], ["run", "--input", "x.pt"]])
def test_seeds_that_torch_refuses(world, out, command, seed):
    if isinstance(seed, int):
        with pytest.raises((ValueError, RuntimeError, OverflowError)):
            torch.manual_seed(seed)
    text = world.bad(2, *command, "--model", "squeezenet1_1", f"--seed={seed}", "--output", out).stderr
    assert f'"{seed}"' in text and "-2^63 to 2^64 - 1" in text and not out.exists()


def test_saved_files_say_the_versions_of_their_modules(world, tmp_path):
    """Without them MNASNet refuses the file, and with its version 1 it would build another stem."""
    path = tmp_path / "s.pth"
    world.good("save", "--model", "mnasnet0_5", "--seed", "1", "--output", path)
    torch.manual_seed(1)
    expected = models.mnasnet0_5().state_dict()
    state = load(path)
    models.mnasnet0_5().load_state_dict(state, strict=True)
    assert state._metadata[""] == {"version": 2} == expected._metadata[""]
    assert {m: v for m, v in expected._metadata.items() if m in state._metadata} == dict(state._metadata)


@pytest.mark.parametrize("arguments, words", [
    (["--model", "resnet19"], "resnet18"),
    (["--model", "resnet18", "--weights", "ResNet50_Weights.DEFAULT"],
     "ResNet50_Weights.IMAGENET1K_V2 is for resnet50, not for resnet18"),
    (["--weights", "ResNet18_Weights.V9"], "ResNet18_Weights"),
    (["--weights", "ResNet18_Weights.DEFAULT", "--offline"], "resnet18-f37072fd.pth"),
    (["--weights", "resnet18", "--offline"], "resnet18-f37072fd.pth"),
    (["--model", "resnet18", "--weights", "V9"], "nearest"),
    (["--model", "resnet18", "--weights-file", "six.pth", "--num-classes", "7"], "fc.weight [6, 512], expected [7, 512]"),
    (["--model", "resnet18", "--weights-file", "six.pth", "--num-classes", "7"], "--num-classes 6"),
    (["--model", "resnet18", "--weights-file", "none.pth"], "none.pth"),
    (["--model", "resnet18", "--weights", "Six_Weights.V1", "--num-classes", "5"], "6"),
    (["--model", "resnet18", "--weights", "DEFAULT", "--offline"], "resnet18-f37072fd.pth"),
])
def test_save_fails(world, out, arguments, words):
    assert words in world.bad(1, "save", *arguments, "--output", out).stderr
    assert not out.exists()


@pytest.mark.parametrize("name", ["Six_Weights.V1", "six_weights.default"])
def test_an_entry_names_its_builder(world, tmp_path, batch, name):
    world.good("save", "--weights", name, "--output", tmp_path / "s.pth")
    models.resnet18(num_classes=6).load_state_dict(load(tmp_path / "s.pth"), strict=True)
    for file, options in (("a.pt", []), ("b.pt", ["--model", "resnet18"])):
        world.good("run", *options, "--weights", name, "--input", batch, "--output", tmp_path / file)
    assert torch.equal(load(tmp_path / "a.pt"), load(tmp_path / "b.pt"))


def test_a_file_may_be_called_a_dash(world, tmp_path):
    assert world.good("save", "--model", "squeezenet1_1", "--output", "./-", cwd=tmp_path) == ""
    assert [p.name for p in tmp_path.iterdir()] == ["-"]
    assert "squeezenet1_1" in world.good("verify", "./-", cwd=tmp_path)
    assert '"-"' in world.bad(1, "show", "-").stderr  # no file: a name that there is not


def test_unwritable_output(world, tmp_path):
    (tmp_path / "file").write_text("")
    result = world.bad(1, "save", "--model", "resnet18", "--output", tmp_path / "file" / "s.pth")
    assert str(tmp_path / "file" / "s.pth") in result.stderr


@pytest.fixture(scope="module")
def batch(world):
    torch.manual_seed(11)
    return save(world.folder / "batch.pt", torch.randn(2, 3, 97, 65))


@pytest.mark.parametrize("executor", ["fused", "reference"])
def test_run_equals_torchvision(world, out, batch, executor):
    torch.manual_seed(0)
    with torch.inference_mode():
        expected = models.resnet18().eval()(load(batch))
    world.good("run", "--model", "resnet18", "--seed", "0", "--executor", executor, "--input", batch, "--output", out)
    logits = load(out)
    assert logits.dtype == torch.float32 and logits.shape == expected.shape
    assert (logits - expected).abs().max() <= 1e-4 * expected.abs().max()
    world.good("run", "--model", "resnet18", "--seed", "1", "--input", batch, "--output", out)
    assert (load(out) - expected).abs().max() > 1e-2 * expected.abs().max()  # the seed matters


def test_run_on_a_device_in_a_precision(world, out, batch):
    options = ["--model", "resnet18", "--input", batch, "--output", out]
    world.good("run", *options, "--device", "cpu", "--precision", "fp32")
    said = load(out)
    world.good("run", *options, "--device", "cpu")
    assert torch.equal(load(out), said)
    half = world.bad(1, "run", *options, "--device", "cpu", "--precision", "fp16").stderr
    assert "precision is fp16, but the CPU computes in fp32" in half and "because" not in half


@pytest.mark.parametrize("source", ["entry", "file", "legacy"])
def test_run_with_weights(world, tmp_path, out, batch, source):
    options = ["--weights", "Six_Weights.V1"]
    if source != "entry":
        path = save(tmp_path / "w.pth", world.model.state_dict(), _use_new_zipfile_serialization=source == "file")
        options = ["--weights-file", path, "--num-classes", "6"]
    with torch.inference_mode():
        expected = world.model(load(batch))
    world.good("run", "--model", "resnet18", *options, "--input", batch, "--output", out)
    assert (load(out) - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_run_a_quantizable_network_with_float_weights(world, tmp_path, out):
    """quantization.mobilenet_v2(quantize=False) takes the float enum's entries, and has other activations."""
    torch.manual_seed(0)
    plain = models.mobilenet_v2(num_classes=6).eval()
    for module in plain.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # beyond the 6 of ReLU6
            torch.nn.init.constant_(module.weight, 1.2)
            torch.nn.init.constant_(module.bias, 1.5)
    quantizable = models.quantization.mobilenet_v2(num_classes=6).eval()
    quantizable.load_state_dict(plain.state_dict())
    save(tmp_path / "w.pth", plain.state_dict())
    (tmp_path / "w.json").write_text(json.dumps({
        "enum": "Small_Weights", "entry": "V1", "builder": "mobilenet_v2", "file": "w.pth", "categories": list("abcdef")}))
    x = torch.randn(1, 3, 64, 64)
    save(tmp_path / "x.pt", x)
    with torch.inference_mode():
        expected = quantizable(x)
        assert (plain(x) - expected).abs().max() > 1e-2 * expected.abs().max()
    arguments = ["--weights", "Small_Weights.V1", "--input", tmp_path / "x.pt", "--output", out]
    world.good("run", "--model", "quantized_mobilenet_v2", *arguments, environment={"TV_WEIGHTS_PATH": str(tmp_path)})
    assert (load(out) - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert "mobilenet_v2" in world.bad(1, "run", "--model", "quantized_resnet18", *arguments,
                                       environment={"TV_WEIGHTS_PATH": str(tmp_path)}).stderr


def network_for(builder, side):
    """A fine-tuned torchvision network for images of another size than 224."""
    torch.manual_seed(side)
    option = {"image_size": side} if builder.startswith("vit") else {"input_size": (side, side)}
    model = models.get_model(builder, num_classes=6, **option).eval()
    head = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
    torch.nn.init.normal_(head.weight)
    return model


@pytest.mark.parametrize("builder, side", [("vit_b_32", 96), ("maxvit_t", 448)])
def test_networks_for_images_of_another_size(world, tmp_path, out, builder, side):
    model = network_for(builder, side)
    path = save(tmp_path / "w.pth", model.state_dict())
    pixels = torch.randn(2 if side < 224 else 1, 3, side, side)
    x = save(tmp_path / "x.pt", pixels)
    with torch.inference_mode():
        expected = model(pixels)
    enum = f"Size_{builder}_Weights"
    world.add_entry(enum, "V1", builder=builder, file=str(path), transforms={"crop_size": side, "resize_size": side})
    chosen = ["--model", builder, "--num-classes", "6", "--weights-file", path]
    for options in ([*chosen, "--image-size", side], ["--model", builder, "--weights", f"{enum}.V1"]):
        world.good("run", *options, "--input", x, "--output", out)
        assert (load(out) - expected).abs().max() <= 1e-4 * expected.abs().max()
        out.unlink()
    assert "image_size" in world.bad(1, "run", *chosen, "--input", x, "--output", out).stderr.replace("--image-size", "")
    assert json.loads(world.good("show", "--json", f"{enum}.V1"))["meta"]["min_size"] == [side, side]
    assert fields(world.good("verify", path, "--weights", f"{enum}.V1"))["fits"] == f"{builder} with 6 classes"
    world.good("save", *chosen, "--image-size", side, "--output", out)
    model.load_state_dict(load(out), strict=True)
    picture = Image.fromarray(np.random.default_rng(2).integers(0, 256, (side + 9, side, 3), dtype=np.uint8))
    picture.save(tmp_path / "picture.png")
    recipe = models.get_model_weights(builder).DEFAULT.transforms(crop_size=side, resize_size=side)
    with torch.inference_mode():
        wanted = model(recipe(picture)[None]).softmax(1)[0]
    line = json.loads(world.good("classify", "--json", "--weights", f"{enum}.V1", "--top-k", "6", tmp_path / "picture.png"))
    for result in line["results"]:
        assert abs(result["score"] - wanted[result["index"]]) < 1e-3


@pytest.mark.parametrize("options, words", [
    (["--model", "vit_b_32", "--image-size", "100"], "not a multiple of the patch, 32"),
    (["--model", "resnet18", "--image-size", "64"], "resnet18 has no option image_size"),
    (["--model", "vit_b_32", "--weights", "DEFAULT", "--image-size", "96"], "has 224"),
])
def test_image_sizes_that_cannot_be(world, out, batch, options, words):
    assert words in world.bad(1, "run", *options, "--input", batch, "--output", out).stderr


def first_mnasnet(alpha):
    """The network of version 1, whose stem does not follow the width, as a file of it makes torchvision build it."""
    model = models.MNASNet(alpha, num_classes=6)
    state = model.state_dict()
    state._metadata[""]["version"] = 1
    with pytest.warns(UserWarning, match="previous version") if alpha != 1 else contextlib.nullcontext():
        with contextlib.suppress(RuntimeError):  # of other shapes: by then the stem is the old one
            model.load_state_dict(state)
    torch.manual_seed(8)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 1.5)
            module.running_mean.normal_(0, 0.1)
    model.classifier[1].weight.data *= 20
    return model.eval()


@pytest.mark.parametrize("builder, alpha", [("mnasnet0_5", 0.5), ("mnasnet1_3", 1.3), ("mnasnet1_0", 1.0)])
def test_run_with_mnasnet_of_version_1(world, tmp_path, out, batch, builder, alpha):
    model = first_mnasnet(alpha)
    state = model.state_dict()
    assert state["layers.0.weight"].shape[0] == 32 and state._metadata[""]["version"] == (2 if alpha == 1 else 1)
    state._metadata[""]["version"] = 1
    path = save(tmp_path / "w.pth", state)
    with torch.inference_mode():
        expected = model(load(batch))
    options = ["--model", builder, "--num-classes", "6", "--weights-file", path]
    for executor in ("fused", "reference"):
        world.good("run", *options, "--executor", executor, "--input", batch, "--output", out)
        assert (load(out) - expected).abs().max() <= 1e-4 * expected.abs().max()
    # What is saved again is of the version that its stem has.
    world.good("save", *options, "--output", out)
    saved = load(out)
    assert saved._metadata[""]["version"] == (2 if alpha == 1 else 1)
    assert all(torch.equal(saved[name], tensor) for name, tensor in state.items()) and len(saved) == len(state)
    # As an entry of the user's, and for verify.
    enum = f"First_{builder}_Weights"
    world.add_entry(enum, "V1", builder=builder, file=str(path))
    assert fields(world.good("verify", path, "--weights", f"{enum}.V1"))["fits"] == f"{builder} with 6 classes"


@pytest.mark.parametrize("version, words", [
    (7, "the file is of version 7, expected 1..2"),
    (None, "does not say the version"),
])
def test_run_refuses_mnasnet_of_no_known_version(world, tmp_path, out, batch, version, words):
    model = models.mnasnet1_0(num_classes=6)
    state = model.state_dict()
    if version:
        state._metadata[""]["version"] = version
    else:
        state = dict(state)
    with pytest.raises(ValueError, match=f"instead of {version}"):
        model.load_state_dict(state)
    path = save(tmp_path / "w.pth", state)
    result = world.bad(1, "run", "--model", "mnasnet1_0", "--num-classes", "6", "--weights-file", path,
                       "--input", batch, "--output", out)
    assert words in result.stderr and str(path) in result.stderr and not out.exists()


@pytest.mark.parametrize("value, words", [
    (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "uint8 [1, 3, 64, 64]"),
    (torch.zeros(3, 64, 64), "[3, 64, 64]"),
    (torch.zeros(1, 4, 64, 64), "[1, 4, 64, 64]"),
    (torch.zeros(0, 3, 64, 64), "[0, 3, 64, 64]"),
    ({"x": torch.zeros(1, 3, 64, 64)}, "mapping"),
    ("text", "something else"),
])
def test_run_refuses_other_inputs(world, tmp_path, out, value, words):
    path = save(tmp_path / "x.pt", value)
    result = world.bad(1, "run", "--model", "resnet18", "--input", path, "--output", out)
    assert words in result.stderr and str(path) in result.stderr and not out.exists()


def test_run_takes_strided_tensors(world, tmp_path, out, batch):
    path = save(tmp_path / "x.pt", load(batch).to(memory_format=torch.channels_last).flip(0).transpose(2, 3))
    with torch.inference_mode():
        expected = world.model(load(path))
    world.good("run", "--model", "resnet18", "--weights", "Six_Weights.V1", "--input", path, "--output", out)
    assert (load(out) - expected).abs().max() <= 1e-4 * expected.abs().max()


# ---- preprocess ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pixels(world):
    return save(world.folder / "pixels.pt",
                torch.from_numpy(np.random.default_rng(5).integers(0, 256, (3, 301, 427), dtype=np.uint8)))


@pytest.mark.parametrize("backend", ["tensor", "pil"])
@pytest.mark.parametrize("name, overrides", [
    ("ResNet50_Weights.IMAGENET1K_V2", {}),
    ("EfficientNet_V2_L_Weights.DEFAULT", {}),
    ("ResNet50_Weights.IMAGENET1K_V2", {"crop_size": 300, "resize_size": 280, "interpolation": InterpolationMode.BICUBIC}),
])
def test_preprocess_is_bit_equal(world, out, pixels, backend, name, overrides):
    picture = load(pixels)
    weights = models.get_weight(name)
    given = Image.fromarray(picture.permute(1, 2, 0).numpy()) if backend == "pil" else picture
    expected = weights.transforms(**overrides)(given)[None]
    options = [o for k, v in overrides.items() for o in ("--" + k.replace("_", "-"), getattr(v, "value", v))]
    world.good("preprocess", "--weights", name, *options, "--backend", backend, "--input", pixels, "--output", out)
    found = load(out)
    assert found.dtype == torch.float32 and found.shape == expected.shape and torch.equal(found, expected)


@pytest.mark.parametrize("value, words", [
    (torch.zeros(3, 8, 8), "float32"),
    (torch.zeros(1, 8, 8, dtype=torch.uint8), "[1, 8, 8]"),
    (torch.zeros(3, 0, 8, dtype=torch.uint8), "[3, 0, 8]"),
    (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "[1, 3, 8, 8]"),
])
def test_preprocess_refuses_other_inputs(world, tmp_path, out, value, words):
    path = save(tmp_path / "x.pt", value)
    result = world.bad(1, "preprocess", "--weights", "resnet18", "--input", path, "--output", out)
    assert words in result.stderr and str(path) in result.stderr and not out.exists()


# ---- classify --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize((320, 240), Image.BICUBIC)


def classify(world, *arguments):
    return [json.loads(line) for line in
            world.good("classify", "--weights", "Six_Weights.V1", "--json", *arguments).splitlines()]


def assert_scores(results, expected, tolerance):
    order = expected.argsort(descending=True).tolist()[: len(results)]
    assert [r["index"] for r in results] == order and [r["label"] for r in results] == [CATEGORIES[i] for i in order]
    for result in results:
        assert abs(result["score"] - expected[result["index"]]) <= tolerance, (results, expected)


def test_classify_pictures(world, tmp_path, picture):
    transparent = picture.copy()
    transparent.putalpha(100)
    variants = {  # how it is stored; what Python sees; how much the decoders may differ
        "rgb.png": (picture, 1e-5),
        "alpha.png": (transparent, 1e-5),
        "gray.png": (picture.convert("L"), 1e-5),
        "palette.png": (picture.convert("P"), 1e-5),
        "odd.png": (picture.crop((3, 5, 318, 232)), 1e-5),
        "still.gif": (picture, 1e-5),
        "photo.jpg": (picture, 0.02),
    }
    for name, (image, _) in variants.items():
        image.save(tmp_path / name, **({"quality": 95} if name.endswith("jpg") else {}))
    results = classify(world, "--top-k", "3", *(tmp_path / name for name in variants))
    assert [r["file"] for r in results] == [str(tmp_path / name) for name in variants]
    for result, (name, (_, tolerance)) in zip(results, variants.items(), strict=True):
        assert result["timestamp"] is None and result["frame"] is None and len(result["results"]) == 3
        assert_scores(result["results"], world.probabilities(Image.open(tmp_path / name).convert("RGB")), tolerance)


def test_classify_on_a_device_in_a_precision(world, tmp_path, picture):
    picture.save(tmp_path / "p.png")
    said = classify(world, "--device", "cpu", tmp_path / "p.png")
    assert (said[0]["device"], said[0]["precision"]) == ("cpu", "fp32")
    assert said == classify(world, "--device", "cpu", "--precision", "fp32", tmp_path / "p.png")
    arguments = ["classify", "--weights", "Six_Weights.V1", tmp_path / "p.png"]
    half = world.bad(1, *arguments, "--device", "cpu", "--precision", "fp16").stderr
    assert "precision is fp16, but the CPU computes in fp32" in half
    assert 'no device "tpu"' in world.bad(2, *arguments, "--device", "tpu").stderr
    assert 'no precision "int4"' in world.bad(2, *arguments, "--precision", "int4").stderr


def test_classify_text(world, tmp_path, picture):
    picture.save(tmp_path / "p.png")
    best = world.probabilities(picture).topk(2)
    expected = "\t".join(f"{CATEGORIES[i]} {p:.4f}" for p, i in zip(best.values.tolist(), best.indices.tolist()))
    assert world.good("classify", "--weights", "Six_Weights.V1", "--top-k", "2", tmp_path / "p.png") == \
        f"{tmp_path}/p.png\t{expected}\n"


@pytest.fixture(scope="module")
def video(world, picture):
    """Seven frames, 5 a second, without loss: black to the picture's negative by way of the picture."""
    array = np.asarray(picture).astype(int)
    frames = [np.zeros_like(array), array // 2, array, array.transpose(0, 1, 2)[::-1], array[:, ::-1], 255 - array, array]
    frames = [np.ascontiguousarray(frame.astype(np.uint8)) for frame in frames]
    path = world.folder / "video.avi"
    raw = world.folder / "video.rgb"
    raw.write_bytes(b"".join(frame.tobytes() for frame in frames))
    caps = "video/x-raw,format=BGR"
    subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={raw}", "!", "rawvideoparse", "format=rgb", "width=320",
                    "height=240", "framerate=5/1", "!", "videoconvert", "!", caps, "!", "m.", "audiotestsrc",
                    "num-buffers=5", "!", "m.", "avimux", "name=m", "!", "filesink", f"location={path}"],
                   check=True, env=world.environment(), timeout=GUARD)
    return path, frames


@pytest.mark.parametrize("every", [1, 3])
def test_classify_video(world, video, every):
    path, frames = video
    results = classify(world, "--top-k", "6", "--every", every, path)
    assert [r["frame"] for r in results] == list(range(0, 7, every))
    for result in results:
        assert result["timestamp"] == pytest.approx(result["frame"] / 5, abs=1e-6)
        assert sum(r["score"] for r in result["results"]) == pytest.approx(1, abs=1e-5)
        assert_scores(result["results"], world.probabilities(frames[result["frame"]]), 1e-4)


def test_classify_video_as_text(world, video):
    lines = world.good("classify", "--weights", "Six_Weights.V1", "--every", "3", video[0]).splitlines()
    assert [line.split("\t")[:2] for line in lines] == [[str(video[0]), t] for t in
                                                        ("0:00:00.000", "0:00:00.600", "0:00:01.200")]


def test_classify_compressed_video(world, tmp_path):
    path = tmp_path / "v.mp4"
    subprocess.run(["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=9", "!", "video/x-raw,width=320,height=240", "!",
                    "avenc_mpeg4", "!", "mp4mux", "!", "filesink", f"location={path}"], check=True, timeout=GUARD,
                   env=world.environment())
    results = classify(world, path)
    assert [r["frame"] for r in results] == list(range(9))
    assert len({r["results"][0]["label"] for r in results}) == 1  # a test card does not move


def test_classify_goes_on_after_a_bad_file(world, tmp_path, picture):
    picture.save(tmp_path / "good.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:40])
    shutil.copy(world.weights, tmp_path / "weights.mp4")
    subprocess.run(["gst-launch-1.0", "-q", "audiotestsrc", "num-buffers=5", "!", "wavenc", "!", "filesink",
                    f"location={tmp_path}/sound.wav"], check=True, timeout=GUARD, env=world.environment())
    bad = ["text.png", "cut.png", "weights.mp4", "sound.wav", "none.png", "."]
    result = world.bad(1, "classify", "--weights", "Six_Weights.V1", *bad, "good.png", cwd=tmp_path)
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()] == bad
    assert result.stdout.startswith("good.png\t") and result.stdout.count("\n") == 1


def test_classify_escapes_names(world, tmp_path, picture):
    name = b'a "quoted"\n\xff.png'
    with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
        picture.save(file, "PNG")
    base = [PROGRAM, "classify", "--weights", "Six_Weights.V1"]
    options = {"env": world.environment(), "cwd": tmp_path, "capture_output": True, "timeout": GUARD}
    result = subprocess.run([*base, "--json", name], **options)
    assert result.returncode == 0 and result.stdout.count(b"\n") == 1
    assert json.loads(result.stdout)["file"] == 'a "quoted"\n\ufffd.png'
    assert subprocess.run([*base, name], **options).stdout.count(b"\n") == 1


def test_classify_with_a_weights_file(world, tmp_path, picture):
    picture.save(tmp_path / "p.png")
    other = models.resnet18(num_classes=6).eval()
    other.load_state_dict(world.model.state_dict())
    other.fc.bias.data[2] += 100
    path = save(tmp_path / "other.pth", other.state_dict())
    assert classify(world, "--weights-file", path, tmp_path / "p.png")[0]["results"][0]["label"] == CATEGORIES[2]
    for spoil, words in ((lambda: other.fc.weight.data.mul_(1e38), "infinite"),
                         (lambda: other.fc.bias.data.fill_(float("nan")), "NaN")):
        spoil()
        save(path, other.state_dict())
        result = world.bad(1, "classify", "--weights", "Six_Weights.V1", "--weights-file", path, tmp_path / "p.png")
        assert words in result.stderr and result.stdout == ""
