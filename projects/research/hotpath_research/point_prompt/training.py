"""Train the head of a network on prepared examples, and judge it on held-out ones.

The features are those that the network computes in its engine. Most of them come from the INT8 form
if there is one, so that the head holds in both precisions.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hotpath.runtime import load_tracker, loading
from hotpath.runtime.engines.shared.precision import int8_form
from hotpath.runtime.frames import geometry
from hotpath.runtime.network import Network
from hotpath.runtime.options import Options
from hotpath.runtime.tracker import point_prompt
from hotpath_lab.describing import name_in
from hotpath_lab.provenance import commit
from hotpath_research.point_prompt.data import HELD_PICTURES, Data, read_pictures
from hotpath_research.point_prompt.examples import GROUND, KINDS, SNUG, TAP
from hotpath_research.point_prompt.head import HINTS, Head, boxes_of, loss_of, overlap, to_onnx
from hotpath_research.point_prompt.thresholds import Judgement, judge
from hotpath_research.pytorch import torch

FLOATS = 3  # each so-manieth example has features of the network in fp32, the others in INT8
RATE, DECAY, CLIP = 3e-3, 0.1, 5.0
EVERY = 250  # steps between two lines of the log
BLACK = np.zeros(3, np.uint8)


def features_of(data: Data, network: Network, options: argparse.Namespace, path: Path) -> Any:
    """Compute the features of all crops, float16 (n, channels, cells), into a file."""
    choice = Options(network.given, networks_dir=options.networks_dir)
    usual = loading.load(choice).engine
    is_int8 = usual.describe()["precision"] == "int8"
    usual.close()
    out = None
    for precision in ("int8", "fp32") if is_int8 else ("fp32",):
        all_numbers = np.arange(len(data))
        in_floats = all_numbers % FLOATS == 0 if is_int8 else np.ones(len(data), bool)
        numbers = all_numbers[in_floats == (precision == "fp32")]
        loaded = loading.load(choice._replace(precision=precision))
        engine, side = loaded.engine, network.search
        write = geometry.KernelCrops(network, loaded.kernels, engine.search_crop).window
        exemplar = engine.exemplar()
        for number in tqdm(numbers, f"features, {precision}", unit="", disable=None):
            write(data.crop(number), (0, 0, side, side), BLACK)
            engine.search(exemplar)
            values = engine.search_features
            if out is None:
                shape = (len(data), *values.shape[1:])
                out = np.lib.format.open_memmap(str(path), "w+", np.float16, shape)
            out[number] = values[0]
        engine.close()
    return out


class Rows:
    """Chosen examples with their features.

    Args:
        numbers: indices into the data.
    """

    def __init__(self, data: Data, features: Any, numbers: np.ndarray) -> None:
        self._data, self._features, self.numbers = data, features, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def batch(self, chosen: Any) -> tuple[Any, Any]:
        """Return (inputs, boxes) of some rows as tensors."""
        numbers = np.sort(self.numbers[np.asarray(chosen)])
        features = self._features[numbers].astype(np.float32)
        values = point_prompt.inputs(features, None)
        for row in np.flatnonzero(self._data.kind[numbers] == SNUG):
            hints = point_prompt.inputs(features[row : row + 1, :0], self._data.drawn[numbers[row]])
            values[row, -HINTS:] = hints[0]
        return torch.from_numpy(values), torch.from_numpy(self._data.box[numbers])


def train(options: argparse.Namespace, network: Network) -> int:
    """Train; writes NETWORK-point-prompt.onnx and a report into ``options.out``."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    data = Data(options.data)
    features = features_of(data, network, options, out / "features.npy")
    rows = Rows(data, features, np.flatnonzero(~data.held))
    held = Rows(data, features, np.flatnonzero(data.held))
    head = Head(features.shape[1], cells=round(features.shape[2] ** 0.5))
    sample = np.sort(rng.choice(rows.numbers, min(400, len(rows)), replace=False))
    head.standardise(np.asarray(features[sample]))
    head = fitted(head, rows, options, rng, lambda trained: judged(trained, held))
    file = out / f"{network.name}-point-prompt.onnx"
    file.write_bytes(to_onnx(head, round(features.shape[2] ** 0.5)))
    (out / "features.npy").unlink()
    tracker = load_tracker(network.given, networks_dir=options.networks_dir)
    pictures = read_pictures(options.data / HELD_PICTURES)
    judgement = judge(pictures, tracker.device, str(file))
    tracker.close()
    report = {
        "held": judged(head, held),
        "pictures": judgement._asdict(),
        "network": network.hashes(options.networks_dir),
        "git": commit(),
    }
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))
    if options.write:
        name_head(network, file, judgement)
    return 0


