"""What command lines share: errors of one line, and commands that work where they are printed."""

import errno
import os
import subprocess
import sys

import pytest

from hotpath.base import cli, messages
from hotpath.base.errors import HotpathError
from hotpath.base.exit_codes import exit_code


def test_a_wheel_names_no_makefile(monkeypatch, tmp_path):
    given = {"BOARD": "pynq_z2", "NETWORK": "kestrel"}
    assert messages.make_command("engine", **given) == "make engine BOARD=pynq_z2 NETWORK=kestrel"
    monkeypatch.setattr(messages, "HERE", str(tmp_path))
    monkeypatch.setattr(messages, "MAKEFILE_PYTHON", (3,))  # an older one gets plain packages
    assert messages.make_command("engine", **given) == "hotpath engine pynq_z2 --network kestrel"
    assert messages.make_command("setup", ALSO="page") == "pip install 'hotpath-tracker[page]'"
    assert messages.make_command("setup") == "pip install 'hotpath-tracker[host]'"


def test_from_another_folder_make_is_told_where_the_clone_is(monkeypatch, tmp_path):
    (tmp_path / "a clone").mkdir()
    (tmp_path / "a clone" / "Makefile").touch()
    monkeypatch.setattr(messages, "HERE", str(tmp_path / "a clone"))
    monkeypatch.chdir(tmp_path)
    told = messages.make_command("engine", BOARD="rk3588", NETWORK="mine.toml")
    assert told == f"make -C '{tmp_path}/a clone' engine BOARD=rk3588 NETWORK={tmp_path}/mine.toml"
    monkeypatch.chdir(tmp_path / "a clone")
    assert messages.make_command("engine", NETWORK="mine.toml") == "make engine NETWORK=mine.toml"
    (tmp_path / "removed").mkdir()
    monkeypatch.chdir(tmp_path / "removed")
    (tmp_path / "removed").rmdir()
    assert messages.make_command("engine") == f"make -C '{tmp_path}/a clone' engine"


def test_a_python_that_make_refuses_gets_pip_commands(monkeypatch):
    monkeypatch.setattr(messages, "MAKEFILE_PYTHON", (99,))
    assert messages.make_command("setup", ALSO="host") == "pip install onnx onnxruntime"
    assert messages.make_command("track") == "make track"


def test_a_projects_package_is_installed_by_pip_without_make(monkeypatch, tmp_path):
    error = ModuleNotFoundError("No module named 'pymavlink'", name="pymavlink")
    sentences = []
    for name, value in (("JETSON", "/no"), ("JETSON", str(tmp_path)), ("HERE", str(tmp_path))):
        with monkeypatch.context() as patched:
            patched.setattr(messages, name, value)
            sentences.append(
                messages.missing_package_text("--mavlink", "pymavlink", error, "vehicle")
            )
    start = "--mavlink needs the package pymavlink; run "
    there = [start + "`make setup ALSO=vehicle`"] + 2 * [start + "`pip install pymavlink`"]
    assert sentences == there


def test_one_of_a_thing_is_not_called_several():
    told = [messages.counted(number, "frame") for number in (0, 1, 2)]
    assert told == ["0 frames", "1 frame", "2 frames"]
    assert messages.counted(2, "box", "boxes") == "2 boxes"


def test_a_wrong_option_is_one_sentence(capsys):
    parser = cli.Parser(prog="hotpath networks")
    parser.add_subparsers().add_parser("get").add_argument("network")
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(["get"])
    assert capsys.readouterr().err == (
        "hotpath networks get: the following arguments are required: network; "
        "--help lists the options\n"
    )


@pytest.mark.parametrize(
    ("ends", "code", "messages"),
    [
        (HotpathError("no board; name one"), 2, "hotpath x: no board; name one\n"),
        (KeyboardInterrupt(), 130, "hotpath x: stopped\n"),
        (3, 3, ""),
        (None, 0, ""),
    ],
)
def test_a_program_ends_with_a_code_and_at_most_one_sentence(capsys, ends, code, messages):
    def run():
        if isinstance(ends, BaseException):
            raise ends
        return ends

    assert exit_code("hotpath x", run) == code
    assert capsys.readouterr().err == messages


def test_a_deleted_folder_is_one_sentence(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert exit_code("hotpath x", lambda: os.path.realpath("engines") and None) == 2
    assert "hotpath x: the current folder has been deleted" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError), open("/no/such/file"):  # which is another fault
        pass

    def fill():
        raise OSError(errno.ENOSPC, "no space", "/data/x.csv")

    assert exit_code("hotpath x", fill) == 2
    assert "/data/x.csv: no space; make room" in capsys.readouterr().err


def test_a_reader_that_leaves_ends_a_program_quietly():
    code = "from hotpath.base.exit_codes import exit_code\n"
    code += "raise SystemExit(exit_code('x', lambda: [print('line' * 999) for _ in range(999)]))"
    command = f'"{sys.executable}" -c "$CODE" | head -c 1; test "${{PIPESTATUS[0]}}" = 1'
    environment = dict(os.environ, CODE=code)
    done = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, env=environment)
    assert done.returncode == 0 and done.stderr == b""


@pytest.mark.parametrize(
    "words, messages",
    [
        (["engine", "--board", "jetson_nano"], "leave out the word --board"),
        (["engine", "--board=jetson_nano"], "leave out the word --board"),
        (["engine", "jetson_nano", "--nothing"], "unrecognized arguments: --nothing"),
        (["fps", "--qick"], "unrecognized arguments: --qick (did you mean --quick?)"),
        (["fps", "--frames", "abc"], "argument --frames: 'abc' is not a whole number"),
    ],
)
def test_a_wrong_word_is_answered_by_one_sentence(words, messages):
    done = subprocess.run(
        [sys.executable, "-m", "hotpath", *words], stdout=-1, stderr=-1, universal_newlines=True
    )
    assert done.returncode == 2 and messages in " ".join(done.stderr.split())
    assert "usage" not in done.stderr


@pytest.mark.parametrize("word", ["track", "engine", "evaluate", "fps"])
def test_a_help_names_no_place_of_this_computer(word):
    command = [sys.executable, "-m", "hotpath", word, "--help", *["all"] * (word == "track")]
    messages = subprocess.run(command, stdout=-1).stdout.decode()
    here = os.path.dirname(os.path.dirname(os.path.abspath(cli.__file__)))
    assert os.path.dirname(here) not in "".join(messages.split()), messages
    assert messages.count("otb2013") <= 1
