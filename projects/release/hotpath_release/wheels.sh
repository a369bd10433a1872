#!/usr/bin/env bash
# Make the sdist and the wheels (x86-64, 64-bit ARM) in out/release, and try each; uploads nothing.
#   wheels.sh --able                only say what this computer lacks
#   wheels.sh PYTHON CLIP X,Y,W,H   PYTHON is that of .venv; each wheel tracks this object of the clip
set -euo pipefail

if [ "$(uname -sm)" != 'Linux x86_64' ]; then echo 'make release needs Linux on x86-64' >&2; exit 2; fi
for each in c++:g++ git:git; do
  command -v "${each%:*}" >/dev/null || {
    echo "make release lacks ${each%:*}: sudo apt-get install ${each#*:}" >&2; exit 2; }
done
arm_lacks=() # what makes and tries the wheel for ARM; without all of it there is none
for each in aarch64-linux-gnu-g++ qemu-aarch64 mmdebstrap; do
  command -v "$each" >/dev/null || arm_lacks+=("$each")
done
if [ "$1" = --able ]; then
  if [ "${#arm_lacks[@]}" != 0 ]; then
    echo "No wheel for 64-bit ARM: this computer lacks ${arm_lacks[*]}; it gets all by" \
      "sudo apt-get install g++-aarch64-linux-gnu qemu-user mmdebstrap"
  fi
  exit
fi

cd "$(dirname "$0")/../../.."
python=$1 clip=$2 box=$3
work=.cache/release
try=(track --video "$clip" --box "$box" --engine onnxruntime --precision fp32 --no-show --results)
rm -rf out/release "$work"
mkdir -p out/release "$work"
HOTPATH_LEVELS=x86_64 "$python" -m build -o "$work" . >/dev/null
if [ "${#arm_lacks[@]}" = 0 ]; then
  HOTPATH_LEVELS=aarch64 "$python" -m pip wheel -q --no-deps -w "$work" "$work"/*.tar.gz
fi
for wheel in "$work"/*.whl; do
  PATH=$PWD/.venv/bin:$PATH "$python" -m auditwheel repair -w out/release "$wheel"
done
"$python" -m pip wheel -q --no-deps -w out/release projects/bridges projects/vehicle
mv "$work"/*.tar.gz out/release
"$python" -m twine check --strict out/release/*

"$PYTHON" -m venv "$work/fresh"
"$work/fresh/bin/python" -m pip --disable-pip-version-check install -q --no-compile -c constraints.txt \
  "$(echo out/release/*x86_64.whl)[host]"
"$work/fresh/bin/hotpath" "${try[@]}" "$work/wheel.csv"
"$python" -m hotpath "${try[@]}" "$work/checkout.csv"
cmp "$work/wheel.csv" "$work/checkout.csv"
"$work/fresh/bin/python" -m pip uninstall -qy hotpath-tracker
if [ "${#arm_lacks[@]}" = 0 ]; then
  nice "$python" -m hotpath_release.arm.wheel out/release/*aarch64.whl "$clip" "$box"
fi
ls -l out/release
