"""Keep messages of OpenCV and FFmpeg off standard error; for command lines only."""

import os

import cv2


def quiet() -> None:
    """Silence OpenCV's warnings and FFmpeg's messages in this process.

    This changes the state of the process, so only programs may call it, before they open a source.
    The variables ``OPENCV_LOG_LEVEL`` and ``OPENCV_FFMPEG_LOGLEVEL`` of the user are respected.
    FFmpeg in OpenCV before 4.6 has no such switch and still prints.
    """
    # OpenCV reads it when it opens the first FFmpeg capture; -8 is AV_LOG_QUIET
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" in os.environ:  # OpenCV read it when it was imported
        return
    if hasattr(cv2, "setLogLevel"):
        cv2.setLogLevel(0)
    elif hasattr(cv2, "utils") and hasattr(cv2.utils, "logging"):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
