"""``networks show`` says truthfully which part of a frame runs where."""

import re

import pytest

from hotpath.app.cli.networks import support
from hotpath.app.cli.networks.networks_command import main
from hotpath.base.errors import NotOnGpu
from hotpath.runtime.devices.gpu import frame_settings
from hotpath.runtime.errors import UnknownNetwork
from hotpath.runtime.networks import load_network, names
from tests.support.errors import refusal


@pytest.mark.parametrize("name", names())
def test_what_runs_on_a_gpu_is_what_the_gpus_tracker_says(name):
    network = load_network(name)
    told = support.on_gpus(network)
    try:
        frame_settings(network)
    except NotOnGpu as error:
        assert told.startswith("the network alone") and told.split(": ", 1)[1] in str(error)
    else:
        assert told == "crop, network and select"


@pytest.mark.parametrize("name", ["kestrel", "kestrel_fast"])
def test_the_int8_form_is_named_and_its_name_is_known(name, capsys, monkeypatch):
    # without the costs, which take some seconds
    monkeypatch.setattr("hotpath.app.cli.networks.networks_command.paths_of", lambda *_: None)
    assert main(["show", name]) == 0
    told = capsys.readouterr().out
    assert f"{name}-int8" in told
    assert not re.search(r"^\w+ *$", told, re.MULTILINE)  # a key without a value
    assert main(["show", f"{name}-int8"]) == 0
    form = load_network(f"{name}-int8")
    assert form.given == form.name and form.locate()
    with refusal(UnknownNetwork, "unknown name"):  # a misspelt one
        load_network(f"{name}-int9")
