"""Boxes from the agreement of trackers."""

import collections

import cv2
import numpy as np

from calib.clips import read_video
from calib.research.train import label, pictures
from calib.research.train.bank import SEQUENCE, VIDEO, build_bank

Track = collections.namedtuple("Track", "box")
SIZE = 30


class Follower:
    """Finds the brightest square of the size that it was started with, near where it was.

    Args:
        error: pixels that its boxes are off to the right after frame ``late``.
    """

    def __init__(self, error=0, late=10**9):
        self.error, self.late = error, late

    def init(self, frame, box):
        self.box, self.seen = np.array(box), 0

    def update(self, frame):
        self.seen += 1
        sums = cv2.boxFilter(frame[:, :, 0].astype(np.float32), -1, (SIZE, SIZE), anchor=(0, 0))
        y, x = np.unravel_index(sums.argmax(), sums.shape)
        off = self.error if self.seen > self.late else 0
        self.box = np.array([x + off, y, SIZE, SIZE], float)
        return Track(tuple(self.box))


def film(frames=40, step=3):
    pictures = []
    for i in range(frames):
        picture = np.full((120, 240, 3), 20, np.uint8)
        picture[40:70, 20 + i * step : 50 + i * step] = 250
        pictures.append(picture)
    return pictures


def test_agreeing_trackers_give_the_box_of_every_frame():
    found = label.agreed([Follower(), Follower()], film(), (20, 40, SIZE, SIZE))
    assert sorted(found) == list(range(40))
    for index, box in found.items():
        np.testing.assert_allclose(box, [20 + 3 * index, 40, SIZE, SIZE], atol=1.5)


def test_frames_after_a_disagreement_get_no_box():
    found = label.agreed([Follower(), Follower(60, 20)], film(), (20, 40, SIZE, SIZE))
    assert 18 <= len(found) <= 21 and max(found) <= 20


def test_a_run_that_does_not_lead_back_is_rejected():
    class Forgetful(Follower):
        """Loses the target whenever it starts far to the right: never finds the way back."""

        def init(self, frame, box):
            super().init(frame, box)
            self.error, self.late = (90, 0) if box[0] > 100 else (0, 0)

    assert not label.agreed([Forgetful(), Forgetful()], film(), (20, 40, SIZE, SIZE))


def test_things_that_do_not_move_are_no_labels():
    assert not label.label([Follower(), Follower()], film(step=0))
    assert label.label([Follower(), Follower()], film(), {0: [20.0, 40.0, 30.0, 30.0]})


def test_starting_boxes_lie_on_what_moves():
    frames = film(step=4)
    frames = [frame.copy() for frame in frames]
    for frame in frames:
        frame[80:115, 180:230] = 200  # stands out as well, but stays
    boxes = label.starting_boxes(frames, None, 0)
    for x, y, w, h in boxes:
        assert x < 75 and x + w > 20 and y < 70 and y + h > 40


def test_labelled_frames_become_a_sequence_and_the_rest_stays_a_video(tmp_path, folders):
    videos = tmp_path / "videos"
    videos.mkdir()
    writer = cv2.VideoWriter(
        str(videos / "film.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 12, (240, 120)
    )
    for frame in film():
        writer.write(frame)
    writer.release()
    found = label.label(
        [Follower(), Follower()], read_video(videos / "film.mp4"), {0: [20, 40, 30, 30]}
    )
    boxes = {frame: box for frame, box in found.items() if frame < 20}
    label.write_boxes(tmp_path / "film.boxes.csv", boxes)
    bank = build_bank(tmp_path / "bank", [folders / "images"], [videos], labels=tmp_path)
    assert (bank.kind == SEQUENCE).sum() == 20 and (bank.kind == VIDEO).sum() == 20
    assert len(set(bank.group[bank.kind != 0])) == 1
    index = np.flatnonzero(bank.kind == SEQUENCE)[5]
    np.testing.assert_allclose(bank.boxes[index][0], [20 + 15 + 14.5, 54.5, 30, 30], atol=1.5)


def test_one_tracker_alone_is_refused(tmp_path, capsys):
    arguments = ["--clips", str(tmp_path), "--out", str(tmp_path), "--networks", "nanotrack_v2"]
    assert label.main(arguments) == 2
    assert "two or more" in capsys.readouterr().err


def test_the_command_labels_a_video_with_the_published_networks(tmp_path, networks_dir):
    videos = tmp_path / "videos"
    videos.mkdir()
    writer = cv2.VideoWriter(
        str(videos / "film.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 12, (240, 120)
    )
    rng = np.random.default_rng(0)
    back = cv2.resize(rng.integers(0, 120, (12, 24, 3), np.uint8), (240, 120))
    thing = cv2.resize(rng.integers(100, 255, (4, 4, 3), np.uint8), (SIZE, SIZE))
    for i in range(30):
        frame = back.copy()
        frame[40:70, 20 + 4 * i : 50 + 4 * i] = thing
        writer.write(frame)
    writer.release()
    (videos / "film.boxes.csv").write_text("frame,x,y,w,h\n0,20,40,30,30\n")
    arguments = ["--clips", str(videos), "--out", str(tmp_path / "out")]
    assert label.main([*arguments, "--networks-dir", str(networks_dir)]) == 0
    boxes = pictures.read_boxes(tmp_path / "out" / "film.boxes.csv")
    assert len(boxes) >= label.FEWEST
    for index, (x, y, w, h) in boxes.items():
        assert abs(x + w / 2 - (35 + 4 * index)) < 6 and abs(y + h / 2 - 55) < 6
