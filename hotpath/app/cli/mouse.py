"""Select targets in the window by a click or a drawn box."""

from typing import TYPE_CHECKING, Sequence, Tuple

from hotpath.runtime.errors import BadBox, BadNetwork, BadOption, HotpathError, NoObject
from hotpath.runtime.frames.pictures import AnyFrame, bgr_of
from hotpath.video.base import WAITING
from hotpath.video.desktop_window import DesktopWindow, title_of

if TYPE_CHECKING:
    from hotpath.runtime.targets.targets import Targets
    from hotpath.video.base import Source

DRAG = "Drag a box around the target"
CLICK = "Click on the target, or drag a box around it"
QUIT = "Q or Esc: quit"
REFUSED = (BadBox, NoObject, BadOption, BadNetwork)  # after which the user may try again
SHOWN_S = 0.03  # longest wait for a frame while nothing is selected


def invitation(targets: "Targets") -> str:
    """Return what the user may do: not every board finds the object at a point."""
    return CLICK if targets.device.finds_at_points else DRAG


def refusal(error: HotpathError, targets: "Targets") -> str:
    """Return why there is no target, short enough to stand below a picture."""
    if isinstance(error, NoObject):
        return f"No {'other ' * (error.what == 'no other')}object found there. {DRAG}"
    if isinstance(error, (BadOption, BadNetwork)):
        return f"A click finds nothing with {targets.network.name}. {DRAG}"
    return str(error)


NOT_SELECTED = (
    "no target was selected, so nothing was tracked or written; click on it or drag a box around "
    "it, or give --box X,Y,W,H"
)


def first_target(
    frame: AnyFrame, source: "Source", targets: "Targets", snug: bool
) -> Tuple[DesktopWindow, AnyFrame]:
    """Let the user select the first target; a live picture goes on until the button is pressed.

    Args:
        frame: the first frame of the source.
        source: it may be asked for further frames.
        targets: ``hotpath.runtime.targets.targets.Targets``.
        snug: whether the object in a drawn box replaces it.

    Returns:
        the window, which stays open, and the frame on which the user selected.

    Raises:
        BadBox: the user went away without a target.
    """
    window = DesktopWindow(title_of(source.name))
    texts = (invitation(targets), QUIT)
    try:
        while window.open:
            if source.live:
                frame = _frame_of_press(frame, source, window, texts)
                if not window.open:
                    break
            place = window.select(bgr_of(frame), texts, pressed=source.live)
            if place is None:
                if source.live:  # a click beside the picture
                    continue
                break
            try:
                if place[2] or place[3]:
                    targets.add(frame, place, time_s=source.time_s, snug=snug)
                else:
                    targets.add(frame, time_s=source.time_s, point=place[:2])
                return window, frame
            except REFUSED as error:
                texts = (refusal(error, targets), QUIT)
        raise BadBox(NOT_SELECTED, what="not selected")
    except HotpathError:
        window.close()
        raise


def _frame_of_press(
    frame: AnyFrame, source: "Source", window: DesktopWindow, texts: Sequence[str]
) -> AnyFrame:
    """Show the frames of a live source until the mouse's button goes down; return the last one."""
    window.show(bgr_of(frame), texts)
    while window.open and not window.pressed:
        newer = source.read(SHOWN_S)
        if newer is None:  # the source has ended, so this is the last frame
            window.wait_key(SHOWN_S)
        elif newer is not WAITING:
            frame = newer
            window.show(bgr_of(frame), texts)
        window.wait_key(0.001)
    return frame
