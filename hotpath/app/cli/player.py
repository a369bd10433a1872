"""Play a recording in the window at its own speed, and carry out the keys pressed there."""

import time
from collections import namedtuple
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from hotpath.app.cli.mouse import REFUSED, add_selected, invitation, refusal
from hotpath.app.pointing import holding, says_yes
from hotpath.app.selection import Selection, confirmed, rejected
from hotpath.base.commands import counted
from hotpath.runtime.errors import NotReady
from hotpath.runtime.frames.pictures import AnyFrame, bgr_of
from hotpath.runtime.types import Track
from hotpath.video.base import PLAYED_FPS
from hotpath.video.drawing import draw
from hotpath.video.window import SHORT, Window

if TYPE_CHECKING:
    from hotpath.runtime.targets.targets import Targets
    from hotpath.video.base import Source

SEEK_S = 5.0
POLL_S = 0.03  # a key is noticed within this time
HELD_S = 2.0  # the last frame of a recording that nobody watches
HELP_S = 4.0  # the keys are listed for so long at the start
NOTICE_S = 6.0  # a sentence stands for so long
SLOWEST, FASTEST = 0.125, 8.0

PAUSED = ("PAUSED", "Space: go on", "H: list the keys", "Q or Esc: end the run")
END = ("END OF THE RECORDING", "Any key or click: close the window")

Shown = namedtuple("Shown", "frame picture index tracks")


