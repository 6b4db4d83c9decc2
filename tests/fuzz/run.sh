#!/usr/bin/env bash
# Fuzzes every reader for a while: tests/fuzz/run.sh BUILD_FOLDER [SECONDS [TARGET...]]
# Configures BUILD_FOLDER with clang, AddressSanitizer and UndefinedBehaviorSanitizer if that is not done yet, replays
# each committed corpus, then fuzzes each target for SECONDS (default 10). What it finds on the way is kept in
# BUILD_FOLDER/corpus for the next run. Fails when anything is found; the input lies in BUILD_FOLDER/findings.
set -euo pipefail

[ $# -ge 1 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
build=$(cd "$1" && pwd)
seconds=${2:-10}
shift $(($# < 2 ? $# : 2))
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

targets=("$@")
[ ${#targets[@]} -gt 0 ] || for source in "$here"/fuzz_*.cpp; do targets+=("$(basename "$source" .cpp)"); done

command -v clang++ >/dev/null || { echo "error: clang++ is missing: apt-get install clang libclang-rt-14-dev" >&2; exit 1; }
if [ ! -f "$build/build.ninja" ]; then
  python=$root/.venv/bin/python
  [ -x "$python" ] || python=python3
  torch=$("$python" -c 'import importlib.util as u, os; print(os.path.dirname(u.find_spec("torch").origin))')
  # fuzzer-no-link: coverage also in the libraries under test. The macro lets wrong checksums pass.
  CC=clang CXX=clang++ meson setup "$build" "$root" -Dtorch_dir="$torch" -Dfuzzers=true -Dtests=false \
    -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
    -Dcpp_args='-fsanitize=fuzzer-no-link -fno-sanitize-recover=all -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION=1' \
    >"$build/setup.log" 2>&1 || { tail -n 20 "$build/setup.log" >&2; exit 1; }
fi
ninja -C "$build" "${targets[@]/#/tests/fuzz/}" >"$build/build.log" 2>&1 || { tail -n 30 "$build/build.log" >&2; exit 1; }

export ASAN_OPTIONS=allocator_may_return_null=0:detect_leaks=1
failed=()
mkdir -p "$build/findings"
for target in "${targets[@]}"; do
  found=$build/corpus/$target
  log=$build/$target.log
  mkdir -p "$found"
  limits=(-timeout=5 -rss_limit_mb=512 -max_len=65536 -artifact_prefix="$build/findings/$target-")
  [ -f "$here/$target.dict" ] && limits+=(-dict="$here/$target.dict")
  if "$build/tests/fuzz/$target" "${limits[@]}" -runs=0 "$here/corpus/$target" >"$log" 2>&1 &&
    "$build/tests/fuzz/$target" "${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 \
      "$found" "$here/corpus/$target" >>"$log" 2>&1; then
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions, nothing found"
  else
    failed+=("$target")
    echo "$target: FOUND SOMETHING, see $log and $build/findings" >&2
    tail -n 40 "$log" >&2
  fi
done
[ ${#failed[@]} -eq 0 ]
