"""The registry against the torchvision that is installed: every field of every entry, in both directions.

REGISTRY_DUMP names the helper program (registry_dump.cpp), USER_WEIGHTS_DOC the page on user-defined entries.
"""

import copy
import fnmatch
import inspect
import json
import math
import os
import random
import re
import subprocess
import tempfile

import pytest
import torchvision
from torchvision.models import _api, quantization
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

MODELS = torchvision.models
FLAT_KEYS = ["task", "architecture", "size", "interpolation", "acc@1", "acc@5"]
PRESET_FIELDS = {"crop_size", "resize_size", "mean", "std", "interpolation", "antialias"}


def ask(question):
    """The helper's answer, in an environment without entries of the person who runs the test."""
    with tempfile.TemporaryDirectory() as home:
        env = {k: v for k, v in os.environ.items() if k not in ("TV_WEIGHTS_PATH", "XDG_DATA_HOME")}
        env["HOME"] = home
        done = subprocess.run(
            [os.environ["REGISTRY_DUMP"]],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            env=env,
            check=True,
        )
    return json.loads(done.stdout)


def is_classification(builder):
    module = builder.__module__.split(".")  # torchvision.models.<paper> or torchvision.models.quantization.<paper>
    return len(module) == 3 or module[2] == "quantization"


def builders():
    return {name: fn for name, fn in _api.BUILTIN_MODELS.items() if is_classification(fn)}


def plain(value):
    """A value of torchvision's meta as the helper writes it: pairs for mappings, names for enum members."""
    if isinstance(value, dict):
        return [[key, plain(inner)] for key, inner in value.items()]
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, (tuple, list)):
        return [plain(inner) for inner in value]
    if isinstance(value, MODELS.WeightsEnum):
        return str(value)
    return value


def plain_preset(preset):
    """The fields of a preset; the ones that this test does not know come through unchanged and so make it fail."""
    fields = {k: v for k, v in vars(preset).items() if not k.startswith("_") and k != "training"}
    for key in ("crop_size", "resize_size"):
        (fields[key],) = fields[key]
    fields["interpolation"] = fields["interpolation"].value
    return fields


def theirs():
    rows = []
    for name, fn in builders().items():
        enum = MODELS.get_model_weights(name)
        for entry in enum:
            assert entry.transforms.func is ImageClassification
            preset = plain_preset(entry.transforms())
            accuracy = entry.meta["_metrics"]["ImageNet-1K"]
            file_name = entry.url.rsplit("/", 1)[1]
            rows.append(
                {
                    "name": str(entry),
                    "enum": enum.__name__,
                    "entry": entry.name,
                    "builder": name,
                    "is_default": entry is enum.DEFAULT,
                    "url": entry.url,
                    "file": "",
                    "file_name": file_name,
                    "sha256": re.search(r"[-_]([a-f0-9]{8,})\.pth$", file_name).group(1),
                    "num_classes": len(entry.meta["categories"] or range(1000)),
                    "user_defined": False,
                    "transforms": preset,
                    "meta": {key: plain(value) for key, value in entry.meta.items()},
                    "flat": {
                        "task": "image_classification",
                        "architecture": inspect.signature(fn).return_annotation.__name__.removeprefix("Quantizable"),
                        "size": [preset["crop_size"]] * 2,
                        "interpolation": preset["interpolation"],
                        "acc@1": plain(accuracy["acc@1"]),
                        "acc@5": plain(accuracy["acc@5"]),
                    },
                }
            )
    return rows


def ours():
    rows = ask({"weights": True})["weights"]
    for row in rows:
        del row["describe"]  # our own words, tested in C++
        meta = row["meta"]
        flat = meta[-len(FLAT_KEYS) :]
        row["meta"] = dict(meta[: -len(FLAT_KEYS)])
        row["flat"] = dict(flat)
        assert len(row["meta"]) + len(row["flat"]) == len(meta), "a key stands twice in " + row["name"]
    return rows


def differences(mine, other):
    """Every place where two lists of rows differ, in either direction."""
    found = []
    if [row["name"] for row in mine] != [row["name"] for row in other]:
        found.append("the entries or their order")
    known = {row["name"]: row for row in mine}
    for row in other:
        mate = known.get(row["name"])
        if mate is None:
            continue
        for key in sorted(set(row) | set(mate)):
            one, two = mate.get(key), row.get(key)
            if one == two and type(one) is type(two):
                continue
            if isinstance(one, dict) and isinstance(two, dict):
                missing = object()
                keys = [k for k in sorted(set(one) | set(two)) if one.get(k, missing) != two.get(k, missing)]
                found.append(f"{row['name']}: {key}: {keys}")
            else:
                found.append(f"{row['name']}: {key}")
    return found


@pytest.fixture(scope="module")
def mine():
    return ours()


def test_every_field_of_every_entry(mine):
    other = theirs()
    assert len(other) == 129 and len({row["enum"] for row in other}) == 92
    assert differences(mine, other) == []


