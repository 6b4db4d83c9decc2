"""tvmodels evaluate and table, with Pillow and torchvision as the judges. The pictures are real ones, those of the PyPI
package alibi."""
import contextlib
import importlib.util
import json
import os
import pathlib
import pty
import re
import shutil
import tarfile

import numpy as np
import pytest
import torch
from conftest import CATEGORIES
from PIL import Image
from torchvision import datasets, models


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """The four cats, their halves and a mirrored one: JPEG and PNG, grey and CMYK, as in ImageNet."""
    folder = tmp_path_factory.mktemp("pictures")
    package = pathlib.Path(importlib.util.find_spec("alibi").submodule_search_locations[0])
    with tarfile.open(package / "data" / "cats.tar.gz") as archive:
        # By hand: extractall(filter="data") is not in Debian 12's Python, and unfiltered it may write anywhere.
        for member in archive.getmembers():
            if member.isfile():
                (folder / pathlib.PurePosixPath(member.name).name).write_bytes(archive.extractfile(member).read())
    cats = sorted(folder.iterdir())
    assert len(cats) == 4
    for i, path in enumerate(cats):
        cat = Image.open(path).convert("RGB")
        width, height = cat.size
        cat.crop((0, 0, width // 2, height)).save(folder / f"left{i}.png")
        cat.crop((width // 2, 0, width, height)).save(folder / f"right{i}.jpg", quality=80, progressive=i % 2 == 0)
        cat.convert("L").save(folder / f"grey{i}.jpeg")
    cat.convert("CMYK").save(folder / "cmyk.JPG")
    return sorted(folder.iterdir())


def batch_of(world, pictures):
    return torch.stack([world.transforms(Image.open(path).convert("RGB")) for path in pictures])


@pytest.fixture(scope="module")
def model(world, pictures):
    """The judge: a network that says something else of each picture, as Cats_Weights.V1."""
    model = models.resnet18(num_classes=6).eval()
    model.load_state_dict(world.model.state_dict())
    with torch.inference_mode():
        logits = model(batch_of(world, pictures))
        model.fc.bias -= logits.mean(0)
        model.fc.weight *= 10 / logits.std(0)[:, None]
        model.fc.bias *= 10 / logits.std(0)
    torch.save(model.state_dict(), world.folder / "cats.pth")
    world.add_entry("Cats_Weights", "V1", file=str(world.folder / "cats.pth"))
    return model


@pytest.fixture(scope="module")
def order(world, model, pictures):
    """What Python says of each picture: the classes, best first."""
    with torch.inference_mode():
        best = model(batch_of(world, pictures)).sort(1, descending=True)
    # Labels follow from the order, so no two logits may be close.
    assert (best.values[:, :-1] - best.values[:, 1:]).min() > 1e-3
    assert len(set(best.indices[:, 0].tolist())) > 3
    return best.indices.tolist()


def write_list(path, pictures, labels, separator="\t"):
    path.write_text("".join(f"{picture}{separator}{label}\n" for picture, label in zip(pictures, labels)))
    return path


def evaluate(world, data, *options):
    return json.loads(world.good("evaluate", "--json", "--weights", "Cats_Weights.V1", "--data", data, *options))


@pytest.mark.parametrize("place, acc1, acc5, batch", [(0, 100, 100, 1), (0, 100, 100, 32), (1, 0, 100, 4),
                                                      (4, 0, 100, 32), (5, 0, 0, 5)])
def test_every_answer_is_pythons(world, tmp_path, pictures, order, place, acc1, acc5, batch):
    """The labels are Python's own n-th answers, so one other answer changes the figure."""
    data = write_list(tmp_path / "list.txt", pictures, [classes[place] for classes in order])
    found = evaluate(world, data, "--batch-size", batch)
    assert (found["pictures"], found["acc@1"], found["acc@5"]) == (len(pictures), acc1, acc5)


def test_pictures_are_resized_as_pillow_does(world, model, tmp_path, pictures):
    """On tensors torchvision resizes otherwise: a scaled-up head tells one from the other."""
    picture = pictures[0]
    fine = models.resnet18(num_classes=6).eval()
    fine.load_state_dict(model.state_dict())
    image = Image.open(picture).convert("RGB")
    tensor = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)
    with torch.inference_mode():
        pil, other = (fine(world.transforms(x)[None])[0] for x in (image, tensor))
        # Move class 0 between the two answers: only one of them has it first.
        low, high = sorted([float(pil[1:].max() - pil[0]), float(other[1:].max() - other[0])])
        assert high - low > 1e-4
        fine.fc.bias[0] += (low + high) / 2
        first = int(fine(world.transforms(image)[None])[0].argmax())
        assert first != int(fine(world.transforms(tensor)[None])[0].argmax())
    torch.save(fine.state_dict(), tmp_path / "fine.pth")
    data = write_list(tmp_path / "list.txt", [picture], [first])
    assert evaluate(world, data, "--weights-file", tmp_path / "fine.pth")["acc@1"] == 100


def test_image_folder(world, model, tmp_path, pictures, order):
    """The folder's n-th name is class n, as in ImageFolder; files that are no pictures do not count."""
    for label, name in enumerate(["n01", "n02", "n10", "n9", "x", "y"]):  # sorted as text
        (tmp_path / name / "deep").mkdir(parents=True)
        for i, (path, classes) in enumerate(zip(pictures, order)):
            if classes[0] == label:
                shutil.copy(path, tmp_path / name / ("deep" if i % 2 else "") / path.name)
        shutil.copy(pictures[0], tmp_path / name / "always.png")  # ImageFolder refuses empty folders
        (tmp_path / name / "notes.txt").write_text("no picture")
    judge = datasets.ImageFolder(tmp_path, transform=world.transforms)
    with torch.inference_mode():
        right = [int(model(x[None]).argmax()) == label for x, label in judge]
    found = evaluate(world, tmp_path)
    assert found["pictures"] == len(right) == len(pictures) + 6
    assert found["acc@1"] == pytest.approx(100 * sum(right) / len(right)) and 0 < sum(right) < len(right)


def test_folders_named_as_categories(world, tmp_path, pictures, order):
    for path, classes in zip(pictures, order):
        folder = tmp_path / CATEGORIES[classes[0]]
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder)
    assert evaluate(world, tmp_path)["acc@1"] == 100


def test_lists_name_classes_in_three_ways(world, tmp_path, pictures, order):
    best = [classes[0] for classes in order]
    for i, path in enumerate(pictures):
        shutil.copy(path, tmp_path / f"a picture {i}{path.suffix}")
    names = [f"a picture {i}{path.suffix}" for i, path in enumerate(pictures)]  # relative to the list
    for name, labels, separator in (("numbers", best, "\t"), ("spaces", best, " "),
                                    ("names", [CATEGORIES[i] for i in best], "\t")):
        assert evaluate(world, write_list(tmp_path / f"{name}.txt", names, labels, separator))["acc@1"] == 100


def test_text_shows_what_is_published(world, tmp_path, pictures, order):
    world.add_entry("Known_Weights", "V1", file=str(world.folder / "cats.pth"), metrics={"Cats": {"acc@1": 81.25, "acc@5": 95.5}})
    data = write_list(tmp_path / "list.txt", pictures, [classes[1] for classes in order])
    arguments = ["evaluate", "--weights", "Known_Weights.V1", "--data", data]
    first, header, acc1, acc5 = world.good(*arguments, "--device", "cpu").splitlines()
    assert first == f"Known_Weights.V1 on {data}: {len(pictures)} pictures on cpu, fp32"
    assert header.split() == ["here", "published", "(Cats)"]
    assert acc1.split() == ["acc@1", "0.000", "81.250"] and acc5.split() == ["acc@5", "100.000", "95.500"]


@pytest.mark.parametrize("precision", [[], ["--precision", "fp32"], ["--precision", "auto"]])
def test_device_and_precision_are_named(world, tmp_path, pictures, order, precision):
    """The published figures are those of fp32, so that is the default on every device."""
    data = write_list(tmp_path / "list.txt", pictures[:2], [classes[0] for classes in order])
    found = evaluate(world, data, "--device", "cpu", *precision)
    assert (found["device"], found["precision"], found["acc@1"]) == ("cpu", "fp32", 100)


@pytest.mark.parametrize("status, options, words", [
    (2, ["--device", "tpu"], 'no device "tpu"'),
    (2, ["--precision", "int4"], 'no precision "int4"'),
    (1, ["--device", "cpu", "--precision", "bf16"], "precision is bf16, but the CPU computes in fp32"),
    (1, ["--device", "cuda:31"], "cuda"),
])
def test_devices_and_precisions_that_are_not_there(world, model, tmp_path, pictures, status, options, words):
    data = write_list(tmp_path / "list.txt", pictures[:1], [0])
    assert words in world.bad(status, "evaluate", "--weights", "Cats_Weights.V1", "--data", data, *options).stderr


def on_a_terminal(world, *arguments):
    """The result of tvmodels, and what the terminal on its standard error has shown."""
    terminal, end = pty.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as terminal:
        try:
            result = world.call(*arguments, stderr=end)
        finally:
            os.close(end)
        shown = b""
        with contextlib.suppress(OSError):  # EIO is a terminal's end of file
            while part := terminal.read(4096):
                shown += part
    return result, shown.decode()


def evaluate_on_a_terminal(world, data):
    """Five pictures at a time."""
    return on_a_terminal(world, "evaluate", "--json", "--weights", "Cats_Weights.V1", "--data", data, "--batch-size", 5)


def bars(*states):
    """A pattern of bars, each from a carriage return."""
    lines = []
    for seen, acc1 in states:
        filled = 30 * seen // 17
        bar = "[" + "#" * filled + "-" * (30 - filled) + f"]  {seen} of 17   acc@1 {acc1}   "
        lines.append(r"\r" + re.escape(bar) + r"\d+\.\d pictures/s")
    return "".join(lines)


def test_a_terminal_has_a_progress_bar(world, tmp_path, pictures, order):
    """Elsewhere there is none: good() wants an empty standard error."""
    labels = [classes[1 if i < 5 else 0] for i, classes in enumerate(order)]
    result, shown = evaluate_on_a_terminal(world, write_list(tmp_path / "list.txt", pictures, labels))
    wanted = bars((5, "0.000"), (10, "50.000"), (15, "66.667"), (17, "70.588")) + r"\r\n"  # a terminal's line feed
    assert re.fullmatch(wanted, shown), shown
    assert result.returncode == 0 and json.loads(result.stdout)["pictures"] == 17


@pytest.mark.parametrize("options, words", [([], "tvmodels: Cats_Weights.V1 on cpu, fp32\r\n"), (["--json"], "")])
def test_classify_tells_a_terminal_where_it_runs(world, model, pictures, options, words):
    """With --json the lines say it; a standard error that is no terminal stays empty, as good() wants it."""
    result, shown = on_a_terminal(world, "classify", *options, "--device", "cpu", "--weights", "Cats_Weights.V1", pictures[0])
    assert result.returncode == 0 and shown == words and str(pictures[0]) in result.stdout


def test_an_error_has_a_line_below_the_progress_bar(world, tmp_path, pictures, order):
    (tmp_path / "cut.jpg").write_bytes(pictures[-1].read_bytes()[:5000])
    files = [*pictures[:16], tmp_path / "cut.jpg"]
    result, shown = evaluate_on_a_terminal(world, write_list(tmp_path / "list.txt", files, [classes[0] for classes in order]))
    wanted = bars((5, "100.000"), (10, "100.000"), (15, "100.000")) + r"\r\ntvmodels: [^\r\n]*cut\.jpg[^\r\n]*\r\n"
    assert re.fullmatch(wanted, shown), shown
    assert result.returncode == 1 and result.stdout == ""


@pytest.mark.parametrize("text, words", [
    ("cat.png\t6\n", "from 0 to 5, found 6"),
    ("cat.png\t-1\n", "from 0 to 5, found -1"),
    ("cat.png\tbanana\n", '"banana" is no category'),
    ("cat.png banana\n", "the number of a class"),
    ("cat.png\n", "a path, a tab, and a class"),
    ("", "no picture"),
    ("absent.jpg\t1\n", "absent.jpg: No such file"),
    ("list.txt\t1\n", "list.txt: cannot be decoded"),
])
def test_bad_lists_are_refused(world, tmp_path, pictures, text, words):
    shutil.copy(pictures[-1], tmp_path / "cat.png")
    (tmp_path / "list.txt").write_text(text)
    result = world.bad(1, "evaluate", "--weights", "Six_Weights.V1", "--data", tmp_path / "list.txt")
    assert words in result.stderr and result.stdout == ""


def test_bad_folders_are_refused(world, tmp_path, pictures):
    arguments = ["evaluate", "--weights", "Six_Weights.V1", "--data"]
    assert "No such file" in world.bad(1, *arguments, tmp_path / "absent").stderr
    assert "holds no folder" in world.bad(1, *arguments, tmp_path).stderr
    (tmp_path / "cats").mkdir()
    assert "for each of the 6 categories" in world.bad(1, *arguments, tmp_path).stderr
    (tmp_path / "cats").rename(tmp_path / "kiwi")
    assert "holds no picture" in world.bad(1, *arguments, tmp_path).stderr


def test_a_damaged_picture_is_an_error_with_its_name(world, tmp_path, pictures):
    """Left out it would change the figure without a word."""
    (tmp_path / "cut.jpg").write_bytes(pictures[-1].read_bytes()[:5000])
    data = write_list(tmp_path / "list.txt", [*pictures, tmp_path / "cut.jpg"], [0] * (len(pictures) + 1))
    for batch in (1, 32):
        result = world.bad(1, "evaluate", "--weights", "Cats_Weights.V1", "--data", data, "--batch-size", batch)
        assert "cut.jpg" in result.stderr and result.stdout == ""


@pytest.mark.parametrize("name", ["cat.tif", "cat.TIFF"])
def test_a_tiff_picture_is_an_error_with_its_name(world, tmp_path, pictures, name):
    """ImageFolder counts it."""
    for folder in CATEGORIES:
        (tmp_path / folder).mkdir()
    Image.open(pictures[0]).convert("RGB").save(tmp_path / CATEGORIES[0] / name)
    result = world.bad(1, "evaluate", "--weights", "Six_Weights.V1", "--data", tmp_path)
    assert f"{name}: TIFF pictures are not supported" in result.stderr and "convert it to PNG" in result.stderr


def test_no_thread_can_be_started(world, model, tmp_path, pictures):
    data = write_list(tmp_path / "list.txt", pictures[:1], [0])
    arguments = ["evaluate", "--weights", "Cats_Weights.V1", "--data", data, "--device", "cpu"]
    environment = {"LD_PRELOAD": os.environ["TV_NO_THREADS"], "OMP_NUM_THREADS": "1"}
    text = world.bad(1, *arguments, environment=environment).stderr
    assert "cannot start a thread that decodes pictures: Resource temporarily unavailable" in text and "ulimit -u" in text


def test_weights_without_categories_have_no_accuracy(world, tmp_path):
    result = world.bad(1, "evaluate", "--weights", "VGG16_Weights.IMAGENET1K_FEATURES", "--data", tmp_path)
    assert "no categories" in result.stderr and "VGG16_Weights.IMAGENET1K_V1" in result.stderr


# ---- table -----------------------------------------------------------------------------------------------------


def with_both():
    """torchvision's builders with old and new weights, by its own enums."""
    rows = {}
    for builder in models.list_models(module=models) + models.list_models(module=models.quantization):
        entries = {entry.name: entry for entry in models.get_model_weights(builder)}
        old = next((entry for name, entry in entries.items() if name.endswith("_V1")), None)
        new = next((entry for name, entry in entries.items() if name.endswith("_V2")), None)
        if old and new:
            rows[builder] = (old, new)
    return rows


def test_table(world):
    wanted = with_both()
    del wanted["mobilenet_v2"]  # younger than the announcement
    found = json.loads(world.good("table", "--json"))
    assert len(found) == 25 and {row["builder"] for row in found} == set(wanted)
    for row in found:
        old, new = wanted[row["builder"]]
        for name, accuracy, entry in (("old", "old_acc1", old), ("new", "new_acc1", new)):
            assert row[name] == str(entry)
            assert row[accuracy] == entry.meta["_metrics"]["ImageNet-1K"]["acc@1"]


def test_table_as_text(world):
    lines = world.good("table").splitlines()
    assert len(lines) == 26 and lines[0].split() == ["builder", "old", "weights", "acc@1", "new", "weights", "acc@1"]
    assert "resnet50 IMAGENET1K_V1 76.130 IMAGENET1K_V2 80.858".split() in [line.split() for line in lines]
    assert len(world.good("table", "--all").splitlines()) == len(with_both()) + 1
