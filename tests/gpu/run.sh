#!/usr/bin/env bash
# Builds for the GPU of this machine and runs the suite `gpu`:
#   tests/gpu/run.sh [--soak SECONDS] [--benchmarks] [--sanitizer] [TEST...]
# TEST is a test's name as meson lists it ("gpu frames"); without any: the whole suite. --soak: then a soak of that time.
# --sanitizer: the kernels' test once more under compute-sanitizer, where CUDA brings it. --benchmarks builds those too.
# Ends with 77 and the reason where there is no GPU. Needs nvcc, a Python with torch 2.11.0 (TV_PYTHON; python3 by default)
# and meson; Debian's development packages are taken from build-packages/packages.tar.xz (pack.sh) where that is.
# Environment: TV_BUILD_DIR (build-gpu), TV_GPU_PLUGIN (auto; disabled builds without GStreamer).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${TV_BUILD_DIR:-$root/build-gpu}
packages=${TV_PACKAGES:-$root/build-packages}
python=${TV_PYTHON:-$(command -v python3)}
soak=0 sanitizer=false benchmarks=false tests=()
while [ $# -gt 0 ]; do
  case $1 in
    --soak) soak=${2:?"--soak needs seconds"} && shift ;;
    --sanitizer) sanitizer=true ;;
    --benchmarks) benchmarks=true ;;
    -*) echo "unknown option $1: see the head of $0" >&2 && exit 2 ;;
    *) tests+=("$1") ;;
  esac
  shift
done

skip() { echo "SKIP: $*"; exit 77; }
command -v nvidia-smi >/dev/null || skip "no nvidia-smi: no NVIDIA driver here"
gpu=$(nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total --format=csv,noheader 2>&1) || skip "no GPU: $gpu"
[ -n "$gpu" ] || skip "nvidia-smi lists no GPU"

nvcc=$(command -v nvcc || true)
for place in "${CUDA_HOME:-}/bin/nvcc" /usr/local/cuda/bin/nvcc; do
  [ -n "$nvcc" ] || { [ -x "$place" ] && nvcc=$place; } || true
done
[ -n "$nvcc" ] || skip "no nvcc in PATH, \$CUDA_HOME/bin or /usr/local/cuda/bin"
CUDA_HOME=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
export CUDA_HOME
torch_dir=$("$python" -c 'import importlib.util as u, os; s = u.find_spec("torch"); print(os.path.dirname(s.origin) if s else "")')
[ -n "$torch_dir" ] || skip "no torch in $python: set TV_PYTHON"

if [ -f "$packages/packages.tar.xz" ]; then
  unpacked=$packages/root
  if [ ! -f "$unpacked.done" ] || [ "$packages/packages.tar.xz" -nt "$unpacked.done" ]; then
    rm -rf "$unpacked" && mkdir -p "$unpacked"
    tar --extract --file "$packages/packages.tar.xz" --directory "$unpacked"
    touch "$unpacked.done"
  fi
  lib=$unpacked/usr/lib/x86_64-linux-gnu
  # Behind the machine's own: where it has a package, that one is used.
  export PATH=$PATH:$unpacked/usr/bin
  export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$lib LIBRARY_PATH=${LIBRARY_PATH:+$LIBRARY_PATH:}$lib
  export CPATH=${CPATH:+$CPATH:}$unpacked/usr/include:$unpacked/usr/include/x86_64-linux-gnu
  export PKG_CONFIG_LIBDIR=$lib/pkgconfig:$unpacked/usr/share/pkgconfig:$unpacked/usr/lib/pkgconfig
  export PKG_CONFIG_SYSROOT_DIR=$unpacked
  export GST_PLUGIN_SYSTEM_PATH=$lib/gstreamer-1.0
  export GST_PLUGIN_SCANNER=$lib/gstreamer1.0/gstreamer-1.0/gst-plugin-scanner
fi
command -v meson >/dev/null || skip "no meson: pip install meson"
command -v ninja >/dev/null || skip "no ninja: pip install ninja, or carry build-packages (tests/gpu/pack.sh)"

echo "GPU, driver, compute capability, memory: $gpu"
echo "$("$nvcc" --version | tail -n 2 | head -n 1); torch $("$python" -c 'import torch; print(torch.__version__, "cuDNN", torch.backends.cudnn.version())')"
echo "$("$python" --version), meson $(meson --version), $(c++ --version | head -n 1)"

capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d .)
options=(-Dcuda=enabled -Dplugin="${TV_GPU_PLUGIN:-auto}" -Dgpu_tests=true -Dgpu_archs="$capability" -Dbenchmarks="$benchmarks"
  -Dtorch_dir="$torch_dir" -Dtest_python="$python")
if [ -f "$build/build.ninja" ]; then
  meson setup --reconfigure "$build" "${options[@]}"
else
  meson setup "$build" "$root" "${options[@]}"
fi
# What the suite runs, and no more: all tests would take minutes to compile.
ninja -C "$build" build.ninja
targets=$("$python" - "$build" <<'PY'
import json, pathlib, sys
build = pathlib.Path(sys.argv[1]).resolve()
want = {"tvinference-cpu", "tvinference-cuda", "parity_tool", "gsttorchvision", "model-benchmark", "engine-benchmark"}
for target in json.loads((build / "meson-info/intro-targets.json").read_text()):
    if target["name"] in want or target["name"].startswith(("test_gpu_", "gpu_", "gpu-")):
        print(pathlib.Path(target["filename"][0]).relative_to(build))
PY
)
# shellcheck disable=SC2086  # one a word
ninja -C "$build" $targets

status=0
meson test -C "$build" --no-rebuild --suite gpu --print-errorlogs --verbose ${tests[@]+"${tests[@]}"} || status=$?
backends=$build/elements/inference/backend_cuda:$build/elements/inference/backend_cpu
if $sanitizer; then
  tool=$(command -v compute-sanitizer || { [ -x "$CUDA_HOME/bin/compute-sanitizer" ] && echo "$CUDA_HOME/bin/compute-sanitizer"; } || true)
  if [ -n "$tool" ]; then
    for check in memcheck racecheck initcheck; do
      echo "compute-sanitizer --tool $check"
      "$tool" --tool $check --error-exitcode 1 "$build/tests/gpu/test_gpu_preprocess" 2 || status=1
    done
  else
    echo "left out: no compute-sanitizer in PATH or $CUDA_HOME/bin"
  fi
fi
if [ "$soak" -gt 0 ]; then
  TV_BACKEND_PATH=$backends "$build/tests/gpu/gpu_soak" "$soak" || status=1
fi
exit $status
