"""Feed the GStreamer process with frames. The frame loop only hands over a reference."""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple
from urllib.parse import unquote

import cv2
import numpy as np

from hotpath.kernels.commands import counted
from hotpath.runtime.drawing import draw
from hotpath.runtime.errors import BadOutput
from hotpath.runtime.pictures import bgr_of
from hotpath.runtime.track.gstreamer import find_python
from hotpath.runtime.track.links.base import (
    Context,
    Link,
    LinkThread,
    is_loopback,
    read_login,
    shown_host,
    split_address,
)
from hotpath.runtime.track.links.stream.protocol import (
    END,
    FRAME,
    HEADER,
    MAGIC,
    RECORD,
    STOP_RECORDING,
)
from hotpath.runtime.track.video.output_file import check_ending, check_folder
from hotpath.runtime.track.video.save import letterbox
from hotpath.runtime.types import TrackedFrame

PROCESS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gst_process.py")
START_S = 15.0  # for the process to find its encoder
RETRY_S = (1.0, 30.0)  # after the process ended: first and longest pause
END_S = 6.0  # for it to finish its file
STALLED_S = 10.0  # a recording waits for its encoder for so long, once; then the process hangs
POLL_MS = 100
SMALLEST_PX = 16  # of the picture's sides, for encoders
DEFAULT_FPS = 30.0
RECORD_KINDS = (".mkv", ".mp4")
WAYS = "rtsp://[USER:PASSWORD@][HOST]:PORT/PATH or udp://HOST:PORT"


def parse_address(address: str) -> Tuple[str, Any]:
    """("rtsp", {"host", "port", "path", "user", "password"}) or ("udp", (host, port)).

    Raises:
        BadOutput: it is none of the two.
    """
    parts = split_address(address)
    if parts.scheme == "rtsp" and parts.port:
        return "rtsp", {
            "host": parts.hostname or "127.0.0.1",
            "port": parts.port,
            "path": parts.path or "/live",
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
        }
    if parts.scheme == "udp" and parts.port and parts.hostname:
        return "udp", (parts.hostname, parts.port)
    raise BadOutput(f"--stream {address}: not an address; give {WAYS}")


def shown_address(where: Dict[str, Any]) -> str:
    """Return the address of a served stream for viewers."""
    return f"rtsp://{shown_host(where['host'])}:{where['port']}{where['path']}"


def audience(where: Dict[str, Any]) -> str:
    """Return a sentence with the address of a served stream and its possible viewers."""
    address = shown_address(where)
    if is_loopback(where["host"]):
        hint = f"rtsp://0.0.0.0:{where['port']}{where['path']} serves the network"
        return f"stream: {address}, only for this computer; {hint}"
    if where["user"]:
        return f"stream: {address}, for everyone who knows the password of {where['user']}"
    return (
        f"stream: {address}, for everyone in the network, without a password; "
        "--stream-login FILE asks for one"
    )


def free_name(path: str) -> str:
    """The path, or with -2, -3 … before its ending where such a file exists."""
    stem, ending = os.path.splitext(path)
    number, name = 1, path
    while os.path.lexists(name):
        number += 1
        name = f"{stem}-{number}{ending}"
    return name


