"""Which summaries of the demo scripts/check_demo.py lets pass. Needs TV_SCRIPTS (folder)."""
import os
import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(os.environ["TV_SCRIPTS"]) / "check_demo.py"


@pytest.mark.parametrize("summary, passes", [
    ("  pot: 26 of 36 frames, mean score 27.3%\n  broccoli: 4 of 36 frames, mean score 9.9%\n", True),
    ("  broccoli: 20 of 36 frames, mean score 9.9%\n  pot: 16 of 36 frames, mean score 27.3%\n", False),
    ("  cup: 20 of 36 frames, mean score 9.9%\n  mug: 9 of 36 frames, mean score 1%\n  coffeepot: 1 of 36 frames, mean score 5.0%\n", False),
    ("  coffeepot: 30 of 36 frames, mean score 27.3%\n", False),
    ("  pot: 18 of 36 frames, mean score 27.3%\n", False),
    ("  pot: 26 of 30 frames, mean score 27.3%\n", False),
    ("  00:00:00.000   29.0%  pot\n", False),
    ("", False),
])
def test_check(tmp_path, summary, passes):
    output = tmp_path / "output"
    output.write_text("==> Running: …\n  00:00:00.000   29.0%  pot\n" + summary + "==> Open it\n", encoding="utf-8")
    result = subprocess.run([sys.executable, PROGRAM, output, "pot", "36"], capture_output=True, text=True,
                            timeout=60)
    assert result.returncode == (0 if passes else 1)
    assert result.stdout == "" and result.stderr.startswith("" if passes else "error: ")
