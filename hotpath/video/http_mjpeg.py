"""Motion JPEG over HTTP, read as browsers read it: what is between two boundaries is a picture.

The length that a part states is a hint, which saves waiting for the next boundary. FFmpeg believes
it, and knows no other type than ``image/jpeg``.
"""

import hashlib
import re
import ssl
import time
import urllib.request
from http.client import HTTPException
from typing import Any, Iterator, List, Optional, Tuple
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit

import numpy as np

from hotpath.runtime.errors import BadSource
from hotpath.runtime.frames.jpeg_frames import JpegFrame
from hotpath.video.base import without_password
from hotpath.video.encoded import JPEG_END, plain_jpeg
from hotpath.video.limits import MIB, PART_MIB, check_size
from hotpath.video.probe import REFUSED, login_refused

AT_ONCE = 1 << 16  # bytes that are read at most
HEADERS = 1 << 16  # bytes before and between pictures
TAIL = 64  # bytes after a JPEG's end marker
LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]{1,12})", re.IGNORECASE | re.MULTILINE)
STALE = re.compile('stale *= *"?true', re.IGNORECASE)  # the login is right, and must be made anew
BLANK_LINE = re.compile(rb"\n\r?\n")


class PartsCapture:
    """The pictures of an answer of type multipart, with the methods that live sources use.

    Args:
        answer: the answer of ``urllib``, whose headers were read.
        boundary: what stands between the parts, as the answer states it, or "".
        planes: whether frames may be ``Picture``s.
        patience_s: how long the first picture may take.

    Attributes:
        errors: frames before the last one that are damaged. They are given all the same.
        skipped: parts that are no picture.
        decode_ms: how long the last frame was decoded, if it is not a ``Picture``.
    """

    fps = frames = None

    def __init__(self, answer: Any, boundary: str, planes: bool, patience_s: float) -> None:
        self._answer, self._planes = answer, planes
        self._name = without_password(answer.geturl())
        self._until_s = time.monotonic() + patience_s
        self._bytes = bytearray()
        self._token = boundary.strip(' "').strip("-").encode("latin-1")
        self._parts = self._all_parts()
        self._last: Any = None
        self.errors = self.skipped = 0
        self.decode_ms = 0.0
        self._first = self._next()

    def isOpened(self) -> bool:
        """Whether a first picture came."""
        return self._first is not None

    def read(self) -> Tuple[bool, Any]:
        """(True, the next frame), or (False, None) if there is none."""
        frame, self._first = self._first, None
        if frame is None:
            frame = self._next()
        return frame is not None, frame

    def get(self, _: int) -> float:
        """No rate and no stamps are known: 0."""
        return 0.0

    def release(self) -> None:
        """Close the connection."""
        self._answer.close()

    def _next(self) -> Any:
        """The next frame, or None at the end of the connection."""
        self.errors += getattr(self._last, "is_damaged", False)
        for part in self._parts:
            self._last = jpeg = self._frame(part)
            if jpeg is None:
                self.skipped += 1
            elif self._planes:
                return jpeg
            else:
                picture = jpeg.bgr()
                self.decode_ms = jpeg.decode_ms
                return picture
        self._last = None
        return None

    def _frame(self, part: bytes) -> Optional[JpegFrame]:
        """The picture of a part; None if it is no JPEG."""
        try:
            jpeg = JpegFrame(np.frombuffer(plain_jpeg(part), np.uint8))
        except ValueError:
            return None
        check_size(self._name, *jpeg.shape[1::-1])
        if JPEG_END not in part[-TAIL:]:  # cut off, or by a camera that leaves the marker out
            jpeg.ends_early()
        return jpeg

    def _all_parts(self) -> Iterator[bytes]:
        """The contents of all parts."""
        while not self._token:  # it is not stated: the first line tells it
            end = self._find(b"\n", 0, HEADERS)
            if end < 0:
                return
            line = bytes(self._bytes[:end]).strip()
            del self._bytes[: end + 1 if not line.startswith(b"--") else 0]
            self._token = line.strip(b"-") if line.startswith(b"--") else b""
        mark = b"--" + self._token
        while True:
            at = self._find(mark, 0, HEADERS)
            blank = self._find(BLANK_LINE, at + len(mark), HEADERS) if at >= 0 else -1
            if blank < 0:
                return
            headers = bytes(self._bytes[at:blank])
            del self._bytes[: self._bytes.index(b"\n", blank + 1) + 1]
            stated = LENGTH.search(headers)
            end = self._find(mark, 0, PART_MIB * MIB, stated)
            part = bytes(self._bytes[:end] if end >= 0 else self._bytes)
            del self._bytes[: len(part)]
            if part:
                yield part.strip(b"\r\n")
            if end < 0:
                return

    def _find(self, what: Any, start: int, most: int, stated: Any = None) -> int:
        """Where something begins in the bytes that come; -1 if the connection ends before.

        Args:
            what: bytes, or a pattern.
            start: from where on.
            most: bytes that are read for it.
            stated: a match of ``LENGTH``. Where a JPEG ends there, that is the answer.

        Raises:
            BadSource: it is not among so many bytes.
        """
        length = int(stated.group(1)) if stated else 0
        seen = start
        while True:
            if isinstance(what, bytes):
                at = self._bytes.find(what, seen)
                seen = max(start, len(self._bytes) - len(what) + 1)
            else:
                match = what.search(self._bytes, start)
                at = match.start() if match else -1
            if at >= 0:
                return at
            if length and len(self._bytes) >= length and self._bytes[:2] == b"\xff\xd8":
                if self._bytes[length - 2 : length] == JPEG_END:
                    return length
            if len(self._bytes) - start > most:
                raise BadSource(
                    f"{self._name}: {most} bytes without a boundary; check the sender",
                    what="no boundary",
                )
            is_late = not hasattr(self, "_first") and time.monotonic() > self._until_s
            if is_late or not self._read():
                return -1

    def _read(self) -> bool:
        """Read what came; returns whether there was anything."""
        try:
            data = self._answer.read1(AT_ONCE)
        except (OSError, HTTPException, ValueError):  # too late, broken, or closed by ``release``
            return False
        self._bytes += data
        return bool(data)


