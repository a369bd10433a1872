"""``hotpath gimbal calibrate`` and ``hotpath ptz calibrate``: measure how a camera turns.

The camera must look at a scene with texture in which nothing moves. Both axes are nudged by some
degrees for 16 seconds. The answer is written as TOML for ``--gimbal-calibration``.
"""

import argparse
import contextlib
import datetime
import math
import sys
import time
from typing import TYPE_CHECKING, Any, List, Sequence, Tuple

from hotpath.links import Parser, between, cache, exit_code, needs, read_login, say
from hotpath.runtime.errors import BadOutput, BadSource
from hotpath.video.base import to_bgr
from hotpath.video.live import end_program
from hotpath.video.output_file import check_ending, check_folder
from hotpath.video.sources import WAITING, open_source
from hotpath_vehicle.aim import calibration as calibrations
from hotpath_vehicle.aim import nudges
from hotpath_vehicle.aim.calibration import AimCalibration
from hotpath_vehicle.plug import MavlinkOptions

if TYPE_CHECKING:
    from hotpath.video.base import Source

GIMBAL_RATE, PTZ_SHARE = 5.0, 0.1  # of a nudge: degrees a second; share of the fastest turn
FOV_DEG = 60.0  # that the motion is first counted in
READY_S = 20.0  # longest wait for the actuator

Rates = Tuple[float, float]


def main(arguments: Sequence[str]) -> int:
    """Run the command line, which begins with "gimbal" or "ptz"; returns the exit code."""
    kind, *words = arguments
    options = parser(kind).parse_args(words)
    return exit_code(f"hotpath {kind}", lambda: calibrate(kind, options))


def parser(kind: str) -> argparse.ArgumentParser:
    """The options of the command line."""
    cli = Parser(prog=f"hotpath {kind}", description=__doc__.partition("\n\n")[2])
    commands = cli.add_subparsers(dest="command", metavar="calibrate")
    commands.required = True
    text = "nudge the camera, and write what its picture answers"
    command = commands.add_parser("calibrate", help=text, description=text)
    add = command.add_argument
    text = "the camera's live stream, exactly as `hotpath track --video` will get it"
    add("--video", required=True, metavar="SOURCE", help=text)
    add("--insecure", action="store_true", help="accept any certificate of that stream")
    add("--out", required=True, metavar="FILE.toml", help="the file to write")
    if kind == "ptz":
        add("--gimbal", required=True, metavar="onvif://USER@HOST:PORT", help="the camera")
        add("--gimbal-login", metavar="FILE", help="file with USER:PASSWORD")
        text = "width of its picture in degrees (default: %(default)g)"
        add("--fov", type=float, default=FOV_DEG, metavar="H", help=text)
    else:
        add("--mavlink", required=True, metavar="ADDRESS", help="as for `hotpath track`")
        ids = between(1, 255)
        add("--mavlink-system", type=ids, default=1, metavar="N", help="of the vehicle")
        add("--mavlink-component", type=ids, default=100, metavar="N", help="our own")
        add("--mavlink-key", metavar="FILE", help="as for `hotpath track`")
    return cli


def calibrate(kind: str, options: argparse.Namespace) -> None:
    """Measure, and write the files.

    Raises:
        HotpathError: the stream, the actuator, the scene, or a file.
    """
    check_ending(options.out, (".toml",))
    check_folder(options.out)
    with contextlib.ExitStack() as cleanup:
        source = cleanup.enter_context(open_source(options.video, say, insecure=options.insecure))
        if not source.live:
            raise BadSource(f"{source.name}: is not a live stream, so nothing in it can answer")
        fov = options.fov if kind == "ptz" else FOV_DEG
        frames = MotionReader(source, fov)
        actuator = open_ptz(options) if kind == "ptz" else open_gimbal(options, frames.size)
        cleanup.callback(actuator.stop)
        say("the camera turns now by some degrees; nothing may move before it")
        sent, moves = nudge(actuator, frames, PTZ_SHARE if kind == "ptz" else GIMBAL_RATE)
        answer = nudges.measure(sent, frames.seen, moves)
        known = (actuator.name, actuator.frame)
    made = calibration_of(kind, answer, (options.video, frames.size, fov), known)
    note = f"Measured by `hotpath {kind} calibrate` on {datetime.date.today()}.\nMeasure again "
    note += "after any change of camera, lens, zoom, stream or actuator."
    try:
        cache.write_text(options.out, calibrations.text(made, note))
    except OSError as error:
        raise BadOutput(f"{options.out}: can't be written ({error.strerror})") from None
    say(f"delay {made.delay:.3f} s (90 % within {made.spread:.3f} s), width {made.fov:.1f} degrees")
    say(f"sign {made.sign}, scale {made.scale}: at most {made.most:.0f} degrees a second")
    say(f"wrote {options.out}; give it to hotpath track as --gimbal-calibration")


