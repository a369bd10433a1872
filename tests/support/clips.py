"""Write clips for tests, and find those of the development data."""

import csv

import cv2
import numpy as np

from hotpath.video.clips import find_clips


def write_boxes(path, boxes):
    """Write (frames, 4) boxes as ``boxes.csv``; a row of NaN says that the target is absent."""
    with open(str(path), "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("frame", "x", "y", "w", "h"))
        for index, box in enumerate(boxes):
            known = np.isfinite(box).all()
            writer.writerow((index,) + tuple(box if known else ("", "", "", "")))


def write_clip(folder, pictures, boxes, suffix=".png"):
    """Write pictures and their boxes as an annotated clip; returns its folder."""
    (folder / "img").mkdir(parents=True)
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / "img" / f"{index:04d}{suffix}"), picture)
    write_boxes(folder / "boxes.csv", np.array(boxes, float))
    return folder


def clip_at(folder):
    """The one annotated clip of a folder."""
    (clip,) = find_clips([folder])
    return clip


def tracks_of(tracker, clip):
    """The tracks of all frames after the first one, from whose box the tracker starts."""
    tracks = []
    for index, frame in enumerate(clip):
        if index == 0:
            tracker.init(frame, clip.boxes[0])
        else:
            tracks.append(tracker.update(frame))
    return tracks
