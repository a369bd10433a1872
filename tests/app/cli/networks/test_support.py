"""``networks show`` says truthfully which part of a frame runs where."""

import re

import pytest

from hotpath import boards
from hotpath.app.cli.networks import support
from hotpath.app.cli.networks.__main__ import main
from hotpath.base.errors import NotOnGpu
from hotpath.runtime.devices.gpu import frame_settings
from hotpath.runtime.errors import UnknownNetwork
from hotpath.runtime.networks import load_network, names
from tests.support.errors import refusal


@pytest.mark.parametrize("name", names())
def test_boards_with_a_gpu_are_told_what_the_gpus_tracker_says(name):
    network = load_network(name)
    told = dict(support.parts_on_boards(network))["Jetson Nano"]
    try:
        frame_settings(network)
    except NotOnGpu as error:
        assert told.startswith("network on the GPU; crop")
        assert told.split(", because ")[1] in str(error)
    else:
        parts, _, search = told.partition("; ")
        assert parts == "crop, network and select on the GPU"
        assert bool(search) == (network.found_above > 0)


def test_an_fpga_takes_no_windows_with_fractions_of_pixels():
    for name in names():
        network = load_network(name)
        told = dict(support.parts_on_boards(network))["Kria KV260"]
        assert told.startswith("not in the FPGA") == (network.resample == "warp")


def test_a_phone_and_an_npu_are_said_as_they_are():
    told = dict(support.parts_on_boards(load_network("kestrel")))
    assert told["RK3588"].startswith("network on the NPU; crop and select on the processor")
    assert (
        told["Android phone"].startswith("only the network")
        and "your app's" in told["Android phone"]
    )
    assert told["Raspberry Pi 5"].startswith("network on the processor")


def test_show_has_a_line_for_each_board(capsys):
    assert main(["show", "kestrel_small"]) == 0
    part = capsys.readouterr().out.split("parts of a frame on each board")[1].split("\n\n")[0]
    assert len(part.strip().splitlines()) == len(boards.names())


@pytest.mark.parametrize("name", ["kestrel", "kestrel_fast"])
def test_the_int8_form_is_named_and_its_name_is_known(name, capsys, monkeypatch):
    # without the costs, which take some seconds
    monkeypatch.setattr("hotpath.app.cli.networks.__main__.paths_of", lambda *_: None)
    assert main(["show", name]) == 0
    told = capsys.readouterr().out
    assert f"{name}-int8" in told
    assert not re.search(r"^\w+ *$", told, re.MULTILINE)  # a key without a value
    assert main(["show", f"{name}-int8"]) == 0
    form = load_network(f"{name}-int8")
    assert form.given == form.name and form.locate()
    with refusal(UnknownNetwork, "unknown name"):  # a misspelt one
        load_network(f"{name}-int9")