def calibration_of(kind: str, answer: Any, stream: Any, actuator: Any) -> AimCalibration:
    """The calibration of an answer whose motion was counted with a field of view.

    A gimbal turns by the degrees that it is told, so the answer tells the field of view. A PTZ
    camera does not state its speed, so the field of view is taken as it is.
    """
    (video, size, fov), (name, frame), scale = stream, actuator, answer.scale
    if kind == "gimbal":
        tangent = math.tan(math.radians(fov) / 2.0) / scale[0]
        fov, scale = 2.0 * math.degrees(math.atan(tangent)), (1.0, scale[1] / scale[0])
    spread = max(answer.spread, 0.01)
    stream_name = calibrations.without_password(str(video))
    return AimCalibration(
        stream_name, size, name, fov, answer.delay, spread, answer.sign, scale, frame
    )


class MotionReader:
    """Reads a live source, and adds up the motion of its picture.

    Attributes:
        size: (width, height).
        seen: (time stamp, right, up) of each frame.
    """

    def __init__(self, source: "Source", fov: float) -> None:
        self._source, self._motion = source, nudges.PictureMotion(fov)
        self.seen: List[Tuple[float, float, float]] = []
        self.frame: Any = None
        while self.frame is None:
            self.next()
        self.size: Tuple[int, int] = (self.frame.shape[1], self.frame.shape[0])

    def next(self) -> bool:
        """Wait a little for the next frame; whether it came."""
        frame = self._source.read(0.02)
        if frame is None:
            raise BadSource(f"{self._source.name}: the stream has ended")
        if frame is WAITING:
            return False
        self.frame = to_bgr(frame)
        self.seen.append((self._source.captured_s,) + self._motion.add(self.frame))
        return True


def nudge(actuator: Any, frames: MotionReader, rate: float) -> Any:
    """Nudge; returns ((time, right, up) of the commands, the plan in the clock's time)."""
    ends_s = time.monotonic() + READY_S
    while not actuator.is_ready():
        if time.monotonic() > ends_s:
            raise BadOutput(f"{actuator.name}: {actuator.why}")
        actuator.send((0.0, 0.0), frames)
        frames.next()
    began_s = time.monotonic()
    moves = [move._replace(at=move.at + began_s) for move in nudges.plan(rate)]
    sent: List[Tuple[float, float, float]] = [(began_s, 0.0, 0.0)]
    del frames.seen[:-1]
    while time.monotonic() < nudges.seconds_of(moves):
        wanted = nudges.rates_at(moves, time.monotonic())
        at = actuator.send(wanted, frames)
        if wanted != sent[-1][1:]:
            sent.append((at,) + wanted)
        frames.next()
    return sent, moves


def open_ptz(options: argparse.Namespace) -> Any:
    """The PTZ camera; raises ``BadOutput``."""
    from hotpath_vehicle.onvif import OnvifCamera

    return Ptz(OnvifCamera(options.gimbal, read_login("gimbal-login", options.gimbal_login)))


class Ptz:
    """A PTZ camera that takes shares of its fastest turn."""

    AGAIN_S = 0.5  # it stops by itself after a second
    frame = "none"
    why = "it does not answer"

    def __init__(self, camera: Any) -> None:
        self._camera, self.name = camera, camera.name
        self._last, self._last_s = (0.0, 0.0), -math.inf

    def is_ready(self) -> bool:
        """It answered when it was opened."""
        return True

    def send(self, rates: Rates, _: MotionReader) -> float:
        """Send rates that are new or must be repeated; returns when."""
        now = time.monotonic()
        is_due = rates != (0.0, 0.0) and now - self._last_s > self.AGAIN_S
        if rates != self._last or is_due:
            self._last, self._last_s = rates, now
            self._camera.move(lambda: rates)
        return now

    def stop(self) -> None:
        """Stop the camera."""
        self._camera.move(lambda: (0.0, 0.0))


def open_gimbal(options: argparse.Namespace, size: Any) -> Any:
    """The vehicle's gimbal; raises ``BadOutput``."""
    try:
        from hotpath_vehicle.mavlink import nudged
    except ImportError as error:
        raise BadOutput(needs("--mavlink", "pymavlink", error, "vehicle")) from None
    mavlink = MavlinkOptions(
        options.mavlink,
        options.mavlink_system,
        options.mavlink_component,
        key=options.mavlink_key,
    )
    return nudged.open_gimbal(mavlink, size, say)


if __name__ == "__main__":
    end_program(main(sys.argv[1:]))
