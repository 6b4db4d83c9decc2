#!/usr/bin/env bash
# Builds everything with AddressSanitizer and UndefinedBehaviorSanitizer and runs the C++ tests: tests/sanitize.sh BUILD_FOLDER [TEST...]
# Without names: all tests that are programs of ours; those that start Python, whose interpreter is not instrumented, are
# left out. LibTorch is not instrumented either: what it does with its own memory is not seen. Takes about 15 minutes on two
# cores from nothing. The concurrency core has its own tests under ThreadSanitizer in the usual build ("core stress tsan").
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
build=$(cd "$1" && pwd)
shift
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$root/.venv/bin/python
[ -x "$python" ] || { echo "error: $python is missing: run scripts/test once" >&2; exit 1; }

if [ ! -f "$build/build.ninja" ]; then
  torch=$("$python" -c 'import importlib.util as u, os; print(os.path.dirname(u.find_spec("torch").origin))')
  # vptr: the exceptions and types of LibTorch have no type information that this build could compare.
  meson setup "$build" "$root" -Dtorch_dir="$torch" -Dtest_python="$python" -Dtests=true -Dbuildtype=debugoptimized \
    -Db_sanitize=address,undefined -Db_lundef=false -Dcpp_args='-fno-sanitize=vptr -fno-sanitize-recover=all' \
    >"$build/setup.log" 2>&1 || { tail -n 20 "$build/setup.log" >&2; exit 1; }
fi
ninja -C "$build" >"$build/build.log" 2>&1 || { tail -n 30 "$build/build.log" >&2; exit 1; }

# Other people's plugins leak: the scanner, a program without sanitizers, looks at them here, and what it has found is there
# when the tests begin. Our plugin, which the scanner cannot load, is left to the test programs themselves.
env -u GST_PLUGIN_PATH -u GST_REGISTRY_FORK GST_REGISTRY="$build/registry.bin" gst-inspect-1.0 fakesink >/dev/null
while read -r registry; do
  mkdir -p "$(dirname "$registry")"
  cp "$build/registry.bin" "$registry"
done < <(meson introspect --tests "$build" | "$python" -c '
import json, sys
print("\n".join(sorted({test["env"]["GST_REGISTRY"] for test in json.load(sys.stdin) if "GST_REGISTRY" in test["env"]})))')
export GST_REGISTRY_FORK=no
# An allocation that cannot be had is an error that tests provoke; it is to come back as one.
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1:allocator_may_return_null=1
# GLib and GStreamer keep no frame pointers: without this, nobody would see who called them.
ASAN_OPTIONS+=:fast_unwind_on_malloc=0
export LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0
export UBSAN_OPTIONS=print_stacktrace=1
export G_SLICE=always-malloc G_DEBUG=gc-friendly

tests=("$@")
[ ${#tests[@]} -gt 0 ] || mapfile -t tests < <(
  meson introspect --tests "$build" |
    "$python" -c '
import json, os, sys
for test in json.load(sys.stdin):
    program = os.path.basename(test["cmd"][0])
    # "suite" has tests that fail and leak on purpose.
    if "python" not in program and not program.endswith((".py", ".sh")) and "fuzz" not in test["suite"][0] \
            and test["name"] != "suite":
        print(test["name"])')
# One after the other: each takes several times its usual memory.
meson test -C "$build" --no-rebuild --num-processes 1 --timeout-multiplier 5 --print-errorlogs "${tests[@]}"
