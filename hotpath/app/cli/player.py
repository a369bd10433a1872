"""Play a recording in the window at its own speed, and react to keys."""

import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.app.cli.mouse import invitation, refusal
from hotpath.app.links.target_controls import Controls, contains_point
from hotpath.base.messages import counted
from hotpath.runtime.errors import HotpathError
from hotpath.runtime.frames.pictures import bgr_of
from hotpath.runtime.types import Track
from hotpath.video.desktop_window import SHORT, DesktopWindow
from hotpath.video.drawing import draw

if TYPE_CHECKING:
    from hotpath.video.base import Source

POLL_S = 0.03  # a key is noticed within this time
HELD_S = 2.0  # the last frame of a recording that nobody watches
HELP_S = 4.0  # the keys are listed for so long at the start
NOTICE_S = 6.0  # a sentence stands for so long

PAUSED = ("PAUSED", "Space: go on", "H: list the keys", "Q or Esc: end the run")
END = ("END OF THE RECORDING", "Any key or click: close the window")


class Player:
    """The window's clock and keys.

    Args:
        window: ``DesktopWindow``.
        source: ``hotpath.video.base.Source``; live sources have no pause.
        controls: the ``Controls`` of the run; a target that the user clicks on or draws replaces
            another one.
        say: function of one line of text for the user.
    """

    def __init__(
        self,
        window: DesktopWindow,
        source: "Source",
        controls: Controls,
        say: Callable[[str], None],
    ) -> None:
        self.paused = False
        self._notices: Tuple[str, ...] = ()
        self._notice_until = 0.0
        self._window, self._source, self._controls, self._say = window, source, controls, say
        self._began = time.monotonic()  # when the frame that is shown was due
        self._step = False  # read one frame although the recording is paused
        self._picture: Any = None  # that is shown: the newest frame with its boxes
        self._help_until = time.monotonic() + HELP_S
        actions = self._keyed(source.live)
        self._actions = {key: action for key, _, action in actions}
        for sign, arrow in ((".", "right"), (",", "left")):
            if arrow in self._actions:
                self._actions[sign] = self._actions[arrow]
        self._keys = [invitation(controls.targets)] + [text for _, text, _ in actions]
        self._keys.append("Q or Esc: end the run")

    def _keyed(self, live: bool) -> List[Tuple[str, str, Callable[[], None]]]:
        """Key, line of help and function of each action; the pace of a live source can't change."""
        pace: List[Tuple[str, str, Callable[[], None]]] = [
            (" ", "Space: pause or resume", self._pause),
            ("right", "Right arrow: next frame", lambda: self._seek(1)),
            ("left", "Left arrow: previous frame", lambda: self._seek(-1)),
        ]
        return ([] if live else pace) + [
            ("b", "B: select a target", self._select),
            ("\r", "Enter, or a click in an unsure box: yes, that is it", self._confirm),
            ("n", "N: no, that is another object; search on", self._reject),
            ("h", "H: list the keys, or hide them", self._toggle_help),
        ]

    def show(self, picture: np.ndarray) -> None:
        """Show the newest frame of the controls; ``picture`` is it with boxes drawn on it."""
        self._picture = picture
        self._refresh()

    def notice(self, *sentences: str) -> None:
        """Let sentences stand below the picture for ``NOTICE_S``, in place of earlier ones."""
        self._notices, self._notice_until = sentences, time.monotonic() + NOTICE_S
        self._refresh()

    def next_frame_is_due(self) -> bool:
        """Carry out the keys; wait a little; say whether to read the next frame now."""
        if self._source.live:
            self.take_keys()
            return True
        period_s = self._source.period_s
        left_s = self._began + period_s - time.monotonic()
        self._press(self._window.wait_key(min(POLL_S, max(0.001, left_s))))
        if self._step:
            self._step = False
            return True
        now = time.monotonic()
        if self.paused or now < self._began + period_s:
            return False
        self._began = max(self._began + period_s, now - period_s)  # do not hurry after a pause
        return True

    def hold(self, stop: Any, watched: bool) -> None:
        """Show the last frame until a key, a click, or the end of the run.

        Args:
            stop: object whose attribute ``requested`` ends the run.
            watched: whether somebody watches, also if no key and no mouse was used. Nobody presses
                a key where nobody watches, so that it only lasts ``HELD_S``.
        """
        if not self._window.open:
            return
        ends = time.monotonic() + HELD_S
        if watched or self._window.touched:
            ends = float("inf")
            if self._picture is not None:
                self._window.show(self._picture, END)
            self._say("the recording has ended; press a key in its window to close it")
        while self._window.open and time.monotonic() < ends and not stop.requested:
            if self._window.wait_key(POLL_S) is not None or self._window.pressed:
                return

    def take_keys(self) -> None:
        """Carry out a key that was pressed, without waiting."""
        self._press(self._window.wait_key(0.001))

    def _press(self, key: Optional[str]) -> None:
        action = self._actions.get(key or "")
        if action:
            action()
        elif self._window.open and self._window.pressed:
            self._select(pressed=True)
        now = time.monotonic()
        if 0 < self._help_until < now or (self._notices and self._notice_until < now):
            self._help_until = 0.0 if self._help_until < now else self._help_until
            self._notices = self._notices if self._notice_until >= now else ()
            self._refresh()

    def _refresh(self) -> None:
        if self._picture is not None:
            lines: Optional[Sequence[str]] = PAUSED if self.paused else None
            if self._notices:
                lines = self._notices + (PAUSED if self.paused else SHORT)
            elif self._help_until:
                lines = [PAUSED[0], *self._keys] if self.paused else self._keys
            self._window.show(self._picture, lines)

    def _pause(self) -> None:
        self.paused = not self.paused
        self._began = time.monotonic()
        self._refresh()

    def _seek(self, frames: int) -> None:
        """Pause, and go that many frames forward or back."""
        self.paused = True
        newest = self._controls.newest
        index = max(0, (0 if newest is None else newest.index) + frames)
        if index == self._source.given or self._source.seek(index):
            self._step, self._began = True, time.monotonic()
        else:
            self._say(f"{self._source.name}: can't go to another frame")

    def _toggle_help(self) -> None:
        self._help_until = 0.0 if self._help_until else float("inf")
        self._refresh()

    def _confirm(self) -> None:
        """Somebody says that the selected target is where its box is."""
        self._answer(self._controls.confirm, "is confirmed")

    def _reject(self) -> None:
        """Somebody says that the box of the selected target holds another object."""
        self._answer(self._controls.reject, "is searched for elsewhere")

    def _answer(self, ask: Callable[[int], None], sentence: str) -> None:
        """Ask that of the selected target, if there is one, and show its new word at once."""
        newest = self._controls.newest
        number = None if newest is None else self._controls.selection.among(newest.tracks)
        if number is None:
            return
        try:
            ask(number)
        except HotpathError as error:  # it is lost, or always tracked
            self.notice(str(error))
            return
        self._draw_again()
        self.notice(f"Target {number} {sentence}")

    def _draw_again(self) -> None:
        """Draw the boxes of the frame that is shown, of which a word changed."""
        newest = self._controls.newest
        assert newest is not None, "it has targets"
        self._picture = draw(bgr_of(newest.frame), newest.drawn_tracks())

    def _select(self, pressed: bool = False) -> None:
        """Let the user select a target on the frame that is shown; it replaces one.

        Args:
            pressed: whether the mouse's button is down already.
        """
        newest = self._controls.newest
        if newest is None or self._picture is None:
            return
        texts = (invitation(self._controls.targets), "Esc: back")
        place = self._window.select(bgr_of(newest.frame), texts, pressed)
        if place is not None:
            self._add(newest.index, place, newest.tracks)
        self._refresh()
        self._began = time.monotonic()

    def _add(self, index: int, place: Sequence[float], tracks: Dict[int, Track]) -> None:
        """Start a target where the user drew or clicked, in place of another one."""
        targets = self._controls.targets
        old = self._replaced(place, tracks)
        how: Dict[str, Any] = {"box": place} if place[2] or place[3] else {"point": place[:2]}
        try:
            number = self._controls.add_target(index, replaced=old, **how)
        except HotpathError as error:
            self.notice(refusal(error, targets))
            return
        self._help_until = 0.0
        if number == old:  # a click in the box of an unsure target
            self._draw_again()
            self.notice(f"Target {number} is confirmed")
            return
        messages, stay = f"Target {number} is followed", len(targets.numbers) - 1
        if stay:
            messages += f" in place of {old}" if old is not None else ""
            messages += f", and {counted(stay, 'other')} as before"
        doubt = targets.doubt(number)
        self.notice(*((f"{messages}: {doubt}",) if stay and doubt else (doubt or messages,)))

    def _replaced(self, place: Sequence[float], tracks: Dict[int, Track]) -> Optional[int]:
        """The target in whose place a new one comes: the only one, the one there, the selected."""
        if len(tracks) == 1:
            return next(iter(tracks))
        middle = place[0] + place[2] / 2, place[1] + place[3] / 2
        held = (number for number, track in tracks.items() if contains_point(track, middle))
        return next(held, self._controls.selection.among(tracks))
