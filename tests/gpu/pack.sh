#!/usr/bin/env bash
# Makes the folder that a GPU machine without Debian's development packages and without a network needs beside the sources:
#   tests/gpu/pack.sh [FOLDER]        build-packages by default, which git ignores
# FOLDER/packages.tar.xz holds headers, libraries and pkg-config files of the packages below as they are installed here, the
# libraries that those need (the C and C++ libraries excepted: they are the machine's own), ninja, and GStreamer's runtime
# with the plugins that tests and benchmarks use. run.sh unpacks it. Prints its size; fails above 64 MiB.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=${1:-$root/build-packages}
most=$((64 * 1024 * 1024))

development='libcurl4-openssl-dev libssl-dev nlohmann-json3-dev libhwy-dev zlib1g-dev check libsubunit-dev libjpeg62-turbo-dev
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libglib2.0-dev libffi-dev libmount-dev libblkid-dev libselinux1-dev
  libpcre2-dev libsepol-dev liborc-0.4-dev libunwind-dev libdw-dev libelf-dev liblzma-dev'
# Of this large package GStreamer's CUDA library alone, and what its headers and pkg-config file ask for.
cuda_package=libgstreamer-plugins-bad1.0-dev
cuda_part='/gst/cuda/|/libgstcuda-|/gstreamer-cuda-'
development+=' libgl-dev libgles-dev libglx-dev libegl-dev libgbm-dev libdrm-dev libgudev-1.0-dev libudev-dev libx11-dev
  libx11-xcb-dev libxcb1-dev libxau-dev libxdmcp-dev x11proto-dev libwayland-dev'
programs='/usr/bin/ninja /usr/bin/pkgconf /usr/bin/pkg-config /usr/bin/gst-launch-1.0 /usr/bin/gst-inspect-1.0
  /usr/lib/x86_64-linux-gnu/gstreamer1.0/gstreamer-1.0/gst-plugin-scanner'
plugins='app audioconvert coreelements nvcodec rawparse typefindfunctions videoconvertscale videoparsersbad videotestsrc'
own='^/lib.*/(ld-linux-x86-64|libc|libm|libdl|libpthread|librt|libresolv)\.so|/lib(stdc\+\+|gcc_s)\.so'

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
files=$stage/list
for package in $development $cuda_package; do
  dpkg-query -W "$package" >/dev/null 2>&1 || { echo "left out, not installed here: $package" >&2; continue; }
  part=.
  [ "$package" != $cuda_package ] || part=$cuda_part
  # No manuals and no static libraries: those are large, and nothing links them.
  dpkg -L "$package" | grep -E '^/usr/(include|lib|share/pkgconfig)/' | grep -E "$part" | grep -vE '\.a$|/libexec/|/girepository|\.la$'
done | sort -u | while read -r path; do
  { [ -f "$path" ] || [ -L "$path" ]; } && echo "$path"
done >"$files" || true
for plugin in $plugins; do
  echo "/usr/lib/x86_64-linux-gnu/gstreamer-1.0/libgst$plugin.so"
done >"$stage/wanted"
# shellcheck disable=SC2086  # one a word
printf '%s\n' $programs >>"$stage/wanted"
while read -r path; do
  [ -e "$path" ] && echo "$path" || echo "left out, not installed here: $path" >&2
done <"$stage/wanted" >>"$files"
# What those link, by the loader's own account; the links by which it is found and the file behind them.
while read -r path; do
  case $path in *.so | *.so.* | /usr/bin/* | */gst-plugin-scanner) ldd "$path" 2>/dev/null || true ;; esac
done <"$files" | awk '$3 ~ /^\// { print $3 }' | sort -u | grep -vE "$own" >"$stage/linked" || true
cat "$stage/linked" >>"$files"
while read -r path; do
  case $path in *.so | *.so.*) readlink -f "$path" ;; esac
done <"$files" | sort -u | grep -vE "$own" >"$stage/real" || true
sort -u "$files" "$stage/real" >"$stage/all"

mkdir -p "$folder"
# Debian's /lib is a link into /usr; the machine that unpacks needs one place alone.
tar --create --no-recursion --files-from "$stage/all" --absolute-names --transform 's,^/lib/,usr/lib/,;s,^/,,' |
  xz --threads=0 -6 >"$folder/packages.tar.xz"
size=$(stat -c %s "$folder/packages.tar.xz")
echo "$folder/packages.tar.xz: $((size / 1024 / 1024)) MiB ($size bytes), $(wc -l <"$stage/all") files"
[ "$size" -le "$most" ] || { echo "error: more than 64 MiB, which is all that can be carried" >&2; exit 1; }
