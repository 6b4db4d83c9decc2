#!/usr/bin/env python3
"""Reads tvclassify's labels in Python, twice: from the buffers that leave it, and from the bus.

usage: read_labels.py WEIGHTS [FILE]     FILE: any video that GStreamer decodes; without it, 30 frames of a test picture

Needs PyGObject (Debian: python3-gi, gir1.2-gstreamer-1.0).
"""

import sys
import warnings

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402

# Gst.Structure.get_array() gives a GObject.ValueArray, which GLib calls deprecated but PyGObject needs here.
warnings.filterwarnings("ignore", category=DeprecationWarning)


def read_labels(fields):
    """[(index, label, score)] of a meta or a message, best first."""
    found, labels = fields.get_array("labels")
    if not found:
        return []
    entries = [labels.get_nth(i) for i in range(labels.n_values)]
    return [(e.get_value("index"), e.get_value("label"), e.get_value("score")) for e in entries]


def read_buffer(_pad, info):
    buffer = info.get_buffer()
    meta = buffer.get_custom_meta("TvClassifyMeta")
    if meta:
        fields = meta.get_structure()
        text = ", ".join(f"{index} {label} {score:.1%}" for index, label, score in read_labels(fields))
        # One write a line: frames and messages arrive on different threads.
        print(f"frame {buffer.pts / Gst.SECOND:.3f} {fields.get_value('status')} age {fields.get_value('age')}: {text}\n", end="")
    return Gst.PadProbeReturn.OK


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: read_labels.py WEIGHTS [FILE]")
    Gst.init(None)
    source = "filesrc name=file ! decodebin ! videoconvert" if len(sys.argv) == 3 else "videotestsrc num-buffers=30"
    try:
        pipeline = Gst.parse_launch(f"{source} ! tvclassify name=classify top-k=3 ! fakesink sync=false")
    except GLib.Error as error:  # an element that is not installed
        sys.exit(error.message)
    classify = pipeline.get_by_name("classify")
    classify.set_property("weights", sys.argv[1])
    if len(sys.argv) == 3:
        pipeline.get_by_name("file").set_property("location", sys.argv[2])
    classify.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, read_buffer)

    pipeline.set_state(Gst.State.PLAYING)
    bus = pipeline.get_bus()
    wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.ELEMENT
    error = None
    while True:
        message = bus.timed_pop_filtered(Gst.CLOCK_TIME_NONE, wanted)
        if message.type == Gst.MessageType.EOS:
            break
        if message.type == Gst.MessageType.ERROR:
            fault, details = message.parse_error()  # the details have the path of a file that is not there
            error = f"{message.src.get_name()}: {fault.message}\n{details or ''}".rstrip()
            break
        fields = message.get_structure()
        if fields.get_name() == "class-changed":
            print(f"now: {fields.get_value('label')} {fields.get_value('score'):.1%}\n", end="")
    pipeline.set_state(Gst.State.NULL)
    sys.exit(error)


if __name__ == "__main__":
    main()
