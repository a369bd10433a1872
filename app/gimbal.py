"""hotpath gimbal: measure a gimbal of a vehicle; see ``hotpath.app.cli.calibrate``."""

from hotpath.app.cli.calibrate import run
from hotpath.video.live import end_program

if __name__ == "__main__":
    run("gimbal", end_program)
