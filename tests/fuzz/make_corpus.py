"""Makes the seeds of corpus/: make_corpus.py [FOLDER]. Inputs that once broke something lie beside them as regression-*."""

import os
import struct
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "model_registry", "checkpoint"))
from craft import *  # noqa: E402,F403
from craft import FLOATS, MAGIC, ORDERED, Record  # noqa: E402

SIX = bytes(range(6))
reals = lambda *v: b"](" + b"".join(map(real, v)) + b"e"
longs = tensor(storage("2", 2, "torch.LongStorage"), size=(2,), stride=(1,))
doubles = tensor(storage("1", 2, "torch.DoubleStorage"), size=(2,), stride=(1,))
metadata = b"}" + text("_metadata") + ORDERED + text("bn") + b"}" + text("version") + integer(2) + b"sssb"
per_tensor = many(global_("torch.per_tensor_affine"), real(0.5), integer(3))
listed = many(global_("torch.per_channel_affine"), reals(0.5, 2), b"](" + integer(0) * 2 + b"e", integer(0))
tensors = many(global_("torch.per_channel_affine"), doubles, longs, integer(0))

PICKLES = {
    "bare": tensor(),
    "dict": state_dict(w=tensor(), b=tensor(offset=2, size=(2,), stride=(2,))) + metadata,
    "old": state_dict(w=call("torch._utils._rebuild_tensor", many(storage(), integer(0), ints((6,)), ints((1,))))),
    "parameter": state_dict(p=call("torch._utils._rebuild_parameter", many(tensor(), b"\x88", ORDERED))),
    "quantized": state_dict(q=qtensor(per_tensor), dtype=global_("torch.qint8")),
    "channels": state_dict(q=qtensor(listed)),
    "values": b"}(" + text("a") + b"](NK\x01\x88\x89e" + integer(7) + real(0.1) + text("s") + b"}" + text("x") + b"Nsu",
    "memo": b"}q\x00(" + text("a") + b"q\x01]q\x02" + text("b") + b"h\x02u",
    "pairs": call("collections.OrderedDict", many(b"](](" + text("w") + tensor() + b"ee")),
    "size": call("torch.Size", many(ints((1, 2)))),
    "expanded": tensor(size=(4, 6), stride=(0, 1)),
    "numbers": b"](J\xff\xff\xff\xffM\xff\xff\x8a\x08" + b"\xff" * 8 + b"U\x01aT\x01\x00\x00\x00be",
    "training": b"}(" + text("model") + state_dict(w=tensor()) + text("args") + global_("argparse.Namespace") + b")\x81}"
                + text("lr") + real(0.1) + b"sb" + text("optimizer") + b"}" + text("state") + b"}" + integer(0) + b"}"
                + text("step") + tensor() + b"sssu",
    "os.system": call("os.system", many(text("x"))),
}


def zips():
    good = pickle(PICKLES["dict"])
    yield "plain", archive(records(good))
    yield "tensor", archive(records(pickle(PICKLES["bare"])))
    yield "channels", archive(records(pickle(state_dict(q=qtensor(tensors))),
                                      data=((0, SIX), (1, struct.pack("<2d", 1, 2)), (2, bytes(16)))))
    deflated = [Record(r.name, r.data, method=8) for r in records(good)]
    yield "deflated", archive(deflated)
    late = records(good)
    for r in late:
        r.flags = 8
        r.descriptor = struct.pack("<IIII", 0x08074B50, r.crc, r.stored, r.size)
        r.local = {"crc": 0, "stored": 0, "size": 0}
    yield "descriptors", archive(late)
    wide = records(good)
    full = 0xFFFFFFFF
    for r in wide:
        field = struct.pack("<HHQQ", 1, 16, r.size, r.stored)
        r.extra, r.local_extra, r.size, r.stored = field, field, full, full
    yield "zip64", archive(wide, end64={}, end={"entries": 0xFFFF, "offset": full, "size": full})
    yield "folder", archive([Record("archive/")] + records(good))
    yield "padded", archive([Record(r.name, r.data, local_extra=b"FB\x04\x00ZZZZ") for r in records(good)])


def legacies():
    for name in ("bare", "dict", "parameter"):
        yield name, legacy_file(PICKLES[name].replace(integer(6) + b"tQ", integer(6) + b"NtQ"))
    view = many(text("v"), integer(2), integer(4))
    yield "view", legacy_file(state_dict(w=tensor(storage(extra=view), size=(2, 2), stride=(2, 1))))
    q = qtensor(listed, store=storage(cls="torch.QInt8Storage", extra=b"N"))
    yield "quantized", legacy_file(state_dict(q=q), storages=((6, SIX),))


NAMES = ["ResNet50_Weights.IMAGENET1K_V2", "resnet50", "resnet50.DEFAULT", "resnet50_weights.imagenet1k_v1",
         "quantized_resnet50", "ResNet50_QuantizedWeights.DEFAULT", "resnet", "vit_b_16.x", ".", "a.b.c", "caf\u00e9",
         "VGG16_Weights.IMAGENET1K_FEATURES"]

PATTERNS = ["*", "*net*\n*18", "[!r]*\n[a-z]*\n[]]\n*[0-9]", "resnet1?\nresnet", "[a-\n[]-]\n[!]\n[z-a]", "**?*[*]"]

ENTRIES = [
    '{"enum": "Flowers_Weights", "entry": "V1", "builder": "resnet18", "file": "flowers.pth", "categories": ["a", "b"],'
    ' "transforms": {"crop_size": 224, "resize_size": 232}, "metrics": {"mine": {"acc@1": 97.2, "acc@5": 99}}}',
    '{"enum": "Flowers_Weights", "entry": "V2", "builder": "resnet18", "url": "https://example.org/f.pth",'
    ' "sha256": "%s", "default": true, "license": "MIT", "recipe": "none"}' % ("0" * 64),
    '{"enum": "SqueezeNet1_1_Weights", "entry": "CAFFE_V1", "builder": "squeezenet1_1", "file": "/srv/x.pth",'
    ' "transforms": {"interpolation": "bicubic", "antialias": false, "mean": [0, 0.5, 1], "std": [1, 1, 1]}}',
    '{"enum": "A", "entry": "B", "builder": "resnet18", "file": "x", "categories": "labels.txt"}',
    "[]", "{", '{"a": {"a": {"a": [[[1e999]]]}}}', '{"enum": "\\ud83d\\ude00"}',
]


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "corpus")
    corpora = {
        "fuzz_pickle": {name: pickle(body) for name, body in PICKLES.items()},
        "fuzz_zip_checkpoint": dict(zips()),
        "fuzz_legacy_checkpoint": {name: data[len(MAGIC):] for name, data in legacies()},
        "fuzz_names": {f"name{i}": name.encode() for i, name in enumerate(NAMES)},
        "fuzz_patterns": {f"patterns{i}": patterns.encode() for i, patterns in enumerate(PATTERNS)},
        "fuzz_user_weights": {f"entry{i}.json": entry.encode() for i, entry in enumerate(ENTRIES)},
    }
    for target, inputs in corpora.items():
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        for name, data in inputs.items():
            with open(os.path.join(folder, target, name), "wb") as out:
                out.write(data)


if __name__ == "__main__":
    main()
