"""``python -m hotpath.deploy.fps`` runs ``hotpath fps`` (``fps_command.py``)."""

import runpy

from hotpath.deploy.fps.fps_command import QUICK as QUICK
from hotpath.deploy.fps.fps_command import main as main

if __name__ == "__main__":
    runpy.run_module("hotpath.deploy.fps.fps_command", run_name="__main__", alter_sys=True)
