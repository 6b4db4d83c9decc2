#!/usr/bin/env python3
"""Shows what `gst-launch-1.0 -m … tvclassify post-messages=true …` printed.

    demo_report.py MESSAGES SUBTITLES

Prints timestamp, label and score about ten times a second and wherever the label changes, then a summary with the three
most frequent labels; writes a subtitle file with the label of every frame. Frames without a timestamp are counted, and
shown where their label is a new one; they have no subtitle. Exit status 1 when no frame was classified.
"""
import collections
import re
import sys

MESSAGE = re.compile(r'Got message #\d+ from element "[^"]*" \(element\): tvclassify, (.*)')
EXECUTION = re.compile(r"Execution ended after (\d+):(\d+):([\d.]+)")
STEP_NS = 100_000_000
NO_TIME = 2**64 - 1  # GST_CLOCK_TIME_NONE


def field(text, name):
    """A top-level field of a serialised GstStructure; they come before the nested ones."""
    match = re.search(rf'\b{name}=\([a-z0-9]+\)("(?:[^"\\]|\\.)*"|[^,;]+)', text)
    if not match:
        return None
    value = match.group(1)
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def clock(ns, comma="."):
    if ns is None:
        return f"--:--:--{comma}---"
    ms = ns // 1_000_000
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02}{comma}{ms % 1000:03}"


def main(messages, subtitles):
    frames, seconds = [], 0.0
    for line in open(messages, encoding="utf-8", errors="replace"):
        if match := MESSAGE.search(line):
            text = match.group(1)
            if field(text, "status") == "ok" and field(text, "label"):
                time = int(field(text, "timestamp") or NO_TIME)
                frames.append((None if time == NO_TIME else time, field(text, "label"), float(field(text, "score"))))
        elif match := EXECUTION.search(line):
            seconds = int(match.group(1)) * 3600 + int(match.group(2)) * 60 + float(match.group(3))
    if not frames:
        sys.exit(f"{messages}: no frame was classified")

    shown, last = None, None
    for pts, label, score in frames:
        if label != last or (pts is not None and (shown is None or pts - shown >= STEP_NS)):
            print(f"  {clock(pts)}  {score:6.1%}  {label}")
            shown, last = pts, label

    counts = collections.Counter(label for _, label, _ in frames)
    means = collections.Counter()
    for _, label, score in frames:
        means[label] += score
    rate = f", {len(frames) / seconds:.1f} frames/s" if seconds > 0 else ""
    print(f"  {len(frames)} frames classified in {seconds:.2f} s{rate}")
    for label, count in counts.most_common(3):
        print(f"  {label}: {count} of {len(frames)} frames, mean score {means[label] / count:.1%}")

    timed = [frame for frame in frames if frame[0] is not None]
    with open(subtitles, "w", encoding="utf-8") as out:
        for number, (pts, label, score) in enumerate(timed, 1):
            end = timed[number][0] if number < len(timed) else pts + STEP_NS
            out.write(f"{number}\n{clock(pts, ',')} --> {clock(end, ',')}\n{label}  {score:.0%}\n\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    main(*sys.argv[1:])
