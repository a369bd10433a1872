"""Find the object at a point, or the object in a loosely drawn box.

A small head reads the features that a network computes for a search region. ``[point_prompt]`` in
a network's TOML names the head's file. For a network without one, kestrel and its head are loaded
when the first point is given. It works with every engine, because only the windows run there; the
head itself runs on the CPU, with OpenCV. A tracker that gets no point does not load this file.

For a point, the head looks at windows of several sizes, and gives a box and a score for each. The
box that the others support most is the object. The best box that differs from it is the next
choice: a part of the object, or the whole that it belongs to.

docs/results/point-prompt.md says how the head was trained.
"""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from hotpath.base.errors import HotpathError
from hotpath.runtime.devices.base import Device, WindowRequest
from hotpath.runtime.errors import BadBox, BadNetwork, BadOption, NoObject
from hotpath.runtime.frames import geometry
from hotpath.runtime.frames.boxes import overlaps
from hotpath.runtime.frames.frame_edges import within_frame
from hotpath.runtime.frames.pictures import AnyFrame
from hotpath.runtime.networks import onnx_budget
from hotpath.runtime.tracker.lock import ExclusiveLock, exclusive
from hotpath.runtime.types import Box, checked_box

# sizes of an object that the windows are for, shares of the frame's shorter side
SHARES = tuple(np.geomspace(0.03, 0.6, 7).tolist())
SNUG_SIDES = 0.625  # sides of the window around a drawn box, as ``WindowRequest.sides``
SCORE_POWER = 2  # of the scores by which windows vote
SMALLEST_PX = 3.0
SAME = 0.5  # overlap from which two boxes show the same object
SMALLER = 0.55  # a drawn box is replaced by one of less than so much of its area
MOST_OBJECTS = 3  # objects that are proposed for a point
HEAD = "kestrel"  # whose head finds objects for networks without one
NEAR_CELLS = (1.5, 4.0)  # widths of the two bells around the point in the head's input


class PromptedObject(NamedTuple):
    """An object that the head found.

    Attributes:
        box: ``Box`` in frame pixels, inside the frame.
        score: from 0 to 1; for a point, it includes how well the windows of other sizes agree.
    """

    box: Box
    score: float


def _is_whole(box: Sequence[float], part: Sequence[float]) -> bool:
    """Whether a box shows a larger object than another box that shares a point with it."""
    return box[2] * box[3] > part[2] * part[3] and overlaps([part], [box])[0, 0] < SAME


def inputs(features: np.ndarray, drawn: Optional[Sequence[float]] = None) -> np.ndarray:
    """Make the head's input of a window's features.

    Args:
        features: float32 (n, channels, cells) of n windows; the cells are a square.
        drawn: (x0, y0, x1, y1) of the drawn box from the window's middle, in sides of the window.
            None for a point in the middle.

    Returns:
        float32 (n, channels + 6, side, side). Further channels: x, y, two bells around the middle,
        the share of each cell that the drawn box covers, and whether there is one.
    """
    count, channels, cells = features.shape
    side = int(round(cells**0.5))
    out = np.zeros((count, channels + 6, side, side), np.float32)
    out[:, :channels] = features.reshape(count, channels, side, side)
    edges = np.arange(side + 1) / float(side) - 0.5
    middles = edges[:-1] + 0.5 / side
    x, y = np.meshgrid(middles, middles)
    out[:, channels], out[:, channels + 1] = x, y
    for number, width in enumerate(NEAR_CELLS):
        bell = np.exp(-(x**2 + y**2) / 2 * (side / width) ** 2)
        out[:, channels + 2 + number] = bell
    if drawn is not None:
        x0, y0, x1, y1 = drawn
        columns, rows = (
            np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None) * side
            for low, high in ((x0, x1), (y0, y1))
        )
        out[:, channels + 4] = np.outer(rows, columns)
        out[:, channels + 5] = 1
    return out