class Sender(Link):
    """Streams and records; made by ``open_sender``.

    Args:
        addresses: results of ``parse_address``.
        record: file to record to, or None. An older file is kept: the new one gets a number.
        fps: frames a second of the source, or None.
        box: whether boxes are drawn.
        say: function of one line of text for the user.
        bitrate_kbps: bit rate of the stream.
        waits: whether frames that are recorded wait for the encoder. Otherwise a newer frame
            replaces one that waits.

    Attributes:
        encoder: the one that is used, None before the process has said it.
        sent: frames that were handed to the process.
        dropped: frames that are missing in the recording.
        recording: whether frames are recorded.
        files: as in ``Link``.
    """

    def __init__(
        self,
        addresses: Sequence[Tuple[str, Any]],
        record: Optional[str],
        fps: Optional[float],
        box: bool,
        say: Callable[[str], None],
        bitrate_kbps: int = 4000,
        waits: bool = False,
    ) -> None:
        self.encoder = None
        self.sent = self.dropped = self.restarts = 0
        self.recording = bool(record)
        self.files: List[str] = []
        self._options = {
            "rtsp": [where for kind, where in addresses if kind == "rtsp"],
            "udp": [where for kind, where in addresses if kind == "udp"],
            "bitrate_kbps": bitrate_kbps,
        }
        self._record, self._fps, self._box, self._say = record, fps or DEFAULT_FPS, box, say
        self._news = threading.Condition()
        self._shown: Optional[TrackedFrame] = None
        self._taken: Optional[TrackedFrame] = None  # of the frames shown, by the thread
        self._waits = waits
        self._closing = False
        self._process: Any = None
        self._wanted = True  # the first frame tells the size
        self._watched = False  # whether anything ever took the pictures: a viewer, UDP or a file
        self._writes = False  # whether the process was told to record
        self._problem: Optional[str] = None
        self._ready = threading.Event()
        self._start()
        self._size: Optional[Tuple[int, int]] = None  # (width, height) of the first picture
        self.threads = (LinkThread("stream", self._run),)
        self.threads[0].start()

    def show(self, tracked: TrackedFrame, recording: bool) -> None:
        """Keep the newest frame for the thread that sends it."""
        with self._news:
            self._wait_until_taken()
            if self._record and self.recording and self._shown is not self._taken:
                self.dropped += 1
            self.recording = recording
            self._shown = tracked
            self._news.notify_all()
        if self._problem:  # of the recording; the stream goes on
            raise BadOutput(self._problem)

    def lines(self) -> List[str]:
        """What was sent."""
        if not self._watched:
            return ["stream: nobody watched"]
        late = f", not recorded, as the encoder was late: {self.dropped}" if self.dropped else ""
        return [f"stream: {counted(self.sent, 'frame')} by {self.encoder}{late}"]

    def _wait_until_taken(self) -> None:
        """Wait until the thread has taken the frame that is shown, if it is recorded."""
        if self._waits and self._record:
            self._waits = self._news.wait_for(
                lambda: self._shown is self._taken or not self.recording or bool(self._problem),
                STALLED_S,
            )

    def close(self) -> None:
        """Finish the file and end the process; may be called twice."""
        with self._news:
            if self._closing:
                return
            self._wait_until_taken()
            self._closing = True
            self._news.notify_all()
        self.threads[0].join(END_S)
        if self.threads[0].is_alive():  # it writes to a process that hangs
            self._process.kill()
            self.threads[0].join(END_S)
        self._end_process()

    def wait_ready(self) -> None:
        """Wait until the process serves.

        Raises:
            BadOutput: it can't, with its own sentence.
        """
        if not self._ready.wait(START_S) or self._problem:
            problem = self._problem or f"GStreamer did not start within {START_S:g} s"
            self.close()
            raise BadOutput(problem)

    # the process

    def _start(self) -> None:
        self._ready.clear()
        self._problem = None
        self._writes, self._wanted = False, True
        self._process = subprocess.Popen(
            # the encoder yields to the tracker; Ctrl-C is the tracker's to answer
            ["nice", "-n", "5", find_python()[0] or sys.executable, "-Bu", PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        os.set_blocking(self._process.stdin.fileno(), False)
        options = json.dumps(self._options)  # not among the arguments, which every user can list
        with contextlib.suppress(OSError):  # it ended at once; its reader says why
            self._put(options.encode("ascii") + b"\n")
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: Any) -> None:
        """What the process says, line by line."""
        for line in process.stdout:
            try:
                event = json.loads(line.decode("utf-8"))
            except ValueError:
                continue
            self._wanted = event.get("want", self._wanted) != 0
            self._watched = self._watched or event.get("want", 0) > 0
            if "error" in event:
                self._problem = event["error"]
                self._ready.set()
            if event.get("recording"):
                self._problem = None
            if "ready" in event:
                self.encoder = event["ready"]
                self._ready.set()
            with self._news:
                self._news.notify_all()
        if not self._ready.is_set():
            self._problem = self._problem or (
                "--stream and --record need GStreamer and its Python binding; on Debian, Ubuntu "
                "and JetPack: sudo apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 "
                "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly"
            )
            self._ready.set()

    def _run(self) -> None:
        """The thread: the newest frame, drawn, converted and written to the process."""
        pause_s = RETRY_S[0]
        while True:
            with self._news:
                while not self._closing and (self._shown is self._taken or not self._needed()):
                    self._news.wait(0.5)
                shown = self._taken = self._shown
                self._news.notify_all()
                if self._closing or shown is None:
                    return
            try:
                self._keep_record()
                self._write(shown)
                pause_s = RETRY_S[0]
            except (OSError, ValueError) as error:
                if self._closing:
                    return
                self._say(f"stream: GStreamer ended ({error}); starting it again")
                self.restarts += 1
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_S[1])
                self._end_process()
                self._start()
                self._ready.wait(START_S)

    def _needed(self) -> bool:
        """Whether the next frame is to be sent: somebody looks, or it is recorded."""
        records = self._record is not None and self.recording != self._writes
        return self._wanted or self._taken is None or records

    def _keep_record(self) -> None:
        """Tell the process to start or to stop recording if that changed."""
        if not self._record or self.recording == self._writes:
            return
        self._writes = self.recording
        if self._writes:
            path = free_name(self._record)
            self._send(RECORD, os.fsencode(os.path.abspath(path)))
            self.files.append(path)
        else:
            self._send(STOP_RECORDING, b"")

    def _write(self, shown: TrackedFrame) -> None:
        frame = bgr_of(shown.frame)
        if self._box and shown.tracks:
            frame = draw(frame, shown.tracks)
        picture = to_i420(self._fitted(frame))
        height, width = picture.shape[0] * 2 // 3, picture.shape[1]
        unix_s = time.time() - (time.monotonic() - shown.captured_s)
        times = int(shown.captured_s * 1e9), int(unix_s * 1e6)
        time_s = shown.captured_s if shown.time_s is None else shown.time_s
        more = width, height, int(self._fps * 1000), int(time_s * 1e9)
        self._send(FRAME, picture, (*times, shown.index, *more))
        self.sent += 1

    def _fitted(self, frame: np.ndarray) -> np.ndarray:
        """Resize a frame to the first frame's size, as an encoder and a file have one size."""
        if self._size is None:
            height, width = frame.shape[:2]
            self._size = max(SMALLEST_PX, width & ~1), max(SMALLEST_PX, height & ~1)
        is_cut = (frame.shape[1] & ~1, frame.shape[0] & ~1) == self._size
        return frame if is_cut else letterbox(frame, self._size)

    def _send(self, kind: int, payload: Any, header: Sequence[int] = (0,) * 7) -> None:
        data = memoryview(payload).cast("B") if len(payload) else b""
        self._put(HEADER.pack(MAGIC, kind, *(tuple(header) + (len(data),))))
        self._put(data)

    def _put(self, data: Any, limit_s: float = STALLED_S) -> None:
        """Write to the process; raises ``OSError`` where it takes nothing for ``limit_s``."""
        view, pipe = memoryview(data), self._process.stdin.fileno()
        room, ends_s = select.poll(), time.monotonic() + limit_s
        room.register(pipe, select.POLLOUT)
        while view:
            if room.poll(POLL_MS):
                view = view[os.write(pipe, view) :]
                ends_s = time.monotonic() + limit_s
            elif time.monotonic() > ends_s:
                self._process.kill()
                raise OSError("GStreamer's process hangs")

    def _end_process(self) -> None:
        process = self._process
        with contextlib.suppress(OSError, ValueError):
            self._put(HEADER.pack(MAGIC, END, *(0,) * 8), 1.0)
            process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._reader.join(END_S)  # its last words


