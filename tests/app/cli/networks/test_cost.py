"""``networks show`` tells a network's cost as real engines see it."""

import re
import types

import onnx
import pytest

from hotpath.app.cli.networks import support
from hotpath.app.cli.networks.__main__ import main
from hotpath.base import projects
from hotpath.runtime.engines.onnxruntime import open_session


def test_each_figure_that_is_known_before_a_training_is_shown(capsys):
    pytest.importorskip("onnxruntime")
    assert main(["show", "kestrel_small"]) == 0
    messages = capsys.readouterr().out
    lines = messages.split("files   ")[1].splitlines()[1:]
    told = dict(re.split(r"  +", line, maxsplit=1) for line in lines if line)
    assert re.match(r"\d+\.\d\d ms a frame \(median\) on CPU, fp32, 1 thread", told["onnxruntime"])
    assert "Conv 2 (the last layers)" in told["INT8"]
    fpga = "cycles a frame" if projects.find("fpga.survey") else "make setup ALSO=fpga"
    assert fpga in told["PYNQ-Z2"]


def test_each_file_has_its_own_time(capsys, monkeypatch):
    """On the test's own clock a run takes as many milliseconds as its model has nodes."""
    pytest.importorskip("onnxruntime")
    now_s, nodes = [0.0], []

    def timed_session(onnxruntime, data, threads):
        session = open_session(onnxruntime, data, threads)
        nodes.append(len(onnx.load_model_from_string(data).graph.node))

        def run(*words, ms=nodes[-1]):
            now_s[0] += ms / 1e3
            return session.run(*words)

        return types.SimpleNamespace(run=run, get_inputs=session.get_inputs)

    monkeypatch.setattr(support, "open_session", timed_session)
    monkeypatch.setattr(support, "time", types.SimpleNamespace(perf_counter=lambda: now_s[0]))
    monkeypatch.setattr(support, "on_engines", lambda *_: [])  # they measure time by themselves
    assert main(["show", "kestrel"]) == 0
    rows = re.findall(r"^(\w+) +[\d,]+ +[\d.]+ +(\S+)  \w+ 1x", capsys.readouterr().out, re.M)
    times = {name: float(ms) for name, ms in rows}
    assert set(times) == {"exemplar", "search"} and times["exemplar"] != times["search"]
    assert set(times.values()) <= set(map(float, nodes))