def decode(values: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Decode the head's output.

    Args:
        values: float32 (n, 5).

    Returns:
        (scores, boxes): (n,), from 0 to 1; (n, 4), centre x, y and size w, h from the window's
        middle, in sides of the window.
    """
    values = np.asarray(values, np.float64)
    scores = 1 / (1 + np.exp(-values[:, 0]))
    sizes = 0.25 * np.exp(np.clip(values[:, 3:], -4, 2.5))
    return scores, np.concatenate([values[:, 1:3] * 0.1, sizes], axis=1)


class PointPrompt:
    """The head of a network, and the windows that it reads.

    Args:
        device: runs the windows. It must show features.
        head: path of the ONNX file.
        object_above: see ``hotpath.runtime.network.AuxiliaryFile``.
        owns: whether the device was opened for these windows, and ``close`` closes it.

    Raises:
        BadNetwork: the file cannot be read.
    """

    def __init__(
        self, device: Device, head: str, object_above: float = 0.0, owns: bool = False
    ) -> None:
        onnx_budget.check(head)
        try:
            self._net = cv2.dnn.readNetFromONNX(head)
        except cv2.error as error:
            raise BadNetwork(
                f"OpenCV {cv2.__version__} can't read {head} ({error}); install a newer OpenCV, or "
                "give a box",
                what="unreadable",
                where=head,
            ) from None
        self.lock = ExclusiveLock()  # a look fills the device's arrays and those of the head
        self._device, self._network = device, device.network
        self._object_above, self._owns = object_above, owns

    def object_at(
        self, frame: AnyFrame, point: Sequence[float], besides: Optional[Sequence[float]] = None
    ) -> PromptedObject:
        """Find the object at a point.

        Args:
            frame: from ``Device.take``.
            point: (x, y), 0-based pixels of the frame.
            besides: (x, y, w, h) of an object at the point that the user does not mean. The best
                larger one is found: the whole that it belongs to, and never a part of it.

        Raises:
            NoObject: there is none, or no other one.
        """
        proposals = self.proposals(frame, point, 1 if besides is None else MOST_OBJECTS)
        for found in proposals:
            is_meant = besides is None or _is_whole(found.box, besides)
            if is_meant and found.score >= self._object_above:
                return found
        place = f"at {point[0]:.0f},{point[1]:.0f}"
        if besides is not None:
            raise NoObject(f"no larger object is {place}; draw a box around it", what="no other")
        raise NoObject(
            f"nothing {place} looks like an object; point at the middle of one, or draw a box",
            what="nothing",
        )

    def proposals(
        self, frame: AnyFrame, point: Sequence[float], most: int = MOST_OBJECTS
    ) -> List[PromptedObject]:
        """Return the objects that a point may mean, as for ``at``: the likeliest first.

        There are at most ``most``. They overlap by less than ``SAME`` before each is refined.
        """
        short = min(frame.shape[:2])
        arounds = [np.array([point[0], point[1], g * short, g * short]) for g in SHARES]
        boxes, scores = self._look(frame, arounds, 1.0)
        same, weights = overlaps(boxes, boxes), scores**SCORE_POWER
        support = same.dot(weights) / len(SHARES)
        order: List[int] = []
        left = np.arange(len(boxes))
        while len(left) and len(order) < most:
            votes = same[np.ix_(left, left)].dot(weights[left])
            order.append(int(left[votes.argmax()]))
            left = left[same[order[-1]][left] < SAME]
        proposals = []
        for number in order:
            # refined: the mean with a second look, whose window fits its size better
            nearer = np.array(self.in_box(frame, boxes[number]).box)
            box = Box(*((boxes[number] + nearer) / 2).tolist())
            proposals.append(PromptedObject(box, float(support[number])))
        return proposals

    def tight_box(self, frame: AnyFrame, box: Sequence[float]) -> Optional[PromptedObject]:
        """Find the object in a drawn box that is too large for it.

        Args:
            frame: from ``Device.take``.
            box: (x, y, w, h), pixels of the frame.

        Returns:
            None if the box is not much larger than the object.
        """
        tight = self.in_box(frame, box)
        return tight if tight.box.w * tight.box.h < SMALLER * box[2] * box[3] else None

    def in_box(self, frame: AnyFrame, box: Sequence[float]) -> PromptedObject:
        """Find the object in a box; arguments as for ``snug``."""
        x, y, w, h = box
        around = np.array([x + w / 2.0, y + h / 2.0, w, h])
        boxes, scores = self._look(frame, [around], SNUG_SIDES, box)
        return PromptedObject(Box(*boxes[0].tolist()), float(scores[0]))

    def frame_of(self, device: Device, frame: Any) -> Any:
        """Return a frame from ``take`` of a target's device as the windows here are read of it."""
        is_other = self._device is not device
        return self._device.take(device.picture(frame))[0] if is_other else frame

    def close(self) -> None:
        """Close the device, if it was opened for the point prompt. May be called twice."""
        if self._owns:
            self._owns = False
            self._device.close()
            self._device.engine.close()

    @exclusive
    def _look(
        self, frame: AnyFrame, arounds: List[np.ndarray], sides: float, drawn: Any = None
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Read windows; returns the objects in their middles: (boxes (n, 4), scores (n,))."""
        device, network = self._device, self._network
        exemplar = device.exemplar(frame, arounds[0])  # the graph needs one; its maps are not used
        try:
            shown = [
                device.run(frame, [WindowRequest(exemplar, around, sides, None)])[0][0]
                .features[0]
                .copy()
                for around in arounds
            ]
        finally:
            exemplar.close()
        places = np.array(
            [geometry.search_window(network, around, sides)[0] for around in arounds], float
        )
        edges = None
        if drawn is not None:
            x, y, w, h = drawn
            corners = np.array([x, y, x + w, y + h])
            edges = (corners - places[0, [0, 1, 0, 1]]) / places[0, [2, 3, 2, 3]] - 0.5
        try:
            self._net.setInput(inputs(np.array(shown), edges))
            scores, boxes = decode(self._net.forward())
        except cv2.error as error:
            raise BadNetwork(
                f"OpenCV {cv2.__version__} can't run the head of {network.name} ({error}); install "
                "a newer OpenCV, or give a box",
                what="cannot run",
            ) from None
        low = places[:, :2] + (boxes[:, :2] - boxes[:, 2:] / 2 + 0.5) * places[:, 2:]
        high = low + boxes[:, 2:] * places[:, 2:]
        return _inside(low, high, frame.shape[1], frame.shape[0]), scores


def _inside(low: np.ndarray, high: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return boxes (n, 4) of corners, moved and cut so that they lie in the frame."""
    limits = np.array([width, height], float)
    low = np.clip(low, 0, limits - SMALLEST_PX)
    high = np.clip(high, low + SMALLEST_PX, limits)
    return np.concatenate([low, high - low], axis=1)


def prompt_of_device(device: Device) -> PointPrompt:
    """Return the ``PointPrompt`` of a device, which all its targets share; the first call loads it.

    It is the network's own head, else that of its witness, else that of ``HEAD`` with its own
    device.

    Raises:
        BadOption: neither can be had on this device.
        BadNetwork: the head's file is missing, is not as the TOML says, or cannot be read.
    """
    if device.point_prompt is None:
        there = [each for each in (device, device.beside) if each is not None and each.has_head]
        source = there[0] if there else _other(device)
        entry = source.network.point_prompt
        assert entry is not None
        try:
            path = str(source.network.locate_made(entry))
            device.point_prompt = PointPrompt(source, path, entry.object_above, not there)
        except HotpathError:
            if not there:  # the next point would open it once more
                source.close()
                source.engine.close()
            raise
    point_prompt: PointPrompt = device.point_prompt
    return point_prompt


def _other(device: Device) -> Device:
    """Open the device of ``HEAD``, for a network without a head of its own."""
    why = "it has no head that finds the object at a point"
    try:
        if device.open_other is not None:
            return device.open_other(HEAD)
    except HotpathError as error:
        why = f"the point prompt needs {HEAD}: {error}"
    raise BadOption(
        f"{device.network.name} takes no point here ({why}); give a box", what="no head"
    )


def first_box(
    device: Device,
    frame: AnyFrame,
    box: Optional[Sequence[float]],
    point: Optional[Sequence[float]],
    besides: Optional[Sequence[float]],
) -> Tuple[Sequence[float], str]:
    """Return the box that a target begins with, and the ``taken`` of its track; a box is ``snug``.

    Arguments and errors are those of ``Tracker.init``.
    """
    if box is not None and point is not None:
        raise BadOption("give either a box or a point, not both", what="box and point")
    if box is None and point is None:
        raise BadOption(
            "there is no target: neither a box nor a point is given; call init only once somebody "
            "has selected an object, or a detector has found one",
            what="no box",
        )
    shape = frame.shape
    if point is not None:
        point = checked_point(point, shape)
    else:
        assert box is not None
        box = checked_box(within_frame(box, shape), shape)
    prompt = prompt_of_device(device)
    frame = prompt.frame_of(device, frame)
    if point is not None:
        return prompt.object_at(frame, point, besides).box, "point"
    assert box is not None
    tight = prompt.tight_box(frame, box)
    return (box, "box") if tight is None else (tight.box, "snug")


def checked_point(point: Any, frame_shape: Sequence[int]) -> Tuple[float, float]:
    """Return a point as two floats if it is in a frame of that shape.

    Raises:
        BadBox: it is not two numbers, or lies outside.
    """
    try:
        x, y = (float(value) for value in point)
    except (TypeError, ValueError):
        raise BadBox(f"a point is two numbers x,y, not {point!r}", what="no point") from None
    height, width = frame_shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise BadBox(
            f"the point {x:g},{y:g} lies outside the frame of {width}x{height}", what="outside"
        )
    return x, y
