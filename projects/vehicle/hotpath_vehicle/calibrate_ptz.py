"""hotpath ptz: measure a PTZ camera of the network; see ``hotpath_vehicle.calibrate``."""

from hotpath.video.live import end_program
from hotpath_vehicle.calibrate import run

if __name__ == "__main__":
    run("ptz", end_program)
