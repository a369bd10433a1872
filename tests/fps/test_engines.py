"""Engines beside one another."""

import pytest

pytest.importorskip("onnxruntime")

from tests.fps import engines


def test_it_prints_each_engine_and_its_multiple_of_the_fastest(capsys):
    words = ["--engines", "onnxruntime,openvino", "--precision", "int8", "--frames", "20"]
    assert engines.main(words) == 0
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head == "kestrel int8"
    cells = {name: [float(cell) for cell in more] for name, *more in map(str.split, rows)}
    assert set(cells) == {"onnxruntime", "openvino"}
    assert all(network < frame for network, frame, _ in cells.values())
    assert min(times for _, _, times in cells.values()) == 1


def test_a_network_without_an_int8_form_is_named(capsys, tmp_path):
    words = ["--networks", "nanotrack_v2", "--precision", "int8", "--int8-dir", str(tmp_path)]
    assert engines.main([*words, "--engines", "onnxruntime"]) == 2
    assert "no INT8 form of nanotrack_v2" in capsys.readouterr().err
