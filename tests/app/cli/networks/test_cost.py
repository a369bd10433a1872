"""``networks show`` tells a network's cost as real engines see it."""

import re

import pytest

from hotpath.app.cli.networks.networks_command import main
from hotpath.base import projects


def test_each_figure_that_is_known_before_a_training_is_shown(capsys):
    pytest.importorskip("onnxruntime")
    assert main(["show", "kestrel_small"]) == 0
    messages = capsys.readouterr().out
    lines = messages.split("files   ")[1].splitlines()[1:]
    told = dict(re.split(r"  +", line, maxsplit=1) for line in lines if line)
    assert re.match(r"\d+\.\d\d ms a frame \(median\) on CPU, fp32, 1 thread", told["onnxruntime"])
    assert "Conv 2 (the last layers)" in told["INT8"]
    fpga = "cycles a frame" if projects.find_entry_point("fpga.survey") else "make setup ALSO=fpga"
    assert fpga in told["PYNQ-Z2"]
