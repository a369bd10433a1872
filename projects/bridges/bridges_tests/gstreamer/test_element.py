"""The element ``hotpathtrack`` in pipelines of gst-launch-1.0 and of GStreamer's own Python."""

import json
import os
import pathlib
import re
import sys

import cv2
import numpy as np
import pytest

from hotpath.app.track_command import main
from hotpath_bridges.gstreamer import __main__ as gstreamer
from hotpath_bridges.gstreamer import find_python
from tests.support import run
from tests.support.needs import needs_program, skip

PIPELINES = pathlib.Path(__file__).resolve().parent / "pipelines.py"
BALL = "videotestsrc pattern=ball num-buffers={} ! video/x-raw,format={},width={},height={} ! "
START = "box=140,100,40,40"  # of the ball in 320x240


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    """No environment is active, as in a terminal that was just opened."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    needs_program("gst-launch-1.0")
    outside = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    asked = run([sys.executable, "-m", "hotpath", "gstreamer"], env=outside)
    if asked.returncode == 2:
        pytest.skip(asked.stderr.strip())
    assert asked.returncode == 0, asked.stderr
    settings = dict(re.findall(r'^export (\w+)="(.*?)\$', asked.stdout, re.MULTILINE))
    registry = tmp_path_factory.mktemp("gst") / "registry.bin"
    settings.update(PATH="/usr/bin:/bin", GST_REGISTRY=str(registry), HOME=str(registry.parent))
    if run(["gst-inspect-1.0", "python"], env=dict(settings, GST_PLUGIN_PATH="")).returncode:
        skip("Python plugins of GStreamer", "apt install gstreamer1.0-python3-plugin-loader")
    return settings


def launch(environment, pipeline):
    return run(["gst-launch-1.0", "-m", *pipeline.split()], env=environment, timeout=120)


def test_the_element_is_found_after_a_failed_load(environment, tmp_path):
    commands = (
        # in an active environment, where GStreamer's Python does not start
        f'PATH="{os.path.dirname(sys.executable)}:$PATH" GST_PLUGIN_PATH={gstreamer.HERE}'
        " gst-inspect-1.0 hotpathtrack",
        f'eval "$({sys.executable} -m hotpath gstreamer)"',
        "gst-inspect-1.0 hotpathtrack",
    )
    settings = {**os.environ, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    for name in ("VIRTUAL_ENV", "XDG_CACHE_HOME", "GST_REGISTRY"):
        settings.pop(name, None)
    done = run(["bash", "-c", "; ".join(commands)], env=settings, cwd=str(tmp_path), timeout=120)
    assert "No such element" in done.stderr and "Factory Details" in done.stdout


def test_an_active_environment_is_refused_before_gstreamer(monkeypatch, capsys):
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert gstreamer.main([]) == 2
    assert "`deactivate`" in capsys.readouterr().err


def told(output):
    lines = re.findall(r"hotpath, (pts=.*);", output)
    return [dict(re.findall(r"(\w+)=\(\w+\)([^,;]+)", line)) for line in lines]


def script(environment, *words):
    done = run([find_python()[0], PIPELINES, *words], env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("kind", ["NV12", "I420", "BGRx", "BGR"])
def test_the_ball_is_followed_and_drawn_in_each_format(environment, tmp_path, kind):
    # an odd size: rows are padded, and colour planes are rounded up
    pipeline = BALL.format(30, kind, 321, 243) + f"hotpathtrack {START} draw=true ! videoconvert ! "
    done = launch(environment, pipeline + f"pngenc ! multifilesink location={tmp_path}/%d.png")
    last = told(done.stdout)[-1]
    assert last["state"] == "tracked" and float(last["score"]) > 0.8
    picture = cv2.imread(str(tmp_path / "29.png"))
    rows, columns = np.nonzero(picture.min(axis=2) > 200)  # the ball is white
    middle = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
    found = [float(last[a]) + float(last[b]) / 2 for a, b in (("x", "width"), ("y", "height"))]
    assert np.abs(np.subtract(found, middle)).max() < 3
    green = picture[int(middle[1]), int(float(last["x"]))].astype(int)
    assert green[1] > green[2] + 60  # the left edge of the box


@pytest.mark.parametrize("kind", ["NV12", "I420", "BGRx", "BGR"])
@pytest.mark.parametrize("size", [10, 200 * 240])
def test_a_buffer_that_is_smaller_than_its_caps_is_a_warning(environment, kind, size):
    caps = f"video/x-raw,format={kind},width=320,height=240,framerate=30/1"
    short = f"fakesrc num-buffers=3 sizetype=2 sizemax={size} format=time ! {caps} ! "
    done = launch(environment, short + f"hotpathtrack {START} draw=true ! fakesink")
    assert done.returncode == 0, done.stderr
    messages = f"a buffer of {size} bytes is too small for its caps, 320x240 {kind}"
    assert messages in done.stdout + done.stderr and not told(done.stdout)


def test_the_picture_is_neither_copied_nor_changed(environment):
    rows = script(environment, "memory")
    before, after = ([(r["at"], r["sum"]) for r in rows if r["where"] == w] for w in ("in", "out"))
    assert len(before) == 20 and before == after


def test_a_box_that_is_set_while_the_pipeline_runs_begins_there(environment):
    scores = [row["score"] for row in script(environment, "boxes")]
    assert len(scores) == 30 and not any(scores[:10])
    assert any(scores[11:14]) and not any(scores[21:])  # an empty box dropped it


def test_the_messages_and_metadata_of_two_elements_can_be_told_apart(environment):
    pipeline = BALL.format(5, "I420", 320, 240)
    pipeline += f"hotpathtrack name=one {START} ! hotpathtrack name=two {START} ! fakesink"
    found = [row["element"].strip(' "') for row in told(launch(environment, pipeline).stdout)]
    assert sorted(found) == ["one"] * 5 + ["two"] * 5


def test_a_box_that_is_hard_to_track_is_a_warning(environment):
    pipeline = BALL.format(5, "BGR", 320, 240) + "hotpathtrack box=2,2,4,4 ! fakesink"
    done = launch(environment, pipeline)
    assert done.returncode == 0 and "WARNING" in done.stdout + done.stderr
    assert len(told(done.stdout)) == 5


def test_a_lost_target_has_no_metadata(environment):
    rows = script(environment, "lost")
    assert len(rows) == 40 and rows[10]["state"] == "tracked" and rows[-1]["state"] == "lost"
    assert all(row["has_box"] == (row["state"] != "lost") for row in rows)


def test_files_give_the_boxes_of_the_command(environment, tmp_path):
    pictures = f"{tmp_path}/%04d.png"
    written = BALL.format(20, "BGR", 320, 240) + "videoconvert ! pngenc ! multifilesink location="
    assert launch(environment, written + pictures).returncode == 0
    done = launch(
        environment,
        f"multifilesrc location={pictures} caps=image/png,framerate=30/1 ! pngdec ! videoconvert ! "
        f"video/x-raw,format=BGR ! hotpathtrack {START} ! fakesink",
    )
    rows = tmp_path / "boxes.csv"
    assert main(["--video", str(tmp_path), "--box", START[4:], "--results", str(rows)]) == 0
    wanted = np.genfromtxt(rows, delimiter=",", names=True)
    found = told(done.stdout)
    assert len(found) == 20
    for name, column in (("x", "x"), ("y", "y"), ("width", "w"), ("height", "h")):
        ours = np.array([float(row[name]) for row in found])
        assert np.abs(ours - wanted[column]).max() < 1e-3


@pytest.mark.parametrize(
    ("given", "messages", "ends_well"),
    [
        ("network=nonsense", "no network is called 'nonsense'", False),
        ("box=1,2", "not four numbers", True),
        ("box=900,900,20,20", "outside the frame", True),
    ],
)
def test_bad_input_is_told_on_the_bus(environment, given, messages, ends_well):
    pipeline = BALL.format(5, "BGR", 320, 240) + f"hotpathtrack {given} ! fakesink"
    done = launch(environment, pipeline)
    assert messages in done.stdout + done.stderr and "--box" not in done.stdout + done.stderr
    assert (done.returncode == 0) == ends_well
    assert not told(done.stdout)


@pytest.mark.parametrize("colours", ["bt601", "bt709", "1:4:0:0"])  # the last: of all 256 values
def test_the_properties_and_the_colours_reach_the_tracker(environment, colours):
    (one,) = script(environment, "seen", colours)
    assert (one["threads"], one["recover"]) == (3, False)
    assert np.abs(np.subtract(one["colour"], (0xC0, 0x80, 0x20))).max() <= 3


@pytest.mark.parametrize("recover", ["true", "false"])
def test_a_target_that_comes_back_elsewhere_is_searched_for(environment, recover):
    states = [row["state"] for row in script(environment, "back", recover)]
    # the ball comes back far away in frame 40, and nears the place of its loss towards the end
    assert states[39] == "lost" and states[47] == ("tracked" if recover == "true" else "lost")


def test_a_system_that_can_not_run_the_element_is_told(monkeypatch, tmp_path, capsys):
    without, older = tmp_path / "without", tmp_path / "older"
    for folder, text in ((without, "exit 1"), (older, "echo 3.5")):
        folder.mkdir()
        (folder / "python3").write_text(f"#!/bin/sh\n{text}\n")
        (folder / "python3").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(without / "python3"))
    monkeypatch.setenv("PATH", f"{without}:{older}")
    assert find_python() == (str(older / "python3"), "3.5")
    assert gstreamer.main([]) == 2
    assert f"{older}/python3, 3.5" in capsys.readouterr().err
    monkeypatch.setattr(gstreamer, "find_python", lambda: ("", ""))
    assert gstreamer.main([]) == 2
    assert "python3-gi" in capsys.readouterr().err


def test_the_command_names_each_folder_once_and_has_a_help(monkeypatch, capsys):
    ours = "{}.{}".format(*sys.version_info)
    monkeypatch.setattr(gstreamer, "find_python", lambda: (sys.executable, ours))
    installed = pathlib.Path(np.__file__).resolve().parents[1] / "hotpath/__init__.py"
    monkeypatch.setattr(gstreamer.hotpath, "__file__", str(installed))
    assert gstreamer.main([]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "PYTHONPATH" in line]
    packages = str(pathlib.Path(np.__file__).resolve().parents[1])
    assert line == f'export PYTHONPATH="{packages}${{PYTHONPATH:+:$PYTHONPATH}}"'
    with pytest.raises(SystemExit, match="0"):
        gstreamer.main(["--help"])
    assert capsys.readouterr().out.startswith("usage: hotpath gstreamer")
