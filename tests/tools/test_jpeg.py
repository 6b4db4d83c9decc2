"""JPEG pictures, bit for bit as Pillow decodes them. Needs TV_DECODE_JPEG (the program)."""
import io
import os
import random
import subprocess

import numpy as np
import pytest
from PIL import Image

PROGRAM = os.environ["TV_DECODE_JPEG"]
GUARD = 60  # ends what hangs


def picture(mode, size):
    """Smooth colours with noise: every coefficient of a block is used."""
    width, height = size
    channels = len(Image.new(mode, (1, 1)).getbands())
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(width * 1000 + height)
    planes = [128 + 90 * np.sin(x / (5 + c) + c) * np.cos(y / (7 + c)) + rng.normal(0, 12, (height, width))
              for c in range(channels)]
    pixels = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels, mode)


def encoded(mode="RGB", size=(67, 45), **options):
    data = io.BytesIO()
    picture(mode, size).save(data, "JPEG", **options)
    return data.getvalue()


def run(tmp_path, data):
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    return subprocess.run([PROGRAM, path], capture_output=True, timeout=GUARD)


def decode(tmp_path, data):
    result = run(tmp_path, data)
    assert result.returncode == 0, result.stderr
    size, _, pixels = result.stdout.partition(b"\n")
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    return {"exif": exif}


@pytest.mark.parametrize("options", [
    {}, {"quality": 5}, {"quality": 100}, {"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"optimize": True},
    {"progressive": True}, {"progressive": True, "subsampling": 0}, {"restart_marker_blocks": 3}, {"mode": "L"},
    {"mode": "L", "progressive": True}, {"mode": "CMYK"}, {"mode": "CMYK", "quality": 95}, rotated(),
    {"keep_rgb": True, "subsampling": 0},
], ids=str)
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (16, 16), (67, 45), (256, 129)], ids=str)
def test_pixels_equal_pillows(tmp_path, options, size):
    data = encoded(size=size, **options)
    wanted = pillow(data)
    assert wanted.shape == (size[1], size[0], 3)  # no rotation
    np.testing.assert_array_equal(decode(tmp_path, data), wanted)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("part", [0.02, 0.4, 0.9, 0.99])
def test_cut_files_are_refused_as_by_pillow(tmp_path, progressive, part):
    data = encoded(size=(256, 129), progressive=progressive)
    data = data[:int(len(data) * part)]
    with pytest.raises(OSError):
        pillow(data)
    result = run(tmp_path, data)
    assert result.returncode == 1 and b"cannot be decoded: " in result.stderr and result.stdout == b""


def test_bytes_after_the_picture_do_not_matter(tmp_path):
    data = encoded()
    np.testing.assert_array_equal(decode(tmp_path, data + b"more" * 100), pillow(data))


def test_a_bomb_is_refused_before_memory_is_taken(tmp_path):
    data = bytearray(encoded())
    frame = data.index(b"\xff\xc0") + 5  # height and width of the baseline frame
    data[frame:frame + 4] = b"\xff\xdc\xff\xdc"  # 65500 each: 12.9 GB
    with pytest.raises(Image.DecompressionBombError):
        pillow(bytes(data))
    result = run(tmp_path, bytes(data))
    assert result.returncode == 1 and b"65500 x 65500" in result.stderr


@pytest.mark.parametrize("progressive", [False, True])
def test_damaged_files_are_decoded_or_refused(tmp_path, progressive):
    good = encoded(size=(64, 48), progressive=progressive)
    rng = random.Random(7)
    statuses = set()
    for _ in range(150):
        data = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(3, len(data))] = rng.randrange(256)
        result = run(tmp_path, bytes(data))
        assert result.returncode in (0, 1), result
        assert (result.returncode == 1) == bool(result.stderr)
        statuses.add(result.returncode)
    assert statuses == {0, 1}
