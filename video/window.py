"""A window on the desktop: it shows pictures, reports keys, and lets the user draw a box."""

import os
import re
import socket
import sys
from typing import Any, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from hotpath.kernels.commands import make
from hotpath.runtime.errors import BadBox, BadOutput

QUIT_KEYS = ("q", "Q", "\x1b")  # the last one is Esc
WIDEST, HIGHEST = 1280, 660  # of a new window, with room on a screen of 1366x768
LEAST_WIDE = 960  # a smaller picture is enlarged
ROWS, ROW_PX, LETTERS = 2, 24, 0.5  # of the text below the picture, on the screen
SHORT = ("H: list the keys", "Q or Esc: end the run")
FONT = cv2.FONT_HERSHEY_SIMPLEX
DRAWING = ("Drag a box around the target", "Esc: back")
COLOUR = (0, 255, 255)  # of the box while it is drawn
EXIT_DRAWING = ("\x1b", "c", "C")


class Window:
    """One window. The user ends it with q, Esc or its close button.

    Raises:
        BadOutput: there is no display, or this OpenCV was built without windows.

    Attributes:
        open: False once the user has asked for the end.
    """

    def __init__(self, title: str = "Hotpath") -> None:
        check_window()
        self.title = title
        self.open = True
        self._created = False

    def show(self, picture: np.ndarray, lines: Optional[Sequence[str]] = None) -> None:
        """Show one BGR picture, with texts below it; without any, it says how to list the keys."""
        if not self.open:
            return
        picture = _with_texts_below(picture, lines or SHORT)
        try:
            if not self._created:
                _create(self.title, picture)
                self._created = True
            cv2.imshow(self.title, picture)
        except cv2.error as error:
            raise BadOutput(
                f"no window can be shown: OpenCV says {_said(error)}; use --no-show"
            ) from None

    def wait_key(self, timeout_s: float) -> Optional[str]:
        """Let the window redraw itself, and wait for a key.

        Returns:
            the key's letter in lower case, or None. After q, Esc or the close button ``open`` is
            False.
        """
        if not self._created:
            return None
        code = cv2.waitKey(max(1, int(timeout_s * 1e3)))
        key = chr(code & 0xFF) if code >= 0 else None
        if key in QUIT_KEYS or self._was_closed():
            self.open = False
        return key.lower() if key else None

    def select_box(self, frame: np.ndarray) -> Tuple[float, float, float, float]:
        """Let the user draw a box with the mouse, in this window.

        It is done when the button is released. Esc goes back.

        Returns:
            ``(x, y, w, h)`` floats, pixels of ``frame``.

        Raises:
            BadBox: the user went back or closed the window.
        """
        try:
            self.show(frame, DRAWING)
            drag = _Drag(frame, _with_texts_below(frame, DRAWING))
            cv2.setMouseCallback(self.title, drag.mouse)
            while not drag.done:
                cv2.imshow(self.title, drag.picture())
                code = cv2.waitKey(20)
                if code >= 0 and chr(code & 0xFF) in EXIT_DRAWING:
                    break
                if self._was_closed():
                    self.open = False
                    break
            if self.open:
                cv2.setMouseCallback(self.title, lambda *_: None)
        except cv2.error as error:
            raise BadOutput(
                f"no box can be drawn: OpenCV says {_said(error)}; use --box X,Y,W,H"
            ) from None
        if not drag.done:
            raise BadBox("no box was drawn; draw one, or use --box X,Y,W,H")
        return drag.box()

    def close(self) -> None:
        """Close the window; may be called twice."""
        self.open = False
        if self._created:
            self._created = False
            cv2.destroyAllWindows()

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _was_closed(self) -> bool:
        """Whether the user closed the window by its button."""
        try:
            return bool(cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1)
        except cv2.error:
            return True


class _Drag:
    """A box that is being drawn.

    Args:
        frame: the picture in its own size.
        shown: the same as the window shows it, perhaps larger, with texts below.
    """

    def __init__(self, frame: np.ndarray, shown: np.ndarray) -> None:
        self._shown = shown
        self._factor = shown.shape[1] / float(frame.shape[1])
        self._limit = frame.shape[1] * self._factor, frame.shape[0] * self._factor
        self._corners: List[Tuple[float, float]] = []  # where the button went down, where it is
        self.done = False

    def mouse(self, event: int, x: int, y: int, *_: Any) -> None:
        """Take an event of the mouse, in pixels of what is shown; none after the release."""
        if self.done:
            return
        place = (
            min(max(float(x), 0.0), self._limit[0]),
            min(max(float(y), 0.0), self._limit[1]),
        )
        if event == cv2.EVENT_LBUTTONDOWN:
            self._corners = [place, place]
        elif self._corners and event in (cv2.EVENT_MOUSEMOVE, cv2.EVENT_LBUTTONUP):
            self._corners[1] = place
            if event == cv2.EVENT_LBUTTONUP:
                self.done = min(self.box()[2:]) >= 1.0
                self._corners = self._corners if self.done else []  # a click is no box

    def box(self) -> Tuple[float, float, float, float]:
        """The box, pixels of the frame."""
        (x1, x2), (y1, y2) = (sorted(values) for values in zip(*self._corners))
        x, y, w, h = (value / self._factor for value in (x1, y1, x2 - x1, y2 - y1))
        return x, y, w, h

    def picture(self) -> np.ndarray:
        """What is shown, with the box so far."""
        if not self._corners:
            return self._shown
        picture = self._shown.copy()
        first, second = ((int(x), int(y)) for x, y in self._corners)
        thick = max(1, int(picture.shape[1] / WIDEST) + 1)
        cv2.rectangle(picture, first, second, COLOUR, thick)
        return picture


