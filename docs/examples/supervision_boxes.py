"""Draw tracks with supervision, as an example of handing boxes to another library.

pip install supervision
python docs/examples/supervision_boxes.py VIDEO X,Y,W,H OUT.mp4
"""

import sys

import supervision as sv

from hotpath import load_tracker
from hotpath.interop.supervision import detections


def main(video, box, out):
    tracker, trace, boxes = load_tracker(), sv.TraceAnnotator(), sv.BoxCornerAnnotator()
    frames = sv.get_video_frames_generator(video)
    tracker.init(next(frames), [float(value) for value in box.split(",")])
    with sv.VideoSink(out, sv.VideoInfo.from_video_path(video)) as sink:
        for frame in frames:
            found = detections(tracker.update(frame))
            sink.write_frame(boxes.annotate(trace.annotate(frame.copy(), found), found))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])
