"""Pictures without loss, bit for bit as Pillow decodes them. Needs TV_DECODE_PICTURE (the program, on tvmodels' Decoder)."""
import io
import os
import subprocess

import numpy as np
import pytest
from PIL import Image

PROGRAM = os.environ["TV_DECODE_PICTURE"]
GUARD = 60  # ends what hangs


def picture(mode="RGB", size=(67, 45)):
    """Smooth colours with noise."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(width * 1000 + height)
    planes = [128 + 90 * np.sin(x / (5 + c) + c) * np.cos(y / (7 + c)) + rng.normal(0, 12, (height, width)) for c in range(3)]
    image = Image.fromarray(np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8))
    if mode == "RGBA":
        image.putalpha(Image.fromarray((x * 3 % 256).astype(np.uint8)))
    return image.convert(mode)


def encoded(form, mode="RGB", size=(67, 45), **options):
    data = io.BytesIO()
    picture(mode, size).save(data, form, **options)
    return data.getvalue()


def run(tmp_path, data, name="picture", **environment):
    path = tmp_path / name
    path.write_bytes(data)
    return subprocess.run([PROGRAM, path], capture_output=True, timeout=GUARD, env={**os.environ, **environment})


def decode(tmp_path, data):
    result = run(tmp_path, data)
    assert (result.returncode, result.stderr) == (0, b"1 frames\n"), result.stderr
    size, _, pixels = result.stdout.partition(b"\n")
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def refusal(tmp_path, data, **environment):
    result = run(tmp_path, data, **environment)
    text = result.stderr.decode()
    assert result.returncode == 1 and str(tmp_path / "picture") in text, result
    return text


def assert_as_pillow(tmp_path, data):
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(decode(tmp_path, data), np.asarray(image.convert("RGB")))


def animated(form, **options):
    return encoded(form, save_all=True, append_images=[picture().transpose(0), picture().transpose(1)], duration=200, **options)


@pytest.mark.parametrize("size", [(67, 45), (1, 1), (640, 480)])
@pytest.mark.parametrize("options", [{}, {"mode": "L"}, {"mode": "P"}, {"mode": "1"}, {"interlace": 0}])
def test_gif(tmp_path, size, options):
    assert_as_pillow(tmp_path, encoded("GIF", size=size, **options))


@pytest.mark.parametrize("loop", [{}, {"loop": 0}, {"loop": 3}])
def test_an_animated_gif_is_its_first_picture(tmp_path, loop):
    """As for Pillow's open()."""
    assert_as_pillow(tmp_path, animated("GIF", **loop))


def test_gif_that_is_transparent_in_parts_is_refused(tmp_path):
    """Pillow gives the colour below, GStreamer black."""
    few = picture().quantize(20)
    data = io.BytesIO()
    few.save(data, "GIF", transparency=3)
    assert 3 in np.asarray(few)
    text = refusal(tmp_path, data.getvalue())
    assert "GIF" in text and "transparent" in text and "convert it to PNG" in text
    data = io.BytesIO()
    few.save(data, "GIF", transparency=200)  # a colour that no pixel has
    assert_as_pillow(tmp_path, data.getvalue())


@pytest.mark.parametrize("part", [0.02, 0.1, 0.3, 0.6, 0.9, 0.97])
def test_gif_that_is_cut_off_is_refused(tmp_path, part):
    data = encoded("GIF", size=(320, 240))
    text = refusal(tmp_path, data[:int(part * len(data))])
    assert "GIF" in text and "convert it to PNG" in text
