"""Makes what the element's tests need, in one folder: a small trained network as user-defined entries, pictures with
torchvision's own scores for them, and weight files with one fault each.

usage: fixture.py FOLDER STAMP
FOLDER is made anew; STAMP is written at the end.
"""

import hashlib
import json
import os
import pathlib
import pickle
import shutil
import sys
import warnings
import zipfile

import torch
import torchvision
from torchvision.transforms._presets import ImageClassification

CATEGORIES = ["red", 'green, "quoted"; {x=1}', "blü", "white"]
COLORS = [(230, 20, 20), (20, 220, 30), (25, 20, 235), (240, 240, 240)]
CROP, RESIZE = 64, 72
SIZES = [(64, 48), (320, 240), (33, 57), (1, 1), (1, 40), (41, 1), (640, 36), (72, 72)]  # width, height


def picture(color, width, height, generator):
    """uint8 [3, height, width]: one colour with noise."""
    base = torch.tensor(color, dtype=torch.float32).view(3, 1, 1)
    noise = 20 * torch.randn(3, height, width, generator=generator)
    return (base + noise).clamp(0, 255).to(torch.uint8)


def scores(model, image, crop=CROP, resize=RESIZE):
    recipe = ImageClassification(crop_size=crop, resize_size=resize)
    with torch.inference_mode():
        return model(recipe(image).unsqueeze(0)).softmax(1)[0]


def train(generator):
    """A SqueezeNet with random features whose last layer is solved for, so that the four colours are told apart."""
    torch.manual_seed(1)
    model = torchvision.models.squeezenet1_1(num_classes=len(COLORS)).eval()
    recipe = ImageClassification(crop_size=CROP, resize_size=RESIZE)
    rows, targets = [], []
    for _ in range(6):
        for number, color in enumerate(COLORS):
            image = picture(color, 80, 80, generator)
            with torch.inference_mode():
                features = model.features(recipe(image).unsqueeze(0))[0].mean((1, 2))
            rows.append(torch.cat([features, torch.ones(1)]))
            targets.append(torch.nn.functional.one_hot(torch.tensor(number), len(COLORS)) * 5.0)
    rows = torch.stack(rows).double()
    # A little damping keeps the answer tame between the colours.
    gram = rows @ rows.T + 1e-6 * rows.square().sum(1).mean() * torch.eye(len(rows), dtype=torch.float64)
    solution = rows.T @ torch.linalg.solve(gram, torch.stack(targets).double())
    with torch.no_grad():
        model.classifier[1].weight.copy_(solution[:-1].T.reshape(len(COLORS), -1, 1, 1).float())
        model.classifier[1].bias.copy_(solution[-1].float())
    return model


def random_scores(pictures):
    """What networks without weights say after torch.manual_seed, each about one picture in its V1 recipe."""
    rows = []
    for builder, seed, crop, resize in [("resnet18", 0, 224, 256), ("squeezenet1_1", 2**63 + 7, 224, 256)]:
        preset = torchvision.models.get_model_weights(builder)["IMAGENET1K_V1"].transforms()
        assert (preset.crop_size, preset.resize_size) == ([crop], [resize])
        torch.manual_seed(seed)
        model = torchvision.models.get_model(builder, weights=None).eval()
        pixels = torch.frombuffer(bytearray((pictures / "2_320x240.rgb").read_bytes()), dtype=torch.uint8)
        image = pixels.view(240, 320, 3).permute(2, 0, 1)
        rows.append({"builder": builder, "seed": seed, "scores": scores(model, image, crop, resize).tolist()})
    return rows


def entry(folder, name, **fields):
    (folder / f"{name}.json").write_text(json.dumps(fields, ensure_ascii=False))


def tiny(folder, name, **fields):
    """An entry of the enum Tiny_Weights."""
    entry(
        folder,
        name.lower(),
        enum="Tiny_Weights",
        entry=name,
        builder="squeezenet1_1",
        transforms={"crop_size": CROP, "resize_size": RESIZE},
        categories=CATEGORIES,
        **fields,
    )


def int8(folder):
    """The entry Int8_Weights.V1, of torchvision's own int8 network."""
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.ao.quantization's age
        model = torchvision.models.quantization.shufflenet_v2_x0_5(quantize=True, num_classes=len(COLORS))
    torch.save(model.state_dict(), folder / "int8.pth")
    entry(
        folder,
        "int8",
        enum="Int8_Weights",
        entry="V1",
        builder="quantized_shufflenet_v2_x0_5",
        transforms={"crop_size": CROP, "resize_size": RESIZE},
        categories=CATEGORIES,
        file="int8.pth",
    )


