"""Weights that the element downloads, from a server on this machine whose answers each test chooses (L8, L9).

Environment: TV_FIXTURE (what fixture.py made), TV_HUB_TESTS (the folder of tls_server.py), GST_PLUGIN_PATH,
TV_BACKEND_PATH. Python needs PyGObject.
"""

import hashlib
import json
import os
import pathlib
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.environ["TV_HUB_TESTS"])
from tls_server import Certificates, Server  # noqa: E402

import gi  # noqa: E402

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

BODY = pathlib.Path(os.environ["TV_FIXTURE"], "entries", "tiny.pth").read_bytes()
SHA = hashlib.sha256(BODY).hexdigest()
SLICES = 8
GUARD = 60  # seconds; ends what hangs, and no test waits for it
# What stands in one entry each: GStreamer reads them once, with the first name that it looks up.
PATHS = ["missing", "portal", "digest", "poisoned", "percent", "unknown", "ready", "null"]
END = Gst.MessageType.EOS | Gst.MessageType.ERROR


def setUpModule():
    global server, home
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    root = pathlib.Path(folder.name)
    certificates = Certificates(root)
    server = Server(certificates.good)
    unittest.addModuleCleanup(server.shutdown)
    entries, home = root / "entries", root / "torch"
    entries.mkdir()
    for path in PATHS:
        text = json.dumps({
            "enum": "Fetched_Weights",
            "entry": path.upper(),
            "builder": "squeezenet1_1",
            "categories": ["red", "green", "blue", "white"],
            "transforms": {"crop_size": 64, "resize_size": 72},
            "url": server.url(f"/{path}.pth"),
            "sha256": SHA,
        })
        (entries / f"{path}.json").write_text(text)
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name == "CURL_CA_BUNDLE"]:
        del os.environ[name]
    os.environ.update(TORCH_HOME=str(home), SSL_CERT_FILE=str(certificates.authority), TV_WEIGHTS_PATH=str(entries))
    Gst.init(None)


class Gate:
    """Lets the server go on when the test says so."""

    def __init__(self):
        self._open = threading.Semaphore(0)

    def open(self):
        self._open.release()

    def wait(self):
        if not self._open.acquire(timeout=GUARD):
            raise TimeoutError("nobody opened the gate")


