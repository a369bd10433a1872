"""A fake V4L2 camera: a C library, preloaded into the program under test.

``FakeCamera`` builds it, writes the pictures it shows, and plugs, unplugs or freezes the camera
while the program runs.
"""

import os
import pathlib
import shutil
import subprocess

import cv2
import numpy as np

from tests.support.streams import scene

SOURCE = pathlib.Path(__file__).resolve().parent / "fake_v4l2.c"
ROUND = 210  # pictures in one round of the scene


def compiler():
    """The C compiler, or None."""
    return shutil.which("cc") or shutil.which("gcc")


class FakeCamera:
    """The camera ``/dev/video<number>`` for processes started with ``environment()``.

    Args:
        folder: where its library, pictures and state go (a test's own).
        pictures: list of BGR ``uint8`` frames of one even size to loop; None: ``scene``.
        number: of the camera.
    """

    def __init__(self, folder, pictures=None, number=7):
        self.folder, self.number = pathlib.Path(str(folder)), number
        self._library = self.folder / "fake_v4l2.so"
        self._state = self.folder / "camera.state"
        self._raw = self.folder / "camera.yuyv"
        subprocess.check_call(
            [compiler(), "-O1", "-Wall", "-Wextra", "-shared", "-fPIC"]
            + ["-o", str(self._library), str(SOURCE), "-ldl"]
        )
        if pictures is None:
            pictures = [scene.picture_at(tick) for tick in range(ROUND)]
        self.height, self.width = pictures[0].shape[:2]
        self._raw.write_bytes(b"".join(yuyv(picture) for picture in pictures))
        self.plug()

    def environment(self):
        """Environment variables for ``subprocess`` that make the camera appear."""
        return dict(
            os.environ,
            LD_PRELOAD=str(self._library),
            FAKE_V4L2_DEVICE="/dev/video{}".format(self.number),
            FAKE_V4L2_STATE=str(self._state),
            FAKE_V4L2_PICTURES=str(self._raw),
            FAKE_V4L2_SIZE="{}x{}".format(self.width, self.height),
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


def yuyv(picture):
    """A BGR picture as the bytes of YUYV 4:2:2, limited range, as cameras send it."""
    height, width = picture.shape[:2]
    planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    area = height * width
    u, v = (
        np.repeat(planes[at : at + area // 4].reshape(height // 2, width // 2), 2, axis=0)
        for at in (area, area + area // 4)
    )
    packed = np.empty((height, width, 2), np.uint8)
    packed[:, :, 0] = planes[:area].reshape(height, width)
    packed[:, 0::2, 1], packed[:, 1::2, 1] = u, v
    return packed.tobytes()
