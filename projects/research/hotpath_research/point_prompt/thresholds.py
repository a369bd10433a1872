"""Choose the score from which the head is believed, on held-out pictures and with the runtime."""

import random
from typing import NamedTuple

import numpy as np

from hotpath.runtime.devices.base import Device
from hotpath.runtime.frames.boxes import overlap
from hotpath.runtime.tracker.point_prompt import SMALLER, PointPrompt
from hotpath_research.point_prompt.examples import smallest_at
from hotpath_research.point_prompt.pictures import Picture, decoded

THINGS, GROUNDS = 2, 2  # clicks in a picture
LEAST_SIZE = 0.02  # of a thing, share of the picture's shorter side
REFUSED = 0.07  # share of the clicks on things that may be refused


class Judgement(NamedTuple):
    """What the head does on held-out pictures.

    Attributes:
        click, best_of_two: mean overlap of what a click finds; of the better one of two taps.
        object_above: the chosen score.
        refused: share of the clicks on things without a target.
        ground: share of the clicks on background with one.
        loose, snug: mean overlap of boxes enlarged 1.5 times, before and after.
        exact: mean overlap of exact boxes afterwards.
    """

    click: float
    best_of_two: float
    object_above: float
    refused: float
    ground: float
    loose: float
    snug: float
    exact: float


def judge(pictures: list[Picture], device: Device, head: str, seed: int = 3) -> Judgement:
    """Click into pictures, draw boxes around their things, and choose the score."""
    rng = random.Random(seed)
    point_prompt = PointPrompt(device, head)
    clicks, grounds, drawn = [], [], []
    for picture in pictures:
        image = decoded(picture.jpeg)
        large = np.sqrt(picture.boxes[:, 2] * picture.boxes[:, 3]) > LEAST_SIZE * min(
            image.shape[:2]
        )
        things = [tuple(map(float, box)) for box in picture.boxes[large]]
        for x, y, w, h in rng.sample(things, min(len(things), THINGS)):
            px, py = x + w * rng.uniform(0.2, 0.8), y + h * rng.uniform(0.2, 0.8)
            box = smallest_at(picture.boxes, px, py, (x, y, w, h))
            proposals = point_prompt.proposals(image, (px, py))
            both = overlap([list(entry.box) for entry in proposals], list(box))
            clicks.append((proposals[0].score, both[0], both[:2].max()))
            for factor in (1.0, 1.5):
                grown = x + w / 2 * (1 - factor), y + h / 2 * (1 - factor), w * factor, h * factor
                answer = point_prompt.in_box(image, grown)
                tight, loose = overlap([list(answer.box), grown], [x, y, w, h])
                is_smaller = answer.box.w * answer.box.h < SMALLER * grown[2] * grown[3]
                drawn.append((factor, loose, tight if is_smaller else loose))
        for point in _background(picture, image, rng):
            grounds.append(point_prompt.proposals(image, point)[0].score)
    return _chosen(np.array(clicks), np.array(grounds), np.array(drawn))


def _background(
    picture: Picture, image: np.ndarray, rng: random.Random
) -> list[tuple[float, float]]:
    """Points of a completely annotated picture that are away from its things."""
    points = []
    for _ in range(GROUNDS * 4 if picture.complete else 0):
        point = rng.uniform(0, image.shape[1]), rng.uniform(0, image.shape[0])
        low = picture.boxes[:, :2] - 0.1 * picture.boxes[:, 2:] - 5
        high = picture.boxes[:, :2] + 1.1 * picture.boxes[:, 2:] + 5
        if not ((low < point) & (point < high)).all(axis=1).any():
            points.append(point)
    return points[:GROUNDS]


def _chosen(clicks: np.ndarray, grounds: np.ndarray, drawn: np.ndarray) -> Judgement:
    """Choose the score: as many things are refused as are allowed."""
    object_above = round(float(np.quantile(clicks[:, 0], REFUSED)), 3)
    exact, loose = drawn[drawn[:, 0] == 1], drawn[drawn[:, 0] > 1]
    return Judgement(
        click=float(clicks[:, 1].mean()),
        best_of_two=float(clicks[:, 2].mean()),
        object_above=object_above,
        refused=float((clicks[:, 0] < object_above).mean()),
        ground=float((grounds >= object_above).mean()) if len(grounds) else 0.0,
        loose=float(loose[:, 1].mean()),
        snug=float(loose[:, 2].mean()),
        exact=float(exact[:, 2].mean()),
    )
