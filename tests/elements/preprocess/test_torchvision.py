"""Bit-equality with live torchvision: every distinct recipe of its weights, on both backends.

    test_torchvision.py DRIVER_LIBRARY [--separate]

--separate: LibTorch without AVX2 (ATEN_CPU_CAPABILITY=default), whose sums round otherwise.
The judge is weights.transforms() on the uint8 tensor, and on the PIL image for the pil backend.
"""

import sys
import time
import warnings

import numpy as np
import PIL
import PIL.Image
import torch
import torchvision
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

from driver import Driver

# Width and height. The shorter side is resized to some 224..600, so long thin pictures become large.
EXTREME_SIZES = [
    (1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (1, 37), (37, 1), (5, 60), (60, 5), (7, 7), (17, 16), (16, 17),
    (223, 224), (225, 224), (224, 224), (232, 232), (256, 256), (256, 300), (300, 256), (255, 257), (384, 384),
    (341, 512), (512, 341), (333, 999), (999, 333), (640, 480), (481, 641), (600, 600), (1279, 719), (719, 1279),
    (121, 967), (967, 121),
]  # fmt: skip
LARGE_SIZES = [(4096, 2160), (2160, 4096), (1920, 1080), (3001, 77), (77, 3001), (2999, 2001)]
RANDOM_SIZES = 200
SEPARATE_RANDOM_SIZES = 20  # with --separate
RECIPES_A_SIZE = 4  # every size meets this many recipes, in turn


def distinct_recipes():
    """One preset for each combination that torchvision's classification weights use."""
    recipes = {}
    entries = 0
    for module in (torchvision.models, torchvision.models.quantization):
        for name in torchvision.models.list_models(module=module):
            for entry in torchvision.models.get_model_weights(name):
                preset = entry.transforms()
                entries += 1
                key = repr((preset.crop_size, preset.resize_size, preset.interpolation.value, preset.antialias,
                            preset.mean, preset.std))  # fmt: skip
                recipes.setdefault(key, preset)
    return [recipes[key] for key in sorted(recipes)], entries


def override(preset, **changes):
    keywords = dict(
        crop_size=preset.crop_size[0],
        resize_size=preset.resize_size[0],
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        interpolation=preset.interpolation,
        antialias=preset.antialias,
    )
    return ImageClassification(**{**keywords, **changes})


def picture(rng, width, height):
    """Noise, pure black and white, smooth waves or a flat colour: ties and overshoots among them."""
    kind = rng.integers(0, 4)
    if kind == 0:
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == 1:
        return (rng.integers(0, 2, (height, width, 3)) * 255).astype(np.uint8)
    if kind == 2:
        y, x = np.mgrid[0:height, 0:width]
        waves = [np.sin(x / rng.uniform(2, 90) + y / rng.uniform(2, 90)) for _ in range(3)]
        return (np.stack(waves, -1) * 127.5 + 127.5).astype(np.uint8)
    return np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), (height, width, 3)).copy()


def expected(preset, image, pil):
    if pil:
        return preset(PIL.Image.fromarray(image)).numpy()
    return preset(torch.from_numpy(image).permute(2, 0, 1).contiguous()).numpy()


class Tally:
    def __init__(self, driver, sums):
        self.driver = driver
        self.sums = sums
        self.runs = 0
        self.values = {False: 0, True: 0}
        self.differing = 0

    def check(self, preset, image, pil, reference=False):
        want = expected(preset, image, pil)
        got = self.driver.run(image, preset, pil, reference, self.sums)
        self.runs += 1
        self.values[pil] += want.size
        # Bits, not values: 0.0 and -0.0 differ.
        wrong = want.view(np.uint32) != got.view(np.uint32)
        if not wrong.any():
            return
        self.differing += int(wrong.sum())
        c, y, x = np.argwhere(wrong)[0]
        print(
            f"differs: {image.shape[1]}x{image.shape[0]} {'pil' if pil else 'tensor'} "
            f"{'reference' if reference else 'fast'} {preset!r}: {int(wrong.sum())} of {want.size} values, first at "
            f"x={x} y={y} c={c}: expected {want[c, y, x]!r}, found {got[c, y, x]!r}"
        )


