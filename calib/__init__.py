"""Work off the board: evaluation, calibration, quantisation, tuning. Python 3.10+."""

import os

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # OpenCV reads it when it is imported
