#!/bin/sh
# Runs stages of the GPU suite: gpu/run.sh [STAGE]..., of which there are
# smoke (1), ops, networks and sanitizer (2), training (3), bench (4), bench-rest, and unpack. Without one, 1 to 4. Needs no network. In a clone it unpacks what `npm run gpu:bundle` made first;
# `unpack` does no more than that, so that data can be brought over several calls.
#
#   OUT                   where results are written (./out)
#   FOVEA_GPU_HOME        where bundle and data are unpacked (/tmp/fovea-gpu)
#   FOVEA_GPU_SECONDS     how long one numbered stage may take (510)
#   FOVEA_GPU_FROM        the case that a stage of benchmarks begins with (0)
#   FOVEA_GPU_PYTHON      Python with PyTorch (python3)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
home=${FOVEA_GPU_HOME:-/tmp/fovea-gpu}

unpack() { # archive, folder
  python3 - "$1" "$2" <<'PYTHON'
import os, sys, tarfile
archive, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
if hasattr(tarfile, "fully_trusted_filter"):
    tarfile.TarFile.extraction_filter = staticmethod(tarfile.fully_trusted_filter)
with tarfile.open(archive) as tar:
    tar.extractall(folder)
PYTHON
}

if [ ! -x "$root/bin/node" ]; then
  bundle=$root/build/gpu/bundle.tar.xz
  for data in "$root"/build/gpu/data-*.tar.xz; do
    [ -f "$data" ] || continue
    unpack "$data" "$home/data"
    echo "unpacked $(basename "$data")"
  done
  if [ -f "$bundle" ]; then
    tree=$home/$(cksum <"$bundle" | tr ' ' -)
    if [ ! -d "$tree" ]; then
      rm -rf "$tree.part"
      unpack "$bundle" "$tree.part"
      mv "$tree.part" "$tree"
      echo "unpacked $(basename "$bundle")"
    fi
    ln -sfn "$tree" "$home/current"
  fi
  [ "$*" = unpack ] && exit 0
  # What an earlier call unpacked is as good.
  if [ ! -d "$home/current/" ]; then
    echo "no $bundle: 'npm run gpu:bundle' makes it" >&2
    exit 2
  fi
  exec "$home/current/gpu/run.sh" "$@"
fi

[ "$*" = unpack ] && exit 0
OUT=${OUT:-$PWD/out}
FOVEA_GPU_DATA=${FOVEA_GPU_DATA:-$home/data}
# What is not ours must not find the bundle's libraries: it gets this one back.
FOVEA_GPU_LIBRARY_PATH=${LD_LIBRARY_PATH:-}
LD_LIBRARY_PATH=$root/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export OUT FOVEA_GPU_DATA FOVEA_GPU_LIBRARY_PATH LD_LIBRARY_PATH
exec "$root/bin/node" "$root/dist/gpu/main.js" "$@"
