"""The commands of the pages, executed as they are written, in a checkout that is set up.

What a tutorial prints is compared too. ``tests/test_readme.py`` runs the README.
"""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from hotpath_bridges import gstreamer
from tests.support import ROOT, tiny
from tests.support.checkout import CLIP, copy_to, readers, run, set_up
from tests.support.clips import write_clip
from tests.support.fences import blocks, commands
from tests.support.needs import GSTREAMER, lacks, skip, why_no_module

PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "reference").glob("*.md")])
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
CLIPS = ("DIR", "CLIPS", "OTHER_CLIPS")  # folders of annotated clips, as the pages call them

NOT_RUN = {  # what a command needs: such commands, which `test_calls` has parsed
    "a download": "make (setup|fpga|rknn)|pip install|apt-get|docker build|git clone|networks get",
    "the image of the build before": "docker run",
    "a camera": r"cam0|csi0|rtsp://10\.|nvarguscamerasrc",
    "a board": "~/hotpath-venv|user@board",
    "Vivado": "make overlay",
    "Rockchip's toolkit, 6 GB": "BOARD=rk3588",
    "an installation of ROS 2": "/opt/ros|ros:/",
    "a stream and a display": "udpsrc|ffplay",
    "weights that were trained": r"out/new/NAME|train\.ship|bringup\.reference",
    "a data set, pictures, or the authors' files": "--data DIR|--images|--checkout|runs/NAME|"
    "out/best/NAME|TRAIN_CLIPS|CANDIDATE|negatives",
    "many minutes, up to hours": "--films",
    "a Dask cluster": "dask (scheduler|worker)|--cluster",
    "a machine on which nothing else runs": "(hotpath|make) fps",
}
LEFT_OUT = re.compile("|".join(NOT_RUN.values()))
SLOW = ("hotpath evaluate", "hotpath int8", "hotpath tune", "hotpath.calib.", "make engine")
SLOW += ("gst-", "hotpath_fpga")
MODULES = {  # part of a command: the module that it needs beside those of `make test`
    "BOARD=android": "pnnx",
    "BOARD=pynq_z2": "hotpath_fpga",
    "BOARD=kv260": "hotpath_fpga",
    "BOARD=raspberry_pi5": "pnnx",
    "hotpath_fpga": "pynq",
    "timm": "timm",
}
# blocks of the tutorials: where they run if not here, and what beside `make setup` the others need
ELSEWHERE = {"on the board", "on the vehicle", "with Vivado", "with your clips", "once"}
ELSEWHERE.add("from your computer")
STAND_IN = "a stand-in prints"  # checked in test_transcripts.py
NEEDS = {"new-board": "pnnx", "research": "timm", "drone": "pymavlink", "pynq": "pynq"}
DOWNLOADS = ("make track", "make setup")  # tests/test_readme.py runs them
BOX_LINE = re.compile(r"(\d+ ){4}(tracked|unsure|lost)")
NEAR_PX = 3  # boxes differ by precision and processor
pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(sys.version_info < (3, 10), reason="make needs Python 3.10"),
]


def name(page):
    return str(page.relative_to(ROOT / "docs"))


