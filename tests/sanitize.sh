#!/usr/bin/env bash
# Runs the C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer: tests/sanitize.sh BUILD_FOLDER [TEST...]
# A TEST is a name or a pattern, as 'preprocess-*'; what the tests need is built. Without any: all tests that are programs of
# ours. Those that start Python, whose interpreter is not instrumented, are left out. LibTorch is not instrumented either:
# what it does with its own memory is not seen. From nothing, all of them take about 15 minutes to build on two cores. The
# concurrency core has its own tests under ThreadSanitizer in the usual build ("core stress tsan").
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
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
compile() { ninja -C "$build" "$@" >"$build/build.log" 2>&1 || { tail -n 30 "$build/build.log" >&2; exit 1; }; }

# What meson lists is as old as its last run.
compile build.ninja
meson introspect --tests --targets "$build" >"$build/listed.json"
listed=$("$python" - "$build" "$@" <<'PY'
import fnmatch, json, os, sys

build, *patterns = sys.argv[1:]
with open(os.path.join(build, "listed.json")) as file:
    listed = json.load(file)


def is_ours(test):
    program = os.path.basename(test["cmd"][0])
    # "suite" has tests that fail and leak on purpose.
    return (
        "python" not in program
        and not program.endswith((".py", ".sh"))
        and "fuzz" not in test["suite"][0]
        and test["name"] != "suite"
    )


tests = {test["name"]: test for test in listed["tests"] if is_ours(test)}
chosen = set()
for pattern in patterns or ["*"]:
    names = fnmatch.filter(tests, pattern)
    if not names:
        sys.exit(f"error: no program of ours is a test named {pattern!r}: see meson test -C {build} --list")
    chosen.update(names)
files = {target["id"]: target["filename"] for target in listed["targets"]}
lines = set()
for test in (tests[name] for name in chosen):
    lines.add(("test", test["name"]))
    lines.update(("target", os.path.relpath(file, build)) for target in test["depends"] for file in files[target])
    if "GST_REGISTRY" in test["env"]:
        lines.add(("registry", test["env"]["GST_REGISTRY"]))
print("\n".join("\t".join(line) for line in sorted(lines)))
PY
)
tests=()
targets=()
registries=()
while IFS=$'\t' read -r kind value; do
  case $kind in
    test) tests+=("$value") ;;
    target) targets+=("$value") ;;
    registry) registries+=("$value") ;;
  esac
done <<<"$listed"
compile "${targets[@]}"

# Other people's plugins leak: the scanner, a program without sanitizers, looks at them here, and what it has found is there
# when the tests begin. Our plugin, which the scanner cannot load, is left to the test programs themselves.
env -u GST_PLUGIN_PATH -u GST_REGISTRY_FORK GST_REGISTRY="$build/registry.bin" gst-inspect-1.0 fakesink >/dev/null
for registry in "${registries[@]}"; do
  mkdir -p "$(dirname "$registry")"
  cp "$build/registry.bin" "$registry"
done
export GST_REGISTRY_FORK=no
# An allocation that cannot be had is an error that tests provoke; it is to come back as one.
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1:allocator_may_return_null=1
# GLib and GStreamer keep no frame pointers: without this, nobody would see who called them.
ASAN_OPTIONS+=:fast_unwind_on_malloc=0
export LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0
export UBSAN_OPTIONS=print_stacktrace=1
export G_SLICE=always-malloc G_DEBUG=gc-friendly

# Check has limits of its own, a test each.
export CK_TIMEOUT_MULTIPLIER=5
# One after the other: each takes several times its usual memory.
meson test -C "$build" --no-rebuild --num-processes 1 --timeout-multiplier 5 --print-errorlogs "${tests[@]}"
