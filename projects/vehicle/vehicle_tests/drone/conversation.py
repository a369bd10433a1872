"""The whole conversation with a ground station, on annotated clips: is the box right?

python -m vehicle_tests.drone.conversation CLIPS --write docs/mavlink-conversation.txt
"""

import argparse
import pathlib
import tempfile

import numpy as np
from pymavlink.dialects.v20 import common

from hotpath.runtime.boxes import overlap
from tests.support.clips import clip_at
from tests.support.ports import free_port
from vehicle_tests.support.mavlink_client import connected

FRAMES = 100
STATUS_HZ = 50  # at most one status a frame, so this is every frame
POINT = common.MAV_CMD_CAMERA_TRACK_POINT
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


def with_pymavlink(clip, folder, point=False, more=(), whole=False):
    """Discovery, selection, status, stop. Returns (boxes, client, text of the program)."""
    more = [*more, "--stream", f"udp://127.0.0.1:{free_port()}"] if whole else more
    arguments = ["--video", without_truth(clip, folder), "--link-delay", 0, *more]
    with connected(arguments, pathlib.Path(folder, "log")) as (client, program):
        streams = ("VIDEO_STREAM_INFORMATION", "VIDEO_STREAM_STATUS") if whole else ()
        for name in ("CAMERA_INFORMATION", "CAMERA_SETTINGS", "CAMERA_CAPTURE_STATUS", *streams):
            client.request(name)
        client.interval("CAMERA_TRACKING_IMAGE_STATUS", STATUS_HZ)
        client.wait("NAMED_VALUE_INT", 20)  # of the first frame, which is what is clicked on
        (x, y, w, h), size = clip.boxes[0], clip[0].shape[1::-1]
        if point:
            result = client.command(POINT, (x + w / 2) / size[0], (y + h / 2) / size[1], 0.0)
        else:
            result = client.rectangle(clip.boxes[0], size)
        assert result == common.MAV_RESULT_ACCEPTED, program.text()
        client.pump(120.0, lambda m: m.get_type() == "NAMED_VALUE_INT" and m.value > FRAMES)
        if whole:
            state = client.request("CAMERA_TRACKING_IMAGE_STATUS")
            x, y = state.rec_top_x + state.rec_bottom_x, state.rec_top_y + state.rec_bottom_y
            client.command(POINT, x / 2, y / 2, 0.02)
            client.pump(0.5)
        if program.process.poll() is None:
            client.command(STOP)
            client.request("CAMERA_TRACKING_IMAGE_STATUS")
        code, text = program.end()
        assert code in (0, 130), text  # 130: Ctrl-C before the clip's end
    return boxes_of([message for _, message in client.heard], size), client, text


def transcript(client):
    """The conversation as lines: what was said, and after each the first of each kind heard."""
    said = [(at, None, f"{name} {values}") for at, name, values in client.said]
    heard = [(at, message.get_type(), message) for at, message in client.heard]
    lines = []
    since = {}
    count = {}
    for at, kind, what in sorted(said + heard, key=lambda event: event[0]):
        if kind is None:
            since = {}
            lines.append(f"{at:7.3f} > {what}")
            continue
        since[kind], count[kind] = since.get(kind, 0) + 1, count.get(kind, 0) + 1
        if since[kind] == 1 or kind == "COMMAND_ACK":
            lines.append(f"{at:7.3f} < {kind}: {_fields(what)}")
    rest = [f"{number} {kind}" for kind, number in sorted(count.items())]
    return lines + ["heard in all: " + ", ".join(rest)]


def _fields(message):
    fields = {k: v for k, v in message.to_dict().items() if k != "mavpackettype"}
    for key in ("vendor_name", "model_name"):
        if key in fields:
            fields[key] = bytes(bytearray(fields[key])).rstrip(b"\0").decode()
    return ", ".join(
        f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in fields.items()
    )


def main():
    cli = argparse.ArgumentParser(description="The conversation with real ground stations")
    cli.add_argument("clips", type=pathlib.Path)
    cli.add_argument("--write", metavar="FILE", help="the conversation on the first clip")
    options = cli.parse_args()
    clips = [clip_at(path.parent) for path in sorted(options.clips.glob("*/boxes.csv"))]
    written = None
    for clip in [clip for clip in clips if len(clip) > FRAMES]:
        with tempfile.TemporaryDirectory() as folder:
            wanted = bool(options.write and not written)
            boxes, client, _ = with_pymavlink(clip, folder, whole=wanted)
            print(_line(clip, "rectangle", overlaps(clip, boxes)))
            written = written or transcript(client)
            boxes, _, _ = with_pymavlink(clip, folder, point=True)
            print(_line(clip, "point", overlaps(clip, boxes)))
    if options.write and written:
        pathlib.Path(options.write).write_text("\n".join(written) + "\n")


def _line(clip, how, values):
    found = "no box"
    if len(values):
        found = f"{len(values):3d} frames: mean IoU {values.mean():.3f}"
        found += f", above .6 in {(values > 0.6).mean():.0%}"
    return f"{clip.name:<18} {how:<10} {found}"


if __name__ == "__main__":
    main()