def name_head(network: Network, file: Path, judgement: Judgement) -> None:
    """Put a head beside its network, and name it in the TOML and in that of the INT8 form."""
    beside = network.path.with_name(file.name)
    shutil.copy(file, beside)
    form = int8_form(network)
    for path in (network.path, *([form.path] if form else [])):
        name_in(path, beside, "point_prompt", object_above=judgement.object_above)


def fitted(
    head: Head, rows: Rows, options: argparse.Namespace, rng: np.random.Generator, judge: Any
) -> Head:
    """Train a head; returns the average of its weights over the last steps."""
    weights = [p for p in head.parameters() if p.ndim > 1]
    others = [p for p in head.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": others, "weight_decay": 0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=options.steps, pct_start=0.1, div_factor=20
    )
    average = torch.optim.swa_utils.AveragedModel(
        head,
        avg_fn=lambda mean, new, n: mean + (new - mean) * max(0.002, 10 / (10 + float(n))),
        use_buffers=True,
    )
    head.train()
    began, total = time.monotonic(), 0.0
    for step in range(1, options.steps + 1):
        inputs, boxes = rows.batch(rng.choice(len(rows), options.batch, replace=False))
        with torch.autocast("cpu", torch.bfloat16):
            values = head(inputs)
        loss = loss_of(values.float(), boxes)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), CLIP)
        optimiser.step()
        schedule.step()
        average.update_parameters(head)
        total += float(loss.detach())
        if step % EVERY == 0 or step == options.steps:
            seconds, loss_ = round(time.monotonic() - began), round(total / EVERY, 4)
            line = {"step": step, "seconds": seconds, "loss": loss_, **judge(average.module)}
            print(json.dumps(line), flush=True)
            total = 0.0
    trained: Head = average.module
    return trained


def judged(head: Head, held: Rows) -> dict[str, float]:
    """Judge a head on held-out examples: mean overlap of clicks and loose boxes, and scores."""
    was_training = head.training
    head.eval()
    overlaps, scores, kinds = [], [], []
    with torch.no_grad():
        for first in range(0, len(held), 100):
            chosen = np.arange(first, min(first + 100, len(held)))
            inputs, boxes = held.batch(chosen)
            values = head(inputs)
            overlaps.append(overlap(boxes_of(values), boxes.clamp(min=-9))[0].numpy())
            scores.append(torch.sigmoid(values[:, 0]).numpy())
            kinds.append(held._data.kind[held.numbers[chosen]])
    iou, score, kind = (np.concatenate(values) for values in (overlaps, scores, kinds))
    head.train(was_training)
    assert len(KINDS) == 3
    there = kind != GROUND
    return {
        "point_prompt": round(float(iou[kind == TAP].mean()), 4),
        "snug": round(float(iou[kind == SNUG].mean()), 4),
        "score_there": round(float(score[kind == TAP].mean()), 4),
        "score_ground": round(float(score[~there].mean()), 4) if (~there).any() else 0.0,
        "correlation": round(float(np.corrcoef(iou[there], score[there])[0, 1]), 4),
    }
