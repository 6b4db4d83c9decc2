#!/usr/bin/env bash
# Runs the element's test programs that load no LibTorch under valgrind's memcheck: tests/valgrind.sh [TEST...]
# In an existing build, as it is built; takes about four minutes on two cores. Fails at the first use of memory that is not
# initialised or not the program's, and at memory that nothing points to when the program ends. Needs no build of its own,
# as tests/sanitize.sh does, and sees libraries that are not instrumented.
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

command -v valgrind >/dev/null ||
  die "valgrind is missing" "as root, run: apt-get install $(listed "$root/scripts/packages.txt" valgrind | xargs)"
[ -f "$build/build.ninja" ] || die "nothing is built in $build" "run scripts/test once"

tests=("$@")
[ ${#tests[@]} -gt 0 ] || tests=(
  'tvclassify cuda caps' 'tvclassify cuda memory' 'tvclassify engine' 'tvclassify flow' 'tvclassify loading'
  'tvclassify names' 'tvclassify parts' 'tvclassify placement' 'tvclassify pools' 'tvclassify quantiles'
  'tvclassify reclassify' 'tvclassify regions' 'tvclassify smoothing' 'tvclassify threads' 'tvclassify topology'
)
# Not among them: "stress" takes too long; "devices" forks, and a child leaks what its parent holds; "tracing" does its work in
# processes of their own, which valgrind leaves alone; "allocations" brings a malloc, behind which valgrind sees nothing.

# A test in a child of its own would leak what its parent holds.
export CK_FORK=no CK_TIMEOUT_MULTIPLIER=20
# Blocks are malloc's own, and what GLib frees is overwritten.
export G_SLICE=always-malloc G_DEBUG=gc-friendly
# Where the registry has to be made, GStreamer's scanner loads the plugins, in a process that valgrind leaves alone: other
# people's plugins leak, and take half a minute.
unset GST_REGISTRY_FORK

command=(
  valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect
  --error-exitcode=20 --num-callers=30 --suppressions="$root/tests/valgrind.supp"
  # A test counts allocations by an operator new of its own, which calls malloc: valgrind is not to take its place.
  --soname-synonyms=somalloc=nouserintercepts
)
meson test -C "$build" --no-rebuild --logbase valgrind --timeout-multiplier 20 --print-errorlogs \
  --wrap "${command[*]@Q}" "${tests[@]}"