class Player:
    """The window's clock and keys.

    Args:
        window: ``Window``.
        source: ``hotpath.video.base.Source``; live sources have neither pause nor
            speed.
        targets: ``hotpath.runtime.targets.targets.Targets``; one that the user clicks on or draws
            replaces one of them.
        say: function of one line of text for the user.
        selection: which target is steered after: the one that the user selected.
    """

    def __init__(
        self,
        window: Window,
        source: "Source",
        targets: "Targets",
        say: Callable[[str], None],
        selection: Optional[Selection] = None,
    ) -> None:
        self.paused = False
        self._notices: Tuple[str, ...] = ()
        self._notice_until = 0.0
        self._selection = Selection() if selection is None else selection
        self._window, self._source, self._targets, self._say = window, source, targets, say
        self._speed = 1.0
        self._began = time.monotonic()  # when the frame that is shown was due
        self._step = False  # read one frame although the recording is paused
        self._shown: Optional[Shown] = None
        self._help_until = time.monotonic() + HELP_S
        actions = self._keyed(source.live)
        self._actions = {key: action for key, _, action in actions}
        for sign, arrow in ((".", "right"), (",", "left")):
            if arrow in self._actions:
                self._actions[sign] = self._actions[arrow]
        self._keys = [invitation(targets)] + [text for _, text, _ in actions]
        self._keys.append("Q or Esc: end the run")

    def _keyed(self, live: bool) -> List[Tuple[str, str, Callable[[], None]]]:
        """Key, line of help and function of each action; the pace of a live source can't change."""
        pace: List[Tuple[str, str, Callable[[], None]]] = [
            (" ", "Space: pause or resume", self._pause),
            ("right", "Right arrow: next frame", lambda: self._seek(1)),
            ("left", "Left arrow: previous frame", lambda: self._seek(-1)),
            ("l", f"L: {SEEK_S:g} seconds forward", lambda: self._seek_seconds(SEEK_S)),
            ("j", f"J: {SEEK_S:g} seconds back", lambda: self._seek_seconds(-SEEK_S)),
            ("+", "+ faster", lambda: self._change_speed(2.0)),
            ("-", "- slower", lambda: self._change_speed(0.5)),
        ]
        return ([] if live else pace) + [
            ("b", "B: select a target", self._select),
            ("\r", "Enter, or a click in an unsure box: yes, that is it", self._confirm),
            ("n", "N: no, that is another object; search on", self._reject),
            ("h", "H: list the keys, or hide them", self._toggle_help),
        ]

    def show(
        self, frame: AnyFrame, picture: np.ndarray, index: int, tracks: Dict[int, Track]
    ) -> None:
        """Show a tracked frame; ``picture`` is the frame with boxes drawn on it."""
        self._shown = Shown(frame, picture, index, tracks)
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
        period_s = self._source.period_s / self._speed
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

    def hold(self, stop: Any, watched: Optional[bool]) -> None:
        """Show the last frame until a key, a click, or the end of the run.

        Args:
            stop: object whose attribute ``requested`` ends the run.
            watched: whether somebody watches; None: if a key or the mouse was used before. Nobody
                presses a key where nobody watches, so that it only lasts ``HELD_S``.
        """
        if not self._window.open:
            return
        ends = time.monotonic() + HELD_S
        if self._window.touched if watched is None else watched:
            ends = float("inf")
            if self._shown is not None:
                self._window.show(self._shown.picture, END)
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
        if self._shown is not None:
            lines: Optional[Sequence[str]] = PAUSED if self.paused else None
            if self._notices:
                lines = self._notices + (PAUSED if self.paused else SHORT)
            elif self._help_until:
                lines = [PAUSED[0], *self._keys] if self.paused else self._keys
            self._window.show(self._shown.picture, lines)

    def _pause(self) -> None:
        self.paused = not self.paused
        self._began = time.monotonic()
        self._refresh()

    def _seek(self, frames: int) -> None:
        """Pause, and go that many frames forward or back."""
        self.paused = True
        index = max(0, (self._shown.index if self._shown else 0) + frames)
        self._go_on(index == self._source.given or self._source.seek(index))

    def _seek_seconds(self, seconds: float) -> None:
        now_s = self._source.time_s
        if now_s is None:
            now_s = (self._shown.index if self._shown else 0) / PLAYED_FPS
        self._go_on(self._source.seek_time(max(0.0, now_s + seconds)))

    def _go_on(self, has_frame: bool) -> None:
        """Read one frame at once, where the source found it."""
        if has_frame:
            self._step = True
            self._began = time.monotonic()
        else:
            self._say(f"{self._source.name}: can't go to another frame")

    def _change_speed(self, factor: float) -> None:
        self._speed = min(FASTEST, max(SLOWEST, self._speed * factor))
        self._say(f"speed: {self._speed:g}")

    def _toggle_help(self) -> None:
        self._help_until = 0.0 if self._help_until else float("inf")
        self._refresh()

    def _confirm(self) -> None:
        """Somebody says that the selected target is where its box is."""
        if self._answer(self._targets.confirm, confirmed, "is confirmed"):
            self._selection.confirm()

    def _reject(self) -> None:
        """Somebody says that the box of the selected target holds another object."""
        self._answer(self._targets.reject, rejected, "is searched for elsewhere")

    def _answer(
        self, ask: Callable[[int], None], say: Callable[[Track], Track], sentence: str
    ) -> bool:
        """Ask that of the selected target, and show its new word without waiting for a frame.

        Returns:
            whether there is a target that can be asked.
        """
        shown = self._shown
        number = None if shown is None else self._selection.among(shown.tracks)
        if shown is None or number is None:
            return False
        try:
            ask(number)
        except NotReady as error:  # it is lost, or always tracked
            self.notice(str(error))
            return False
        tracks = dict(shown.tracks)
        tracks[number] = say(tracks[number])
        frame, picture = bgr_of(shown.frame), shown.picture.copy()
        picture[: frame.shape[0]] = draw(frame, tracks)
        self._shown = shown._replace(picture=picture, tracks=tracks)
        self.notice(f"Target {number} {sentence}")
        return True

    def _select(self, pressed: bool = False) -> None:
        """Let the user select a target on the frame that is shown; it replaces one.

        Args:
            pressed: whether the mouse's button is down already.
        """
        if self._shown is None:
            return
        shown, targets = self._shown, self._targets
        frame = bgr_of(shown.frame)
        texts = (invitation(targets), "Esc: back")
        place = self._window.select(frame, texts, shown.picture[frame.shape[0] :], pressed)
        if place is not None:
            chosen = self._selection.among(shown.tracks)
            is_yes = chosen is not None and says_yes(shown.tracks[chosen], place)
            if is_yes and not (place[2] or place[3]):
                self._confirm()
            else:
                self._add(shown, place)
        self._refresh()
        self._began = time.monotonic()

    def _add(self, shown: Shown, place: Sequence[float]) -> None:
        """Start a target where the user drew or clicked, in place of another one."""
        targets, time_s = self._targets, self._source.time_s
        old, tracks = self._replaced(place, shown.tracks), shown.tracks.values()
        try:
            number = add_selected(targets, shown.frame, place, tracks, time_s=time_s)
        except REFUSED as error:
            self.notice(refusal(error, targets))
            return
        self._replace(old, number)
        left = {n: track for n, track in shown.tracks.items() if n != old}
        left[number] = targets.first(number)
        self._shown = shown._replace(tracks=left)

    def _replaced(self, place: Sequence[float], tracks: Dict[int, Track]) -> Optional[int]:
        """The target in whose place a new one comes: the only one, the one there, the selected."""
        there = self._targets.numbers
        if len(there) == 1:
            return int(there[0])
        tracks = {number: track for number, track in tracks.items() if number in there}
        middle = place[0] + place[2] / 2, place[1] + place[3] / 2
        held = (number for number in tracks if holding([tracks[number]], middle) is not None)
        return next(held, self._selection.among(tracks))

    def _replace(self, old: Optional[int], number: int) -> None:
        """Drop at most one target for a new one, and say what is followed now."""
        if old is not None:
            self._targets.drop(old)
            self._selection.drop(old)
        self._selection.select(number)
        self._help_until = 0.0
        messages, stay = f"Target {number} is followed", len(self._targets.numbers) - 1
        if stay:
            messages += f" in place of {old}" if old is not None else ""
            messages += f", and {counted(stay, 'other')} as before"
        doubt = self._targets.doubt(number)
        self.notice(*((f"{messages}: {doubt}",) if stay and doubt else (doubt or messages,)))
