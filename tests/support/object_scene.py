"""A picture of one thing with parts on a plain table, for taps and loose boxes."""

import cv2
import numpy as np

OBJECT = (150, 90, 60, 44)
CENTRE = (180.0, 112.0)


def scene():
    """BGR uint8 (240, 320, 3)."""
    rows = np.linspace(150, 110, 240)[:, None, None]
    frame = np.broadcast_to(rows, (240, 320, 3)).copy()
    frame += np.random.RandomState(3).normal(0, 3, frame.shape)
    frame = np.clip(frame, 0, 255).astype(np.uint8)
    x, y, w, h = OBJECT
    cv2.rectangle(frame, (x, y), (x + w - 1, y + h - 1), (30, 40, 190), -1)
    cv2.rectangle(frame, (x + 8, y + 8), (x + 20, y + 20), (230, 230, 230), -1)
    cv2.line(frame, (x, y + 30), (x + w - 1, y + 30), (20, 20, 90), 3)
    return frame


def write_film(folder, frames=200, hidden=range(0)):
    """Write the same picture many times, as JPEGs; the thing is away in the ``hidden`` frames."""
    folder.mkdir()
    shown = scene()
    x, y, w, h = OBJECT
    table = shown.copy()
    table[y : y + h, x : x + w] = shown[y + h : y + 2 * h, x : x + w]
    there, away = (cv2.imencode(".jpg", frame)[1].tobytes() for frame in (shown, table))
    for index in range(frames):
        (folder / f"{index:04d}.jpg").write_bytes(away if index in hidden else there)
