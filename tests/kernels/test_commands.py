"""What command lines share: errors of one line, and commands that work where they are printed."""

import pytest

from hotpath.kernels import commands


def test_a_wheel_names_no_makefile(monkeypatch, tmp_path):
    given = {"BOARD": "pynq_z2", "NETWORK": "kestrel"}
    assert commands.make("engine", **given) == "make engine BOARD=pynq_z2 NETWORK=kestrel"
    monkeypatch.setattr(commands, "HERE", str(tmp_path))
    assert commands.make("engine", **given) == "hotpath engine pynq_z2 --network kestrel"
    assert commands.make("setup", ALSO="page") == "pip install 'hotpath-tracker[page]'"
    assert commands.make("setup") == "pip install 'hotpath-tracker[host]'"


def test_one_of_a_thing_is_not_called_several():
    told = [commands.counted(number, "frame") for number in (0, 1, 2)]
    assert told == ["0 frames", "1 frame", "2 frames"]
    assert commands.counted(2, "box", "boxes") == "2 boxes"


def test_a_wrong_option_is_one_sentence(capsys):
    cli = commands.Parser(prog="hotpath networks")
    cli.add_subparsers().add_parser("get").add_argument("network")
    with pytest.raises(SystemExit, match="2"):
        cli.parse_args(["get"])
    assert capsys.readouterr().err == (
        "hotpath networks get: the following arguments are required: network; "
        "--help lists the options\n"
    )
