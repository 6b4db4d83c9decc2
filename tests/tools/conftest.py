"""A user's folder for tvmodels, shared by its tests. Needs TV_MODELS (the program) and TV_BACKEND_PATH."""
import hashlib
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
import torch
from torchvision import models

PROGRAM = os.environ["TV_MODELS"]
CATEGORIES = ["apple", 'pear, "green"', "plum", "fig\\", "kiwi", "Quitte \u00fc"]
GUARD = 100  # ends what hangs; no test waits for it

torch.set_num_threads(2)


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


class World:
    """A folder with a fine-tuned ResNet-18 of six classes that the user has given a name."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "user").mkdir()
        torch.manual_seed(3)
        self.model = models.resnet18(num_classes=6).eval()
        self.model.fc.weight.data *= 20  # scores that differ from picture to picture
        self.weights = folder / "six.pth"
        torch.save(self.model.state_dict(), self.weights)
        self.add_entry("Six_Weights", "V1", file=str(self.weights), sha256=sha256(self.weights))
        self.transforms = models.ResNet18_Weights.DEFAULT.transforms()

    def add_entry(self, enum, entry, **fields):
        fields = {"enum": enum, "entry": entry, "builder": "resnet18", "categories": CATEGORIES, **fields}
        (self.folder / "user" / f"{enum}_{entry}.json").write_text(json.dumps(fields))

    def environment(self, **changes):
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        environment.pop("CURL_CA_BUNDLE", None)
        environment.update(TORCH_HOME=str(self.folder / "torch"), OMP_NUM_THREADS="2",
                           XDG_DATA_HOME=str(self.folder / "data"), TV_WEIGHTS_PATH=str(self.folder / "user"))
        environment.update(changes)
        return environment

    def call(self, *arguments, environment=None, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": GUARD, "cwd": self.folder, **options}
        command = [PROGRAM, *map(str, arguments)]
        return subprocess.run(command, env=self.environment(**(environment or {})), text=True, **options)

    def good(self, *arguments, **options):
        result = self.call(*arguments, **options)
        assert result.returncode == 0 and result.stderr == "", (arguments, result)
        return result.stdout

    def bad(self, status, *arguments, **options):
        """Runs what must fail: the exit status is right, each line of the message is one of ours."""
        result = self.call(*arguments, **options)
        assert result.returncode == status, (arguments, result)
        assert result.stderr and all(line.startswith("tvmodels: ") for line in result.stderr.splitlines()), result
        if status == 2:
            assert result.stdout == "" and "--help" in result.stderr
        return result

    def probabilities(self, picture):
        """What Python says of an RGB picture: [classes]."""
        x = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)
        with torch.inference_mode():
            return self.model(self.transforms(x)[None]).softmax(1)[0]


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))
