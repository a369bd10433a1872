#!/usr/bin/env bash
# Run the tests of the on-board code on the Pythons that boards have, JOBS at a time (default: two).
# Each has its own environment below .cache/pythons, set up again only when its contents change.
# The oldest one runs most tests, so it runs them in two halves: tests/runtime, and the rest.
#   tests/pythons.sh PYTHON VERSION...       PYTHON reads pyproject.toml; VERSION is such as 3.6
set -euo pipefail
cd "$(dirname "$0")/.."
home=.cache/pythons

# The interpreter of a version: pyenv's newest, else the one on the PATH.
interpreter() {
  local found=""
  if command -v pyenv >/dev/null; then
    found=$(ls -d "$(pyenv root)/versions/$1".*/bin/python 2>/dev/null | sort -V | tail -n 1)
  fi
  for python in $found "python$1"; do
    if "$python" -c '' 2>/dev/null; then command -v "$python"; return; fi
  done
}

# Set up one version's environment; quick when it is up to date.
set_up() {
  local version=$1 python=$2 venv=$home/$1
  local wanted; wanted=$(cat "$home/requirements.txt" constraints.txt; echo "# $python")
  if [ "$(cat "$venv/as-installed.txt" 2>/dev/null)" = "$wanted" ]; then return; fi
  rm -rf "$venv"
  "$python" -m venv "$venv"
  # the pip of 3.6 does not know today's wheels, and today's pip does not support 3.6
  if [ "$version" = 3.6 ]; then "$venv/bin/python" -m pip install -q -U 'pip<22'; fi
  "$venv/bin/python" -m pip --disable-pip-version-check install -q \
    -r "$home/requirements.txt" -c constraints.txt
  echo "$wanted" >"$venv/as-installed.txt"
}

run_one() {
  local version=${1%%:*} which=() name=$1 status=0
  local python venv=$home/$version report=$home/${1/:/-}
  case $name in
    *:runtime) name="$version, tests/runtime"; which=(tests/runtime) ;;
    *:rest) name="$version, the other tests"; which=(--ignore=tests/runtime) ;;
  esac
  python=$(interpreter "$version")
  if [ -z "$python" ]; then echo "Python $version: not on this computer, left out"; return; fi
  # The kernels compute the same under every Python, so the oldest one is enough for them, and for
  # what takes a minute and does not look at Python's version. The oldest and the newest are enough
  # for the arithmetic of the search, and for streams, vehicles and the page, whose tests wait a lot.
  local leave=()
  if [ "$version" != 3.6 ]; then
    leave=(--ignore-glob='tests/kernels/cuda/test_'{b,c[or],fa,l,r,s,w}'*')
    leave+=(--ignore=tests/{fps,kernels/cpu,kernels/fpga})
    leave+=(--ignore=tests/runtime/{networks/test_mutations,trackers/test_gpu_search}.py)
  fi
  if [ "$version" = 3.8 ] || [ "$version" = 3.10 ]; then
    leave+=(--ignore=tests/kernels/cuda --ignore=tests/runtime/{gimbal,mavlink,page,recovery,stream})
    leave+=(--ignore=tests/runtime/{test_track_live,multi/test_pipeline,video/test_live,video/test_web}.py)
  fi
  {
    flock "$home/$version.lock" tests/pythons.sh --set-up "$version" "$python" &&
      "$venv/bin/python" -m compileall -q runtime kernels boards &&
      HYPOTHESIS_STORAGE_DIRECTORY=$venv/hypothesis "$venv/bin/python" -m pytest \
        -m 'not slow' -p no:cacheprovider \
        --ignore=tests/calib "${leave[@]}" "${which[@]}"
  } >"$report.log" 2>&1 </dev/null || status=$?
  {
    echo
    echo "== Python $name =="
    if [ "$status" != 0 ]; then
      cat "$report.log"
    else
      "$venv/bin/python" -m pip --disable-pip-version-check list 2>/dev/null |
        awk '/^(numpy|opencv-|onnx|openvino |av |pytest )/ { printf "%s %s  ", $1, $2 } END { print "" }'
      grep '^SKIPPED' "$report.log" || true
      tail -n 1 "$report.log"
    fi
  } >"$report.report"
  cat "$report.report" # in one write, because two runs print at the same time
  return "$status"
}

case $1 in
  --one) run_one "$2"; exit ;;
  --set-up) set_up "$2" "$3"; exit ;;
esac

python=$1
shift
mkdir -p "$home"
"$python" - >"$home/requirements.txt" <<'EOF'
try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
for extra in ("host", "headless", "save", "page", "mavlink", "test"):
    print("\n".join(project["optional-dependencies"][extra]))
EOF
jobs=()
for version; do
  if [ "$version" = 3.6 ]; then jobs+=(3.6:runtime 3.6:rest); else jobs+=("$version"); fi
done
printf '%s\n' "${jobs[@]}" | xargs -P "${JOBS:-2}" -n 1 tests/pythons.sh --one
