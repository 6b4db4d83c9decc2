#!/usr/bin/env bash
# Runs the stress programs, the concurrency core and the element, in an existing build: tests/stress.sh [--full] [BUILD_FOLDER]
# As on every change by default, about two minutes on two cores; --full: with several times as much, up to twenty times.
# A program prints its seed: TV_STRESS_SEED=N tests/stress.sh repeats the element's choices.
set -euo pipefail

programs=('core stress' 'core stress tsan' 'core stress asan' 'tvclassify stress' 'tvclassify stress libtorch')
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ "${1:-}" = --full ]; then
  export TV_STRESS=full
  shift
fi
build=${1:-$root/build}
[ -f "$build/build.ninja" ] || { echo "error: nothing is built in $build: run scripts/test once" >&2; exit 1; }
# One after the other, and with no limit of time: on a busy machine they take what they take. Builds what these tests need.
exec meson test -C "$build" --num-processes 1 --timeout-multiplier 0 --verbose "${programs[@]}"
