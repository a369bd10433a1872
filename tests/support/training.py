"""What a training of seconds needs: pictures, and a teacher that knows brightness."""

import cv2
import numpy as np

from tests.support import tiny


def write_training(folder):
    """Write ``images`` and the tiny network into a folder."""
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(60):
        picture = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (160, 120))
        cv2.imwrite(str(folder / "images" / "{:02d}.png".format(i)), picture)
    tiny.write_network(folder)
