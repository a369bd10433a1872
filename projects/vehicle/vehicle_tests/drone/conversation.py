"""A conversation with a ground station about an annotated clip: is the box right?"""

import pathlib

import numpy as np
from pymavlink.dialects.v20 import common

from hotpath.runtime.frames.boxes import overlap
from vehicle_tests.support.mavlink_client import connected

FRAMES = 100
STATUS_HZ = 50  # at most one status a frame, so this is every frame
STOP = common.MAV_CMD_CAMERA_STOP_TRACKING


def overlaps(clip, boxes, frames=FRAMES):
    """Overlap of a dict of frame -> box with the truth, in the frames after the first one."""
    known = [n for n in sorted(boxes) if 0 < n <= frames and np.isfinite(clip.boxes[n]).all()]
    return overlap([boxes[n] for n in known], clip.boxes[known])


def boxes_of(messages, size):
    """dict of frame index -> box in pixels, of pairs of NAMED_VALUE_INT and the status."""
    boxes = {}
    index = None
    for message in messages:
        if message.get_type() == "NAMED_VALUE_INT" and message.name == "frame":
            index = message.value
        elif message.get_type() == "CAMERA_TRACKING_IMAGE_STATUS" and message.tracking_status:
            left, top = message.rec_top_x * size[0], message.rec_top_y * size[1]
            right, bottom = message.rec_bottom_x * size[0], message.rec_bottom_y * size[1]
            boxes[index] = (left, top, right - left, bottom - top)
    return boxes


def without_truth(clip, folder):
    """The clip's pictures in a folder beside which no truth lies: the run waits for a target."""
    link = pathlib.Path(folder) / "frames"
    if not link.exists():
        link.symlink_to((clip.folder / "img").resolve())
    return link


def with_pymavlink(clip, folder, more=()):
    """Discovery, selection, status, stop. Returns (boxes, client, text of the program)."""
    arguments = ["--video", without_truth(clip, folder), "--link-delay", 0, *more]
    with connected(arguments, pathlib.Path(folder, "log")) as (client, program):
        for name in ("CAMERA_INFORMATION", "CAMERA_SETTINGS", "CAMERA_CAPTURE_STATUS"):
            client.request(name)
        client.interval("CAMERA_TRACKING_IMAGE_STATUS", STATUS_HZ)
        client.wait("NAMED_VALUE_INT")  # of the first frame, which is what is clicked on
        size = clip[0].shape[1::-1]
        result = client.rectangle(clip.boxes[0], size)
        assert result == common.MAV_RESULT_ACCEPTED, program.text()
        client.pump(120.0, lambda m: m.get_type() == "NAMED_VALUE_INT" and m.value > FRAMES)
        if program.process.poll() is None:
            client.command(STOP)
            client.request("CAMERA_TRACKING_IMAGE_STATUS")
        code, text = program.end()
        assert code in (0, 130), text  # 130: Ctrl-C before the clip's end
    return boxes_of([message for _, message in client.heard], size), client, text