def told(page, slow):
    """The commands of a page that are run, in their order; with those that take long or without."""
    several = [one for kind, _, text in blocks(page) if kind == "sh" for one in commands(text)]
    quick = [one for one in several if slow or not any(part in one for part in SLOW)]
    return [one for one in quick if not LEFT_OUT.search(one)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with what the pages name: a video, folders of clips, a network of one's own."""
    folder = tmp_path_factory.mktemp("pages") / "hotpath"
    folder.mkdir()
    copy_to(folder)
    set_up(folder)
    film = tiny.film(12, width=640, height=480, side=90)[0]
    tiny.write_video(folder / "drone.mp4", film)
    for frames, clips in zip((12, 60, 62), CLIPS):  # long films need 60 frames
        for more in (0, 1):  # no two clips are the same
            write_clip(folder / clips / f"clip{frames + more}", *tiny.film(frames + more))
    (folder.parent / "mine").mkdir()
    for own, part in (("template", "exemplar"), ("track", "search")):
        data = (
            ROOT / "hotpath" / "runtime" / "networks" / f"kestrel_small_{part}.onnx"
        ).read_bytes()
        (folder / f"mine_{own}.onnx").write_bytes(data)
        (folder.parent / "mine" / f"{own}.onnx").write_bytes(data)
    for page in PAGES:
        for _, title, text in blocks(page):
            if title:
                (folder / title).write_text(text, encoding="utf-8")
    return folder


def why_not(command):
    """Why this machine can't run a command, or ""."""
    if command.startswith("gst"):
        system, version = gstreamer.find_python()
        if version != "{}.{}".format(*sys.version_info):
            return lacks(*GSTREAMER)
    return next((why_no_module(MODULES[part]) for part in MODULES if part in command), "")


def execute(page, slow, checkout):
    """Run the commands in one shell. What this machine lacks is the reason of a skip afterwards."""
    reasons = {one: why_not(one) for one in told(page, slow)}
    wanted = [one.replace("autovideosink", "fakesink") for one in reasons if not reasons[one]]
    # GStreamer's Python does not start in an active environment
    start = "set -x" if page.stem == "gstreamer" else 'set -x; PATH="$PWD/.venv/bin:$PATH"'
    run(checkout, "\n".join([start, *wanted]))
    for reason in filter(None, reasons.values()):
        pytest.skip(reason)


@pytest.mark.parametrize("page", [one for one in PAGES if told(one, False)], ids=name)
def test_the_commands_of_a_page_run(page, checkout):
    execute(page, False, checkout)


@pytest.mark.slow("networks are converted, calibrated and tuned")
@pytest.mark.parametrize("page", [p for p in PAGES if told(p, False) != told(p, True)], ids=name)
def test_all_commands_of_a_page_run(page, checkout):
    # of the quick ones, which run again
    shutil.rmtree(str(checkout / "out"), ignore_errors=True)
    for path in (checkout.parent / "mine").glob("*.toml"):
        path.unlink()
    for path in (checkout.parent / "mine").glob("both*"):
        path.unlink()
    execute(page, True, checkout)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A checkout in which no other page's commands ran."""
    if not (ROOT / CLIP).exists():
        skip(CLIP, "make track")
    folder = tmp_path_factory.mktemp("tutorials")
    copy_to(folder)
    set_up(folder)
    return folder


def shape(line):
    """A line without its numbers and its runs of blanks."""
    return re.sub(r"[\d.]+", "#", " ".join(line.split()))


def agrees(line, printed):
    """Whether a printed line is the tutorial's: the same words, and boxes within ``NEAR_PX``."""
    if shape(line) not in shape(printed):
        return False
    if not BOX_LINE.fullmatch(line.strip()):
        return True
    pairs = zip(line.split()[:4], printed.split()[:4])
    return all(abs(float(one) - float(other)) <= NEAR_PX for one, other in pairs)


@pytest.mark.parametrize("page", TUTORIALS, ids=name)
def test_a_tutorial_says_which_commands_are_not_run(page):
    for kind, title, _ in blocks(page):
        assert kind in ("sh", "python", "toml", "text")
        if kind == "sh" and title:
            assert title in ELSEWHERE | {"first terminal"}


@pytest.mark.parametrize("page", TUTORIALS, ids=name)
def test_a_tutorial_does_what_it_says(page, clone):
    if page.stem in NEEDS:
        pytest.importorskip(NEEDS[page.stem])
    printed = ""
    others = []
    try:
        for kind, title, text in blocks(page):
            if kind == "text" and title:
                assert title == STAND_IN or title.startswith("such as")
            elif kind == "text":
                for line in text.splitlines():
                    lines = printed.splitlines()
                    assert any(agrees(line, there) for there in lines), f"{line}\n{printed}"
            elif kind != "sh":
                (clone / title).write_text(text, encoding="utf-8")
            elif title == "first terminal":
                command = ["bash", "-c", "exec " + text]
                others.append(subprocess.Popen(command, cwd=clone, env=readers()))
            elif not title:
                lines = [one for one in text.splitlines() if not one.startswith(DOWNLOADS)]
                printed = run(clone, "\n".join(lines))
    finally:
        for process in others:
            os.kill(process.pid, signal.SIGINT)
            process.wait(60)
        shutil.rmtree(clone / "engines", ignore_errors=True)
