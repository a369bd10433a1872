"""Run every test, and write what became of it to out/tests.md (``make test-all``).

    python -m hotpath_release.whole WORD...

WORD... runs the tests of this Python. A part that fails does not end the others. The variable SOAK
has options of ``vehicle_tests.soak``, such as ``--minutes 10``.
Exit codes: 0, 1 when a part failed.
"""

import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec

from hotpath_lab import provenance
from tests.support import ROOT

RESULT = ROOT / "out" / "tests.md"
# the lines of a part that stand on the page
TOLD = re.compile(r"(\d|steps) (passed|failed|errors?)\b|^(FAILED|ERROR)|apart$|differ$", re.M)
PAGE = """# Did every test pass, on every Python and on ARM?

{passed} of {parts} parts passed.

The tests include the slow ones, which `make test` leaves out, and all examples of properties.

| part | result | minutes | what it says |
|---|---|---|---|
{rows}
Made by `make test-all`

{date}, commit {commit}, {processor}, {cores} cores.
"""


def main(words):
    """Run the command line; returns the exit code."""
    python = ["nice", sys.executable, "-m"]
    others = ["tests/pythons.sh", "--all", sys.executable, *os.environ.get("PYTHONS", "").split()]
    parts = {
        "this Python": [*words, "tests", *projects(), "--hypothesis-profile=many"],
        "the other Pythons": others,
        "ARM, emulated": [*python, "hotpath_release.arm", "--whole"],
        "an hour of everything": [
            *("env", "PYTHONPATH=projects/vehicle", *python, "vehicle_tests.soak"),
            *os.environ.get("SOAK", "").split(),
        ],
    }
    if os.geteuid() == 0 and shutil.which("mmdebstrap"):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)  # an ordinary user works there
            for name, less in (("a bare Debian", ""), ("without git, hosts and terminals", "1")):
                root = os.path.join(folder, "less" if less else "root")
                parts[name] = ["nice", "env", "LESS=" + less, ".ci/bare", root]
            return write(parts)
    return write(parts)


def projects():
    """The folders of the projects that are installed."""
    folders = sorted((ROOT / "projects").glob("*/pyproject.toml"))
    names = [path.parent.name for path in folders]
    return ["projects/" + name for name in names if find_spec("hotpath_" + name)]


def write(parts, result=RESULT):
    """Run the parts, dict of name -> words, and write the page; returns the exit code."""
    known = dict(
        parts=len(parts),
        date=datetime.date.today().isoformat(),
        commit=re.sub(r"(?<=^\w{7})\w*", "", provenance.commit() or "unknown"),  # "-dirty" stays
        processor=provenance.processor(),
        cores=os.cpu_count(),
    )
    passed = 0
    rows = ""
    for name, words in parts.items():
        started = time.monotonic()
        told = []
        command = [str(word) for word in words]
        with subprocess.Popen(
            command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout:
                print(line, end="", flush=True)
                if TOLD.search(line):
                    told.append(re.sub(r" in [\d.]+s.*", "", line.strip(" =\n")))
        passed += process.returncode == 0
        said = "; ".join(dict.fromkeys(told)) or "nothing"
        minutes = (time.monotonic() - started) / 60
        ended = f"failed ({process.returncode})" if process.returncode else "passed"
        rows += f"| {name} | {ended} | {minutes:.0f} | {said} |\n"
        page = PAGE.format(passed=passed, rows=rows, **known)
        result.parent.mkdir(exist_ok=True)
        result.write_text(page)  # after each part: somebody may stop the rest
    return int(passed < len(parts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
