"""A board need not install tqdm."""

import subprocess
import sys

from tests.support import ROOT, run, tiny

CODE = """
import sys
sys.modules["tqdm"] = None
from runtime import track
sys.exit(track.main(sys.argv[1:]))
"""


def test_tracking_runs_and_speaks_without_tqdm(tmp_path):
    pictures, boxes = tiny.film(5)
    tiny.write_pictures(tmp_path / "frames", pictures)
    network = tiny.write_network(tmp_path)
    box = ",".join(str(value) for value in boxes[0])
    options = ["--video", tmp_path / "frames", "--box", box, "--network", network, "--no-show"]
    done = run([sys.executable, "-c", CODE] + options, cwd=str(ROOT))
    assert done.returncode == 0, done.stderr
    assert "4 frames" in done.stderr or "5 frames" in done.stderr


def test_networks_are_fetched_without_tqdm():
    code = 'import sys; sys.modules["tqdm"] = None; import runtime.networks.fetch'
    assert subprocess.call([sys.executable, "-c", code], cwd=str(ROOT)) == 0
