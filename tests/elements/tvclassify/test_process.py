"""What only shows in a process of its own: a cold registry, a missing backend, exit() while playing, leaks.

Environment: TV_PLUGIN (libgsttorchvision.so), TV_ISOLATED_PLUGIN (the same with no backend to find), TV_EXIT_PLAYING
(program), TV_FAKE_BACKEND (a module that poses as one), TV_OTHER_BACKEND (one of another version), TV_NO_BACKEND (a module
that is no backend); the rest as for the other tests of the element.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import unittest

PLUGIN = pathlib.Path(os.environ["TV_PLUGIN"])
ISOLATED = pathlib.Path(os.environ["TV_ISOLATED_PLUGIN"])
FAKE_BACKEND = os.environ["TV_FAKE_BACKEND"]
OTHER_BACKEND = os.environ["TV_OTHER_BACKEND"]
NO_BACKEND = os.environ["TV_NO_BACKEND"]
EXIT_RUNS = 50
LOAD_RUNS = 30
STALL_RUNS = 8
FAULT_RUNS = 40
FRAME = "video/x-raw,format=RGB,width=64,height=48"


class Process(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.registry = os.path.join(self.folder.name, "registry.bin")

    def environment(self, plugin=PLUGIN, **more):
        return {**os.environ, "GST_REGISTRY": self.registry, "GST_PLUGIN_PATH": str(plugin.parent), **more}

    def run_program(self, *command, **options):
        environment = self.environment(**options)
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    def test_only_the_plugin_entry_points_are_exported(self):
        lines = subprocess.run(["nm", "-D", "--defined-only", PLUGIN], capture_output=True, text=True, check=True).stdout
        names = {line.split()[-1] for line in lines.splitlines()}
        self.assertEqual(names, {"gst_plugin_torchvision_get_desc", "gst_plugin_torchvision_register"})

    def test_the_plugin_needs_no_libtorch(self):
        needed = subprocess.run(["readelf", "-d", PLUGIN], capture_output=True, text=True, check=True).stdout
        libraries = re.findall(r"NEEDED.*\[(.*)\]", needed)
        self.assertTrue(any(name.startswith("libtvregistry") for name in libraries), libraries)
        self.assertFalse([name for name in libraries if re.search("torch|c10|cuda|mkl|gomp", name)], libraries)

    def test_inspecting_with_a_cold_registry_maps_no_libtorch(self):
        # The loader tells of every library that any process of the scan opens.
        log = os.path.join(self.folder.name, "loaded")
        # Everything but our plugin is left out of the scan, or it would tell of all of GStreamer.
        result = self.run_program(
            "gst-inspect-1.0", "tvclassify", LD_DEBUG="files", LD_DEBUG_OUTPUT=log, GST_PLUGIN_SYSTEM_PATH=""
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        loaded = "".join(path.read_text(errors="replace") for path in pathlib.Path(self.folder.name).glob("loaded.*"))
        self.assertIn("libgsttorchvision.so", loaded)
        self.assertIn("libtvregistry", loaded)
        self.assertEqual(re.findall(r"file=\S*(?:torch_|c10|tvinference|gomp|libcuda\.|cudart|libgstcuda|libGL|libX11)\S*", loaded), [])

    def test_inspect_text_is_a_manual(self):
        text = self.run_program("gst-inspect-1.0", "tvclassify").stdout
        for word in [
            "gst-launch-1.0",
            "TvClassifyMeta",
            "class-changed",
            "ResNet50_Weights.IMAGENET1K_V2",
            "P010_10LE",
            "Default: 5",
            "License                  BSD",
        ]:
            self.assertIn(word, text)
        # Every property says what it is for in more than its own name.
        for name, blurb in re.findall(r"^  ([a-z-]+) *: (.*)$", text.split("Element Properties:")[1], re.M):
            self.assertGreater(len(blurb), 15, name)

    def launch(self, element, plugin=PLUGIN, frames=3, **more):
        line = f"videotestsrc num-buffers={frames} ! {FRAME} ! {element} ! fakesink"
        return self.run_program("gst-launch-1.0", "-m", *line.split(), plugin=plugin, **more)

    def errors(self, result):
        """What tvclassify posted, before the pipeline prerolled (on stderr) or after."""
        return re.findall(r"^ERROR: from element \S*tvclassify0: .*", result.stderr, re.M)

    # D5
    def test_a_missing_backend_is_one_error_and_no_blacklisting(self):
        empty = os.path.join(self.folder.name, "nothing")
        result = self.launch("tvclassify weights=Tiny_Weights.V1", plugin=ISOLATED, TV_BACKEND_PATH=empty)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(len(self.errors(result)), 1, result.stdout + result.stderr)
        for word in ["libtvinference-cpu.so", empty, "TV_BACKEND_PATH"]:
            self.assertIn(word, result.stderr)
        # The same registry: the element is still there, and works when the backend is back.
        blacklist = self.run_program("gst-inspect-1.0", "-b", plugin=ISOLATED).stdout
        self.assertNotIn("torchvision", blacklist)
        again = self.launch("tvclassify weights=Tiny_Weights.V1", plugin=ISOLATED)
        self.assertEqual(again.returncode, 0, again.stderr)

    # D5
    def test_a_broken_backend_is_one_error_and_no_blacklisting(self):
        text = pathlib.Path(self.folder.name, "text")
        text.write_text("no library")
        rows = [
            (text, "file too short"),  # the loader's words
            (OTHER_BACKEND, "is a module of another version, expected"),
            (NO_BACKEND, "is no backend module: it has no function tv_backend_open"),
        ]
        for number, (module, complaint) in enumerate(rows):
            with self.subTest(complaint):
                folder = pathlib.Path(self.folder.name, f"backend{number}")
                folder.mkdir()
                (folder / "libtvinference-cpu.so").symlink_to(module)
                result = self.launch("tvclassify weights=Tiny_Weights.V1", plugin=ISOLATED, TV_BACKEND_PATH=str(folder))
                self.assertNotEqual(result.returncode, 0)
                errors = self.errors(result)
                self.assertEqual(len(errors), 1, result.stdout + result.stderr)
                self.assertIn(f"{folder}/libtvinference-cpu.so", errors[0])
                self.assertIn(complaint, errors[0])
                self.assertNotIn("torchvision", self.run_program("gst-inspect-1.0", "-b", plugin=ISOLATED).stdout)

    def test_a_fault_while_loading_ends_gst_launch(self):
        """gst-launch-1.0 hangs on an error that comes before its main loop runs, which is a matter of luck: many runs.
        A backend without LibTorch, which is never asked for a model, makes them short."""
        backend = pathlib.Path(self.folder.name, "backend")
        backend.mkdir()
        (backend / "libtvinference-cpu.so").symlink_to(FAKE_BACKEND)
        text = pathlib.Path(os.environ["TV_FIXTURE"], "faults", "text.pth")  # the quickest to fail
        broken = f"weights=Tiny_Weights.V1 weights-file={text}"
        unreachable = "weights=Tiny_Weights.UNREACHABLE"  # comes late: it is tried several times
        for settings in FAULT_RUNS * [broken] + [unreachable]:
            result = self.launch(f"tvclassify {settings}", TV_BACKEND_PATH=str(backend))
            self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
            self.assertEqual(len(self.errors(result)), 1, result.stdout + result.stderr)

    def test_nothing_is_printed(self):
        result = self.run_program(
            "gst-launch-1.0", "-q", *f"videotestsrc num-buffers=2 ! {FRAME} ! tvclassify weights=Tiny_Weights.V1 ! fakesink".split()
        )
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_the_log_says_why_the_cpu_was_chosen(self):
        why = r"INFO .* tvclassify .*<tvclassify0> device=auto is the CPU: no GPU: "
        for device, lines in [("auto", 1), ("cpu", 0)]:
            result = self.launch(f"tvclassify weights=Tiny_Weights.V1 device={device}", GST_DEBUG="tvclassify:4", GST_DEBUG_NO_COLOR="1")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(len(re.findall(why, result.stderr)), lines, result.stderr)

    def test_no_message_is_posted_twice(self):
        result = self.launch("tvclassify weights=Tiny_Weights.V1 post-messages=true", frames=4)
        self.assertEqual(result.returncode, 0, result.stderr)
        mine = re.findall(r'from element "tvclassify0" \(\w+\): (.*)', result.stdout)
        results = [line for line in mine if line.startswith("tvclassify,")]
        self.assertEqual(len(results), 4)
        # LATENCY says so without details, and again when what was measured changes.
        mine = [line for line in mine if line != "no message details"]
        self.assertEqual(len(mine), len(set(mine)), mine)

    def test_leaks(self):
        result = self.launch("tvclassify weights=Tiny_Weights.V1 post-messages=true interval=2",
                             GST_TRACERS="leaks", GST_DEBUG="GST_TRACER:7", GST_DEBUG_NO_COLOR="1")
        self.assertEqual(result.returncode, 0, result.stderr)
        alive = r"object-alive, type-name=\(string\)\w+"
        self.assertIn("object-alive.class", result.stderr)  # the tracer was there
        self.assertEqual(re.findall(alive, result.stderr), [])
        # Nor when start() fails.
        bad = self.launch("tvclassify weights=nonsense", GST_TRACERS="leaks", GST_DEBUG="GST_TRACER:7", GST_DEBUG_NO_COLOR="1")
        self.assertNotEqual(bad.returncode, 0)
        self.assertEqual(re.findall(alive, bad.stderr), [])

    def test_exit_while_playing(self):
        failures = []
        for number in range(EXIT_RUNS):
            # Another moment each time, the very first frame included; with one thread and with a team of two.
            failures += self.exit_playing(1 + number % 7, 0, OMP_NUM_THREADS=str(1 + number % 2))
        self.assertEqual(failures, [])

    def exit_playing(self, frames, yields, weights="Tiny_Weights.V1", **more):
        """What went wrong, if anything did."""
        result = self.run_program(os.environ["TV_EXIT_PLAYING"], weights, str(frames), str(yields), **more)
        return [] if result.returncode == 0 else [(frames, yields, result.returncode, result.stderr[-300:])]

    def test_exit_while_loading(self):
        failures = []
        for number in range(LOAD_RUNS):
            # From the first look at the registry to the first inference.
            failures += self.exit_playing(0, 12 * number**2)
        self.assertEqual(failures, [])

    def test_exit_while_a_download_stalls(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # never accepts: the handshake has no answer
            pathlib.Path(self.folder.name, "stalled.json").write_text(json.dumps({
                "enum": "Tiny_Weights",
                "entry": "STALLED",
                "builder": "squeezenet1_1",
                "categories": ["a", "b"],
                "transforms": {"crop_size": 64, "resize_size": 72},
                "url": f"https://localhost:{silent.getsockname()[1]}/stalled.pth",
                "sha256": 64 * "0",
            }))
            failures = []
            for number in range(STALL_RUNS):
                failures += self.exit_playing(
                    0, 500 * number**2, "Tiny_Weights.STALLED", TV_WEIGHTS_PATH=self.folder.name
                )
        self.assertEqual(failures, [])


if __name__ == "__main__":
    unittest.main()
