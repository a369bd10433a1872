"""Our tracker runs in the GOT-10k toolkit's own experiment."""

import json

import numpy as np
import pytest

from hotpath.interop.got10k import Tracker
from hotpath.runtime.frames.boxes import overlap
from hotpath_lab.clip_run import run_clip
from tests.support.clips import clip_at

pytest.importorskip("matplotlib").use("Agg")
experiments = pytest.importorskip("got10k.experiments")
OTB = pytest.importorskip("got10k.datasets").OTB

CLIPS = ("Couple", "Crossing")


def test_experiment_on_otb_runs_our_tracker_unchanged(clips_dir, networks_dir, tmp_path):
    root = tmp_path / "otb"
    root.mkdir()
    for name in OTB._OTB__tb100_seqs:  # the toolkit wants a folder for each sequence
        (root / name).mkdir()
    for name in CLIPS:
        (root / name).rmdir()
        (root / name).symlink_to((clips_dir / ("otb-" + name)).resolve())
    tracker = Tracker("nanotrack_v2", networks_dir=networks_dir)

    results, reports = tmp_path / "results", tmp_path / "reports"
    folders = {"result_dir": str(results), "report_dir": str(reports)}
    experiment = experiments.ExperimentOTB(str(root), version=2015, **folders)
    experiment.run(tracker)
    experiment.report([tracker.name])

    for name in CLIPS:
        file = results / "OTB2015" / tracker.name / (name + ".txt")
        written = np.loadtxt(str(file), delimiter=",")
        clip = clip_at(clips_dir / ("otb-" + name))
        clip.boxes[0] = written[0]  # the toolkit's boxes count from 1
        ours = np.array(run_clip(tracker.tracker, clip)["boxes"])
        assert len(written) == len(ours)
        assert overlap(written, ours).min() > 0.999
    file = reports / "OTB2015" / tracker.name / "performance.json"
    report = json.loads(file.read_text())
    assert set(report[tracker.name]["seq_wise"]) == set(CLIPS)
    assert report[tracker.name]["overall"]["success_score"] > 0.6
