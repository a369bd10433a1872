"""A fake V4L2 camera: a C library, preloaded into the program under test."""

import os
import pathlib
import shutil
import subprocess

import cv2

from tests.support.pictures_in_planes import planes_of

SOURCE = pathlib.Path(__file__).resolve().parent / "fake_v4l2.c"


def compiler():
    """The C compiler, or None."""
    return shutil.which("cc") or shutil.which("gcc")


class FakeCamera:
    """The camera ``/dev/video<number>`` for processes started with ``environment()``.

    Args:
        pictures: list of BGR ``uint8`` frames of one even size to loop.
        kind: of its pixels: YUYV, UYVY, GREY, MJPG, or BGR3, which only OpenCV captures.
        damage: function (number, bytes) that gives what is sent instead of a picture's bytes.
    """

    def __init__(self, folder, pictures, number=7, kind="YUYV", damage=None):
        self.number, self.kind = number, kind
        self._library, self._state = folder / "fake_v4l2.so", folder / "camera.state"
        self._raw = folder / "camera.raw"
        subprocess.check_call(
            [compiler(), "-O1", "-Wall", "-Wextra", "-shared", "-fPIC"]
            + ["-o", str(self._library), str(SOURCE), "-ldl"]
        )
        self.height, self.width = pictures[0].shape[:2]
        raw = [encoded(picture, kind) for picture in pictures]
        raw = [damage(*each) for each in enumerate(raw)] if damage else raw
        self._bytes = max(len(picture) for picture in raw)
        self._raw.write_bytes(b"".join(picture.ljust(self._bytes, b"\0") for picture in raw))
        self.plug()

    def environment(self):
        """Environment variables for ``subprocess`` that make the camera appear."""
        return dict(
            os.environ,
            LD_PRELOAD=str(self._library),
            FAKE_V4L2_DEVICE=f"/dev/video{self.number}",
            FAKE_V4L2_STATE=str(self._state),
            FAKE_V4L2_PICTURES=str(self._raw),
            FAKE_V4L2_SIZE=f"{self.width}x{self.height}",
            FAKE_V4L2_FORMAT=self.kind,
            FAKE_V4L2_BYTES=str(self._bytes),
        )

    def plug(self):
        """Plug the camera in: it works."""
        self._state.write_text("plugged")

    def unplug(self):
        """Unplug the camera: opening it fails with ENOENT, reading it with ENODEV."""
        self._state.write_text("unplugged")

    def freeze(self):
        """Freeze the camera: it is there, but no picture ever becomes ready."""
        self._state.write_text("frozen")


def encoded(picture, kind):
    """A BGR picture as the bytes that a camera sends."""
    if kind == "MJPG":
        return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    if kind == "BGR3":
        return picture.tobytes()
    return planes_of(picture, kind).planes[0].tobytes()
