"""A window on the desktop: shows the pictures, and lets the user draw the first box."""

import os
import re
import sys

import cv2

from runtime.errors import BadBox, BadOutput

QUIT_KEYS = (ord("q"), ord("Q"), 27)  # 27: Esc


class Window:
    """One window; the user ends it with q, Esc or its close button.

    Raises:
        BadOutput: there is no display, or this OpenCV was built without windows.
    """

    def __init__(self, title="Hotpath"):
        reason = no_window()
        if reason:
            raise BadOutput("no window can be shown: {}; use --no-show".format(reason))
        self.title = title
        self._is_open = False

    def show(self, picture):
        """Show one BGR picture.

        Returns:
            False once the user has asked for the end, else True.
        """
        if self._is_open and self._was_closed():
            return False
        try:
            if not self._is_open:
                cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
                cv2.resizeWindow(self.title, picture.shape[1], picture.shape[0])
                self._is_open = True
            cv2.imshow(self.title, picture)
            return cv2.waitKey(1) & 0xFF not in QUIT_KEYS
        except cv2.error as error:
            raise BadOutput(
                "no window can be shown: OpenCV says {}; use --no-show".format(_said(error))
            ) from None

    def select_box(self, frame):
        """Let the user draw a box with the mouse.

        Returns:
            ``(x, y, w, h)`` floats, pixels of ``frame``.

        Raises:
            BadBox: the user ended it without a box.
        """
        title = self.title + ": draw a box, then Enter (c: none)"
        try:
            box = cv2.selectROI(title, frame, showCrosshair=False)
            cv2.destroyWindow(title)
        except cv2.error as error:
            raise BadOutput(
                "no box can be drawn: OpenCV says {}; use --box X,Y,W,H".format(_said(error))
            ) from None
        if box[2] <= 0 or box[3] <= 0:
            raise BadBox("no box was drawn; draw one, or use --box X,Y,W,H")
        return tuple(float(value) for value in box)

    def close(self):
        """Take the window away; may be called twice."""
        if self._is_open:
            self._is_open = False
            cv2.destroyAllWindows()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _was_closed(self):
        """Whether the user closed the window by its button."""
        try:
            return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:
            return True


def no_window(environment=None):
    """Why no window can be shown here, or None when one can.

    Args:
        environment: instead of the process's own environment variables.
    """
    if not _built_with_windows():
        return (
            "this OpenCV {} is the headless build (pip install opencv-python has windows)".format(
                cv2.__version__
            )
        )
    environment = os.environ if environment is None else environment
    if sys.platform.startswith("linux") and not (
        environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    ):
        return "there is no display (DISPLAY is not set)"
    return None


def _built_with_windows():
    """Whether OpenCV has a window toolkit, by its own build report."""
    report = cv2.getBuildInformation()
    gui = re.search(r"^\s*GUI:\s*(\S*)", report, re.MULTILINE)
    if gui and gui.group(1):
        return gui.group(1) != "NONE"
    return re.search(r"^\s*(GTK\+?|QT\d?|Win32 UI|Cocoa|Wayland):\s*YES", report, re.M) is not None


def _said(error):
    """The last line of what OpenCV said."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else "nothing"
