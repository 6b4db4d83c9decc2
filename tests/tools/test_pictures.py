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


# torchvision.datasets.folder.IMG_EXTENSIONS, as Pillow writes them; test_jpeg.py has the JPEG ones.
LOSSLESS = [
    *(("PNG", {"mode": mode}) for mode in ("RGB", "L", "P", "1", "RGBA", "LA")),
    *(("PPM", {"mode": mode}) for mode in ("RGB", "L")),  # *.ppm and *.pgm
    *(("BMP", {"mode": mode}) for mode in ("RGB", "L", "P", "1", "RGBA")),
    *(("WEBP", {"mode": mode, "lossless": True, "exact": True}) for mode in ("RGB", "L", "RGBA")),
]


@pytest.mark.parametrize("size", [(67, 45), (64, 3), (1, 1), (640, 480)])
@pytest.mark.parametrize("form, options", LOSSLESS)
def test_lossless(tmp_path, form, size, options):
    assert_as_pillow(tmp_path, encoded(form, size=size, **options))


def test_webp_with_loss(tmp_path):
    assert_as_pillow(tmp_path, encoded("WEBP", quality=80))


def test_ascii_and_comments(tmp_path):
    pixels = np.asarray(picture()).ravel()
    text = b"P3\n# a comment\n67 45\n255\n" + b" ".join(b"%d" % value for value in pixels)
    assert_as_pillow(tmp_path, text)
    assert_as_pillow(tmp_path, b"P2\n201 45\n255\n" + b" ".join(b"%d" % value for value in pixels))


def upside_down(data):
    """The rows of a BMP file of 24 bits from the top."""
    offset = int.from_bytes(data[10:14], "little")
    width, height = (int.from_bytes(data[at:at + 4], "little", signed=True) for at in (18, 22))
    row = (3 * width + 3) // 4 * 4
    rows = [data[offset + i * row:offset + (i + 1) * row] for i in range(height)]
    return data[:22] + (-height).to_bytes(4, "little", signed=True) + data[26:offset] + b"".join(rows[::-1])


def test_bmp_from_the_top(tmp_path):
    data = upside_down(encoded("BMP"))
    assert_as_pillow(tmp_path, data)
    assert "cut off" in refusal(tmp_path, data[:-1])


def test_bmp_of_the_first_version(tmp_path):
    """Whose header has 12 bytes."""
    data = encoded("BMP")
    size = (67).to_bytes(2, "little") + (45).to_bytes(2, "little")
    old = data[:10] + (26).to_bytes(4, "little") + (12).to_bytes(4, "little") + size + b"\1\0\x18\0" + data[54:]
    assert_as_pillow(tmp_path, old)
    assert "cut off" in refusal(tmp_path, old[:-1])


def test_compressed_bmp_is_refused(tmp_path):
    data = encoded("BMP", mode="P")
    assert "compressed BMP" in refusal(tmp_path, data[:30] + b"\1" + data[31:])


@pytest.mark.parametrize("form, options", [row for row in LOSSLESS if row[1]["mode"] in ("RGB", "P", "1") and row[0] != "PNG"])
@pytest.mark.parametrize("part", [0.001, 0.03, 0.3, 0.9, 1])
def test_cut_off(tmp_path, form, options, part):
    """Also by one byte alone."""
    data = encoded(form, size=(320, 240), **options)
    text = refusal(tmp_path, data[:max(4, min(int(part * len(data)), len(data) - 1))])
    assert "cannot be decoded" in text or "cut off" in text


@pytest.mark.parametrize("form, name, options", [
    ("TIFF", "TIFF", {}), ("TIFF", "TIFF", {"mode": "CMYK"}), ("TIFF", "TIFF", {"compression": "jpeg"}),
    ("TIFF", "TIFF", {"big_tiff": True}), ("PPM", "PBM", {"mode": "1"}),
])
def test_what_no_element_decodes_right_is_refused(tmp_path, form, name, options):
    text = refusal(tmp_path, encoded(form, **options))
    assert f"{name} pictures are not supported" in text and "convert it to PNG" in text


def test_tiff_of_the_other_byte_order_is_refused(tmp_path):
    for start in (b"MM\0*", b"MM\0+"):
        assert "TIFF pictures are not supported" in refusal(tmp_path, start + bytes(100))


def test_animated_webp_is_refused(tmp_path):
    text = refusal(tmp_path, animated("WEBP"))
    assert "WebP" in text and "convert it to PNG" in text


@pytest.mark.parametrize("form, element, package", [
    ("WEBP", "webpdec", "bad"), ("PPM", "pnmdec", "bad"), ("BMP", "gdkpixbufdec", "good"), ("GIF", "gdkpixbufdec", "good"),
])
def test_a_missing_element_is_named(tmp_path, form, element, package):
    (tmp_path / "empty").mkdir()
    text = refusal(tmp_path, encoded(form), GST_PLUGIN_SYSTEM_PATH_1_0=str(tmp_path / "empty"),
                   GST_REGISTRY=str(tmp_path / "registry"))
    assert element in text and f"install gstreamer1.0-plugins-{package}" in text


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
