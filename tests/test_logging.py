"""Sentences for the user go to Python's ``logging``, and nothing is printed unasked."""

import logging
import sys

import pytest

import hotpath
from tests.support import ROOT, run, tiny

pytest.importorskip("onnxruntime")


def test_sentences_go_to_the_logger_hotpath_and_log_replaces_it(tmp_path, caplog):
    network = tiny.write_network(tmp_path)
    with caplog.at_level(logging.INFO, "hotpath"):
        hotpath.load_tracker(network, recover=False).close()
        hotpath.load_targets(network, recover=True).close()
    (changes,) = [
        each for each in caplog.records if "recover=False changes nothing" in each.getMessage()
    ]
    assert changes.name == "hotpath" and changes.levelname == "INFO"
    caplog.clear()
    messages = []
    with caplog.at_level(logging.INFO, "hotpath"):
        hotpath.load_tracker(network, recover=False, log=messages.append).close()
    assert any("recover=False changes nothing" in line for line in messages) and not caplog.records


def test_a_source_logs_too(tmp_path, caplog):
    from hotpath.video.sources import open_source

    pictures, _ = tiny.film(4)
    folder = tiny.write_pictures(tmp_path / "frames", pictures)
    sorted(folder.iterdir())[2].write_bytes(b"no picture")
    with caplog.at_level(logging.INFO, "hotpath"), open_source(str(folder)) as source:
        while source.read() is not None:
            pass
        assert "frame 2 is skipped" in caplog.text


@pytest.mark.parametrize("configured", [False, True])
def test_a_program_that_configures_no_logging_sees_nothing(tmp_path, configured):
    network = tiny.write_network(tmp_path)
    code = f"import hotpath; hotpath.load_tracker({str(network)!r}, recover=False).close()"
    if configured:
        code = "import logging; logging.basicConfig(level=logging.INFO); " + code
    done = run([sys.executable, "-c", code], cwd=str(ROOT))
    assert ("INFO:hotpath:recover=False changes nothing" in done.stderr) == configured
    assert configured or done.stdout + done.stderr == ""
