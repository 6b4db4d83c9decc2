#!/usr/bin/env bash
# Runs the element's test programs under GStreamer's leaks tracer: tests/leaks.sh [TEST...]
# In an existing build, as it is built; takes a few minutes. Fails where an object of GStreamer (buffer, pad, element,
# message, ...) outlives gst_deinit(), and names the program and up to ten objects. Where it was made is told with
#   GST_TRACERS='leaks(stack-traces-flags=full)' tests/leaks.sh 'tvclassify engine'
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${TV_BUILD_DIR:-$root/build}
[ -f "$build/build.ninja" ] || { echo "error: nothing is built in $build: run scripts/test once" >&2; exit 1; }

tests=("$@")
# Those in Python trace what they start themselves.
[ ${#tests[@]} -gt 0 ] || mapfile -t tests < <(
  meson introspect --tests "$build" | python3 -c '
import json, os, sys
for test in json.load(sys.stdin):
    if test["suite"][0].endswith(":element") and "python" not in os.path.basename(test["cmd"][0]):
        print(test["name"])')

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export GST_TRACERS=${GST_TRACERS:-leaks} GST_DEBUG=GST_TRACER:7 GST_DEBUG_NO_COLOR=1

failed=0
traced=0
for test in "${tests[@]}"; do
  # %p: a program that looks for plugins starts another one.
  name=${test// /-}
  export GST_DEBUG_FILE=$logs/$name.%p
  status=0
  meson test -C "$build" --no-rebuild --logbase leaks --timeout-multiplier 5 "$test" >"$logs/output" 2>&1 || status=$?
  cat "$logs/$name".* >"$logs/all" 2>/dev/null || true
  mapfile -t alive < <(sed -n 's/.*: object-alive, type-name=/type-name=/p' "$logs/all" | grep -v '^type-name=(string)%s')
  # A leak is a warning of GLib's, and the programs end at those: what is alive comes first.
  if [ ${#alive[@]} -gt 0 ]; then
    printf '%s: %d objects alive\n' "$test" "${#alive[@]}"
    printf '  %s\n' "${alive[@]:0:10}"
    failed=1
  elif [ "$status" -ne 0 ]; then
    printf '%s: failed, and leaks nothing of GStreamer\n' "$test"
    tail -n 20 "$logs/output"
    failed=1
  elif [ ! -s "$logs/all" ]; then
    printf '%s: uses no GStreamer\n' "$test"
  elif ! grep -q 'object-alive.class' "$logs/all"; then
    printf '%s: the tracer was not there\n' "$test"
    failed=1
  else
    printf '%s: no object alive\n' "$test"
    traced=$((traced + 1))
  fi
done
[ "$failed" -eq 0 ] || exit 1
[ "$traced" -gt 0 ] || { echo "error: no program used GStreamer" >&2; exit 1; }
