"""PYNQ's images start a program one way. They are replayed with their scripts and without an FPGA.

A replayed image has the folders of PYNQ 2.7, 3.0 or 3.1, or Kria's. Its Python is this one, but it
refuses to start without what PYNQ's library needs.
"""

import re
import shlex
import shutil
import subprocess
import sys

import pytest

from hotpath.boards import pynq
from hotpath.boards.files import Root
from hotpath.deploy.doctor import missing_packages, traps
from tests.support import ROOT
from tests.support.board_roots import BoardRoot, situation
from tests.support.needs import needs_program

VENV = "/usr/local/share/pynq-venv"
ACTIVATE = f"source {VENV}/bin/activate\n"
SCRIPTS = {
    "pynq_venv.sh": ACTIVATE,
    "xrt_setup.sh": "export XILINX_XRT=/usr\n",
    "boardname.sh": "export BOARD=Pynq-Z2\n",
}
KRIA = {"pynq_venv.sh": ACTIVATE + "export BOARD=KV260\nexport XILINX_XRT=/usr\n"}
IMAGES = {  # image: (scripts of etc/profile.d, PYNQ's version, its Python)
    "2.7": (SCRIPTS, "2.7.0", "3.8"),
    "3.0": (SCRIPTS, "3.0.1", "3.10"),
    "3.1": (SCRIPTS, "3.1.2", "3.10"),
    "Kria": (KRIA, "3.0.1", "3.10"),
}
# PYNQ's own checks: no device driver without XILINX_XRT, another library in the system's Python
PYTHON = """#!/bin/bash
[ "$VIRTUAL_ENV" = {venv} ] || {{ echo "not in PYNQ's environment" >&2; exit 9; }}
[ -n "$XILINX_XRT" ] || {{ echo "No Devices Found" >&2; exit 9; }}
[ -n "$BOARD" ] || {{ echo "no BOARD" >&2; exit 9; }}
exec {python} "$@"
"""
SUDO = """#!/bin/bash
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb "$@"
"""


def image(name, folder):
    """A root that looks like an image."""
    scripts, version, python = IMAGES[name]
    board = BoardRoot("kv260" if name == "Kria" else "pynq_z2", folder)
    board.drop_packages("*")
    site = f"{VENV[1:]}/lib/python{python}/site-packages"
    for package in (f"pynq-{version}", "numpy-1.26.4", "opencv_python-4.8.1.78"):
        board.put(f"{site}/{package}.dist-info/METADATA", "")
    for path in folder.glob("usr/bin/python3.*"):
        path.unlink()
    board.put(f"usr/bin/python{python}", "")
    for script, text in scripts.items():
        board.put("etc/profile.d/" + script, text)
    board.put(f"{VENV[1:]}/bin/activate", f"export VIRTUAL_ENV={VENV}\nPATH={VENV}/bin:$PATH\n")
    program(board, f"{VENV[1:]}/bin/python3", PYTHON.format(venv=VENV, python=sys.executable))
    program(board, "shims/sudo", SUDO)
    board.path("checkout").mkdir()
    board.path("checkout/hotpath").symlink_to(ROOT / "hotpath")
    return board


def program(board, name, text):
    board.put(name, text)
    board.path(name).chmod(0o755)


def run_in(board, text, user=()):
    """Run commands in a mount namespace in which the image's folders are this computer's."""
    needs_program("unshare")
    folders = "etc/profile.d", "usr/local/share"
    mounts = [f"mount --bind {board.path(name)} /{name}" for name in folders]
    path = f"PATH={board.path('shims')}:/usr/bin:/bin"
    lines = [
        *mounts,
        f"cd {board.path('checkout')}",
        shlex.join(["exec", *user, "env", "-i", path, "bash", "-ec", text]),
    ]
    command = ["unshare", "-rm", "bash", "-ec", "\n".join(lines)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="session")
def may_mount():
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "--bind", "/usr", "/usr"], capture_output=True
    )
    if tried.returncode:
        pytest.skip("no mount namespaces: " + tried.stderr.decode())


def on_the_board():
    """The page's commands on the board."""
    text = (ROOT / "docs" / "tutorials" / "pynq.md").read_text(encoding="utf-8")
    lines = re.findall(
        r"^ +(sudo python3 -m hotpath boards pynq [^#\n]*[^#\s])", text, re.MULTILINE
    )
    assert len(lines) == 3
    return lines


@pytest.mark.parametrize("name", IMAGES)
def test_the_pages_commands_start_on_every_image(tmp_path, may_mount, name):
    """The FPGA itself is missing: its place in the program is where a command ends."""
    board = image(name, tmp_path)
    doctor, bringup, track = (run_in(board, line) for line in on_the_board())
    assert doctor.returncode == 0 and "Python 3" in doctor.stdout, doctor.stderr
    assert "No Devices Found" not in bringup.stderr + track.stderr
    assert track.returncode == 2 and len(track.stderr.strip().splitlines()) == 1, track.stderr


@pytest.mark.parametrize("name", IMAGES)
def test_without_that_way_image_and_doctor_name_it(tmp_path, may_mount, name):
    board = image(name, tmp_path)
    plain = run_in(board, f"sudo {VENV}/bin/python3 -m hotpath boards list")
    assert plain.returncode == 9
    first = traps.traps(situation(board))[0]
    assert first.command == "sudo python3 -m hotpath boards pynq boards"
    assert "its own Python" in first.sentence
    assert missing_packages.missing_packages(situation(board)) == []


def test_what_is_no_image_and_who_is_not_root_get_a_sentence(tmp_path, may_mount):
    board = image("3.0", tmp_path)
    shutil.rmtree(str(board.path("usr/local/share/pynq-venv")))
    told = run_in(board, "sudo python3 -m hotpath boards pynq boards")
    assert told.returncode == 2 and "PYNQ 2.7" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_a_module_of_ours_is_found_by_its_short_name_too(tmp_path, monkeypatch):
    board = Root(image("3.0", tmp_path).folder)
    started = []
    monkeypatch.setattr(pynq.os, "execv", lambda path, words: started.append(words[-2:]))
    for name in ("hotpath.runtime.track", "runtime.track", "pip"):
        pynq.start(board, [name, "-h"])
    assert started == [["hotpath.runtime.track", "-h"]] * 2 + [["pip", "-h"]]


def test_the_start_in_the_right_environment_leaves_no_trap(tmp_path):
    board = image("3.1", tmp_path)
    there = situation(board, XILINX_XRT="/usr")
    there.installed.packages.update(there.installed.elsewhere)
    assert traps.traps(there) == []
    missing_xrt = there._replace(environ={})
    assert "XILINX_XRT is not set" in traps.traps(missing_xrt)[0].sentence
