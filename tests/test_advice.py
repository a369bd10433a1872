"""What an error advises is followed until it works, or until it says what only the user has."""

import importlib.util
import json
import os
import re
import shlex
import sys

import pytest

from hotpath.app.command import PROGRAMS
from hotpath.base import projects
from hotpath.boards import load_board
from hotpath.runtime import bundle_choice, choice, engines
from hotpath.runtime.networks.bundle import entries_sha256
from tests.support import tiny

pytestmark = pytest.mark.skipif(sys.version_info < (3, 10), reason="calib/ needs Python 3.10")
# What only the user has, or what changes the user's system: there advice may end.
ENDS = ("DIR", "FILE", "\u2026", "pip ", "sudo ", "ssh ", "make setup", "make fpga", "make rknn")
MOST = 4


def run(command, folder, capsys):
    """The exit code of a command, and the last line that it prints; `make engine` builds here."""
    words = shlex.split(command)
    if words[:2] == ["make", "-C"]:  # the clone's: here, its folder of bundles is this one's
        del words[1:3]
    if words[:2] == ["make", "engine"]:
        given = dict(word.split("=") for word in words[2:])
        words = ["hotpath", "engine", given.pop("BOARD")]
        for name, value in given.items():
            words += ["--" + name.lower(), value]
    words = [str(folder / "film") if word == "cam0" else word for word in words]
    if "track" in words and "--box" not in words:
        words += ["--box", "96,72,40,40"]
    if words[0] == "hotpath":
        entry = projects.find_entry_point("lab." + words[1])
        name = PROGRAMS[words[1]].module or entry.value
        words.insert(1, "")
    else:
        assert words[0].startswith("python") and words[1] == "-m", command
        name = words[2]
    if importlib.util.find_spec(name).submodule_search_locations:
        name += ".__main__"
    try:
        code = importlib.import_module(name).main(words[3:])
    except SystemExit as stop:  # of argparse
        code = stop.code
    told = capsys.readouterr()
    return code, (told.out + told.err).strip().splitlines()[-1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny.write_pictures(tmp_path / "film", tiny.film(2)[0])
    tiny.write_network(tmp_path)
    return tmp_path


TRACK = "hotpath track --video cam0 "


@pytest.mark.parametrize(
    "command",
    [
        TRACK + "--bundle other",
        TRACK + "--engine openvino --precision int8",
        "raspberry_pi5: " + TRACK + "--network tiny.toml --precision int8",
        "jetson_nano: " + TRACK + "--network tiny.toml --precision int8",
        "jetson_nano: " + TRACK + "--network tiny.toml --engine ncnn",
        TRACK + "--network tiny.toml --precision int8",
        TRACK + "--engine tensorrt",
        TRACK + "--network nanotrack_v2x",
        TRACK + "--network lighttrack",
        TRACK + "--detector yolox_nano --class person",
        "hotpath networks check nowhere.toml",
        "hotpath engine host --network tiny.toml --precision fp16",
        "hotpath engine pynq_z2 --network tiny.toml",
        "hotpath engine raspberry_pi4 --network tiny.toml --precision int8",
        "hotpath engine rk3588 --network tiny.toml --precision int8",
        "hotpath int8 --network tiny.toml",
        "hotpath evaluate --networks tiny.toml",
    ],
)
def test_advice_ends_where_something_works_or_the_user_must_act(
    folder, capsys, monkeypatch, command
):
    board, _, command = command.rpartition(": ")
    if board:  # which has no engine of ONNX files
        monkeypatch.setattr(choice, "DEVICE_TREE", os.devnull)
        monkeypatch.setattr(bundle_choice, "boards_here", lambda: [load_board(board)])
        monkeypatch.setattr(engines, "installed", list)
    if " pynq_z2 " in command:
        pytest.importorskip("hotpath_fpga")
    if " evaluate " in command:
        pytest.importorskip("hotpath_lab")
    if "--bundle other" in command:  # a bundle of another board
        assert run("hotpath engine host --network kestrel", folder, capsys)[0] == 0
        (made,) = (folder / "engines" / "host").iterdir()
        made.rename(folder / "other")
        values = json.loads((folder / "other" / "bundle.json").read_text())
        values.update(board="raspberry_pi5", precision="int8")
        values["sha256"] = entries_sha256(values)
        (folder / "other" / "bundle.json").write_text(json.dumps(values))
    taken = [command]
    while len(taken) <= MOST:
        code, told = run(taken[-1], folder, capsys)
        if code == 0:
            return
        advised = re.findall(r"`([^`]+)`", told)
        if not advised:  # it names an option, a file or a name to give
            assert re.search(r"name|give|pass|leave|did you mean|required", told), told
            return
        if any(end in re.sub(r"^make -C \S+", "make", advised[0]) for end in ENDS):
            return
        assert advised[0] not in taken, f"advice in a circle: {taken + advised[:1]}"
        taken.append(advised[0])
    raise AssertionError(f"advice without an end: {taken}")
