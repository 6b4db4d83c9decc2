"""`meson install` into an empty folder, and the tree that it makes as a user would use it, from where it lies.

Environment: TV_MESON (program), TV_BUILD (build folder), TV_BINDIR, TV_LIBDIR, TV_INCLUDEDIR (absolute), TV_PLUGIN_DIR, TV_BACKEND_DIR,
TV_CXX (the compiler's command), TV_GUIDE (docs/cpp.md); that of the element's tests for the network.
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import torch
import torchvision

FRAME = "video/x-raw,format=RGB,width=64,height=48"
MODULE = "libtvinference-cpu.so"
MODULES = os.environ["TV_MODULES"].split()  # sorted
WEIGHTS = "Tiny_Weights.V1"


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.tree = cls.folder / "tree"
        command = [os.environ["TV_MESON"], "install", "-C", os.environ["TV_BUILD"], "--no-rebuild", "--destdir", cls.tree]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        place = lambda name: cls.tree / os.environ[name].lstrip("/")  # noqa: E731
        cls.binaries, cls.libraries = place("TV_BINDIR"), place("TV_LIBDIR")
        cls.plugins, cls.backends = place("TV_PLUGIN_DIR"), place("TV_BACKEND_DIR")
        # Nothing of the build folder: only what a user of the installed tree sets.
        cls.environment = {k: v for k, v in os.environ.items() if k != "TV_BACKEND_PATH"}
        search = [p for p in os.environ.get("LD_LIBRARY_PATH", "").split(":") if p and not p.startswith(os.environ["TV_BUILD"])]
        cls.environment["LD_LIBRARY_PATH"] = ":".join(search)  # meson test adds its own folders
        cls.environment.update(GST_PLUGIN_PATH=str(cls.plugins), GST_REGISTRY=str(cls.folder / "registry.bin"))

    def run_program(self, *command, **options):
        return subprocess.run(command, env={**self.environment, **options}, capture_output=True, text=True, timeout=120)

    def launch(self, **options):
        line = f"videotestsrc num-buffers=1 pattern=red ! {FRAME} ! tvclassify weights={WEIGHTS} post-messages=true ! fakesink"
        return self.run_program("gst-launch-1.0", "-m", *line.split(), **options)

    def loaded(self, log):
        text = "".join(path.read_text(errors="replace") for path in self.folder.glob(f"{log}.*"))
        return set(re.findall(r"calling init: (\S+)", text))

    def test_what_is_where(self):
        files = {path.relative_to(self.tree) for path in self.tree.rglob("*") if not path.is_dir()}
        names = {path.name for path in files}
        self.assertIn("libgsttorchvision.so", names)
        # GStreamer's scanner opens every library below its folder: there is the plugin, and nothing else.
        self.assertEqual([p.name for p in self.plugins.rglob("*") if not p.is_dir()], ["libgsttorchvision.so"])
        self.assertEqual(sorted(p.name for p in self.backends.rglob("*")), MODULES)
        self.assertEqual([p.name for p in self.binaries.rglob("*")], ["tvmodels"])
        self.assertTrue(any(p.name.startswith("libtvregistry.so") for p in self.libraries.iterdir()))
        # No test program, stand-in backend or build path comes along.
        self.assertFalse([n for n in names if re.search("fake|test|driver", n)], names)

    def test_no_library_is_looked_for_in_the_build_folder(self):
        build = os.environ["TV_BUILD"]
        for path in (self.plugins / "libgsttorchvision.so", *(self.backends / name for name in MODULES), self.binaries / "tvmodels"):
            dynamic = subprocess.run(["readelf", "-d", path], check=True, capture_output=True, text=True).stdout
            self.assertIn("$ORIGIN", dynamic)
            # LibTorch stays in the folder of its wheel, wherever that is; our own parts do not.
            paths = re.findall(r"R(?:UN)?PATH\).*\[(.*)\]", dynamic)[0].split(":")
            self.assertFalse([p for p in paths if p.startswith(build)], paths)

    def compiled(self, source, *options):
        """A program outside the tree, or why it is none."""
        config = {"PKG_CONFIG_PATH": str(self.libraries / "pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": str(self.tree)}
        flags = self.run_program("pkg-config", "--cflags", "--libs", "gst-torchvision", **config)
        self.assertEqual(flags.returncode, 0, flags.stderr)
        (self.folder / "program.cpp").write_text(source)
        command = [*os.environ["TV_CXX"].split(), "-std=c++20", "-Wall", "-Wextra", "-Werror", *options, "program.cpp", "-o", "program"]
        return subprocess.run([*command, *flags.stdout.split()], cwd=self.folder, capture_output=True, text=True, timeout=120)

    def blocks_of_the_guide(self):
        return re.findall(r"^```cpp\n(.*?)^```", pathlib.Path(os.environ["TV_GUIDE"]).read_text(), re.M | re.S)

    def test_the_guides_program_gives_torchvisions_logits(self):
        program, *_ = self.blocks_of_the_guide()
        compiled = self.compiled(program)
        self.assertEqual(compiled.returncode, 0, compiled.stderr)
        path = f"{self.libraries}:{self.environment['LD_LIBRARY_PATH']}"
        result = self.run_program(self.folder / "program", LD_LIBRARY_PATH=path)
        self.assertEqual(result.returncode, 0, result.stderr)
        found = [float(line) for line in result.stdout.split()]
        torch.manual_seed(7)
        with torch.inference_mode():
            wanted = torchvision.models.resnet18().eval()(torch.full((1, 3, 224, 224), 0.5))[0]
        self.assertEqual(len(found), len(wanted))
        difference = float((torch.tensor(found) - wanted).abs().max() / wanted.abs().max())
        self.assertLess(difference, 1e-4)

    def test_the_guides_other_examples_compile(self):
        program, *fragments = self.blocks_of_the_guide()
        self.assertGreater(len(fragments), 2)
        includes = "".join(line + "\n" for line in program.splitlines() if line.startswith("#include"))
        bodies = "".join(f"void part{i}() {{\n{text}}}\n" for i, text in enumerate(fragments))
        source = includes + bodies
        compiled = self.compiled(source, "-fsyntax-only", "-Wno-unused")
        self.assertEqual(compiled.returncode, 0, compiled.stderr)

    def test_another_builders_entry_does_not_compile(self):
        include = "#include <model_registry/models/builders.hpp>\n"
        for entry, good in (("ResNet18_Weights::DEFAULT", True), ("ResNet50_Weights::DEFAULT", False)):
            source = include + f"auto model = tv::resnet18({{.weights = tv::{entry}}});\n"
            self.assertEqual(self.compiled(source, "-fsyntax-only").returncode == 0, good)

    def test_headers_need_no_other(self):
        include = self.tree / os.environ["TV_INCLUDEDIR"].lstrip("/") / "gst-torchvision"
        names = [str(path.relative_to(include)) for path in include.rglob("*.hpp")]
        self.assertIn("model_registry/models/builders.hpp", names)
        text = "".join(f"#include <{name}>\n" for name in sorted(names, reverse=True))
        compiled = self.compiled(text, "-fsyntax-only")
        self.assertEqual(compiled.returncode, 0, compiled.stderr)

    def test_inspect_finds_the_plugin(self):
        result = self.run_program("gst-inspect-1.0", "tvclassify")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, rf"Filename +{re.escape(str(self.plugins))}/libgsttorchvision\.so\n")
        self.assertNotIn("torchvision", self.run_program("gst-inspect-1.0", "-b").stdout)

    def test_a_frame_is_classified_by_the_installed_parts(self):
        result = self.launch(LD_DEBUG="files", LD_DEBUG_OUTPUT=str(self.folder / "loaded"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"tvclassify, .*status=\(string\)ok, .*label=\(string\)red,")
        loaded = {pathlib.Path(os.path.realpath(name)) for name in self.loaded("loaded")}
        ours = {path for path in loaded if re.search("tvinference|tvregistry|gsttorchvision", path.name)}
        tree = self.tree.resolve()
        self.assertEqual(len(ours), 3, ours)
        self.assertFalse([path for path in ours if tree not in path.parents], ours)

    def test_tvmodels(self):
        self.assertIn("resnet50", self.run_program(self.binaries / "tvmodels", "list").stdout.splitlines())
        picture = self.folder / "red.png"
        line = f"videotestsrc num-buffers=1 pattern=red ! {FRAME} ! pngenc ! filesink location={picture}"
        subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True, env=self.environment, timeout=60)
        result = self.run_program(self.binaries / "tvmodels", "classify", "--json", "--weights", WEIGHTS, picture)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["results"][0]["label"], "red")


if __name__ == "__main__":
    unittest.main()