def test_the_comparison_can_fail(mine):
    """Each field changed, each key added and each key removed, on either side, is noticed."""
    other = theirs()
    for index in (0, 41, 120):
        for key, value in other[index].items():
            changes = [[key]] if not isinstance(value, dict) else [[key, inner] for inner in [*value, "new"]]
            for path in changes:
                for change in ("alter", "remove"):
                    if change == "remove" and path[-1] in ("new", "name"):
                        continue
                    changed = list(other)
                    place = changed[index] = copy.deepcopy(other[index])
                    for step in path[:-1]:
                        place = place[step]
                    if change == "alter":
                        place[path[-1]] = "something else"
                    else:
                        del place[path[-1]]
                    assert differences(mine, changed), (path, change)
                    assert differences(changed, other), (path, change)
    assert differences(mine[1:], other) and differences(mine, other[1:])
    assert differences(mine[::-1], other)


def test_no_enum_is_left_out(mine):
    """Enums that no builder names would be missed by a walk over the builders."""
    names = {row["enum"] for row in mine}
    for module in (MODELS, quantization):
        for name, thing in vars(module).items():
            if inspect.isclass(thing) and issubclass(thing, MODELS.WeightsEnum) and thing is not MODELS.WeightsEnum:
                assert name in names


def test_meta_keys_stand_in_one_order(mine):
    order = []
    for row in ask({"weights": True})["weights"]:
        keys = [key for key, _ in row["meta"]]
        assert keys[-len(FLAT_KEYS) :] == FLAT_KEYS
        order = max(order, keys, key=len)
    order = order[: -len(FLAT_KEYS)] + ["license"]
    for row in mine:
        keys = list(row["meta"])
        assert keys == sorted(keys, key=lambda key: (key in ("license", "backend", "unquantized"), order.index(key)))


def test_enums_and_default():
    names = list(builders())
    enums = [MODELS.get_model_weights(name) for name in names]
    spellings = names + [name.upper() for name in names] + [enum.__name__ for enum in enums]
    answer = ask({"enums": spellings, "get": [enum.__name__ + ".DEFAULT" for enum in enums]})
    expected = [[str(entry) for entry in enum] for enum in enums]
    assert answer["enums"] == expected * 3
    assert answer["get"] == [str(enum.DEFAULT) for enum in enums]


def test_get_weight_accepts_what_torchvision_accepts():
    rng = random.Random(20220101)
    enums = [MODELS.get_model_weights(name) for name in builders()]
    exact = [f"{enum.__name__}.{member}" for enum in enums for member in enum.__members__]
    names = list(exact) + ["", ".", "..", "DEFAULT", "resnet50", "resnet50.DEFAULT", "ResNet50_Weights"]
    alphabet = "abAB_.019 V"
    while len(names) < 4000:
        name = rng.choice(exact)
        for _ in range(rng.randint(1, 2)):
            at = rng.randrange(len(name) + 1)
            kind = rng.randrange(4)
            if kind == 0:
                name = name[:at] + rng.choice(alphabet) + name[at:]
            elif kind == 1:
                name = name[:at] + name[at + 1 :]
            elif kind == 2:
                name = name[:at] + name[at : at + 1].swapcase() + name[at + 1 :]
            else:
                left, _, right = name.partition(".")
                name = left + "." + rng.choice(exact).partition(".")[2]
        names.append(name)
    accepted = 0
    for name, found in zip(names, ask({"get": names})["get"]):
        try:
            expected = str(MODELS.get_weight(name))
            accepted += 1
        except (ValueError, KeyError, TypeError):
            expected = None
        if expected is None:
            assert isinstance(found, dict) and found["code"] == "not-found" and found["what"], name
        else:
            assert found == expected, name
    assert 300 < accepted < 3500  # both answers are well represented


def random_pattern(rng, names):
    """Pieces of real names between wildcards and sets, so that matches and misses are both frequent."""
    name = rng.choice(names)
    out = ""
    for char in name:
        roll = rng.random()
        if roll < 0.1:
            out += "?"
        elif roll < 0.2:
            out += "*"
        elif roll < 0.3:
            inside = rng.choice([char, "a-z", "0-9_", char + "-", "z-a" + char, "]" + char])
            out += rng.choice(["[!", "["]) + inside + "]"
        elif roll < 0.33:
            pass
        else:
            out += char
        if roll > 0.93:
            return out + "*"
    return out


def test_list_models():
    rng = random.Random(7)
    names = list(builders())
    queries = [{"include": [], "exclude": []}, {"include": [""], "exclude": []}, {"include": [], "exclude": [""]}]
    while len(queries) < 200:
        filters = ("include", "exclude")
        queries.append({key: [random_pattern(rng, names) for _ in range(rng.randrange(4))] for key in filters})
    lengths = set()
    for query, found in zip(queries, ask({"list": queries})["list"]):
        expected = [
            name
            for module in (MODELS, quantization)
            for name in MODELS.list_models(module, include=query["include"], exclude=query["exclude"])
        ]
        assert found == sorted(expected), query
        lengths.add(len(found))
    assert {0, 1, 92} < lengths and len(lengths) > 15


