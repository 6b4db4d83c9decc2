"""What scripts/demo_report.py makes of messages. Needs TV_SCRIPTS (folder)."""
import os
import pathlib
import subprocess
import sys

import pytest

SCRIPTS = pathlib.Path(os.environ["TV_SCRIPTS"])
NONE = 2**64 - 1
MS = 1_000_000


def message(time, label, score, status="ok"):
    """One line as gst-launch-1.0 -m prints it."""
    return (
        f'Got message #7 from element "tvclassify0" (element): tvclassify, version=(uint)1, status=(string){status}, '
        f'label=(string){label}, index=(int)3, score=(double){score}, labels=(structure)< "label\\,\\ index\\=\\(int\\)1" >, '
        f"timestamp=(guint64){time}, stream-time=(guint64){time};\n"
    )


@pytest.fixture
def report(tmp_path):
    def call(*lines, seconds="0:00:02.000000000"):
        """(exit status, printed lines, subtitles)"""
        messages, subtitles = tmp_path / "messages", tmp_path / "labels.srt"
        messages.write_text("Setting pipeline to PLAYING\n" + "".join(lines) + f"Execution ended after {seconds}\n")
        result = subprocess.run([sys.executable, SCRIPTS / "demo_report.py", messages, subtitles], capture_output=True,
                                text=True, timeout=60)
        assert "Traceback" not in result.stderr
        return result.returncode, result.stdout.splitlines(), subtitles.read_text() if subtitles.exists() else None

    return call


def test_report(report):
    status, lines, subtitles = report(
        message(0, "pot", 0.5), message(33 * MS, "pot", 0.25), message(66 * MS, '"car\\ mirror"', 0.1),
        message(99 * MS, "pot", 0.3), message(150 * MS, "pot", 0.3), message(200 * MS, "pot", 0.3),
        message(210 * MS, "lost", 1, status="failed"),
    )
    assert status == 0
    assert lines == [
        "  00:00:00.000   50.0%  pot",
        "  00:00:00.066   10.0%  car mirror",
        "  00:00:00.099   30.0%  pot",
        "  00:00:00.200   30.0%  pot",
        "  6 frames classified in 2.00 s, 3.0 frames/s",
        "  pot: 5 of 6 frames, mean score 33.0%",
        "  car mirror: 1 of 6 frames, mean score 10.0%",
    ]
    assert subtitles.startswith("1\n00:00:00,000 --> 00:00:00,033\npot  50%\n\n2\n00:00:00,033 --> 00:00:00,066\n")
    assert subtitles.endswith("6\n00:00:00,200 --> 00:00:00,300\npot  30%\n\n")


def test_frames_without_a_time(report):
    status, lines, subtitles = report(
        message(NONE, "pot", 0.5), message(NONE, "pot", 0.5), message(NONE, "cup", 0.5), message(40 * MS, "cup", 0.5),
        message(NONE, "cup", 0.5), message(90 * MS, "cup", 0.5),
    )
    assert status == 0
    assert lines == [
        "  --:--:--.---   50.0%  pot",
        "  --:--:--.---   50.0%  cup",
        "  00:00:00.040   50.0%  cup",
        "  6 frames classified in 2.00 s, 3.0 frames/s",
        "  cup: 4 of 6 frames, mean score 50.0%",
        "  pot: 2 of 6 frames, mean score 50.0%",
    ]
    assert subtitles == "1\n00:00:00,040 --> 00:00:00,090\ncup  50%\n\n2\n00:00:00,090 --> 00:00:00,190\ncup  50%\n\n"


def test_no_frame_has_a_time(report):
    status, lines, subtitles = report(message(NONE, "pot", 0.5))
    assert (status, subtitles) == (0, "") and lines[-1] == "  pot: 1 of 1 frames, mean score 50.0%"


def test_no_frame_was_classified(report):
    assert report(message(0, "pot", 0.5, status="failed"))[0] == 1
