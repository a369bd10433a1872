#!/usr/bin/env bash
# Get what the tests of kernels/cuda need on a computer without a GPU, once, into .cache/cuda:
#   tools/       NVRTC and ptxas of CUDA 12.6 (45 MB), which know every Jetson but Thor
#   site-X.Y/    the real PyCUDA for each Python named, built against its headers alone (2 min)
#   cupy-X.Y/    the real CuPy (137 MB), for the newest Python named
# Usage: projects/nogpu/hotpath_nogpu/cuda/prepare.sh PYTHON...        such as .venv/bin/python python3.6
# A test that lacks a part says so and is skipped.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
home=$PWD/.cache/cuda
here=$PWD/projects/nogpu/hotpath_nogpu/cuda
mkdir -p "$home"
export PIP_DISABLE_PIP_VERSION_CHECK=1

# A version of a JetPack, as boards/software/jetpack.toml has it: what the doctor advises, and what
# the image brings.
value() { "$1" -c "from hotpath import boards; print(boards.jetpacks()['$2']['$3'])"; }

# CUDA's compiler and assembler. These wheels hold no Python code, so any pip can unpack them.
tools() {
  local python=$1 mark=$home/tools/as-installed.txt
  local wanted="nvidia-cuda-nvrtc-cu12==12.6.85 nvidia-cuda-nvcc-cu12==12.6.85"
  if [ "$(cat "$mark" 2>/dev/null)" = "$wanted" ]; then return; fi
  rm -rf "$home/tools"
  # shellcheck disable=SC2086
  "$python" -m pip install -q --no-deps --only-binary :all: --target "$home/tools" $wanted || return
  echo "$wanted" >"$mark"
}

# The real CuPy that an Orin takes, of the same version as a Thor's. It imports without a driver,
# and a test compares cupy_launch.py with its names.
cupy() {
  local python=$1 version=$2 mark=$home/cupy-$2/as-installed.txt wanted
  wanted=$(value "$python" 6 gpu_arrays | cut -d ' ' -f 1)
  if [ "$(cat "$mark" 2>/dev/null)" = "$wanted" ]; then return; fi
  rm -rf "$home/cupy-$version"
  "$python" -m pip install -q --no-deps --only-binary :all: --target "$home/cupy-$version" \
    "$wanted" fastrlock || return
  echo "$wanted" >"$mark"
}

# The real PyCUDA. It has no wheels, and its build needs a CUDA toolkit. The headers come from the
# runtime's wheel, except cudaProfiler.h, which no wheel has. It links to an empty libcuda.so.1.
pycuda() {
  local python=$1 version=$2 work=$home/build-$2 site=$home/site-$2
  local pycuda=pycuda==2026.1 numpy=numpy headers=nvidia-cuda-runtime-cu12==12.9.79
  local pure="pytools platformdirs siphash24 typing-extensions" setuptools=setuptools
  if [ "$version" = 3.6 ]; then
    numpy=numpy==1.13.3  # the board's own, which PyCUDA is built against
    read -r pycuda pure <<<"$(value "$python" 4.6 gpu_arrays)"
    headers=nvidia-cuda-runtime-cu11==11.8.89
    setuptools="setuptools<60"
  fi
  local wanted="$pycuda $numpy $pure $headers"
  if [ "$(cat "$site/as-installed.txt" 2>/dev/null)" = "$wanted" ]; then return; fi
  rm -rf "$work" "$site"
  mkdir -p "$work/headers" "$work/link"
  "$python" -m venv "$work/venv" || return
  local py=$work/venv/bin/python
  "$py" -m pip install -q -U "$([ "$version" = 3.6 ] && echo 'pip<22' || echo pip)" || return
  "$py" -m pip install -q -U --only-binary :all: "$numpy" "$setuptools" wheel || return
  "$py" -m pip install -q --no-deps --only-binary :all: --target "$work/runtime" "$headers" || return
  cp "$here/cudaProfiler.h" "$work/headers/"
  echo 'int cuInit(unsigned flags) { return flags ? 1 : 0; }' >"$work/link/cuda.c"
  gcc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$work/link/libcuda.so" "$work/link/cuda.c" || return
  "$py" -m pip download -q --no-deps --no-binary pycuda --no-build-isolation -d "$work" \
    "$pycuda" || return
  mkdir "$work/source"
  tar -xzf "$work"/pycuda-*.tar.gz -C "$work/source" --strip-components 1 || return
  (
    cd "$work/source"
    "$py" configure.py --cuda-root=/nonexistent --no-cuda-enable-curand --cxxflags=-O0,-w \
      --cuda-inc-dir="$work/headers,$work/runtime/nvidia/cuda_runtime/include" \
      --cudadrv-lib-dir="$work/link" || exit
    "$py" -m pip wheel -q --no-deps --no-build-isolation -w "$work" . || exit
  ) || return
  # shellcheck disable=SC2086
  "$py" -m pip install -q --no-deps --target "$site" "$work"/pycuda-*.whl $pure || return
  echo "$wanted" >"$site/as-installed.txt"
  rm -rf "$work"
}

newest="" newest_version=""
jobs=()
for python in "$@"; do
  version=$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')
  pycuda "$python" "$version" >"$home/pycuda-$version.log" 2>&1 &
  jobs+=("$!:PyCUDA for Python $version:pycuda-$version.log")
  if [ "$(printf '%s\n' "$newest_version" "$version" | sort -V | tail -n 1)" = "$version" ]; then
    newest=$python newest_version=$version
  fi
done
tools "$newest" >"$home/tools.log" 2>&1 &
jobs+=("$!:NVRTC and ptxas:tools.log")
cupy "$newest" "$newest_version" >"$home/cupy.log" 2>&1 &
jobs+=("$!:CuPy:cupy.log")

status=0
for job in "${jobs[@]}"; do
  IFS=: read -r pid what log <<<"$job"
  if wait "$pid"; then
    echo "$what: ready in .cache/cuda"
  else
    echo "$what: could not be prepared, its tests will be skipped; .cache/cuda/$log ends with:"
    tail -n 3 "$home/$log"
    status=1
  fi
done
exit "$status"
