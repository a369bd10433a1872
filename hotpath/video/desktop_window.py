"""A window on the desktop: it shows pictures, reports keys, clicks, and boxes that are drawn."""

import ctypes
import os
import re
import socket
import sys
from collections import deque
from typing import Any, Deque, List, Mapping, MutableMapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from hotpath.base.messages import make_command
from hotpath.runtime.errors import BadOutput

QUIT_KEYS = ("q", "Q", "\x1b")  # the last one is Esc
SCREEN = 1366, 768  # assumed where the size of the screen is not known
ROOM = 0.94, 0.86  # share of the screen that a new window takes at most, across and down
LARGEST = 4.0  # times that a small picture is enlarged at most
CRISP = 1.25  # a picture that would be enlarged less is shown pixel for pixel
LEAST_WIDE = 960  # of the strip of texts, below a narrow picture too
ROWS, ROW_PX, LETTERS = 2, 28, 0.62  # of the strip, on a screen of TEXTS_FOR rows
TEXTS_FOR, TEXTS_WIDE = 1080.0, 1366.0
GROUND = 32  # grey of the strip, below many texts, and beside a narrow picture
MODIFIERS = range(0xE1, 0xEF)  # the last byte of Shift, Control, Alt and their like in X
# codes of the arrows in X and on macOS; in their last byte alone Left would be Q
ARROWS = {0xFF51: "left", 0xFF53: "right", 0xF702: "left", 0xF703: "right"}
SHORT = ("H: list the keys", "Q or Esc: end the run")
PLATFORMS = os.path.join(os.path.dirname(cv2.__file__), "qt", "plugins", "platforms")
FONT = cv2.FONT_HERSHEY_SIMPLEX
COLOUR = (0, 255, 255)  # of the box while it is drawn, and of words in capitals
LEAST_DRAG_PX = 4  # of the window; less is a click, and no box
MOST_EVENTS = 1000  # of the mouse between two looks


class DesktopWindow:
    """One window. The user ends it with q, Esc or its close button.

    Raises:
        BadOutput: there is no display, or this OpenCV was built without windows.

    Attributes:
        open: False once the user has asked for the end.
        touched: whether a key or a button of the mouse was pressed in it.
    """

    def __init__(self, title: str = "Hotpath") -> None:
        check_window()
        self.title = title
        self.open = True
        self.touched = False
        self._created = False
        self._screen = screen_size()
        self._shape: Tuple[int, ...] = ()  # of the picture that is shown
        self._layout: Any = None  # its View
        self._events: Deque[Tuple[int, int, int]] = deque(maxlen=MOST_EVENTS)  # of the mouse
        self._is_down = False  # its left button

    def show(self, picture: np.ndarray, lines: Optional[Sequence[str]] = None) -> None:
        """Show one BGR picture, with texts below it; without any, it says how to list the keys."""
        if not self.open:
            return
        shown = self._view(picture.shape).show(picture, lines or SHORT)
        try:
            if not self._created:
                _create(self.title, shown)
                cv2.setMouseCallback(self.title, self._take_event)
                self._created = True
            cv2.imshow(self.title, shown)
        except cv2.error as error:
            raise BadOutput(
                f"no window can be shown: OpenCV says {_said(error)}; use --no-show"
            ) from None

    def wait_key(self, timeout_s: float) -> Optional[str]:
        """Let the window redraw itself, and wait for a key.

        Returns:
            the key's letter in lower case, "left" or "right", or None, as for Shift and Alt. After
            q, Esc or the close button ``open`` is False.
        """
        if not self._created:
            return None
        key = _key(cv2.waitKeyEx(max(1, int(timeout_s * 1e3))))
        self.touched |= key is not None or self.pressed
        if key in QUIT_KEYS or self._was_closed():
            self.open = False
        return key.lower() if key else None

    @property
    def pressed(self) -> bool:
        """Whether the mouse's left button went down, which ``select`` has not yet looked at."""
        return any(event[0] == cv2.EVENT_LBUTTONDOWN for event in self._events)

    def select(
        self,
        frame: np.ndarray,
        texts: Sequence[str],
        pressed: bool = False,
    ) -> Optional[Tuple[float, float, float, float]]:
        """Let the user click on a frame or draw a box, in this window; q and Esc go back.

        It is done when the button is released.

        Args:
            frame: BGR picture.
            texts: what the strip says.
            pressed: whether the button is down already, see ``pressed``. Then a click that hits
                nothing goes back, too.

        Returns:
            ``(x, y, w, h)`` floats, pixels of ``frame``; without width and height after a click.
            None if the user went back or closed the window.
        """
        if not pressed:
            self._events.clear()
        try:
            self.show(frame, texts)
            view = self._view(frame.shape)
            drag = _BoxDrag(frame.shape, view, view.show(frame, texts))
            while not drag.done:
                while self._events:
                    drag.mouse(*self._events.popleft())
                if drag.done or (pressed and drag.missed):
                    break
                cv2.imshow(self.title, drag.picture())
                code = cv2.waitKey(20)
                if code >= 0 and chr(code & 0xFF) in QUIT_KEYS:
                    break
                if self._was_closed():
                    self.open = False
                    break
        except cv2.error as error:
            raise BadOutput(
                f"no box can be drawn: OpenCV says {_said(error)}; use --box X,Y,W,H"
            ) from None
        self.touched = True
        return drag.place() if drag.done else None

    def _take_event(self, event: int, x: int, y: int, *_: object) -> None:
        """Keep an event of the left button, which OpenCV reports while it waits for a key."""
        if event == cv2.EVENT_LBUTTONDOWN or self._is_down:
            self._events.append((event, x, y))
            self._is_down = event != cv2.EVENT_LBUTTONUP

    def _view(self, shape: Sequence[int]) -> "PictureView":
        if self._shape != tuple(shape):
            self._shape, self._layout = tuple(shape), PictureView(shape, self._screen)
        view: PictureView = self._layout
        return view

    def close(self) -> None:
        """Close the window; may be called twice."""
        self.open = False
        if self._created:
            self._created = False
            cv2.destroyAllWindows()

    def __enter__(self) -> "DesktopWindow":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _was_closed(self) -> bool:
        """Whether the user closed the window by its button."""
        try:
            return bool(cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1)
        except cv2.error:
            return True


