# shellcheck shell=bash
# Shared by the scripts of this folder: set-up that is safe to repeat and fast when there is nothing to do.
# Sourced, never run. Needs bash.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
build=${TV_BUILD_DIR:-$root/build}

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
die() { # what, remedy
  printf 'error: %s\n       %s\n' "$1" "$2" >&2
  exit 1
}

# Runs a command without its output; where it fails, shows the last lines. Keeps them in memory: nothing to clean up.
quietly() { # command...
  local output
  output=$("$@" 2>&1) || { tail -n 20 <<<"$output" >&2; return 1; }
}

# 12, 13, ...; 0 where this is no Debian.
debian_version() { (. /etc/os-release 2>/dev/null && [ "$ID" = debian ] && echo "${VERSION_ID%%.*}") || echo 0; }

check_distribution() {
  local ID=unknown VERSION_ID=0 PRETTY_NAME='' release=${TV_OS_RELEASE:-/etc/os-release}
  # shellcheck source=/dev/null
  [ -r "$release" ] && . "$release"
  if [ "$ID" != debian ] || [ "${VERSION_ID%%.*}" -lt 12 ]; then
    die "this script sets up Debian 12 or newer; this is ${PRETTY_NAME:-$ID}" \
      "install what scripts/packages.txt and scripts/pins.tsv list by hand, then use meson as README.md shows"
  fi
  [ "$(uname -m)" = x86_64 ] || die "no LibTorch wheel is pinned for $(uname -m)" "use an x86_64 machine"
}

# The second column of a list for the groups given.
listed() { # file, group...
  local file=$1 group name
  shift
  while IFS=$'\t' read -r group name _; do
    case " $* " in *" $group "*) printf '%s\n' $name ;; esac
  done < <(grep -v '^#' "$file")
}

install_packages() { # group...
  local missing=() name
  for name in $(listed "$root/scripts/packages.txt" "$@"); do
    # clang's runtime is named after its version: take whichever this distribution has.
    [ "$name" = libclang-rt-14-dev ] && name=libclang-rt-$(clang_version)-dev
    [ "$(dpkg-query -W -f '${Status}' "$name" 2>/dev/null)" = 'install ok installed' ] || missing+=("$name")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    say "Debian packages: all there"
    return
  fi
  say "Debian packages: installing ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      die "not root, and there is no sudo, to install: ${missing[*]}" "as root, run: apt-get install ${missing[*]}"
    # Asks for a password where it needs one; a refusal is no fault of the network.
    sudo apt-get --version >/dev/null || die "sudo refuses, and these have to be installed: ${missing[*]}" \
      "as root, run: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  quietly "${as_root[@]}" apt-get update || die "apt-get update failed" "check the network and /etc/apt/sources.list"
  quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" ||
    die "apt-get install failed" "check the network, or install by hand: ${missing[*]}"
}

# Of the distribution's default clang.
clang_version() { apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p' | head -n 1; }

# True when the dynamic loader finds the library, or the wheel that brings it is in the venv.
has_library() { # soname
  # No grep -q: it leaves early, and under pipefail ldconfig's broken pipe would read as "not found".
  ldconfig -p | grep "[[:space:]]$1 " >/dev/null && return
  compgen -G "$venv/lib/python3.*/site-packages/nvidia/*/lib/$1" >/dev/null
}

install_wheels() { # group...
  [ -x "$venv/bin/python" ] || {
    say "Python environment: creating .venv"
    /usr/bin/python3 -m venv "$venv" || die "could not create $venv" "apt-get install python3-venv"
  }
  local want=() group wheel library have
  have=$("$venv/bin/python" - <<'PY'
import importlib.metadata as m, re
print(*(re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower() + "==" + d.version.split("+")[0] for d in m.distributions()))
PY
  )
  while IFS=$'\t' read -r group wheel library; do
    case " $* " in *" $group "*) ;; *) continue ;; esac
    [ "$library" != - ] && has_library "$library" && continue
    case " $have " in *" ${wheel//_/-} "*) continue ;; esac
    want+=("$wheel")
  done < <(grep -v '^#' "$root/scripts/pins.tsv")
  if [ ${#want[@]} -eq 0 ]; then
    say "Python wheels: all there"
    return
  fi
  say "Python wheels: installing ${want[*]}"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "${want[@]}" ||
    die "pip could not install: ${want[*]}" "check the network (PyPI) and the free disk space; then run this again"
}

torch_dir() { "$venv/bin/python" -c 'import importlib.util as u, os; print(os.path.dirname(u.find_spec("torch").origin))'; }

# Configures what is not yet and sets the options given.
configure_project() { # meson options...
  [ "$(debian_version)" -lt 13 ] || set -- "$@" -Danalytics=enabled
  if [ ! -f "$build/build.ninja" ]; then
    say "Configuring $build"
    quietly meson setup "$build" "$root" -Dtorch_dir="$(torch_dir)" -Dtest_python="$venv/bin/python" "$@" ||
      die "meson setup failed" "its last lines are above"
  elif [ $# -gt 0 ]; then
    quietly meson configure "$build" "$@" || die "meson configure failed" "remove $build"
    # What meson lists is as old as its last run: tests that came since would not be seen.
    quietly ninja -C "$build" build.ninja || die "meson failed" "its last lines are above"
  fi
}

# Configures and builds.
build_project() { # meson options...
  configure_project "$@"
  say "Building (the first time takes a few minutes)"
  ninja -C "$build" --quiet || die "the build failed" "the compiler's message is above"
}

# Runs a command with the built, uninstalled plugin, backends and tools in place.
with_build() {
  mkdir -p "$root/.demo/weights"
  GST_PLUGIN_PATH=$build/gst-plugin${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH} \
    TV_BACKEND_PATH=$build/elements/inference/backend_cpu:$build/elements/inference/backend_cuda \
    TV_WEIGHTS_PATH=$root/.demo/weights${TV_WEIGHTS_PATH:+:$TV_WEIGHTS_PATH} \
    PATH=$build/tools/tvmodels:$PATH "$@"
}
