"""INT8 calibration from annotated clips, off the board. Python 3.10+."""

import os

os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # OpenCV reads it when it is imported
