"""Effects of light, cameras and codecs on a crop: colours, night, thermal, and what a camera loses.

Every function takes a uint8 BGR crop and returns one of the same shape. Random numbers come from
the caller, so the same generator gives the same picture.
"""

from typing import Any

import cv2
import numpy as np

SPOILT = 0.55  # chance that a camera loses anything
STREAK = (3, 26)  # pixels of a search crop, length of motion blur
RESOLUTION = (0.18, 0.8)  # of a crop's own

_NOISE = np.random.default_rng(11).normal(0, 24, (512, 512, 3)).clip(-127, 127).astype(np.int16)
_LEVELS = np.arange(256, dtype=np.float32)


def motion_blur(image: np.ndarray, length: int, angle: float) -> np.ndarray:
    """Blur along a line of ``length`` pixels at ``angle`` radians."""
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    way = np.array([np.cos(angle), np.sin(angle)]) * middle
    ends = [tuple(int(round(middle + sign * v)) for v in way) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """The picture after JPEG at this quality."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))


class Light:
    """One draw of colours; both crops of a pair may share it.

    Args:
        strength: factor on the chance of every change.
    """

    def __init__(self, rng: np.random.Generator, strength: float) -> None:
        self.gain = np.ones(3, np.float32)
        self.offset = np.zeros(3, np.float32)
        self.gamma = 1.0
        if rng.random() < 0.7 * strength:
            self.gain = self.gain * rng.uniform(0.6, 1.4)
            self.offset = self.offset + rng.uniform(-35, 35)
        if rng.random() < 0.35 * strength:
            self.gain = self.gain * rng.uniform(0.75, 1.25, 3).astype(np.float32)
        if rng.random() < 0.25 * strength:
            self.gamma = np.exp(rng.uniform(-0.6, 0.6))
        if rng.random() < 0.15 * strength:  # low contrast, as in mist
            flat = rng.uniform(0.25, 0.7)
            self.gain = self.gain * flat
            self.offset = self.offset + (1 - flat) * rng.uniform(60, 190)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        levels = 255.0 * (_LEVELS / 255.0) ** self.gamma
        table = levels[:, None] * self.gain + self.offset
        return np.asarray(cv2.LUT(image, table.clip(0, 255).astype(np.uint8)[None]))


class Night:
    """A dark scene: little light with a tint, and the noise of a sensor at high gain."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.gamma = np.exp(rng.uniform(0.0, 0.7))
        self.gain = rng.uniform(0.12, 0.5) * rng.uniform(0.75, 1.25, 3)
        self.offset = rng.uniform(0, 18)
        self.lift = rng.uniform(1.0, 2.0)  # automatic gain after the sensor
        self.grain = rng.uniform(0.1, 0.45)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        levels = 255.0 * (_LEVELS / 255.0) ** self.gamma
        table = (levels[:, None] * self.gain + self.offset).clip(0, 255)
        image = cv2.LUT(image, table.astype(np.uint8)[None])
        image = noisy(image, rng, self.grain)
        return np.asarray(cv2.convertScaleAbs(image, alpha=self.lift))


class Thermal:
    """An infrared camera: one channel with its own curve, soft, with a fixed pattern."""

    def __init__(self, rng: np.random.Generator) -> None:
        mix = rng.dirichlet((1.0, 1.0, 1.0))
        self.mix = mix.astype(np.float32)[None]
        knots = np.sort(rng.uniform(0, 255, 3))
        curve = np.interp(_LEVELS, (0, 85, 170, 255), (0, *knots[1:], 255))
        self.curve = (255 - curve if rng.random() < 0.4 else curve).astype(np.uint8)
        self.blur, self.stripes = rng.uniform(0.4, 1.8), rng.uniform(0, 6)

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        image = cv2.LUT(cv2.transform(image, self.mix), self.curve)
        image = cv2.GaussianBlur(image, (0, 0), self.blur)
        stripes = rng.normal(0, self.stripes, (1, image.shape[1])).astype(np.float32)
        image = np.clip(image + stripes, 0, 255).astype(np.uint8)
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))


