#!/bin/sh
# Classifies a video file as fast as it goes; -m prints the results. usage: classify_file.sh FILE WEIGHTS
exec gst-launch-1.0 -m filesrc location="$1" ! decodebin ! tvclassify weights="$2" post-messages=true ! fakesink