def test_fnmatch_is_pythons():
    rng = random.Random(99)
    pairs = []
    for _ in range(30000):
        pattern = "".join(rng.choice("ab-!][^\\*?&~|.AZ_") for _ in range(rng.randrange(12)))
        pairs.append(["".join(rng.choice("abc-!]^\\.AZ_") for _ in range(rng.randrange(7))), pattern])
    for _ in range(20000):  # one set: ranges, empty ranges and what is left of them
        pattern = "[" + "".join(rng.choice("abc-!]^[\\") for _ in range(rng.randint(1, 8))) + "]"
        pairs.append([rng.choice("abc-!]^\\"), pattern])
    names = list(builders())
    pairs += [[rng.choice(names), random_pattern(rng, names)] for _ in range(10000)]
    matched = 0
    for (name, pattern), found in zip(pairs, ask({"fnmatch": pairs})["fnmatch"]):
        assert found == fnmatch.fnmatchcase(name, pattern), (name, pattern)
        matched += found
    assert 5000 < matched < 50000


def test_transforms_overrides():
    rng = random.Random(3)
    choices = {
        "crop_size": lambda: rng.randint(1, 600),
        "resize_size": lambda: rng.randint(1, 600),
        "interpolation": lambda: rng.choice(["bilinear", "bicubic"]),
        "antialias": lambda: rng.random() < 0.5,
        "mean": lambda: [rng.random() for _ in range(3)],
        "std": lambda: [rng.random() + 0.1 for _ in range(3)],
    }
    assert set(choices) == PRESET_FIELDS
    entries = [entry for name in builders() for entry in MODELS.get_model_weights(name)]
    queries = []
    for _ in range(300):
        keys = rng.sample(sorted(choices), rng.randrange(len(choices) + 1))
        queries.append([str(rng.choice(entries)), {key: choices[key]() for key in keys}])
    for (name, overrides), found in zip(queries, ask({"transforms": queries})["transforms"]):
        keywords = dict(overrides)
        if "interpolation" in keywords:
            keywords["interpolation"] = InterpolationMode(keywords["interpolation"])
        assert found == plain_preset(MODELS.get_weight(name).transforms(**keywords)), (name, overrides)


def test_the_documented_examples_load():
    """The JSON blocks of the page on user-defined entries are whole files that load as they stand."""
    with open(os.environ["USER_WEIGHTS_DOC"], encoding="utf-8") as page:
        blocks = re.findall(r"```json\n(.*?)```", page.read(), re.S)
    assert len(blocks) >= 2
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "flowers.txt"), "w", encoding="utf-8") as labels:
            labels.write("daisy\ndandelion\nrose\nsunflower\ntulip\nviolet\n")
        for number, block in enumerate(blocks):
            with open(os.path.join(folder, f"{number}.json"), "w", encoding="utf-8") as file:
                file.write(block)
        answer = ask({"load": [folder]})["load"]
        assert answer["errors"] == []
        rows = {row["name"]: row for row in answer["weights"]}
        assert len(rows) == len(blocks)
        flowers = rows["MyFlowers_Weights.V1"]
        assert flowers["builder"] == "resnet18" and flowers["num_classes"] == 6
        assert rows["MyFlowers_Weights.V2"]["is_default"] and not flowers["is_default"]
        assert os.path.dirname(flowers["file"]) == folder


def legacy_meaning(builder, pretrained, quantize):
    """What handle_legacy_interface's own table says for `builder(pretrained=..., quantize=...)`; the builder is not run."""
    if not pretrained:
        return None
    inner = inspect.getclosurevars(inspect.unwrap(builder, stop=lambda f: "weights" in inspect.getclosurevars(f).nonlocals))
    ((_, (parameter, default)),) = inner.nonlocals["weights"].items()
    assert parameter == "pretrained"
    if callable(default) and not isinstance(default, MODELS.WeightsEnum):
        default = default({"pretrained": pretrained, "quantize": quantize})
    return str(default) if isinstance(default, MODELS.WeightsEnum) else "refused"


def test_pretrained_means_what_torchvision_says():
    queries = [
        (name, pretrained, quantize)
        for name in builders()
        for pretrained in (False, True)
        for quantize in ((False, True) if name.startswith("quantized_") else (False,))
    ]
    answers = ask({"legacy": queries})["legacy"]
    refused = set()
    for (name, pretrained, quantize), answer in zip(queries, answers, strict=True):
        expected = legacy_meaning(builders()[name], pretrained, quantize)
        if expected == "refused":
            refused.add(name)
            assert answer["code"] == "not-found" and name in answer["what"]
        else:
            assert answer == expected, (name, pretrained, quantize)
    assert refused == {"vit_h_14", "regnet_y_128gf"}