def _create(title: str, picture: np.ndarray) -> None:
    """A window without toolbar, as large as the picture, within what is seen well and has room."""
    # Qt reads this when the first window opens; its warnings are about fonts that are not needed
    os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
    cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
    height, width = picture.shape[:2]
    most = min(WIDEST / float(width), HIGHEST / float(height))
    scale = min(max(1.0, LEAST_WIDE / float(width)), most)
    cv2.resizeWindow(title, max(1, int(width * scale)), max(1, int(height * scale)))


def _with_texts_below(picture: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """The picture, enlarged if it is small, above a dark strip with the texts side by side."""
    height, width = picture.shape[:2]
    factor = max(1.0, min(LEAST_WIDE / float(width), (HIGHEST - ROWS * ROW_PX) / float(height)))
    if factor > 1.0:
        width, height = int(width * factor), int(height * factor)
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    unit = max(1.0, width / float(WIDEST), height / float(HIGHEST))  # pixels for one of the screen
    row, scale, thick = int(ROW_PX * unit), LETTERS * unit, max(1, int(unit))
    strip = np.full((ROWS * row + row // 3, width, 3), 32, np.uint8)
    x, y = row // 2, row - row // 4
    for text in texts:
        wide = cv2.getTextSize(text, FONT, scale, thick)[0][0]
        if x > row and x + wide > width:
            x, y = row // 2, y + row
        cv2.putText(strip, text, (x, y), FONT, scale, (235, 235, 235), thick, cv2.LINE_AA)
        x += wide + row
    shown: np.ndarray = np.concatenate((picture, strip))
    return shown


def check_window() -> None:
    """Raise ``BadOutput`` where no window can be shown."""
    reason = no_window()
    if reason:
        raise BadOutput(f"no window can be shown: {reason}; use --no-show", what="no display")


def no_window(environment: Any = None) -> Optional[str]:
    """Why no window can be shown here, or None if one can.

    Args:
        environment: dict to use instead of the process's environment variables.
    """
    if not _toolkit():
        return (
            f"this OpenCV {cv2.__version__} has no windows (run `{make('setup', ALSO='window')}` "
            "for them)"
        )
    if not sys.platform.startswith("linux"):
        return None
    environment = os.environ if environment is None else environment
    display = environment.get("DISPLAY")
    if display:
        # Qt ends the whole program where no server answers, so look first
        return None if _answers(display) else f"the display {display} does not answer"
    if environment.get("WAYLAND_DISPLAY") and _toolkit().startswith("GTK"):
        return None
    return "there is no display (DISPLAY is not set)"


def _answers(display: str) -> bool:
    """Whether an X server listens at ``DISPLAY``: ``:0``, ``:0.1``, ``unix:0`` or ``host:10.0``."""
    match = re.match(r"(?:.*/)?([^:/]*):(\d+)(?:\.\d+)?$", display)
    if not match:
        return True  # of an unknown form: let the toolkit decide
    host, number = match.group(1), int(match.group(2))
    if host not in ("", "unix"):
        return _connects(socket.AF_INET, (host, 6000 + number))
    path = f"/tmp/.X11-unix/X{number}"
    return _connects(socket.AF_UNIX, path) or _connects(socket.AF_UNIX, "\0" + path)


def _connects(family: int, place: Any) -> bool:
    """Whether a server accepts connections at an address of that family."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(2.0)
            probe.connect(place)
    except OSError:
        return False
    return True


def _toolkit() -> str:
    """Name of the window toolkit that OpenCV was built with, by its own report; "" for none."""
    report = cv2.getBuildInformation()
    gui = re.search(r"^[ \t]*GUI:[ \t]*(\S*)", report, re.MULTILINE)
    if gui and gui.group(1):
        return "" if gui.group(1) == "NONE" else gui.group(1)
    # before 4.5.5 each toolkit has its own line
    kind = re.search(
        r"^[ \t]*(GTK\+?|QT\d?|Win32 UI|Cocoa|Wayland):[ \t]*YES", report, re.MULTILINE
    )
    return kind.group(1) if kind else ""


def _said(error: Exception) -> str:
    """The first line of OpenCV's message."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else "nothing"