class System:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def repack(source, target, change):
    """Copies a zip stored, entry by entry, through change(name, data) -> data."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename, old.read(info)))


def hostile_pickles():
    """Streams that torch.save never writes, by the name of the file that gets them."""
    shared, deep = {}, {}
    for _ in range(40):
        shared = {"a": shared, "b": shared}  # small to store, without end to walk
    for _ in range(200):
        deep = {"a": deep}

    def string(text):
        return b"X" + len(text).to_bytes(4, "little") + text

    body = {
        "eval": b"cbuiltins\neval\n" + string(b"1") + b"\x85R",
        "inst": b"(" + string(b"id") + b"ios\nsystem\n",
        "obj": b"(ccollections\nOrderedDict\no",
        "stack_global": string(b"os") + string(b"system") + b"\x93",
        "ext": b"\x82\x01",
        "persid": b"Pstorage\n",
        "memo": b"Nr\xff\xff\xff\xff",
    }
    streams = {name: b"\x80\x02" + code + b"." for name, code in body.items()}
    return {**streams, "shared": pickle.dumps(shared, protocol=2), "deep": pickle.dumps(deep, protocol=2)}


def make_faults(folder, model, good):
    """Files for weights-file=, each wrong in one way."""
    faults = folder / "faults"
    faults.mkdir()
    data = good.read_bytes()
    (faults / "empty.pth").write_bytes(b"")
    (faults / "truncated.pth").write_bytes(data[: len(data) // 2])
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0x10
    (faults / "flipped.pth").write_bytes(flipped)
    (faults / "text.pth").write_text("no weight file\n" * 100)
    os.mkfifo(faults / "fifo.pth")
    (faults / "folder.pth").mkdir()
    torch.save(System(), faults / "system.pth")
    for name, stream in hostile_pickles().items():
        repack(good, faults / f"{name}.pth", lambda record, content: stream if record.endswith("/data.pkl") else content)
    torch.save(torch.load(good, weights_only=True), faults / "legacy_good.pth", _use_new_zipfile_serialization=False)
    (faults / "legacy_truncated.pth").write_bytes((faults / "legacy_good.pth").read_bytes()[:-100])
    repack(good, faults / "duplicate.pth", lambda _, content: content)
    with zipfile.ZipFile(faults / "duplicate.pth", "a", zipfile.ZIP_STORED) as archive:
        name = next(each for each in archive.namelist() if each.endswith("/data/0"))
        with open(os.devnull, "w") as quiet:  # zipfile warns of what is wanted here
            keep, sys.stderr = sys.stderr, quiet
            archive.writestr(name, b"again")
            sys.stderr = keep
    # A storage that is shorter than its tensor.
    repack(good, faults / "short_storage.pth", lambda name, content: content[:4] if name.endswith("data/0") else content)

    state = model.state_dict()
    state["features.0.weight"] = state["features.0.weight"].clone()
    state["features.0.weight"][0, 0, 0, 0] = float("nan")
    torch.save(state, faults / "nan.pth")
    state = model.state_dict()
    del state["features.3.squeeze.weight"]
    state["features.3.squeezed.weight"] = torch.zeros(16, 64, 1, 1)
    torch.save(state, faults / "renamed.pth")
    torch.save(torchvision.models.squeezenet1_1(num_classes=7).state_dict(), faults / "seven_classes.pth")
    torch.save(torchvision.models.resnet18(num_classes=4).state_dict(), faults / "resnet18.pth")


def main():
    folder, stamp = (pathlib.Path(argument) for argument in sys.argv[1:3])
    shutil.rmtree(folder, ignore_errors=True)
    entries = folder / "entries"
    entries.mkdir(parents=True)
    generator = torch.Generator().manual_seed(2)
    model = train(generator)
    good = entries / "tiny.pth"
    torch.save(model.state_dict(), good)
    digest = hashlib.sha256(good.read_bytes()).hexdigest()
    wrong = "0" * 64

    tiny(entries, "V1", file="tiny.pth", default=True)
    tiny(entries, "CHECKED", file="tiny.pth", sha256=digest)
    tiny(entries, "WRONG_DIGEST", file="tiny.pth", sha256=wrong)
    tiny(entries, "MISSING", file="missing.pth")
    int8(entries)
    # Nothing listens on port 1.
    tiny(entries, "UNREACHABLE", url="https://localhost:1/unreachable.pth", sha256=digest)
    tiny(entries, "POISONED", url="https://localhost:1/poisoned.pth", sha256=wrong)
    (folder / "torch_home" / "hub" / "checkpoints").mkdir(parents=True, mode=0o700)

    pictures = folder / "pictures"
    pictures.mkdir()
    expected = []
    for width, height in SIZES:
        for number, color in enumerate(COLORS):
            image = picture(color, width, height, generator)
            name = f"{number}_{width}x{height}.rgb"
            (pictures / name).write_bytes(image.permute(1, 2, 0).contiguous().numpy().tobytes())
            row = {"file": name, "width": width, "height": height, "scores": scores(model, image).tolist()}
            row["scores_96_100"] = scores(model, image, 96, 100).tolist()
            expected.append(row)
            best = max(row["scores"])
            if width * height > 1000:  # a picture of some size: the colour decides, with room to spare
                assert row["scores"].index(best) == number and best > 0.6, (name, row)
    everything = {"digest": digest, "categories": CATEGORIES, "pictures": expected, "random": random_scores(pictures)}
    (folder / "expected.json").write_text(json.dumps(everything, ensure_ascii=False))
    make_faults(folder, model, good)
    stamp.write_text("")


if __name__ == "__main__":
    main()
