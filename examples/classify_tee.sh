#!/bin/sh
# Two networks look at the same frames; a tee shares the pixels, nothing is copied.
# usage: classify_tee.sh WEIGHTS OTHER_WEIGHTS [FRAMES]
exec gst-launch-1.0 -m videotestsrc num-buffers="${3:--1}" ! tee name=t \
  t. ! queue ! tvclassify name=first weights="$1" ! fakesink \
  t. ! queue ! tvclassify name=second weights="$2" ! fakesink
