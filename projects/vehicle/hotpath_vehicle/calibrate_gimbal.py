"""hotpath gimbal: measure a gimbal of a vehicle; see ``hotpath_vehicle.calibrate``."""

from hotpath.video.live import end_program
from hotpath_vehicle.calibrate import run

if __name__ == "__main__":
    run("gimbal", end_program)
