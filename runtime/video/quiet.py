"""Keep OpenCV's and FFmpeg's own chatter off standard error; for command lines only."""

import os

import cv2


def quiet():
    """Silence OpenCV's warnings and FFmpeg's messages in this process.

    Changes the process's state, so libraries must leave it to the program; call it before the first
    source is opened. What the user set in ``OPENCV_LOG_LEVEL`` or ``OPENCV_FFMPEG_LOGLEVEL`` wins.
    FFmpeg inside an OpenCV before 4.6 knows no such switch and goes on talking.
    """
    # read by OpenCV when it opens the first FFmpeg capture; -8 is AV_LOG_QUIET
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" in os.environ:  # was read by OpenCV when it was imported
        return
    if hasattr(cv2, "setLogLevel"):
        cv2.setLogLevel(0)
    elif hasattr(cv2, "utils") and hasattr(cv2.utils, "logging"):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
