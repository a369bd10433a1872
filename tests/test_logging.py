"""Sentences for the user go to Python's ``logging``, and nothing is printed unasked."""

import logging
import subprocess
import sys

import pytest

import hotpath
from tests.support import ROOT, tiny

pytest.importorskip("onnxruntime")


def test_sentences_go_to_the_logger_hotpath_and_log_replaces_it(tmp_path, caplog):
    network = tiny.write_network(tmp_path)
    with caplog.at_level(logging.INFO, "hotpath"):
        hotpath.load_tracker(network, strict=True).close()
        hotpath.load_targets(network, recover=True).close()
    (strict,) = [each for each in caplog.records if "strict changes nothing" in each.getMessage()]
    assert strict.name == "hotpath" and strict.levelname == "INFO"
    caplog.clear()
    said = []
    with caplog.at_level(logging.INFO, "hotpath"):
        hotpath.load_tracker(network, strict=True, log=said.append).close()
    assert any("strict changes nothing" in line for line in said) and not caplog.records


def test_a_source_logs_too(tmp_path, caplog):
    from hotpath.video.sources import open_source

    pictures, _ = tiny.film(4)
    folder = tiny.write_pictures(tmp_path / "frames", pictures)
    sorted(folder.iterdir())[2].unlink()
    with caplog.at_level(logging.INFO, "hotpath"), open_source(str(folder)):
        assert "missing" in caplog.text


@pytest.mark.parametrize("configured", [False, True])
def test_a_program_that_configures_no_logging_sees_nothing(tmp_path, configured):
    network = tiny.write_network(tmp_path)
    code = f"import hotpath; hotpath.load_tracker({str(network)!r}, strict=True).close()"
    if configured:
        code = "import logging; logging.basicConfig(level=logging.INFO); " + code
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert (b"INFO:hotpath:strict changes nothing" in done.stderr) == configured
    assert configured or done.stdout + done.stderr == b""
