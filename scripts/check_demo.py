#!/usr/bin/env python3
"""Judges what scripts/demo printed: the label that it saw most often must be the right one, on most of the frames.

    check_demo.py OUTPUT LABEL FRAMES

Exit status 1, with what was expected and found, when the first row of the summary names another label, or when LABEL was
seen on half of the FRAMES frames or fewer.
"""
import re
import sys

ROW = re.compile(r"^  (.+): (\d+) of (\d+) frames, mean score [\d.]+%$", re.M)


def main(output, label, frames):
    with open(output, encoding="utf-8", errors="replace") as file:
        rows = ROW.findall(file.read())
    if not rows:
        return f"error: {output} holds no summary of the demo"
    found, count, total = rows[0][0], int(rows[0][1]), int(rows[0][2])
    if (found, total) == (label, frames) and 2 * count > frames:
        return 0
    return f"error: expected {label} on most of {frames} frames, found {found} on {count} of {total}"


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__.strip())
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
