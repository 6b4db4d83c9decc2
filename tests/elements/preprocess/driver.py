"""The C++ preprocessor through driver.cpp (ctypes)."""

import ctypes

import numpy as np

_TEXT = 512


class _Recipe(ctypes.Structure):
    _fields_ = [
        ("crop_size", ctypes.c_int),
        ("resize_size", ctypes.c_int),
        ("bicubic", ctypes.c_int),
        ("antialias", ctypes.c_int),
        ("mean", ctypes.c_double * 3),
        ("std", ctypes.c_double * 3),
        ("width", ctypes.c_int),
        ("height", ctypes.c_int),
        ("pil", ctypes.c_int),
        ("sums", ctypes.c_int),
        ("reference", ctypes.c_int),
    ]


class _Frame(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int)
        for name in (
            "format width height crop_x crop_y full_width full_height matrix range "
            "horizontal_cosited vertical_cosited"
        ).split()
    ] + [("planes", ctypes.c_void_p * 3), ("strides", ctypes.c_longlong * 3)]


class Driver:
    """`path` is the library that meson builds from driver.cpp."""

    def __init__(self, path):
        self._lib = ctypes.CDLL(path)
        self._lib.driver_make.restype = ctypes.c_void_p

    @property
    def native_sums(self):
        """0: separate, 1: grouped (FloatSums)."""
        return self._lib.driver_native_sums()

    def run(self, image, preset, pil, reference=False, sums=-1):
        """uint8 [H, W, 3] -> float32 [3, crop, crop], as `preset` (torchvision's ImageClassification) does."""
        height, width, _ = image.shape
        assert image.dtype == np.uint8 and image.flags["C_CONTIGUOUS"]
        recipe = _Recipe(
            crop_size=preset.crop_size[0],
            resize_size=preset.resize_size[0],
            bicubic=preset.interpolation.value == "bicubic",
            antialias=bool(preset.antialias),
            mean=(ctypes.c_double * 3)(*preset.mean),
            std=(ctypes.c_double * 3)(*preset.std),
            width=width,
            height=height,
            pil=pil,
            sums=sums,
            reference=reference,
        )
        text = ctypes.create_string_buffer(_TEXT)
        made = self._lib.driver_make(ctypes.byref(recipe), text, _TEXT)
        if not made:
            raise ValueError(text.value.decode())
        frame = _Frame(width=width, height=height, full_width=width, full_height=height)
        frame.planes[0] = image.ctypes.data
        frame.strides[0] = width * 3
        out = np.empty((3, recipe.crop_size, recipe.crop_size), np.float32)
        done = self._lib.driver_run(
            ctypes.c_void_p(made),
            ctypes.byref(frame),
            out.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_longlong(out.size),
            text,
            _TEXT,
        )
        self._lib.driver_free(ctypes.c_void_p(made))
        if not done:
            raise ValueError(text.value.decode())
        return out
