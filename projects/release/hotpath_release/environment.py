"""Set up .venv of the clone: python projects/release/hotpath_release/environment.py [NAME,NAME ...]

A NAME is an extra of pyproject.toml, such as ``page``, a folder of projects/, such as ``lab``, or
``projects`` for all of them. ``dev``, for the tests, brings the projects that `make test` runs.
``board:NAME`` brings what `make engine` needs for that board on a computer, ``board:NAME:ENGINE``
for another engine than the board's. What is there already stays, and takes no time. With
``--projects`` in front it only prints the folders of the projects that the names bring. Where the
requirements or the Python changed, .venv is made anew with all that was there.

It needs the standard library alone, because it runs before anything is installed. The variable
PYTHON names the Python that .venv is made with (default: the one that runs this).
"""

import errno
import fcntl
import hashlib
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
VENV = ROOT / ".venv"
RECORD = VENV / "set-up.txt"  # what was installed from: a hash, and then a name a line
SOURCES = ("pyproject.toml", "constraints.txt", "setup.py")
TESTED = ("bridges", "lab", "nogpu", "release", "vehicle")  # projects that `make test` needs
HOST = ["host"]
OF_ENGINES = {"overlay": [*HOST, "fpga"], "ncnn": [*HOST, "ncnn"]}  # for `make engine`
PYTORCH = ("ncnn", "research")
OFFLINE = (
    "pip could not fetch what is needed (see above). Without a connection to a package index, name "
    "one that this computer reaches: PIP_INDEX_URL=https://... make setup"
)


def projects():
    """The names of all projects, those that others need first."""
    there = sorted(path.parent.name for path in ROOT.glob("projects/*/pyproject.toml"))
    return sorted(there, key=lambda name: name == "research")  # after lab


def extras():
    """The names of all extras."""
    text = (ROOT / "pyproject.toml").read_text()
    table = text.split("[project.optional-dependencies]\n")[1].split("\n[")[0]
    return re.findall(r"^(\w+) = \[", table, re.MULTILINE)


def for_engine(board, engine=""):
    """The names that `make engine` needs for a board."""
    own = board.endswith(".toml")
    profile = pathlib.Path(board) if own else ROOT / "hotpath" / "boards" / (board + ".toml")
    if not engine and profile.is_file():
        engine = "".join(re.findall(r'^engine = "(\w+)"', profile.read_text(), re.MULTILINE))
    return OF_ENGINES.get(engine, HOST)


def expanded(words):
    """The extras and projects that words ask for, each once.

    Raises:
        ValueError: there is no such name.
    """
    names = []
    for word in words:
        if word.startswith("board:"):
            names += for_engine(*word.split(":", 2)[1:])
            continue
        for name in re.findall(r"[^,\s]+", word):
            names += {"projects": projects(), "dev": ["dev", *TESTED]}.get(name, [name])
    unknown = [name for name in names if name not in extras() + projects()]
    if unknown:
        raise ValueError(
            f"ALSO={unknown[0]}: there is no such extra; there are {', '.join(extras())}, and of "
            f"projects: {', '.join(projects())}"
        )
    return sorted(set(names), key=(extras() + projects()).index)


def fingerprint(python):
    """A hash of all that .venv without extras is made from."""
    made_from = [(ROOT / name).read_bytes() for name in SOURCES]
    return hashlib.sha256(b"\0".join([python.encode(), *made_from])).hexdigest()


def pip(*words):
    """Run the environment's pip with the versions of constraints.txt."""
    command = "-m pip --disable-pip-version-check install -q --no-compile -c constraints.txt"
    subprocess.run([str(VENV / "bin/python"), *command.split(), *words], cwd=ROOT, check=True)


def opencv():
    """Replace an OpenCV with windows that does not start by the headless one."""
    python = str(VENV / "bin/python")
    if subprocess.run([python, "-c", "import cv2"], stderr=subprocess.DEVNULL).returncode:
        subprocess.run([str(ROOT / "tests/headless.sh"), python], check=True)


def is_ready(names, python):
    """Whether nothing has to be written: .venv is of these requirements and has all names."""
    record = RECORD.read_text().split() if RECORD.exists() else []
    return record[:1] == [fingerprint(python)] and set(names) <= set(record)


def unwritten(error):
    """Say why the checkout can't be written, and what to do."""
    why = f"can't set up {ROOT}: {error.filename or ROOT}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        try:
            owner = pwd.getpwuid(ROOT.stat().st_uid).pw_name
        except KeyError:
            owner = f"user {ROOT.stat().st_uid}"
        why = f"{why}; it belongs to {owner}"
        return f"{why}: set it up as that user, or clone it to a folder of yours"
    return f"{why}; correct that, such as a full disk, and run `make` again"


def set_up(names, python):
    """Install what is missing. The old environment comes back where a new one can't be made."""
    record = RECORD.read_text().split() if RECORD.exists() else []
    first = fingerprint(python)
    if record[:1] == [first]:
        return install(names, record)
    print(f"Setting up .venv with {python} (600 MB on disk, once)", flush=True)
    before = VENV.with_name(".venv-before")
    if before.exists():  # of a set-up that was killed
        shutil.rmtree(VENV, ignore_errors=True)
    elif VENV.exists():
        VENV.rename(before)
    try:
        subprocess.run([python, "-m", "venv", str(VENV)], check=True)
        pip("-e", ".")
        names = [name for name in extras() + projects() if name in {*names, *record[1:]}]
        install(names, [first])
    except BaseException:
        if before.exists():
            shutil.rmtree(VENV, ignore_errors=True)
            before.rename(VENV)
        raise
    shutil.rmtree(before, ignore_errors=True)


def install(names, record):
    """Install what the record of .venv lacks."""
    missing = [name for name in names if name not in record]
    of_pip = [name for name in missing if name not in projects()]
    steps = [(of_pip, ".[" + ",".join(of_pip) + "]")] if of_pip else []
    steps += [([name], "projects/" + name) for name in missing if name in projects()]
    for step, place in steps:
        heavy = " (with PyTorch: 1 to 6 GB on disk)" if set(step) & set(PYTORCH) else ""
        print(f"Adding {' '.join(step)}{heavy}", flush=True)
        pip("-e", place)
        opencv()
        record += step
        RECORD.write_text("\n".join(record) + "\n")
    if not steps:
        RECORD.write_text("\n".join(record) + "\n")


def refused(why, code=2):
    """Print a sentence for the user, and return the exit code."""
    print(why, file=sys.stderr)
    return code


def main(words):
    """The exit code."""
    python = os.environ.get("PYTHON") or sys.executable
    if sys.version_info < (3, 10):
        return refused(
            "Python 3.10 or newer is needed; name one: make setup PYTHON=/path/to/python3"
        )
    is_question = words[:1] == ["--projects"]
    try:
        names = expanded(words[is_question:])
    except ValueError as error:
        return refused(error)
    if is_question:
        print(*("projects/" + name for name in names if name in projects()))
        return 0
    try:
        if not is_ready(names, python):
            (ROOT / ".cache").mkdir(exist_ok=True)
            with open(ROOT / ".cache" / "set-up.lock", "w") as lock:  # of `make --jobs 2`
                fcntl.flock(lock, fcntl.LOCK_EX)
                set_up(names, python)
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        return refused(OFFLINE if "pip" in error.cmd else f"failed: {command}")
    except OSError as error:
        return refused(unwritten(error))
    except KeyboardInterrupt:
        return refused("stopped; the next `make` goes on with what is missing", 130)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
