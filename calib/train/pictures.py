"""All training pictures, decoded once into one flat file that every process maps.

Three kinds: a STILL stands alone; pictures of a SEQUENCE show one target with a true box each;
pictures of a VIDEO belong together but have no boxes. A still or video frame gets boxes around
things that stand out from their surroundings. One group in 40 is held out of the training.
"""

import csv
import hashlib
import json
import pathlib

import cv2
import numpy as np

from calib.train.errors import BadImages

STILL, SEQUENCE, VIDEO = 0, 1, 2
PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
VIDEOS = (".mp4", ".avi", ".mkv", ".mov")
LONGEST = 512  # pixels, longer stills and frames are shrunk
FRAMES = 240  # of a video, evenly spread
PROPOSALS = 12  # boxes of a picture without true ones
HOLDOUT = 40


class Bank:
    """The pictures, mapped read-only.

    Attributes, one entry a picture: ``kind``, ``group`` (pictures of one clip share it), ``boxes``
    (PROPOSALS, 4) as centre and size in pixels (a sequence's first row is the truth), ``held``.
    """

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        table = np.load(folder / "bank.npz")
        self._offset, self._shape = table["offset"], table["shape"]
        self.kind, self.group, self.boxes = table["kind"], table["group"], table["boxes"]
        self.held = self.group % HOLDOUT == HOLDOUT - 1
        self._pixels = np.memmap(folder / "bank.bin", np.uint8, "r")
        self.mean = table["mean"]
        self.sources = json.loads(str(table["sources"]))

    def __len__(self):
        return len(self.kind)

    def picture(self, index):
        """BGR uint8 (H, W, 3)."""
        height, width = self._shape[index]
        start = self._offset[index]
        return self._pixels[start : start + height * width * 3].reshape(height, width, 3)


