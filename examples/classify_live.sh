#!/bin/sh
# Classifies every fifth frame of a live source and drops what it has no time for, so that it never lags behind.
# usage: classify_live.sh WEIGHTS [FRAMES]     for a camera, put v4l2src in place of videotestsrc
exec gst-launch-1.0 -m videotestsrc is-live=true num-buffers="${2:--1}" ! video/x-raw,width=640,height=480,framerate=30/1 \
  ! queue max-size-buffers=1 leaky=downstream ! tvclassify weights="$1" interval=5 ! fakesink
