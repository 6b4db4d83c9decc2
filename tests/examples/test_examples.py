"""Runs the examples as a user would, on short streams, and reads what they print.

Environment: TV_EXAMPLES (folder of the scripts), TV_READ_LABELS and TV_CLASSIFY_IMAGE (programs), TV_SYSTEM_PYTHON (has
PyGObject), and that of the element's tests.
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from PIL import Image

EXAMPLES = pathlib.Path(os.environ["TV_EXAMPLES"])
WEIGHTS = "Tiny_Weights.V1"


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.environment = {
            **os.environ,
            "GST_REGISTRY": os.path.join(cls.folder.name, "registry.bin"),
            "LC_ALL": "C.UTF-8",
        }
        # A GStreamer with filesrc and fakesink, and nothing else.
        text = subprocess.run(["gst-inspect-1.0", "coreelements"], check=True, env=cls.environment, capture_output=True, text=True)
        core = pathlib.Path(re.search(r"^ *Filename +(\S+)$", text.stdout, re.M)[1])
        folder = pathlib.Path(cls.folder.name, "core")
        folder.mkdir()
        (folder / core.name).symlink_to(core)
        cls.core_only = {
            "GST_REGISTRY": os.path.join(cls.folder.name, "core.bin"),
            "GST_PLUGIN_PATH": str(folder),
            "GST_PLUGIN_SYSTEM_PATH": "",
        }
        # Five red frames, then five blue ones.
        cls.video = os.path.join(cls.folder.name, "clip.avi")
        frames = "video/x-raw,format=I420,width=64,height=48,framerate=25/1"
        line = (
            f"concat name=c ! jpegenc ! avimux ! filesink location={cls.video} "
            f"videotestsrc num-buffers=5 pattern=red ! {frames} ! c. videotestsrc num-buffers=5 pattern=blue ! {frames} ! c."
        )
        subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True, env=cls.environment, timeout=60)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_example(self, *command, status=0, **more):
        environment = {**self.environment, **more}
        result = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=60)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result

    def check_reader(self, *program):
        text = self.run_example(*program, WEIGHTS, self.video).stdout
        frames = [line for line in text.splitlines() if line.startswith("frame ")]
        self.assertEqual(len(frames), 10, text)
        for number, line in enumerate(frames):
            wanted = "0 red" if number < 5 else "2 blü"
            self.assertRegex(line, rf"ok age 0: {wanted} \d+\.\d%, \d .* \d+\.\d%, \d .* \d+\.\d%$")
        changes = re.findall(r"^now: (\S+) \d", text, re.M)
        self.assertEqual(changes, ["red", "blü"])
        # Without a file: the test picture.
        self.assertEqual(self.run_example(*program, WEIGHTS).stdout.count("frame "), 30)
        failed = self.run_example(*program, "Tiny_Weights.V2", status=1)
        self.assertIn("Tiny_Weights.V1", failed.stderr)
        self.assertNotIn("frame ", failed.stdout)
        # A missing file is named.
        absent = os.path.join(self.folder.name, "absent.avi")
        failed = self.run_example(*program, WEIGHTS, absent, status=1)
        self.assertIn("file: Resource not found", failed.stderr)
        self.assertIn(f'"{absent}"', failed.stderr)
        # A missing plugin is named in one line.
        failed = self.run_example(*program, WEIGHTS, self.video, status=1, **self.core_only)
        self.assertRegex(failed.stderr, r'\A.*no element "decodebin".*\n\Z')

    def test_image(self):
        program = os.environ["TV_CLASSIFY_IMAGE"]
        fixture = pathlib.Path(os.environ["TV_FIXTURE"])
        expected = json.loads((fixture / "expected.json").read_text())
        self.assertGreater(len(expected["pictures"]), 20)
        for row in expected["pictures"]:
            picture = pathlib.Path(self.folder.name, "picture.png")
            pixels = (fixture / "pictures" / row["file"]).read_bytes()
            Image.frombytes("RGB", (row["width"], row["height"]), pixels).save(picture)
            text = self.run_example(program, WEIGHTS, picture).stdout
            category, score = re.fullmatch(r"(.*): (\d+\.\d)%\n", text).groups()
            # torchvision's own answer for the same pixels; printed with one decimal
            best = max(row["scores"])
            self.assertAlmostEqual(float(score), 100 * best, delta=0.051, msg=row["file"])
            close = [c for c, s in zip(expected["categories"], row["scores"]) if best - s < 1e-4]
            self.assertIn(category, close, row["file"])

    def test_image_failures(self):
        program = os.environ["TV_CLASSIFY_IMAGE"]
        text = pathlib.Path(self.folder.name, "text.png")
        text.write_text("no picture\n" * 100)
        for arguments, words in (
            (("Tiny_Weights.V2", text), "Tiny_Weights.V1"),
            ((WEIGHTS, text), "text.png"),
            ((WEIGHTS, text.with_name("missing.png")), "missing.png"),
        ):
            failed = self.run_example(program, *arguments, status=1)
            self.assertIn(words, failed.stderr)
            self.assertEqual(failed.stdout, "")
        self.assertIn("usage", self.run_example(program, WEIGHTS, status=2).stderr)
        failed = self.run_example(program, WEIGHTS, text, status=1, **self.core_only)
        self.assertRegex(failed.stderr, r'\A.*no element "decodebin".*\n\Z')

    def test_c_reader(self):
        self.check_reader(os.environ["TV_READ_LABELS"])

    def test_python_reader(self):
        self.check_reader(os.environ["TV_SYSTEM_PYTHON"], EXAMPLES / "read_labels.py")

    def test_file(self):
        text = self.run_example(EXAMPLES / "classify_file.sh", self.video, WEIGHTS).stdout
        labels = re.findall(r"tvclassify, .*? label=\(string\)(\S+?),", text)
        self.assertEqual(len(labels), 10, text)
        self.assertEqual(set(labels[:5]), {"red"})
        self.assertNotIn("red", labels[5:])
        self.assertEqual(len(set(labels[5:])), 1)

    def test_live(self):
        text = self.run_example(EXAMPLES / "classify_live.sh", WEIGHTS, "12").stdout
        self.assertIn("class-changed", text)
        self.assertIn("Got EOS", text)

    def test_tee(self):
        text = self.run_example(EXAMPLES / "classify_tee.sh", WEIGHTS, "Tiny_Weights.CHECKED", "5").stdout
        for element, weights in (("first", "V1"), ("second", "CHECKED")):
            pattern = rf'from element "{element}" \(element\): class-changed.*Tiny_Weights\.{weights}'
            self.assertEqual(len(re.findall(pattern, text)), 1, text)


if __name__ == "__main__":
    unittest.main()