def grey(image: np.ndarray) -> np.ndarray:
    """Grey in all three channels."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def enlarged(image: np.ndarray, factor: float, area: int) -> np.ndarray:
    """Low resolution enlarged: shrunk by ``factor``, by mean over areas or not, and back."""
    side = image.shape[0]
    image = shrunk(image, factor, bool(area))
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR))


def noisy(
    image: np.ndarray, rng: np.random.Generator, amount: float, same: bool = False
) -> np.ndarray:
    """Noise of a standard deviation of 24 times ``amount``; ``same``: alike in all channels."""
    y, x = rng.integers(0, 512 - image.shape[0], 2)
    patch = _NOISE[y : y + image.shape[0], x : x + image.shape[1]]
    patch = patch[:, :, :1] if same else patch
    return np.asarray(np.clip(image + patch * np.float32(amount), 0, 255).astype(np.uint8))


def defocused(image: np.ndarray, radius: float) -> np.ndarray:
    """Blur as of a lens out of focus, with a disc of ``radius`` pixels."""
    reach = int(np.ceil(radius))
    away = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])
    kernel = np.clip(radius + 0.5 - away, 0, 1).astype(np.float32)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def sheared(image: np.ndarray, shift: float) -> np.ndarray:
    """Shift the last row by ``shift`` pixels, the first one back by it: a rolling shutter."""
    side = image.shape[0]
    matrix = np.array([[1, 2 * shift / (side - 1), -shift], [0, 1, 0]])
    border = cv2.BORDER_REPLICATE
    size = image.shape[1::-1]
    return np.asarray(cv2.warpAffine(image, matrix, size, None, cv2.INTER_LINEAR, border))


def shrunk(image: np.ndarray, factor: float, area: bool) -> np.ndarray:
    """Lower resolution, by mean over areas or not; at least 8 pixels a side."""
    side = max(int(image.shape[0] * factor), 8)
    way = cv2.INTER_AREA if area else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side, side), interpolation=way))


class CameraEffects:
    """What a camera loses: blur, resolution, noise and compression, in the order of light.

    One draw for one crop. It does nothing in about half of the draws, so that a network also
    learns sharp crops.

    Args:
        share: factor on the chance that it does anything.
        motion: (length in pixels, angle in radians) of the target's own motion blur, or None.
    """

    def __init__(self, rng: np.random.Generator, share: float, motion: Any = None) -> None:
        self.motion = motion
        self.radius = self.sigma = self.shift = self.noise = 0.0
        self.factor, self.area = 1.0, bool(rng.random() < 0.5)
        self.quality = 100  # of JPEG; 100: none
        if rng.random() >= SPOILT * share:
            return
        if motion is None and rng.random() < 0.4:
            self.motion = np.exp(rng.uniform(*np.log(STREAK))), rng.uniform(0, np.pi)
        blur = rng.random()
        if blur < 0.1:
            self.radius = rng.uniform(1.0, 5.0)
        elif blur < 0.2:
            self.sigma = rng.uniform(0.5, 2.5)
        if rng.random() < 0.1:
            self.shift = rng.uniform(-6, 6)
        if rng.random() < 0.45:
            self.factor = np.exp(rng.uniform(*np.log(RESOLUTION)))
        if rng.random() < 0.25:
            self.noise = rng.uniform(0.08, 0.6)
        if rng.random() < 0.35:
            self.quality = int(rng.integers(15, 60))

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        side = image.shape[0]
        if self.motion is not None and self.motion[0] > 2:
            image = motion_blur(image, int(self.motion[0]), self.motion[1])
        if self.radius:
            image = defocused(image, self.radius)
        if self.sigma:
            image = cv2.GaussianBlur(image, (0, 0), self.sigma)
        if self.shift:
            image = sheared(image, self.shift)
        if self.factor < 1:
            image = shrunk(image, self.factor, self.area)
        if self.noise:
            image = noisy(image, rng, self.noise, rng.random() < 0.4)
        if self.quality < 100:
            image = jpeg(image, self.quality)
        if image.shape[0] < side:
            image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
        return np.asarray(image)
