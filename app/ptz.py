"""hotpath ptz: measure a PTZ camera of the network; see ``hotpath.app.cli.calibrate``."""

from hotpath.app.cli.calibrate import run
from hotpath.video.live import end_program

if __name__ == "__main__":
    run("ptz", end_program)
