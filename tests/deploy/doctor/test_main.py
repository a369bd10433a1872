"""`python -m hotpath boards` as a user runs it, and snapshots there and back."""

import contextlib
import io
import os
import re
import stat
import subprocess
import sys

import pytest

from hotpath.boards import load_board, snapshot
from hotpath.boards.detect import Detection
from hotpath.boards.files import RecordingRoot
from hotpath.boards.telemetry import Telemetry
from hotpath.deploy.doctor import doctor_report, missing_packages
from hotpath.deploy.doctor.boards_command import main
from hotpath.runtime.engines.shared import arithmetic
from hotpath.runtime.networks import bundle
from tests.support import ROOT
from tests.support.board_roots import NAMES, BoardRoot, loads, restore

on_each_python = pytest.mark.pythons("the doctor on a board's own Python")


def run(*arguments):
    """What the command line does, in this process; test_detect.py and others start it as one."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = main([str(argument) for argument in arguments])
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), errors.getvalue())


@on_each_python
def test_the_report_of_an_orin_says_what_matters(orin):
    text = run("--root", orin.folder).stdout
    for part in (
        "Jetson Orin Nano (jetson_orin_nano)",
        "JetPack 6.2, L4T 36.4.3",
        "sm_87",
        "15W (mode 0); the fastest is MAXN_SUPER: sudo nvpmodel -m 2",
        "python3 -m pip install cupy-cuda12x",
        "searched for in the whole picture",
        "Next: sudo apt-get install nvidia-l4t-dla-compiler",
    ):
        assert part in text
    text = run("missing", "--root", orin.folder).stdout
    assert text == (
        "python3 -m pip install cupy-cuda12x==13.6.0 'numpy>=1.22,<2'\n"
        "python3 -m pip install onnx 'numpy<2'\n"
        "python3 -m pip install aiohttp\n"
    )


def test_where_nothing_is_missing_a_sentence_says_so_beside_an_empty_output(monkeypatch):
    monkeypatch.setattr(missing_packages, "missing_packages", lambda situation: [])
    done = run("missing")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Nothing that Hotpath uses is missing on this machine.\n"


def test_a_computer_is_said_to_run_the_precision_of_track(tmp_path):
    text = run("--root", tmp_path).stdout
    assert "This computer (host)" in text
    choice = "int8 where the processor has instructions for it, else fp32\n"
    assert f"precision       {choice}" in text and "bundle" not in text
    assert "networks        lightfc and its witness kestrel\n" in text
    assert run("list").stdout.endswith("* what `make engine` makes by default\n")


@pytest.mark.parametrize(
    "words, said",
    [
        ("avx2", "fp32, since this processor has no instructions for INT8"),
        ("avx2 avx_vnni", "int8, since this processor has avx_vnni"),
    ],
)
def test_this_computer_says_which_precision_runs_on_its_processor(
    tmp_path, monkeypatch, words, said
):
    pytest.importorskip("onnxruntime")
    (tmp_path / "cpuinfo").write_text(words)
    monkeypatch.setattr(arithmetic, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.delenv(arithmetic.LIMIT, raising=False)
    text = run().stdout
    assert f"precision       {said}\n" in text or "(host)" not in text


def test_an_unknown_board_is_asked_for(tmp_path):
    rover = BoardRoot(None, tmp_path)
    rover.put("proc/device-tree/compatible", "acme,rover\0nvidia,tegra194\0")
    done = run("--root", tmp_path)
    assert done.returncode == 0
    assert "jetson_agx_xavier, jetson_xavier_nx" in done.stdout


@on_each_python
def test_list():
    listed = run("list").stdout
    assert "jetson_thor" in listed and "*fp16" in listed
    (host,) = [line for line in listed.splitlines() if line.startswith("host ")]
    assert host.endswith(" fp32 int8")  # fp16 is refused there


@pytest.mark.parametrize("words", ["boards", "hotpath boards"])
def test_the_doctor_calls_itself_as_the_user_did(words):
    name = {"boards": "python3 -m " + words}.get(words, words)

    def told(more):
        command = [sys.executable, "-m"] + words.split() + more
        out = subprocess.run(command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return out.stdout.decode(), out.stderr.decode()

    assert told(["list", "--help"])[0].startswith(f"usage: {name} list ")
    short = name.replace("python3 -m ", "")
    assert told(["lost"])[1].startswith(f"{short}: argument COMMAND: invalid choice: 'lost'")
    assert told(["--root", "/no"])[1].startswith(f"{short}: --root /no is not a folder")


@on_each_python
def test_errors_are_one_sentence_and_status_2(tmp_path):
    for arguments, part in (
        (("snapshot", tmp_path / "no" / "folder" / "x"), "can't be written"),
        (("--root", tmp_path / "nosuch"), "nosuch is not a folder that can be read"),
        (("missing", "--root", tmp_path / "nosuch"), "nosuch is not a folder that can be read"),
        (("sensors", "--root", __file__), "is not a folder that can be read"),
        (("snapshot", tmp_path / "x", "--root", tmp_path / "nosuch"), "or leave --root out"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert part in done.stderr and done.stderr.count("\n") == 1


def test_sensors_lists_readings_and_where_they_are_read(tmp_path):
    BoardRoot("jetson_thor_jp7", tmp_path)
    text = run("sensors", "--root", tmp_path).stdout
    assert "vin_power_mw" in text and "23004.0" in text
    assert re.search(r"gpu_clock_hz +1575000000  sys/class/devfreq/\S+/cur_freq", text)


@pytest.mark.parametrize("name", NAMES)
def test_the_report_fits_a_terminal_and_a_snapshot_the_board(name, tmp_path):
    first, second = BoardRoot(name, tmp_path / "first"), tmp_path / "second"
    report = run("--root", first.folder)
    assert report.returncode == 0, report.stderr
    lines = report.stdout.rstrip("\n").split("\n")
    assert lines[-1].startswith("Next: ")
    sentences = [line for line in lines if "pip install" not in line]  # stays on one line
    assert max(map(len, sentences)) <= 100 and not any(line.endswith(" ") for line in lines)
    done = run("snapshot", tmp_path / "copy", "--root", first.folder)
    assert done.returncode == 0, done.stderr
    restore(tmp_path / "copy", second)
    assert run("--root", second).stdout == report.stdout
    board = first.detect().board
    assert Telemetry(second, board).read() == first.telemetry().read()
    assert run("snapshot", tmp_path / "again", "--root", second).returncode == 0
    assert (tmp_path / "again").read_text() == (tmp_path / "copy").read_text()


def test_this_computers_snapshot_tells_nothing_private(tmp_path):
    done = run()
    assert done.returncode == 0
    assert "Python {}.{}".format(*sys.version_info[:2]) in done.stdout
    assert run("snapshot", tmp_path / "mine").returncode == 0
    text = (tmp_path / "mine").read_text(encoding="utf-8")
    assert os.path.expanduser("~") not in text and sys.prefix not in text
    assert os.uname().nodename not in text
    restore(tmp_path / "mine", tmp_path / "root")
    assert "(host)" in run("--root", tmp_path / "root").stdout


@on_each_python
def test_serial_numbers_and_addresses_never_leave_the_board(tmp_path):
    orin = BoardRoot("jetson_orin_nano_jp6", tmp_path / "board")
    private = "NVIDIA Jetson Orin Nano 48:b0:2d:12:34:ab\nSerial Number: 1421022087654\n"
    private += "uuid 0f8fad5b-d9cb-469f-a165-70867728950e\n"
    orin.put("proc/device-tree/model", private)
    orin.put("proc/device-tree/serial-number", "1421022087654")
    orin.put("sys/class/net/eth0/address", "48:b0:2d:12:34:ab")
    assert run("snapshot", tmp_path / "copy", "--root", orin.folder).returncode == 0
    text = (tmp_path / "copy").read_text()
    for secret in ("1421022087654", "48:b0:2d:12:34:ab", "0f8fad5b"):
        assert secret not in text
    assert "Jetson Orin Nano 00:00:00:00:00:00" in text


@pytest.mark.parametrize(
    "content",
    ["", "a\tb\\c\nd\r\0e", "\\x41 \\! \\", "µ° 漢字\x85\u2028", "\x1b[31m", "ends in a newline\n"],
)
def test_any_content_survives_the_text_file(content, tmp_path):
    text = snapshot.dumps({"proc/file": content, "sys/unreadable": None})
    assert all(line.isprintable() or "\t" in line for line in text.split("\n"))
    assert loads(text) == {"proc/file": content, "sys/unreadable": None}


def test_what_can_not_be_read_comes_back_unreadable(tmp_path):
    source = tmp_path / "source"
    (source / "sys/busy").mkdir(parents=True)
    recorder = RecordingRoot(source)
    assert recorder.text("sys/busy") is None and recorder.text("sys/absent") is None
    (tmp_path / "file").write_text(snapshot.dumps(recorder.seen))
    restore(tmp_path / "file", tmp_path / "copy")
    assert stat.S_ISDIR(os.stat(str(tmp_path / "copy/sys/busy")).st_mode)
    assert RecordingRoot(tmp_path / "copy").text("sys/busy") is None
    assert not (tmp_path / "copy/sys/absent").exists()


@pytest.mark.parametrize(
    ("name", "precision"), [("raspberry_pi5", "fp32 (also"), ("rk3588", "int8 (also")]
)
def test_a_board_is_sent_to_the_computer_that_builds_for_it(tmp_path, name, precision):
    lines = run("--root", BoardRoot(name, tmp_path).folder).stdout.splitlines()
    assert (
        lines[-1] == f"Next: make engine BOARD={name}, on a computer; then copy engines/{name} here"
    )
    assert any(line.split()[:1] == ["precision"] and precision in line for line in lines)


def test_what_is_built_is_checked_next(tmp_path, monkeypatch):
    board = load_board("jetson_nano")
    found = Detection()
    found.board = board
    monkeypatch.setattr(bundle, "bundle_folders", lambda: [tmp_path])
    assert not doctor_report._built(board)
    monkeypatch.setattr(bundle, "bundles_of", lambda board, network: [(board, network)])
    assert doctor_report._built(board)
    assert doctor_report._next(found, [], True).endswith("hotpath boards bringup")
    assert doctor_report._next(found, ["first"], True) == "Next: first"
