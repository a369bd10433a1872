"""docs/examples/drone.py, run on a film, and what every example says without its arguments.

``test_types`` reads them as a type checker does.
"""

import sys

import cv2
import numpy as np
import pytest

from tests.support import ROOT, run

pytest.importorskip("onnxruntime")
PROGRAM = ROOT / "docs" / "examples" / "drone.py"
FPS = 15
SECONDS = 4
HIDDEN = (1.5, 3.2)


def write_film(path):
    """Two patterned cards; one moves and is hidden for two seconds, the other one stands still."""
    noise = np.random.RandomState(3)
    ground = cv2.resize(noise.randint(60, 120, (30, 40, 3)).astype(np.uint8), (640, 480))
    small = [noise.randint(0, 255, (6, 5, 3)).astype(np.uint8) for _ in range(2)]
    cards = [cv2.resize(each, (50, 60)) for each in small]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, (640, 480))
    for index in range(FPS * SECONDS):
        picture, shown = ground.copy(), not HIDDEN[0] <= index / FPS < HIDDEN[1]
        for card, (x, y) in list(zip(cards, ((60 + 2 * index, 100), (400, 300))))[not shown :]:
            picture[y : y + 60, x : x + 50] = card
        video.write(picture)
    video.release()


def test_it_waits_turns_and_holds_as_the_targets_come_and_go(tmp_path):
    write_film(tmp_path / "film.avi")
    command = [sys.executable, str(PROGRAM), "film.avi", "60,100,50,60", "400,300,50,60"]
    told = run(command, cwd=str(tmp_path))
    assert told.returncode == 0, told.stderr
    rows = [line.split(" ") for line in told.stdout.splitlines()]
    moving, still = ([row for row in rows if row[1] == number] for number in "01")
    assert len(moving) == len(still) == FPS * SECONDS
    assert all(row[3] == "slow" for row in still[: FPS // 2 - 1])  # not trusted yet
    assert all(row[3] == "turn" for row in still[FPS:])
    hidden = [row for row in moving if HIDDEN[0] + 1.2 < float(row[0]) < HIDDEN[1]]
    assert {row[3] for row in hidden} == {"hold"}  # not a place outside the picture
    orders = {"tracked": {"turn", "slow"}, "unsure": {"slow"}, "lost": {"hold"}}
    assert {row[2] for row in moving} == set(orders)
    assert all(row[3] in orders[row[2]] for row in rows)
    earlier, later = (float(moving[index][4]) for index in (FPS // 2, FPS))
    assert -30 < earlier < later < 0  # it moves from the left edge towards the middle


def test_its_types_can_be_imported_and_load_numpy_only_then():
    code = (
        "import sys, hotpath; assert 'numpy' not in sys.modules; "
        "from hotpath import Bearing, Box, Targets, Track, Tracker; assert 'numpy' in sys.modules; "
        "assert type(hotpath.Track(Box(1, 2, 3, 4), 0.5).box) is Box; print(hotpath.Traktor)"
    )
    done = run([sys.executable, "-c", code], cwd=str(ROOT))
    assert done.returncode == 1 and "AttributeError" in done.stderr and "Traktor" in done.stderr


def test_a_film_that_is_not_there_is_a_sentence(tmp_path):
    command = [sys.executable, str(PROGRAM), "nofile.mp4", "1,2,30,40"]
    told = run(command, cwd=str(tmp_path))
    assert told.returncode == 1 and "Traceback" not in told.stderr
    assert "nofile.mp4: can't be opened" in told.stderr


TOO_FEW = [[path] for path in sorted(PROGRAM.parent.glob("*.py"))] + [[PROGRAM, "film.avi"]]


@pytest.mark.parametrize("words", TOO_FEW, ids=lambda words: words[0].stem)
def test_an_example_without_its_arguments_says_how_it_is_called(words):
    told = run([sys.executable, *words])
    if "ModuleNotFoundError" in told.stderr:
        pytest.skip(told.stderr.splitlines()[-1])
    assert told.returncode == 2 and not told.stdout
    assert f"{words[0].name} " in told.stderr and "Traceback" not in told.stderr
