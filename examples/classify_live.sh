#!/bin/sh
# Classifies a live source as often as the network can. No frame waits for it and none is lost: those in between carry the
# newest labels with their age.
# usage: classify_live.sh WEIGHTS [FRAMES]     for a camera, put v4l2src in place of videotestsrc
exec gst-launch-1.0 -m videotestsrc is-live=true num-buffers="${2:--1}" ! video/x-raw,width=640,height=480,framerate=30/1 \
  ! tvclassify weights="$1" latency-mode=live max-latency=20000000 ! fakesink
