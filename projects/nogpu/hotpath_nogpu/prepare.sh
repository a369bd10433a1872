#!/usr/bin/env bash
# Get what tests of the GPU parts need on a computer without one, once, into .cache (200 MB, 4 min).
#   prepare.sh PYTHON      that of .venv; pyenv's oldest Python of a board, if there is one, too
set -euo pipefail
cd "$(dirname "$0")/../../.."
pythons=("$1")
if command -v pyenv >/dev/null; then
  for each in "$(pyenv root)"/versions/3.6.*/bin/python; do
    if [ -x "$each" ]; then oldest=$each; fi
  done
  pythons+=(${oldest:+"$oldest"})
fi
nice projects/nogpu/hotpath_nogpu/cuda/prepare.sh "${pythons[@]}"
"$1" projects/nogpu/hotpath_nogpu/tensorrt/prepare.py "${pythons[@]}"
nice "$1" -c 'from hotpath_nogpu.cuda import build; build.driver()'
