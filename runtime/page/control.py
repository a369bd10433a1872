"""The frame loop's side of the page: what it shows, and what it is asked for between two frames.

Knows nothing of browsers (``page.py`` does). The loop never waits for anybody here: showing a frame
is keeping a reference to it, and what was asked is done at the loop's next turn.
"""

import secrets
import threading
import time
from collections import deque, namedtuple
from concurrent.futures import Future

import numpy as np

from runtime.errors import BadOutput, HotpathError
from runtime.page.frame_buffer import Ring
from runtime.types import Track, checked_box

GIVEN = 1.0  # score of a box that a person drew
TURN_S = 0.2  # longest wait before the loop looks at signals again
PACE_FPS = 25.0  # of a recording that does not say how fast it is played
MOST_TARGETS = 8
MOST_ASKED = 32  # requests that may wait for the loop's next turn
SMALLEST_PX = 4.0  # side of a box
CATCH_UP_FRAMES = 30  # at most so many are run through at once after a choice
ROWS_KEPT = 20000

Shot = namedtuple("Shot", "frame index time_s tracks")


class Refused(HotpathError):
    """What was asked can't be done; ``status`` is HTTP's number for the reason."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def add_options(cli):
    """The page's options on the command line's parser."""
    group = cli.add_argument_group("page")
    group.add_argument(
        "--page", action="store_true",
        help="see and steer from a browser; --box is then optional",
    )  # fmt: skip
    group.add_argument(
        "--page-host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen at, 0.0.0.0 for all; a token is asked for unless it is this "
        "computer's own loopback (default: %(default)s)",
    )  # fmt: skip
    group.add_argument("--page-port", type=_number(0, 65535), default=8600, metavar="N",
                       help="0 for any free one (default: %(default)s)")  # fmt: skip
    group.add_argument("--page-fps", type=_number(1, 240), default=30, metavar="N",
                       help="pictures a second at most (default: %(default)s)")  # fmt: skip
    group.add_argument("--page-width", type=_number(64, 7680), default=960, metavar="PX",
                       help="of the pictures at most (default: %(default)s)")  # fmt: skip


def _number(low, high):
    def whole_number(text):
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return whole_number


def open_page(options, targets, source, stop, outputs, columns, say):
    """The page of a run, being served; None without ``--page``.

    Args:
        options: of the command line.
        targets, source, stop, outputs: of the run (see ``runtime.track``).
        columns: names of what ``outputs`` notes in a row.
        say: function of one line of text for the user.

    Raises:
        BadOutput: its library is missing, or the address can't be had.
    """
    if not options.page:
        return None
    try:
        from runtime.page.server import serve
    except ImportError as error:
        raise BadOutput(
            "--page needs the package aiohttp ({}); pip install 'hotpath[page]'".format(error)
        ) from None
    recorders = [what for what in (options.results, options.save) if what]
    desk = Desk(targets, source, stop, outputs, columns, bool(recorders))
    desk.server = serve(desk, options, say)
    return desk


class Desk:
    """Where the page and the frame loop meet. ``turn`` and ``show`` are the loop's, called from its
    thread; everything else may be called from any other.

    Attributes:
        paused: True while a recording stands still.
        ended: True once the run is over.
    """

    def __init__(self, targets, source, stop, outputs, columns, can_record):
        self.source = source
        self.columns = list(columns)
        self.ring = Ring()
        self.paused = False
        self.ended = False
        self.server = None
        self._targets, self._stop, self._outputs = targets, stop, outputs
        self._can_record = can_record
        self._run = secrets.token_hex(4)  # tells a browser that comes back that it is another run
        self._engine = targets.engine.describe()["engine"]
        self._news = threading.Condition()
        self._version = 0  # grows with each frame and each change
        self._shot = None
        self._asked = deque()
        self._wait_for_target = not source.live
        self._period_s = 0.0 if source.live else 1.0 / (source.fps or PACE_FPS)
        self._due = time.monotonic()
        self._times = deque(maxlen=60)  # of the last frames, for the frame rate
        self._rows = np.zeros((ROWS_KEPT, len(columns)))
        self._row_count = 0

    # the loop's

    def turn(self):
        """Do what was asked; returns whether it is time for the next frame."""
        self._answer()
        with self._news:
            wait_s = TURN_S if self.paused else min(TURN_S, self._due - time.monotonic())
            if wait_s > 0 and not self._asked:
                self._news.wait(wait_s)
        self._answer()
        now = time.monotonic()
        if self.paused or self._stop.asked or now < self._due:
            return False
        # a recording goes on at its own speed, without hurry to make up for a pause
        self._due = max(self._due + self._period_s, now - self._period_s)
        return True

    def show(self, frame, index, time_s, tracks):
        """A frame was tracked."""
        shot = Shot(frame, index, time_s, dict(tracks))
        self.ring.add(shot)
        self._times.append(time.monotonic())
        if self._wait_for_target:
            self.paused = not tracks
            self._wait_for_target = self.paused
        self._changed(shot)

    def note(self, row):
        """Remember a row of results."""
        self._rows[self._row_count % ROWS_KEPT] = [np.nan if v is None else v for v in row]
        self._row_count += 1

    def close(self):
        """The run is over: tell the browsers, and stop serving."""
        self.ended = True
        self._changed()
        while self._asked:
            self._asked.popleft()[0].set_exception(Refused(503, "the run has ended"))
        if self.server:
            self.server.close()
            self.server = None

    def _answer(self):
        while self._asked:
            future, function, arguments = self._asked.popleft()
            try:
                answer = function(*arguments)
            except Refused as error:
                future.set_exception(error)
            except HotpathError as error:  # a box that no target can have
                future.set_exception(Refused(422, str(error)))
            else:
                future.set_result(answer)
            self._changed()

    def _changed(self, shot=None):
        with self._news:
            self._shot = shot or self._shot
            self._version += 1
            self._news.notify_all()

    # what may be asked: done by the loop between two frames

    def choose(self, index, box, replaced=None):
        """Take the target in that box of the frame of that index, and catch up with the present.

        Args:
            index: of the frame that was seen.
            box: (x, y, w, h), pixels of the frame.
            replaced: number of a target that is followed no more instead.

        Returns:
            number of the target.

        Raises:
            Refused: the frame or the target to replace is gone, or there are enough targets.
            BadBox: no target can have it.
        """
        shots = self.ring.since(index)
        if not shots:
            raise Refused(410, "frame {} is kept no more; choose on a newer one".format(index))
        present = self._shot.tracks
        if replaced is not None and replaced not in present:
            raise Refused(404, "there is no target {}".format(replaced))
        if replaced is None and len(present) >= MOST_TARGETS:
            raise Refused(409, "{} targets are followed, and no more can be".format(MOST_TARGETS))
        box = _box_in(box, shots[0].frame.shape)
        number = self._targets.add(shots[0].frame, box)
        track = Track(box, GIVEN)
        try:
            self._outputs.row(shots[0].index, shots[0].time_s, number, track)
            for shot in _spread(shots[1:], CATCH_UP_FRAMES):
                track = self._targets.follow(number, shot.frame)
                self._outputs.row(shot.index, shot.time_s, number, track)
        except HotpathError:
            self._targets.drop(number)
            raise
        self._set_tracks(dict(present), number, track, replaced)
        if self._wait_for_target:
            self.pause(False)
        return number

    def drop(self, number):
        """Follow that target no more."""
        if number not in self._shot.tracks:
            raise Refused(404, "there is no target {}".format(number))
        self._set_tracks(dict(self._shot.tracks), None, None, number)

    def _set_tracks(self, tracks, number, track, dropped):
        if dropped is not None:
            self._targets.drop(dropped)
            tracks.pop(dropped)
        if number is not None:
            tracks[number] = track
        self._shot = self._shot._replace(tracks=tracks)

    def pause(self, paused):
        """Let a recording stand still, or go on."""
        if self.source.live:
            raise Refused(409, "a live source can't be paused; freeze the picture to aim")
        self._wait_for_target = False
        self.paused = paused
        self._times.clear()

    def record(self, on):
        """Write to the files that the command line named, or let them rest."""
        if not self._can_record:
            raise Refused(409, "nothing to record to; start the run with --save or --results")
        self._outputs.recording = on

    def stop(self):
        """End the run, as Ctrl-C does."""
        self._stop.asked = True

    # for other threads

    def ask(self, function, *arguments):
        """Have the loop call one of the above; returns a ``concurrent.futures.Future``."""
        future = Future()
        future.set_running_or_notify_cancel()
        with self._news:
            if self.ended or len(self._asked) >= MOST_ASKED:
                raise Refused(503, "the run has ended" if self.ended else "too much is asked")
            self._asked.append((future, function, arguments))
            self._news.notify_all()
        return future

    def nudge(self):
        """Have those who wait look at the newest frame again."""
        self._changed()

    def wait(self, version, timeout_s):
        """Wait for a frame or a change after ``version``; returns (version, newest ``Shot``)."""
        with self._news:
            if self._version == version and not self.ended:
                self._news.wait(timeout_s)
            return self._version, self._shot

    def state(self, shot):
        """All that the page shows beside the picture ``shot``, ready for JSON."""
        source, outputs = self.source, self._outputs
        steps = outputs.profile.recent_ms() if outputs.profile.frames else {}
        height, width = shot.frame.shape[:2]
        return {
            "run": self._run,
            "frame": shot.index,
            "time_s": None if shot.time_s is None else round(shot.time_s, 3),
            "size": [width, height],
            "targets": [_plain(number, track) for number, track in list(shot.tracks.items())],
            "live": source.live,
            "paused": self.paused,
            "waiting": self._waiting(),
            "ended": self.ended,
            "recording": {"can": self._can_record, "on": outputs.recording},
            "source": source.name,
            "frames": source.frames,
            "network": outputs.network,
            "engine": self._engine,
            "fps": self._fps(),
            "ms": {name: round(steps[name], 3) for name in steps if name != "wait"},
            "dropped": source.dropped,
            "gaps": {
                "count": len(source.gaps),
                "seconds": round(sum(s for _, s in source.gaps), 1),
            },
        }

    def rows(self, after, most):
        """Rows of results numbered above ``after``, oldest first.

        Returns:
            (first, rows): the number of the first row given, and lists of numbers or None.
        """
        count = self._row_count
        first = max(after + 1, count - ROWS_KEPT, 0)
        wanted = np.arange(first, min(count, first + most)) % ROWS_KEPT
        rows = [[None if np.isnan(v) else round(v, 4) for v in row] for row in
                self._rows[wanted].tolist()]  # fmt: skip
        return first, rows

    def _waiting(self):
        """What the run waits for: "target", "frames", or None."""
        if self.paused and self._wait_for_target:
            return "target"
        late_s = time.monotonic() - self._times[-1] if self._times else 0.0
        return "frames" if self.source.live and late_s > 1.0 else None

    def _fps(self):
        """Frames tracked per second of late; None while there is no telling."""
        times = list(self._times)
        if self.paused or len(times) < 2 or time.monotonic() - times[-1] > 1.0:
            return None
        return round((len(times) - 1) / max(times[-1] - times[0], 1e-6), 1)


def _box_in(box, frame_shape):
    """The box as four floats when a person can have meant it."""
    x, y, w, h = checked_box(box, frame_shape)
    height, width = frame_shape[:2]
    if w < SMALLEST_PX or h < SMALLEST_PX:
        raise Refused(422, "a box must be {:g} pixels wide and high or more".format(SMALLEST_PX))
    if w > width or h > height:
        raise Refused(422, "a box can't be larger than the frame of {}x{}".format(width, height))
    return x, y, w, h


def _spread(shots, most):
    """At most so many of them, evenly spread, the last one among them."""
    if len(shots) <= most:
        return shots
    return [shots[int(n)] for n in np.linspace(0, len(shots) - 1, most)]


def _plain(number, track):
    """A target for JSON."""
    finite = np.isfinite(track.box).all()
    return {
        "number": number,
        "box": [round(float(v), 2) for v in track.box] if finite else None,
        "score": round(float(track.score), 4) if np.isfinite(track.score) else None,
        "lost": bool(track.lost),
    }