def shrunk(picture):
    """At most LONGEST pixels on the longer side."""
    factor = LONGEST / max(picture.shape[:2])
    if factor >= 1:
        return picture
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def contrast_boxes(picture, rng):
    """PROPOSALS boxes (centre x, y, size w, h), each the one of 8 that stands out most."""
    side = max(picture.shape[:2])
    factor = side / 128.0
    small = cv2.resize(picture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    edges = abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    lab = cv2.cvtColor(small, cv2.COLOR_BGR2LAB).astype(np.float32)
    total = cv2.integral(np.dstack([lab, edges / 8]))
    n = PROPOSALS * 8
    area = np.exp(rng.uniform(np.log(0.07), np.log(0.5), n)) * min(height, width)
    ratio = np.exp(rng.normal(0, 0.45, n))
    w, h = np.minimum(area * np.sqrt(ratio), width * 0.95), area / np.sqrt(ratio)
    w, h = np.maximum(w, 4), np.clip(h, 4, height * 0.95)
    x = np.clip(rng.normal(width / 2, width * 0.22, n), w / 2, np.maximum(width - w / 2, w / 2))
    y = np.clip(rng.normal(height / 2, height * 0.22, n), h / 2, np.maximum(height - h / 2, h / 2))

    def sums(grow):
        left, right = (
            np.maximum(x - w * grow, 0).astype(int),
            np.minimum(x + w * grow, width).astype(int),
        )
        top, bottom = (
            np.maximum(y - h * grow, 0).astype(int),
            np.minimum(y + h * grow, height).astype(int),
        )
        values = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
        return values, np.maximum((right - left) * (bottom - top), 1)[:, None]

    (inner, inner_n), (outer, outer_n) = sums(0.5), sums(0.8)
    inside, ring = inner / inner_n, (outer - inner) / np.maximum(outer_n - inner_n, 1)
    gap = abs(inside - ring)[:, :3].sum(1) + inside[:, 3] - 0.5 * ring[:, 3]
    best = gap.reshape(PROPOSALS, 8).argmax(1) + np.arange(PROPOSALS) * 8
    return np.stack([x, y, w, h], 1)[best] * factor


def read_stills(folder):
    """Yields every picture of a folder; files that are no pictures are passed over and counted."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise BadImages("{} is not a folder; name folders of pictures with --images".format(folder))
    broken, good = [], 0
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES):
        picture = cv2.imread(str(path))
        if picture is None or min(picture.shape[:2]) < 32:
            broken.append(path.name)
            continue
        good += 1
        yield path.name, picture
    if not good:
        found = (
            "only broken ones ({} files, such as {})".format(len(broken), broken[0])
            if broken
            else "none"
        )
        raise BadImages(
            "{} should hold pictures ({}) of at least 32x32 pixels but has {}; name another folder "
            "with --images".format(folder, ", ".join(PICTURES), found)
        )
    if broken:
        print(
            "{}: passed over {} broken pictures, such as {}".format(folder, len(broken), broken[0])
        )


def read_video(path):
    """Up to FRAMES frames of a video, evenly spread."""
    capture = cv2.VideoCapture(str(path))
    count = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 1)
    step, frames, index = max(count // FRAMES, 1), [], 0
    while capture.grab():
        if index % step == 0:
            good, frame = capture.retrieve()
            if good:
                frames.append(shrunk(frame))
        index += 1
    capture.release()
    if len(frames) < 2:
        raise BadImages("{} can't be read as a video; take it out of --clips".format(path))
    return frames


def read_sequence(folder):
    """(picture, box x,y,w,h) of every picture that has one."""
    with open(folder / "boxes.csv", newline="") as file:
        rows = [(int(r["frame"]), [r[c] for c in "xywh"]) for r in csv.DictReader(file)]
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES)
    for frame, values in rows:
        if all(values) and frame < len(paths):
            picture = cv2.imread(str(paths[frame]))
            if picture is None:
                raise BadImages("{} can't be read; mend or remove the clip".format(paths[frame]))
            yield picture, [float(value) for value in values]


def find_clips(roots, leave_out=()):
    """Folders with boxes.csv and video files below (or at) these paths, in order of name."""
    sequences, videos = [], []
    for root in map(pathlib.Path, roots):
        if root.suffix.lower() in VIDEOS and root.is_file():
            videos.append(root)
            continue
        if not root.is_dir():
            raise BadImages("{} is neither a folder nor a video; correct --clips".format(root))
        found = [path.parent for path in sorted(root.glob("*/boxes.csv"))]
        more = [p for p in sorted(root.iterdir()) if p.suffix.lower() in VIDEOS]
        if not found and not more:
            raise BadImages(
                "{} has neither clip folders with a boxes.csv nor videos; correct --clips".format(
                    root
                )
            )
        sequences += found
        videos += more
    kept = [p for p in sequences if not any(p.name.startswith(prefix) for prefix in leave_out)]
    return kept, videos


def clip_group(name):
    """Clips of one footage share a group: their name without the target's number."""
    head, _, last = name.rpartition("-")
    return head if last.startswith("id") else name


class _Writer:
    def __init__(self, folder):
        self.file = open(folder / "bank.bin", "wb")
        self.rows, self.sources, self.end = [], {}, 0
        self.rng = np.random.default_rng(7)

    def add(self, picture, kind, group, box=None):
        picture = np.ascontiguousarray(shrunk(picture))
        if box is None:
            boxes = contrast_boxes(picture, self.rng)
        else:
            x, y, w, h = box
            boxes = np.repeat([[x + w / 2 - 0.5, y + h / 2 - 0.5, w, h]], PROPOSALS, 0)
        self.file.write(picture.tobytes())
        self.rows.append((self.end, picture.shape[:2], kind, group, boxes, picture.mean((0, 1))))
        self.end += picture.size

    def close(self, path):
        self.file.close()
        offset, shape, kind, group, boxes, mean = map(np.array, zip(*self.rows))
        np.savez(path, offset=offset, shape=shape, kind=kind, group=group, mean=mean,
                 boxes=boxes.astype(np.float32), sources=json.dumps(self.sources))  # fmt: skip


def build_bank(folder, images, clips, leave_out=()):
    """Read everything into ``folder`` (once: again only when the arguments change).

    Args:
        images: folders of stills. clips: folders of clip folders, or videos.
        leave_out: beginnings of the names of clips not to use.

    Returns:
        A ``Bank``.

    Raises:
        BadImages: a folder is missing or holds nothing that can be read.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    key = json.dumps([[str(p) for p in images], [str(p) for p in clips], list(leave_out)])
    key = hashlib.sha256(key.encode()).hexdigest()
    done = folder / "bank.key"
    if done.is_file() and done.read_text() == key:
        return Bank(folder)
    done.unlink(missing_ok=True)
    if not images:
        raise BadImages("no pictures were named; name a folder of them with --images")
    sequences, videos = find_clips(clips, leave_out)
    writer, groups = _Writer(folder), {}

    def group(name):
        return groups.setdefault(name, len(groups))

    for root in images:
        count = 0
        for name, picture in read_stills(root):
            writer.add(picture, STILL, group("still " + name))
            count += 1
        writer.sources[str(root)] = count
    for path in sequences:
        pairs = list(read_sequence(path))
        for picture, box in pairs:
            writer.add(picture, SEQUENCE, group("clip " + clip_group(path.name)), box)
        writer.sources[path.name] = len(pairs)
    for path in videos:
        frames = read_video(path)
        for frame in frames:
            writer.add(frame, VIDEO, group("video " + path.name))
        writer.sources[path.name] = len(frames)
    writer.close(folder / "bank.npz")
    done.write_text(key)
    return Bank(folder)
