"""Small pictures and clips to train on."""

import cv2
import numpy as np
import pytest

from calib.research.train.bank import build_bank


def still(seed, height=120, width=160):
    noise = np.random.default_rng(seed).integers(0, 60, (height, width, 3), np.uint8)
    noise[40:80, 60:110] += 150
    return noise


@pytest.fixture
def folders(tmp_path):
    """Stills in images/, one clip of a bright square that moves in clips/."""
    images, clip = tmp_path / "images", tmp_path / "clips" / "square"
    images.mkdir()
    clip.mkdir(parents=True)
    for i in range(50):
        cv2.imwrite(str(images / f"{i:02d}.png"), still(i))
    rows = ["frame,x,y,w,h"]
    for i in range(8):
        picture = np.full((400, 400, 3), 40, np.uint8)
        picture[150:200, 150 + 10 * i : 220 + 10 * i] = 230
        cv2.imwrite(str(clip / f"{i:04d}.png"), picture)
        rows.append(f"{i},{150 + 10 * i},150,70,50")
    (clip / "boxes.csv").write_text("\n".join(rows))
    return tmp_path


@pytest.fixture
def bank(folders):
    return build_bank(folders / "bank", [folders / "images"], [folders / "clips"])
