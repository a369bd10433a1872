"""Pictures for the senders: a textured target on a textured ground, with a clock in the top rows.

The clock counts frame times since the machine started: 16 black or white blocks, lowest bit first.
"""

import time

import cv2
import numpy as np

from hotpath.runtime.frames.pictures import bgr_of

WIDTH, HEIGHT, FPS = 320, 240, 30
BITS = 16
BLOCK = WIDTH // 16
ROWS = 16
TARGET_PX = 48
_NOISE = np.random.RandomState(7)
_GROUND = cv2.GaussianBlur(_NOISE.randint(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8), (0, 0), 6)
_TARGET = np.kron(_NOISE.randint(0, 256, (6, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def ticks_now():
    """Frame times since the machine started, modulo 2**16."""
    return int(time.monotonic() * FPS) % (1 << BITS)


def picture_at(tick):
    """The picture at a tick, BGR; the target goes round once in about seven seconds."""
    picture = _GROUND.copy()
    angle = 2 * np.pi * (tick % 210) / 210.0
    x = int(round(WIDTH / 2.0 - TARGET_PX / 2.0 + 90 * np.cos(angle)))
    y = int(round(ROWS + (HEIGHT - ROWS) / 2.0 - TARGET_PX / 2.0 + 70 * np.sin(angle)))
    picture[y : y + TARGET_PX, x : x + TARGET_PX] = _TARGET
    for bit in range(BITS):
        picture[:ROWS, bit * BLOCK : (bit + 1) * BLOCK] = 255 if tick >> bit & 1 else 0
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
