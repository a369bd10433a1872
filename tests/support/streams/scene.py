"""Pictures for the senders: a textured target on a textured ground, with a clock in the top rows.

The clock is the number of frame times since the machine started, so a reader on the same machine
can tell how old a picture is. It is 16 black or white blocks, lowest bit first, and survives JPEG
and H.264.
"""

import glob
import os
import time

import cv2
import numpy as np

from runtime.pictures import bgr_of

WIDTH, HEIGHT, FPS = 320, 240, 30
BITS, BLOCK, ROWS = 16, WIDTH // 16, 16
TARGET_PX = 48
_NOISE = np.random.RandomState(7)
_GROUND = cv2.GaussianBlur(_NOISE.randint(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8), (0, 0), 6)
_TARGET = cv2.resize(
    _NOISE.randint(0, 256, (6, 6, 3)).astype(np.uint8),
    (TARGET_PX, TARGET_PX),
    interpolation=cv2.INTER_NEAREST,
)


def ticks_now():
    """Frame times since the machine started, modulo 2**16."""
    return int(time.monotonic() * FPS) % (1 << BITS)


def box_at(tick):
    """The target's box ``(x, y, w, h)`` at a tick: it goes round once in about seven seconds."""
    angle = 2 * np.pi * (tick % 210) / 210.0
    x = WIDTH / 2.0 - TARGET_PX / 2.0 + 90 * np.cos(angle)
    y = ROWS + (HEIGHT - ROWS) / 2.0 - TARGET_PX / 2.0 + 70 * np.sin(angle)
    return (int(round(x)), int(round(y)), TARGET_PX, TARGET_PX)


def picture_at(tick):
    """The picture at a tick, BGR ``uint8`` (HEIGHT, WIDTH, 3)."""
    picture = _GROUND.copy()
    x, y, w, h = box_at(tick)
    picture[y : y + h, x : x + w] = _TARGET
    return stamped(picture, tick)


def stamped(picture, tick):
    """``picture`` with the tick in its top rows (any size of at least 16 blocks)."""
    block = picture.shape[1] // BITS
    for bit in range(BITS):
        picture[:ROWS, bit * block : (bit + 1) * block] = 255 if tick >> bit & 1 else 0
    return picture


def tick_of(picture):
    """The tick that a picture carries."""
    picture = bgr_of(picture)
    block = picture.shape[1] // BITS
    tick = 0
    for bit in range(BITS):
        middle = picture[4 : ROWS - 4, bit * block + block // 4 : (bit + 1) * block - block // 4]
        tick |= int(middle.mean() > 127) << bit
    return tick


def age_s(picture):
    """Age of a picture that was just received, seconds."""
    return ((ticks_now() - tick_of(picture)) % (1 << BITS)) / float(FPS)


def folder_of_pictures(folder):
    """Paths of a folder's pictures, forward and then backward, so that a loop never jumps."""
    paths = sorted(
        glob.glob(os.path.join(folder, "*.jpg")) + glob.glob(os.path.join(folder, "*.png"))
    )
    return paths + paths[-2:0:-1]