def open_sender(
    addresses: Optional[Sequence[str]],
    record: Optional[str],
    fps: Optional[float],
    box: bool,
    say: Callable[[str], None],
    login: Tuple[str, str] = ("", ""),
    **more: Any,
) -> Sender:
    """Start streaming; see ``Sender``.

    Args:
        addresses: texts, see ``WAYS``.
        login: user and password of served addresses that name none; empty for none.

    Raises:
        BadOutput: a wrong address, no GStreamer, no encoder, or a port that is taken.
    """
    parsed = [parse_address(address) for address in addresses or ()]
    served = [where for kind, where in parsed if kind == "rtsp"]
    for where in served:
        if login[0] and not where["password"]:
            where["user"], where["password"] = login
        if bool(where["user"]) != bool(where["password"]):
            lacking = "user" if where["password"] else "password"
            raise BadOutput(f"--stream: the address has no {lacking}; give --stream-login FILE")
    sender = Sender(parsed, record, fps, box, say, **more)
    sender.wait_ready()
    for where in served:
        say(audience(where))
    return sender


def check_options(options: Any) -> None:
    """Refuse addresses and files that can't be used, before anything is opened.

    Raises:
        BadOutput: a wrong address or ending, or a folder that can't be written to.
    """
    for address in options.stream or ():
        parse_address(address)
    if options.record:
        check_ending(options.record, RECORD_KINDS)
        check_folder(options.record)


def open_link(context: Context) -> Sender:
    """The sender of ``--stream`` and ``--record``."""
    options = context.options
    return open_sender(
        options.stream,
        options.record,
        context.fps,
        not options.stream_plain,
        context.say,
        read_login("stream-login", options.stream_login),
        bitrate_kbps=options.stream_kbps,
        waits=not context.live,
    )


def to_i420(frame: np.ndarray) -> np.ndarray:
    """A BGR frame as I420, uint8 (H * 3 / 2, W); an odd last row or column is left out."""
    height, width = frame.shape[0] & ~1, frame.shape[1] & ~1
    return cv2.cvtColor(np.ascontiguousarray(frame[:height, :width]), cv2.COLOR_BGR2YUV_I420)