def sizes(rng, random_sizes):
    yield from EXTREME_SIZES
    for i in range(random_sizes):
        low, high = ((1, 64), (64, 700), (200, 1000))[i % 3]
        width, height = (int(v) for v in rng.integers(low, high, 2))
        # Beyond 1:12 torchvision's own result gets too large for a test.
        yield max(width, height // 12 + 1), max(height, width // 12 + 1)


def check_recipes(tally, recipes, rng):
    turn = 0
    for number, (width, height) in enumerate(sizes(rng, RANDOM_SIZES if tally.sums else SEPARATE_RANDOM_SIZES)):
        image = picture(rng, width, height)
        for _ in range(RECIPES_A_SIZE):
            preset = recipes[turn % len(recipes)]
            tally.check(preset, image, pil=turn % 2 == 1)
            if turn % 16 < 2:
                tally.check(preset, image, pil=turn % 2 == 1, reference=True)
            turn += 1
        # The number of recipes is even: without this a recipe would meet one backend alone.
        turn += number % 2
    for number, (width, height) in enumerate(LARGE_SIZES):
        image = picture(rng, width, height)
        tally.check(recipes[number % len(recipes)], image, pil=False)
        tally.check(recipes[(number + 1) % len(recipes)], image, pil=True)


def check_overrides(tally, recipes, rng):
    """Crops larger than the picture (torchvision pads), up to one pixel, and other means."""
    changes = [
        dict(crop_size=300, resize_size=200),
        dict(crop_size=301, resize_size=200),
        dict(crop_size=1, resize_size=1),
        dict(crop_size=2, resize_size=1),
        dict(crop_size=5, resize_size=3),
        dict(crop_size=64, resize_size=33),
        dict(crop_size=400, resize_size=400),
        dict(crop_size=97, resize_size=100),
        dict(mean=(0.0, 0.1, 1.0), std=(1.0, -0.5, 1e-3)),
    ]
    for number, change in enumerate(changes):
        for interpolation in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC):
            preset = override(recipes[number % len(recipes)], interpolation=interpolation, **change)
            for width, height in ((199, 200), (431, 640), (640, 431), (1, 3), (150, 451), (900, 901)):
                image = picture(rng, width, height)
                for pil in (False, True):
                    tally.check(preset, image, pil)
                    tally.check(preset, image, pil, reference=True)


def check_longest_sides(tally, recipes, rng):
    """The longest side that a frame may have, all of it in the crop."""
    for number, (width, height) in enumerate(((16384, 5), (5, 16384), (16384, 240), (240, 16384), (16384, 1))):
        shorter = min(width, height)
        resize = max(2, shorter // 8)
        preset = override(recipes[number], resize_size=resize, crop_size=resize * 16384 // shorter)
        if preset.crop_size[0] > 3000:  # the whole of the longest pictures would be gigabytes
            preset = override(preset, crop_size=3000)
        image = picture(rng, width, height)
        for pil in (False, True):
            tally.check(preset, image, pil)
            tally.check(preset, image, pil, reference=True)


def check_without_antialias(tally, recipes, rng):
    """antialias=False: the kernel that LibTorch takes with two threads and more than 128 pixels of sides."""
    torch.set_num_threads(2)
    for interpolation in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC):
        for number in range(24):
            preset = override(recipes[number], interpolation=interpolation, antialias=False)
            width, height = (int(v) for v in rng.integers(20, 900, 2))
            image = picture(rng, max(width, height // 5), max(height, width // 5))
            tally.check(preset, image, pil=False)
            tally.check(preset, image, pil=False, reference=number % 4 == 0)
    # Pillow knows no such switch.
    tally.check(override(recipes[0], antialias=False), picture(rng, 500, 400), pil=True)
    torch.set_num_threads(1)


def check_refusals(driver, recipes):
    """What torchvision would do with these is an error, too, or a demand for gigabytes."""
    image = np.zeros((1, 16384, 3), np.uint8)
    for change, shape in (
        (dict(crop_size=0), (8, 8)),
        (dict(resize_size=0), (8, 8)),
        (dict(crop_size=16385), (8, 8)),
        (dict(std=(1.0, 0.0, 1.0)), (8, 8)),
        (dict(std=(1.0, 1e-60, 1.0)), (8, 8)),
        (dict(mean=(0.0, float("nan"), 0.0)), (8, 8)),
        (dict(resize_size=256), (1, 16384)),
    ):
        try:
            driver.run(np.ascontiguousarray(image[: shape[0], : shape[1]]), override(recipes[0], **change), False)
        except ValueError as error:
            assert str(error), change
        else:
            raise AssertionError(f"accepted: {change} for {shape}")


def main():
    driver = Driver(sys.argv[1])
    separate = "--separate" in sys.argv
    warnings.filterwarnings("ignore", message="Anti-alias option is always applied for PIL")
    torch.set_num_threads(1)
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"torch {torch.__version__} ({capability}), torchvision {torchvision.__version__}, Pillow {PIL.__version__}")
    assert separate == (capability == "DEFAULT") or driver.native_sums == 0, "the judge runs another instruction set"
    assert int(PIL.__version__.split(".")[0]) >= 13, "Pillow before 13.0 orders its passes otherwise"
    recipes, entries = distinct_recipes()
    print(f"{len(recipes)} distinct recipes in {entries} entries")
    assert entries == 129 and len(recipes) >= 28

    rng = np.random.default_rng(20221)
    tally = Tally(driver, 0 if separate else -1)
    for part in (check_overrides, check_longest_sides, check_without_antialias, check_recipes):
        begin = time.monotonic()
        part(tally, recipes, rng)
        print(f"{part.__name__}: {tally.runs} comparisons so far, {time.monotonic() - begin:.1f} s")
    check_refusals(driver, recipes)
    print(
        f"{tally.runs} comparisons, {tally.values[False]} tensor and {tally.values[True]} pil values compared, "
        f"{tally.differing} differ"
    )
    return 1 if tally.differing else 0


if __name__ == "__main__":
    sys.exit(main())