class Digest(urllib.request.HTTPDigestAuthHandler):
    """Knows SHA-256 too (RFC 7616), as Python does from 3.14 on, and gives a login once.

    Python gives a login that is refused six times, and cameras lock an account after as many.
    """

    def http_error_401(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        """The answer to a request with the login; raises ``HTTPError`` where that was refused."""
        if req.has_header("Authorization") and not STALE.search(str(headers)):
            raise HTTPError(req.full_url, code, msg, headers, fp)
        return super().http_error_401(req, fp, code, msg, headers)

    def get_algorithm_impls(self, algorithm: str) -> Any:
        """Two functions: the hash of a text, and that of a secret with data."""
        if algorithm.upper() != "SHA-256":
            return super().get_algorithm_impls(algorithm)

        def hashed(text: str) -> str:
            return hashlib.sha256(text.encode("utf-8")).hexdigest()

        return hashed, lambda secret, data: hashed(f"{secret}:{data}")


def open_parts(
    address: str,
    open_timeout_s: float,
    read_timeout_s: float,
    patience_s: float,
    planes: bool = True,
    insecure: bool = False,
) -> Optional[PartsCapture]:
    """A capture of Motion JPEG over HTTP; None if the answer is of another type, or there is none.

    Raises:
        LoginRefused: the server refuses the user or the password, or asks for them.
    """
    url = urlsplit(address)
    bare = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
    users = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if url.username is not None:
        users.add_password(None, bare, unquote(url.username), unquote(url.password or ""))
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    handlers: List[Any] = [urllib.request.HTTPSHandler(context=context)]
    handlers += [urllib.request.HTTPBasicAuthHandler(users)]
    handlers += [Digest(users)]
    try:
        answer = urllib.request.build_opener(*handlers).open(bare, timeout=open_timeout_s)
    except HTTPError as error:
        error.close()
        if error.code in REFUSED:
            raise login_refused(without_password(address), f"{error.code} {error.reason}") from None
        return None
    except (OSError, HTTPException, ValueError):  # FFmpeg gets another error, which is told
        return None
    headers = answer.headers
    if headers.get_content_maintype() != "multipart":
        answer.close()
        return None
    answer.fp.raw._sock.settimeout(read_timeout_s)
    return PartsCapture(answer, headers.get_param("boundary", ""), planes, patience_s)
