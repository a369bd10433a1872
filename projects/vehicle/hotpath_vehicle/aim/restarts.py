"""A run that begins within a minute after another one has turned the same camera.

A program that is started again and again would fill its budget each time. So a run notes each
second in which it turns a camera, in a file of the user, and the next one begins without a budget:
the picture answers first. Where no file can be written, nothing is noted.
"""

import contextlib
import hashlib
import os
import time
from typing import Optional

from hotpath.links import cache
from hotpath_vehicle.aim.aim import Aim

FOLDER = os.path.join(cache.USERS, "turns")
RECENT_S, EVERY_S = 60.0, 1.0


def follow_on(aim: Aim, camera: str, folder: Optional[str] = None) -> None:
    """Spend the budget of a run that follows on another one, and note the turns of this one.

    Args:
        aim: of the camera.
        camera: its address, the same in each run.
        folder: of the notes; None: ``FOLDER``.
    """
    folder = folder or FOLDER
    path = os.path.join(folder, hashlib.sha256(camera.encode()).hexdigest()[:32])
    noted_s = -EVERY_S

    def note() -> None:
        nonlocal noted_s
        if time.monotonic() - noted_s < EVERY_S:
            return
        noted_s = time.monotonic()
        with contextlib.suppress(OSError):
            os.makedirs(folder, 0o700, exist_ok=True)
            with open(path, "w"):
                os.utime(path)

    with contextlib.suppress(OSError):
        if abs(time.time() - os.path.getmtime(path)) < RECENT_S:  # of a clock that went back, too
            aim.budget.spend()
    aim.on_turn = note