class Download(unittest.TestCase):
    def pipeline(self, path):
        pipeline = Gst.parse_launch(
            "videotestsrc num-buffers=2 pattern=red ! video/x-raw,format=RGB,width=64,height=48 ! "
            f"tvclassify name=classify weights=Fetched_Weights.{path.upper()} ! fakesink sync=false"
        )
        self.addCleanup(pipeline.set_state, Gst.State.NULL)
        self.path = path
        self.cache = home / "hub" / "checkpoints"
        self.bus = pipeline.get_bus()
        return pipeline

    def serve(self, route):
        server.routes[f"/{self.path}.pth"] = route

    def hits(self):
        return server.hits[f"/{self.path}.pth"]

    def next(self, types):
        message = self.bus.timed_pop_filtered(GUARD * Gst.SECOND, types)
        self.assertIsNotNone(message, "no message within a minute")
        return message

    def files(self):
        """Of this entry, and what nobody should have left."""
        others = {f"{path}.pth{end}" for path in PATHS if path != self.path for end in ("", ".bad")}
        return sorted(set(os.listdir(self.cache) if self.cache.is_dir() else []) - others)

    def play(self, pipeline):
        """To its end: the element's error, or None. What the source says of a lost stream is left out."""
        pipeline.set_state(Gst.State.PLAYING)
        element = pipeline.get_by_name("classify")
        while True:
            message = self.next(END)
            if message.type == Gst.MessageType.EOS or message.src == element:
                break
        error = message.parse_error()[0] if message.type == Gst.MessageType.ERROR else None
        pipeline.set_state(Gst.State.NULL)
        return error

    def progress(self, types=END):
        """The next progress, as type and percent. Any of `types` in its place is a failure."""
        message = self.next(Gst.MessageType.PROGRESS | types)
        if message.type == Gst.MessageType.ERROR:
            self.fail(message.parse_error())
        self.assertEqual(message.type, Gst.MessageType.PROGRESS, message.type)
        kind, code, _ = message.parse_progress()
        self.assertEqual(code, "load")
        fields = message.get_structure()
        return kind, fields.get_value("percent") if fields.has_field("percent") else None

    # ---- L9, L8: an error with its own domain and code, and all is well once the server is ------------------------

    def assert_fails_then_works(self, path, answer, code, *words):
        pipeline = self.pipeline(path)
        self.serve(lambda handler, number: answer(handler) if number == 1 else handler.answer(BODY))
        error = self.play(pipeline)
        self.assertIsNotNone(error)
        self.assertTrue(error.matches(Gst.ResourceError.quark(), code), (error.domain, error.code, error.message))
        cached = str(self.cache / f"{path}.pth")
        for word in [f"Fetched_Weights.{path.upper()}", server.url(f"/{path}.pth"), cached, f"sha256 {SHA}", *words]:
            self.assertIn(word, error.message)
        self.assertNotIn("attempts", error.message)
        self.assertEqual((self.hits(), self.files()), (1, []))
        self.assertIsNone(self.play(pipeline))
        self.assertEqual((self.hits(), self.files()), (2, [f"{path}.pth"]))
        self.assertEqual(pathlib.Path(cached).read_bytes(), BODY)
        # From now on nobody is asked.
        self.assertIsNone(self.play(pipeline))
        self.assertEqual(self.hits(), 2)

    def test_http_404(self):
        self.assert_fails_then_works(
            "missing", lambda handler: handler.answer(b"not here", 404), Gst.ResourceError.OPEN_READ, "HTTP status 404"
        )

    def test_captive_portal(self):
        page = b"\n<!DOCTYPE html><title>Welcome to the hotel</title>"
        self.assert_fails_then_works(
            "portal",
            lambda handler: handler.answer(page, Content_Type="text/html"),
            Gst.ResourceError.OPEN_READ,
            "captive portal",
        )

    def test_wrong_digest(self):
        other = BODY[:-1] + bytes([BODY[-1] ^ 1])
        found = f"{len(other)} bytes with sha256 {hashlib.sha256(other).hexdigest()}, expected sha256 {SHA}"
        self.assert_fails_then_works("digest", lambda handler: handler.answer(other), Gst.ResourceError.READ, found)

    def test_a_wrong_file_in_the_cache_is_fetched_anew(self):
        pipeline = self.pipeline("poisoned")
        self.cache.mkdir(parents=True, exist_ok=True)
        for folder in (home, self.cache.parent, self.cache):
            folder.chmod(0o700)
        (self.cache / "poisoned.pth").write_bytes(b"poison")
        self.serve(lambda handler, _: handler.answer(BODY))
        self.assertIsNone(self.play(pipeline))
        self.assertEqual((self.hits(), self.files()), (1, ["poisoned.pth", "poisoned.pth.bad"]))
        self.assertEqual((self.cache / "poisoned.pth").read_bytes(), BODY)
        self.assertEqual((self.cache / "poisoned.pth.bad").read_bytes(), b"poison")

    # ---- what is heard meanwhile -----------------------------------------------------------------------------------

    def test_progress_follows_the_bytes(self):
        pipeline, gate = self.pipeline("percent"), Gate()
        ends = [len(BODY) * number // SLICES for number in range(SLICES + 1)]

        def slices(handler, _number):
            handler.head(Content_Length=len(BODY))
            for begin, end in zip(ends, ends[1:]):
                handler.wfile.write(BODY[begin:end])
                if end < len(BODY):
                    gate.wait()

        self.serve(slices)
        pipeline.set_state(Gst.State.PLAYING)
        self.assertEqual(self.progress()[0], Gst.ProgressType.START)
        heard = []
        # The server sends a slice when the one before has been heard of, whole.
        for end in ends[1:-1]:
            whole = end * 100 // len(BODY)
            while not heard or heard[-1] < whole:
                kind, percent = self.progress()
                self.assertEqual(kind, Gst.ProgressType.CONTINUE)
                heard.append(percent)
            self.assertEqual(heard[-1], whole)
            gate.open()
        kind, percent = self.progress()
        while kind == Gst.ProgressType.CONTINUE:
            heard.append(percent)
            kind, percent = self.progress()
        self.assertEqual(heard, sorted(heard))
        self.assertLessEqual(heard[-1], 100)
        self.assertEqual((kind, percent), (Gst.ProgressType.COMPLETE, 100))
        self.assertEqual(self.next(END | Gst.MessageType.PROGRESS).type, Gst.MessageType.EOS)

    def test_a_length_that_nobody_knows_is_no_percentage(self):
        pipeline, gate = self.pipeline("unknown"), Gate()

        def halves(handler, _number):
            handler.head()
            handler.wfile.write(BODY[: len(BODY) // 2])
            gate.wait()
            handler.wfile.write(BODY[len(BODY) // 2 :])

        self.serve(halves)
        pipeline.set_state(Gst.State.PLAYING)
        self.assertEqual(self.progress()[0], Gst.ProgressType.START)
        self.assertEqual(self.progress(), (Gst.ProgressType.CONTINUE, -1))
        gate.open()
        kind, percent = self.progress()
        while kind == Gst.ProgressType.CONTINUE:
            self.assertEqual(percent, -1)
            kind, percent = self.progress()
        self.assertEqual((kind, percent), (Gst.ProgressType.COMPLETE, 100))
        self.assertEqual(self.next(END).type, Gst.MessageType.EOS)

    # ---- a stop in the middle of the body --------------------------------------------------------------------------

    def stop_in_the_middle(self, path, state):
        pipeline, gate = self.pipeline(path), Gate()

        def half(handler, number):
            if number > 1:
                return handler.answer(BODY)
            handler.head(Content_Length=len(BODY))
            handler.wfile.write(BODY[: len(BODY) // 2])
            gate.wait()

        self.serve(half)
        pipeline.set_state(Gst.State.PLAYING)
        self.assertEqual(self.progress()[0], Gst.ProgressType.START)
        self.assertEqual(self.progress()[0], Gst.ProgressType.CONTINUE)
        self.assertEqual(len(self.files()), 1)  # the temporary one
        self.assertNotEqual(self.files(), [f"{path}.pth"])
        # The server is still waiting, so a return of this call waits for no byte of it.
        self.assertEqual(pipeline.set_state(state), Gst.StateChangeReturn.SUCCESS)
        self.assertEqual(self.files(), [])
        gate.open()
        return pipeline

    def test_ready_cancels(self):
        pipeline = self.stop_in_the_middle("ready", Gst.State.READY)
        kind, _ = self.progress()
        while kind == Gst.ProgressType.CONTINUE:
            kind, _ = self.progress()
        self.assertEqual(kind, Gst.ProgressType.CANCELED)
        self.assertIsNone(self.play(pipeline))
        self.assertEqual((self.hits(), self.files()), (2, ["ready.pth"]))

    def test_null_cancels(self):
        pipeline = self.stop_in_the_middle("null", Gst.State.NULL)
        self.assertIsNone(self.play(pipeline))
        self.assertEqual((self.hits(), self.files()), (2, ["null.pth"]))


if __name__ == "__main__":
    unittest.main()
