"""A window on the desktop: shows the pictures, and lets the user draw the first box."""

import os
import re
import socket
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
            box = _select(title, frame)
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
    if not _toolkit():
        return (
            "this OpenCV {} is the headless build (pip install opencv-python has windows)".format(
                cv2.__version__
            )
        )
    if not sys.platform.startswith("linux"):
        return None
    environment = os.environ if environment is None else environment
    display = environment.get("DISPLAY")
    if display:
        # Qt ends the whole program when it finds no server behind DISPLAY: look first
        return None if _answers(display) else "the display {} does not answer".format(display)
    if environment.get("WAYLAND_DISPLAY") and _toolkit().startswith("GTK"):
        return None
    return "there is no display (DISPLAY is not set)"


def _answers(display):
    """Whether an X server listens at ``DISPLAY``: ``:0``, ``:0.1``, ``unix:0`` or ``host:10.0``."""
    found = re.match(r"(?:.*/)?([^:/]*):(\d+)(?:\.\d+)?$", display)
    if not found:
        return True  # of a form we don't know: let the toolkit say
    host, number = found.group(1), int(found.group(2))
    if host not in ("", "unix"):
        return _connects(socket.AF_INET, (host, 6000 + number))
    path = "/tmp/.X11-unix/X{}".format(number)
    return _connects(socket.AF_UNIX, path) or _connects(socket.AF_UNIX, "\0" + path)


def _connects(family, place):
    """Whether somebody accepts connections at an address of that family."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(2.0)
            probe.connect(place)
    except OSError:
        return False
    return True


def _toolkit():
    """Name of the window toolkit that OpenCV was built with, by its own report; "" for none."""
    report = cv2.getBuildInformation()
    gui = re.search(r"^[ \t]*GUI:[ \t]*(\S*)", report, re.MULTILINE)
    if gui and gui.group(1):
        return "" if gui.group(1) == "NONE" else gui.group(1)
    # before 4.5.5 each toolkit has a line of its own
    kind = re.search(
        r"^[ \t]*(GTK\+?|QT\d?|Win32 UI|Cocoa|Wayland):[ \t]*YES", report, re.MULTILINE
    )
    return kind.group(1) if kind else ""


def _select(title, frame):
    """OpenCV's box by mouse, without its words on standard output where it can keep quiet."""
    try:
        return cv2.selectROI(title, frame, showCrosshair=False, printNotice=False)
    except (TypeError, cv2.error):  # before 4.8 it can't
        return cv2.selectROI(title, frame, showCrosshair=False)


def _said(error):
    """The first line of what OpenCV said."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else "nothing"