class PictureView:
    """How a picture is shown: scaled to fit the screen, in the middle, above a strip of texts.

    Args:
        shape: of the picture: (height, width, ...).
        screen: (width, height), pixels.
    """

    def __init__(self, shape: Sequence[int], screen: Sequence[int]) -> None:
        height, width = shape[:2]
        self._unit = max(1.0, min(screen[1] / TEXTS_FOR, screen[0] / TEXTS_WIDE))  # of the texts
        self._row = int(ROW_PX * self._unit)
        self._strip = ROWS * self._row + self._row // 3
        across, down = (share * side for share, side in zip(ROOM, screen))
        factor = min(across / width, (down - self._strip) / height, LARGEST)
        factor = 1.0 if 1.0 <= factor < CRISP else factor
        self.size = max(1, int(round(width * factor))), max(1, int(round(height * factor)))
        self._scale = self.size[0] / float(width), self.size[1] / float(height)
        self._wide = max(self.size[0], min(int(across), int(LEAST_WIDE * self._unit)))
        self.left = (self._wide - self.size[0]) // 2  # of the picture

    def show(self, picture: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Return what the window shows, with the texts side by side in the strip."""
        width, height = self.size
        picture = _scaled(picture, self.size)
        shown = np.full((height + self._strip, self._wide, 3), GROUND, np.uint8)
        shown[:height, self.left : self.left + width] = picture
        self._write(shown, height, texts)
        return shown

    def _write(self, shown: np.ndarray, height: int, texts: Sequence[str]) -> None:
        """Write texts into the strip below that height; many begin above it, as a list of keys."""
        scale, thick = LETTERS * self._unit, max(1, int(self._unit))
        places = self._placed(texts, scale, thick)
        above = max(0, places[-1][1] // self._row + 1 - ROWS) if places else 0
        top = max(0, height - above * self._row)
        shown[top:height] = GROUND
        strip = shown[top:]
        for text, place in zip(texts, places):
            colour = COLOUR if text.isupper() else (235, 235, 235)  # such as PAUSED
            cv2.putText(strip, text, place, FONT, scale, colour, thick, cv2.LINE_AA)

    def _placed(self, texts: Sequence[str], scale: float, thick: int) -> List[Tuple[int, int]]:
        """Return the lower left corner of each text, side by side in rows."""
        row, places = self._row, []
        x, y = row // 2, row - row // 4
        for text in texts:
            wide = cv2.getTextSize(text, FONT, scale, thick)[0][0]
            if x > row and x + wide > self._wide:
                x, y = row // 2, y + row
            places.append((x, y))
            x += wide + row
        return places

    def in_picture(self, x: float, y: float) -> Tuple[float, float]:
        """Return a place of what is shown in pixels of the picture, which may lie beside it."""
        return (x - self.left) / self._scale[0], y / self._scale[1]

    def in_view(self, x: float, y: float) -> Tuple[int, int]:
        """Return a place of the picture in whole pixels of what is shown."""
        return int(round(x * self._scale[0])) + self.left, int(round(y * self._scale[1]))


def _scaled(picture: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Scale a picture: first by the mean of whole blocks, which is fast, then smoothly."""
    height, width = picture.shape[:2]
    block = min(width // size[0], height // size[1])
    if block > 1:
        blocks = width // block, height // block
        picture = cv2.resize(picture, blocks, interpolation=cv2.INTER_AREA)
    if picture.shape[:2] != size[::-1]:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return picture


class _BoxDrag:
    """A box that is being drawn, or a click.

    Args:
        shape: of the frame: (height, width, ...).
        view: the ``PictureView`` of the frame.
        shown: what it shows.

    Attributes:
        done: whether there is a box or a click.
        missed: whether the last click was beside the frame.
    """

    def __init__(self, shape: Sequence[int], view: PictureView, shown: np.ndarray) -> None:
        self._view, self._shown = view, shown
        self._limit = float(shape[1]), float(shape[0])
        self._corners: List[Tuple[float, float]] = []  # where the button went down, where it is
        self._is_click = self.done = self.missed = False

    def mouse(self, event: int, x: int, y: int) -> None:
        """Take an event of the mouse, in pixels of what is shown; none after the release."""
        if self.done:
            return
        across, down = self._view.in_picture(x, y)
        place = min(max(across, 0.0), self._limit[0]), min(max(down, 0.0), self._limit[1])
        if event == cv2.EVENT_LBUTTONDOWN:
            self._corners, self.missed = [place, place], False
        elif self._corners:
            self._corners[1] = place
            if event == cv2.EVENT_LBUTTONUP:
                self._release(0 <= across < self._limit[0] and 0 <= down < self._limit[1])

    def _release(self, is_inside: bool) -> None:
        (x1, y1), (x2, y2) = (self._view.in_view(*corner) for corner in self._corners)
        sides_px = abs(x2 - x1), abs(y2 - y1)
        self._is_click = is_inside and max(sides_px) < LEAST_DRAG_PX
        is_box = min(sides_px) >= LEAST_DRAG_PX and min(self._box()[2:]) >= 1
        self.done = self._is_click or is_box
        self.missed = not self.done
        self._corners = self._corners if self.done else []

    def _box(self) -> Tuple[float, float, float, float]:
        (x1, x2), (y1, y2) = (sorted(values) for values in zip(*self._corners))
        return x1, y1, x2 - x1, y2 - y1

    def place(self) -> Tuple[float, float, float, float]:
        """The box, pixels of the frame; of a click the point without width and height."""
        return self._corners[1] + (0.0, 0.0) if self._is_click else self._box()

    def picture(self) -> np.ndarray:
        """What is shown, with the box so far."""
        if not self._corners:
            return self._shown
        picture = self._shown.copy()
        first, second = (self._view.in_view(*corner) for corner in self._corners)
        cv2.rectangle(picture, first, second, COLOUR, 2)
        return picture


def _key(code: int) -> Optional[str]:
    """The key of a code of OpenCV, or None where it has no letter."""
    arrow = ARROWS.get(code & 0xFFFF) if code >= 0 else None
    if arrow or code < 0:
        return arrow
    is_letter = code & 0xFFFF not in range(0xFF50, 0xFF58) and code & 0xFF not in MODIFIERS
    return chr(code & 0xFF) if is_letter else None  # not Home, Up, Down and their like


def _create(title: str, picture: np.ndarray) -> None:
    """A window without toolbar, as large as the picture."""
    # Qt reads this when the first window opens; its warnings are about fonts that are not needed
    os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
    cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
    cv2.resizeWindow(title, picture.shape[1], picture.shape[0])


def screen_size() -> Tuple[int, int]:
    """Return the X server's width and height in pixels; ``SCREEN`` where they are not known."""
    try:
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x11.XOpenDisplay(None))
    except (OSError, AttributeError):  # no such library
        return SCREEN
    if not display:
        return SCREEN
    number = x11.XDefaultScreen(display)
    size = x11.XDisplayWidth(display, number), x11.XDisplayHeight(display, number)
    x11.XCloseDisplay(display)
    return size if min(size) > 0 else SCREEN


def title_of(name: str) -> str:
    """Return the title of the window of a source: the last part of its name."""
    return os.path.basename(name.rstrip("/")) or "camera"


def choose_platform(environment: MutableMapping[str, str], folder: str = PLATFORMS) -> None:
    """Replace a platform of Qt that OpenCV's own Qt lacks: Qt would end the program."""
    known = [name[4:-3] for name in os.listdir(folder)] if os.path.isdir(folder) else []
    asked = environment.get("QT_QPA_PLATFORM", "")
    if asked and known and asked.partition(":")[0] not in known:  # libqxcb.so is xcb
        environment["QT_QPA_PLATFORM"] = "xcb" if "xcb" in known else known[0]


def check_window() -> None:
    """Raise ``BadOutput`` where no window can be shown; choose a platform that there is."""
    choose_platform(os.environ)
    reason = no_window()
    if reason:
        raise BadOutput(
            f"no window can be shown: {reason}; leave out --show, or watch in a browser (--page)",
            what="no display",
        )


def no_window(environment: Optional[Mapping[str, str]] = None) -> Optional[str]:
    """Why no window can be shown here, or None if one can.

    Args:
        environment: dict to use instead of the process's environment variables.
    """
    if not _toolkit():
        return (
            f"this OpenCV {cv2.__version__} has no windows (run "
            f"`{make_command('setup', ALSO='window')}` for them)"
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
