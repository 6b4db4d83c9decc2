"""Every rule of random initialisation against torch.nn.init: the same seed gives the same bits.

    test_init.py INIT_DRIVER
"""
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from torch import nn


def wanted(seed):
    torch.manual_seed(seed)
    conv = nn.Conv2d(6, 8, 3, groups=2)
    dropped = nn.Linear(5, 3)
    fc = nn.Linear(7, 5)
    small = nn.Linear(3, 2)
    nn.init.trunc_normal_(conv.weight, 0.1, 0.5, -0.3, 0.7)
    nn.init.xavier_uniform_(fc.weight)
    nn.init.normal_(fc.bias, std=1e-6)
    nn.init.normal_(small.weight, 1, 2)
    nn.init.uniform_(small.bias, -3, 4)
    nn.init.kaiming_normal_(dropped.weight)
    nn.init.constant_(conv.bias, 1e-6)
    last = nn.Conv2d(4, 20, 1, bias=False)
    nn.init.kaiming_uniform_(last.weight, mode="fan_out")
    return {"conv.weight": conv.weight, "conv.bias": conv.bias, "fc.weight": fc.weight,
            "fc.bias": fc.bias, "small.weight": small.weight, "small.bias": small.bias,
            "last.weight": last.weight}


def main(driver):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "state")
        for seed in (0, 1, 20260801, 2**32 + 5, 2**63 + 7):
            subprocess.run([driver, str(seed), path], check=True, timeout=60)
            data = np.fromfile(path, np.float32)
            offset = 0
            for name, tensor in wanted(seed).items():
                expected = tensor.detach().numpy().reshape(-1)
                found = data[offset:offset + expected.size]
                assert np.array_equal(found.view(np.int32), expected.view(np.int32)), \
                    f"seed {seed}: {name} is {found[:4]}, Python has {expected[:4]}"
                offset += expected.size
            assert offset == data.size, f"{data.size} numbers, expected {offset}"
    print("every rule draws Python's numbers")


if __name__ == "__main__":
    main(sys.argv[1])
