"""What Linux has and other systems lack is optional: the core imports and tracks without it."""

import os
import subprocess
import sys

from tests.support import ROOT, tiny

WITHOUT = """
import os, sys
for name in [name for name in dir(os) if name.startswith("sched_")]:
    delattr(os, name)
for name in ("fcntl", "termios", "tty", "resource"):
    sys.modules[name] = None

asked, stat = set(), os.stat
def is_hidden(path):
    hidden = isinstance(path, (str, os.PathLike)) and str(path).startswith(("/proc/", "/sys/"))
    asked.update([str(path)] if hidden else [])
    return hidden
def refuse(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and is_hidden(arguments[0]):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])
def stat_of_others(path, *words, **options):
    refuse("open", [path])
    return stat(path, *words, **options)
sys.addaudithook(refuse)
os.stat = stat_of_others
import hotpath.deploy.doctor.boards_command
from hotpath.app.track_command import main
import hotpath.app.cli.networks.fetch
sys.platform = "darwin"  # what Python itself imports of Linux is loaded
code = main(sys.argv[1:]) or hotpath.deploy.doctor.boards_command.main([])
assert {"/proc/cpuinfo", "/sys/class/thermal"} <= asked, asked
assert main(["--video", "cam0"]) == 2
assert not {"fcntl", "termios"} & {name for name in sys.modules if sys.modules[name]}
sys.exit(code)
"""


def test_it_tracks_without_locks_terminals_and_schedulers(tmp_path):
    pictures, boxes = tiny.film(5)
    tiny.write_pictures(tmp_path / "frames", pictures)
    tiny.write_network(tmp_path)
    words = ["--video", "frames", "--network", "tiny.toml", "--results", "out.csv", "--no-show"]
    words += ["--threads", "1", "--box", ",".join(map(str, boxes[0]))]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words],
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    assert done.returncode == 0, done.stdout
    assert "cam0: cameras are opened on Linux only; name a file or a stream" in done.stdout
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 6
