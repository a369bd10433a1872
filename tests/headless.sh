#!/usr/bin/env bash
# Replace an opencv-python that can't be imported by the opencv-python-headless of the same version.
#   tests/headless.sh PYTHON
set -euo pipefail
python=$1
why=$("$python" -c 'import cv2' 2>&1 | tail -n 1) || true
version=$("$python" -m pip show opencv-python | awk '/^Version:/ { print $2 }')
echo "opencv-python does not start here ($why): taking opencv-python-headless, which opens no window"
pip=("$python" -m pip --disable-pip-version-check -q)
"${pip[@]}" uninstall -y opencv-python
"${pip[@]}" install --force-reinstall --no-deps "opencv-python-headless==$version"
"$python" -c 'import cv2'
