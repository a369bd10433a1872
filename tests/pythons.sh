#!/usr/bin/env bash
# Run the tests marked `pythons` on the Pythons that boards have, JOBS at a time (default: two).
# Each has its own environment below .cache/pythons, set up again only when its contents change.
#   tests/pythons.sh [--all] PYTHON VERSION...   PYTHON reads pyproject.toml; VERSION is such as 3.6
# --all: every test of what runs on a board.
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

# The projects that run on boards.
on_boards() { dirname $(grep -lF 'requires-python = ">=3.6"' projects/*/pyproject.toml); }

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

run_tests() {
  export HYPOTHESIS_STORAGE_DIRECTORY=$venv/hypothesis
  "$venv/bin/python" -m pytest -q -o "cache_dir=$venv/failed" "$@"
}

run_one() {
  local version=$1 status=0 python venv=$home/$1 report=$home/$1
  python=$(interpreter "$version")
  if [ -z "$python" ]; then echo "Python $version: not on this computer, left out"; return; fi
  local projects; mapfile -t projects < <(on_boards)
  local tests=(tests "${projects[@]}" -m 'not slow' --ignore=tests/calib)
  if [ -z "${ALL_TESTS:-}" ]; then
    # only the files that have such tests, since collecting the others takes time
    mapfile -t tests < <(grep -rlF 'pytest.mark.pythons(' tests "${projects[@]}" --include='test_*.py' | sort)
    tests+=(-m 'pythons and not slow')
  fi
  {
    tests/pythons.sh --set-up "$version" "$python" &&
      "$venv/bin/python" -m compileall -q hotpath/{base,kernels,boards,runtime,video,deploy,app} "${projects[@]}" &&
      run_tests "${tests[@]}"
  } >"$report.log" 2>&1 </dev/null || status=$?
  {
    echo
    echo "== Python $version =="
    if [ "$status" != 0 ]; then
      cat "$report.log"
    else
      "$venv/bin/python" -m pip --disable-pip-version-check list 2>/dev/null |
        awk '/^(numpy|opencv-|onnx|openvino |av |pytest )/ { printf "%s %s  ", $1, $2 } END { print "" }'
      grep '^SKIPPED' "$report.log"
      grep -E '^FAILED| in [0-9.]+s' "$report.log"
    fi
  } >"$report.report"
  cat "$report.report" # in one write, because two runs print at the same time
  return "$status"
}

if [ "$1" = --set-up ]; then set_up "$2" "$3"; exit; fi # on its own, to end at the first error
if [ "$1" = --one ]; then run_one "$2"; exit; fi
if [ "$1" = --all ]; then export ALL_TESTS=1; shift; fi

python=$1
shift
mkdir -p "$home"
"$python" - $(on_boards | sed s,$,/pyproject.toml,) >"$home/requirements.txt" <<'EOF'
try:
    import tomllib
except ImportError:  # before Python 3.11
    import tomli as tomllib
import sys
projects = []
for path in ["pyproject.toml", *sys.argv[1:]]:
    with open(path, "rb") as file:
        projects.append(tomllib.load(file)["project"])
lines = [line for project in projects for line in project.get("dependencies", [])]
for extra in ("host", "page", "test"):
    lines += projects[0]["optional-dependencies"][extra]
print("\n".join(line for line in lines if line != "hotpath-tracker"))
EOF
printf '%s\n' "$@" | xargs -P "${JOBS:-2}" -n 1 tests/pythons.sh --one
