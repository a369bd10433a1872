"""Effects of light, cameras and codecs on a crop: colours, night, thermal, blur, noise, JPEG.

Every function takes a uint8 BGR crop and returns one of the same shape. Random numbers come from
the caller, so the same generator gives the same picture.
"""

import cv2
import numpy as np

_NOISE = np.random.default_rng(11).normal(0, 24, (512, 512, 3)).clip(-127, 127).astype(np.int16)
_LEVELS = np.arange(256, dtype=np.float32)


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


def motion_blur(image: np.ndarray, length: int, angle: float) -> np.ndarray:
    """Blur along a line of ``length`` pixels at ``angle`` radians."""
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    way = np.array([np.cos(angle), np.sin(angle)]) * middle
    ends = [tuple(int(round(middle + sign * v)) for v in way) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def enlarged(image: np.ndarray, factor: float, area: int) -> np.ndarray:
    """Low resolution enlarged: shrunk by ``factor``, by mean over areas or not, and back."""
    side = image.shape[0]
    small = max(int(side * factor), 8)
    way = cv2.INTER_AREA if area else cv2.INTER_LINEAR
    image = cv2.resize(image, (small, small), interpolation=way)
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR))


def noisy(
    image: np.ndarray, rng: np.random.Generator, amount: float, same: bool = False
) -> np.ndarray:
    """Noise of a standard deviation of 24 times ``amount``; ``same``: alike in all channels."""
    y, x = rng.integers(0, 512 - image.shape[0], 2)
    patch = _NOISE[y : y + image.shape[0], x : x + image.shape[1]]
    patch = patch[:, :, :1] if same else patch
    return np.asarray(np.clip(image + patch * np.float32(amount), 0, 255).astype(np.uint8))


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """The picture after JPEG at this quality."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))


def degraded(image: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """Some of the above, each with its own chance times ``share``."""
    if rng.random() < 0.16 * share:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.5))
    if rng.random() < 0.14 * share:
        image = motion_blur(image, int(rng.integers(3, 16)), rng.uniform(0, np.pi))
    if rng.random() < 0.18 * share:
        factor = np.exp(rng.uniform(np.log(0.18), np.log(0.8)))
        image = enlarged(image, factor, rng.random() < 0.5)
    if rng.random() < 0.22 * share:
        image = noisy(image, rng, rng.uniform(0.08, 0.6), rng.random() < 0.4)
    if rng.random() < 0.10 * share:
        image = jpeg(image, int(rng.integers(15, 60)))
    return image
