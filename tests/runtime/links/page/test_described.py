"""The page's interface agrees with page/openapi.json: Schemathesis tests all of it."""

import re
import subprocess
import sys

import pytest

from tests.support import pages
from tests.support.streams.mjpeg import MjpegServer

pytest.importorskip("schemathesis")
pytest.importorskip("aiohttp")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.slow("some thousand requests")

# 410 and 422 depend on which frames are kept, and on how large they are
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = [
  "400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"
]
positive_data_acceptance.expected-statuses = [
  "2xx", "401", "403", "404", "409", "410", "422", "429"
]
"""

OPTIONS = (
    "--checks all --max-examples 25 --exclude-path /api/stop --generation-database none "
    "--phases examples,coverage,fuzzing"
)


def test_schemathesis_finds_nothing(tmp_path):
    pages.write_world(tmp_path, 3)
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    with MjpegServer(str(tmp_path / "frames"), fps=5) as sender, pages.PagedRun(
        tmp_path, sender.address
    ) as run:
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
            + [run.address + "/api/openapi.json", *OPTIONS.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            timeout=280,
            cwd=str(tmp_path),
        )
        assert done.returncode == 0, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)[-6000:]
        assert run.process.poll() is None
        assert "Traceback" not in run.words()
