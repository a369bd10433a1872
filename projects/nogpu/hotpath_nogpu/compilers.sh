#!/usr/bin/env bash
# Get NVIDIA's network builder and the compilers of other CUDAs, once, into .cache (500 MB).
#   compilers.sh PYTHON      that of .venv
set -euo pipefail
cd "$(dirname "$0")/../../.."
get() { # FOLDER REQUIREMENT...
  if [ -d ".cache/$1" ]; then return; fi
  "$python" -m pip --disable-pip-version-check install -q --no-compile --no-deps --target ".cache/$1" "${@:2}"
}
python=$1
get tensorrt-rtx tensorrt-rtx-cu12-libs==1.7.1.116 tensorrt-rtx-cu12-bindings==1.7.1.116
get cuda/tools-11.8 nvidia-cuda-nvrtc-cu11==11.8.89 nvidia-cuda-nvcc-cu11==11.8.89
get cuda/tools-13.2 'nvidia-cuda-nvrtc==13.2.*' 'nvidia-cuda-nvcc==13.2.*'
get cuda/tools-10.2 --python-version 3.11 --only-binary :all: cumm-cu102==0.5.3
cd .cache/cuda/tools-10.2/*.libs
ln -sf libnvrtc-builtins-* libnvrtc-builtins.so
