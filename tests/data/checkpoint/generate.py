"""Makes the small weight files of this folder: generate.py [FOLDER]. Needs torch.

One state dict (a convolution, a batch norm, a shared transposed view, a quantised tensor, plain values) in each layout
that the reader takes: torch.save's zip and legacy formats, and archives that other tools have packed again.
"""

import collections
import io
import os
import re
import struct
import sys
import zipfile

import torch


def make_state_dict():
    torch.manual_seed(0)
    net = torch.nn.Sequential(collections.OrderedDict(conv=torch.nn.Conv2d(1, 2, 2), bn=torch.nn.BatchNorm2d(2)))
    state = net.state_dict()  # carries _metadata
    grid = torch.arange(6, dtype=torch.float16).reshape(2, 3)
    state["grid"] = grid
    state["view"] = grid.t()[1:]
    state["parameter"] = torch.nn.Parameter(torch.tensor([1.5, -2.5]))
    scales = torch.tensor([0.5, 0.25], dtype=torch.float64)
    zeros = torch.tensor([0, 3])
    state["quantized"] = torch.quantize_per_channel(torch.ones(2, 2), scales, zeros, 0, torch.qint8)
    state["dtype"] = torch.qint8
    state["list"] = [1, 0.5, True, None, "text"]
    return state


def save(obj, zip_format):
    buffer = io.BytesIO()
    torch.save(obj, buffer, _use_new_zipfile_serialization=zip_format)
    return buffer.getvalue()


def rename_legacy_keys(data):
    """Legacy storage keys are addresses, of 13 to 16 digits: number them instead. Their order stays as it fell."""
    keys = {}

    def rename(match):
        key = match.group(1)
        number = b"%d" % keys.setdefault(key, len(keys))
        return b"X" + struct.pack("<I", len(number)) + number

    return re.sub(rb"X[\x0d-\x10]\x00\x00\x00(\d{13,16})", rename, data)


class Stream(io.RawIOBase):
    """A pipe: what is written to it cannot be changed later, so zip writes data descriptors."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data)
        return len(data)


def repack(data, method, zip64=False, stream=False):
    out = Stream() if stream else io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            entry = zipfile.ZipInfo(info.filename, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = method
            with new.open(entry, "w", force_zip64=zip64) as record:
                record.write(old.read(info))
    return out.data if stream else out.getvalue()


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    state = make_state_dict()
    modern = save(state, True)
    files = {
        "zip.pth": modern,
        "legacy.pth": rename_legacy_keys(save(state, False)),
        "stored.pth": repack(modern, zipfile.ZIP_STORED),
        "deflated.pth": repack(modern, zipfile.ZIP_DEFLATED),
        "zip64.pth": repack(modern, zipfile.ZIP_STORED, zip64=True),
        "streamed.pth": repack(modern, zipfile.ZIP_DEFLATED, stream=True),
        "streamed64.pth": repack(modern, zipfile.ZIP_DEFLATED, zip64=True, stream=True),
        "tensor.pt": save(torch.arange(6, dtype=torch.uint8).reshape(2, 3), True),
    }
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as out:
            out.write(data)


if __name__ == "__main__":
    main()
