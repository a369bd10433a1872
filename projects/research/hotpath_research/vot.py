"""EAO of networks on clips, by the VOT toolkit itself: its supervised experiment, through TraX.

The toolkit starts ``hotpath vot`` for each network, and begins anew five frames after each failure,
as in the challenges from 2013 to 2019. EAO is the mean of its curve over the middle half of the
clips' lengths.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from hotpath.calib.errors import BadRun
from hotpath.video.clips import Clip

SKIP = 5  # frames after a failure


def is_installed() -> bool:
    """Whether the toolkit and TraX are there."""
    return all(importlib.util.find_spec(name) is not None for name in ("vot", "trax"))


def eao(
    tomls: Sequence[Path],
    clips: Sequence[Clip],
    folder: Path,
    networks_dir: str | None = None,
    engine: str = "auto",
) -> list[float]:
    """EAO of each network, 0 for one whose every run failed early. A killed run continues.

    Args:
        tomls: the networks.
        clips: those to judge on; one in which the target is absent is left out.
        folder: for workspaces of the toolkit.

    Raises:
        BadRun: the toolkit failed, or no clip is left.
    """
    clips = [clip for clip in clips if np.isfinite(clip.boxes).all()]
    if not clips:
        raise BadRun("the target is absent in every clip, and EAO needs it; name other clips")
    words = " ".join(clip.sha256 for clip in clips)
    place = folder / hashlib.sha256(words.encode()).hexdigest()[:12]
    names = [f"{toml.stem}-{hashlib.sha256(toml.read_bytes()).hexdigest()[:8]}" for toml in tomls]
    _write(place, clips)
    (place / "trackers.ini").write_text(
        "".join(_entry(*entry, networks_dir, engine) for entry in zip(names, tomls))
    )
    result = place / "analysis" / "eao.json"
    result.unlink(missing_ok=True)
    _run("evaluate", "--workspace", str(place), *names)
    _run("analysis", "--workspace", str(place), "--format", "json", "--name", "eao", *names)
    if not result.is_file():
        raise BadRun(
            f"the VOT toolkit could not run the networks; its logs are in {place / 'logs'}"
        )
    scores_json = json.loads(result.read_text())
    scores = dict(zip(scores_json["trackers"], scores_json["results"]["baseline"]["results"][0]))
    return [float(np.nan_to_num(scores[name][0])) for name in names]


def _run(*words: str) -> None:
    """Run a command of the toolkit."""
    done = subprocess.run(
        [sys.executable, "-m", "vot", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        said = (done.stdout.strip().splitlines() or ["nothing"])[-1]
        raise BadRun(f"vot {words[0]} ended with {done.returncode} and said: {said}")


def _entry(name: str, toml: Path, networks_dir: str | None, engine: str) -> str:
    """An entry of ``trackers.ini``."""
    words = [sys.executable, "-m", "hotpath_lab.vot", "--network", str(toml.absolute())]
    words += ["--engine", engine]
    words += ["--networks-dir", os.path.abspath(networks_dir)] if networks_dir else []
    return f"[{name}]\nlabel = {name}\nprotocol = trax\ncommand = {' '.join(words)}\n\n"


def _write(place: Path, clips: Sequence[Clip]) -> None:
    """Write a workspace with the clips as its sequences; pictures are linked."""
    sequences = place / "sequences"
    for clip in clips:
        folder = sequences / clip.name
        pictures = folder / "color"
        pictures.mkdir(parents=True, exist_ok=True)
        suffixes = {path.suffix for path in clip.paths}
        suffix = suffixes.pop() if len(suffixes) == 1 else ".png"
        for index in range(len(clip)):
            path = pictures / f"{index + 1:08d}{suffix}"
            if clip.paths and suffix == clip.paths[index].suffix:
                path.unlink(missing_ok=True)
                path.symlink_to(clip.paths[index].absolute())
            elif not path.is_file():
                cv2.imwrite(str(path), clip[index])
        rows = (",".join(f"{value:.4f}" for value in box) for box in clip.boxes)
        (folder / "groundtruth.txt").write_text("\n".join(rows) + "\n")
        (folder / "sequence").write_text(f"channels.color=color/%08d{suffix}\nfps=30\n")
    (sequences / "list.txt").write_text("".join(clip.name + "\n" for clip in clips))
    low, high = np.percentile([len(clip) - 1 for clip in clips], [25, 75]).astype(int).tolist()
    score = {"type": "supervised_eao_score", "low": low, "high": high}
    baseline = {"type": "supervised", "repetitions": 1, "skip_initialize": SKIP}
    experiments = {"baseline": {**baseline, "analyses": [score]}}
    config = {"registry": ["./trackers.ini"], "stack": {"title": "EAO", "experiments": experiments}}
    (place / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
