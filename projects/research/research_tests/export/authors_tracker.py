"""Run the authors' own one-stream tracker with random weights on a small film, without a GPU.

python -m research_tests.export.authors_tracker KIND CHECKOUT CONFIG CHECKPOINT OUT
"""

import importlib.util
import pathlib
import sys
import types
from unittest import mock

import cv2
import numpy as np
import torch

from hotpath_research.export.one_stream import KINDS, timm_library
from tests.support import blobs

TRACKERS = {
    "ostrack": "ostrack",
    "smat": "mobilevitv2_track",
    "mvt": "mobilevit_track",
    "hit": "HiT",
    "asymtrack": "AsymTrack",
    "litetrack": "litetrack",
    "mixformerv2": "mixformer2_vit_online",
    "stark": "stark_st",
    "stark-s": "stark_s",
    "stark-lightning": "stark_lightning_X_trt",
}
NEVER = 1 << 20  # frames until a template is refreshed: an export keeps the first one
SCORE = 1.61  # logit of MixFormerV2's scores, about
# what the authors' training and drawing import, and their trackers' boxes don't need
UNUSED = ("torch._six", "visdom", "visdom.server", "jpeg4py", "lmdb", "tensorboardX", "tikzplotlib")
UNUSED += ("pycocotools", "pycocotools.coco", "matplotlib", "matplotlib.pyplot")


def add_crops(folder):
    """LiteTrack's repository lacks the module that crops; it is OSTrack's."""
    if not (folder / "lib/train/data/processing_utils.py").is_file():
        name = "lib.train.data.processing_utils"
        theirs = folder.parent / "OSTrack"
        path = theirs / "lib/train/data/processing_utils.py"
        spec = importlib.util.spec_from_file_location(name, str(path))
        sys.modules["lib.train.data"] = types.ModuleType("lib.train.data")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


def film():
    """A patch of colours that drifts over others and grows brighter; as ``blobs.film``."""
    random, (frames, boxes) = np.random.RandomState(0), blobs.film(31)
    behind = cv2.GaussianBlur(random.randint(0, 255, (240, 320, 3)).astype(np.uint8), (0, 0), 4)
    patch = cv2.resize(random.randint(0, 200, (6, 9, 3)).astype(np.uint8), (36, 24))
    for number, frame in enumerate(frames):
        inside = frame.any(2)
        frame[...] = np.clip(4.0 * behind - 380, 0, 255)
        frame[-1], frame[:, -1] = 0, 0  # which the authors' crops lose at the edge
        frame[inside] = (patch + np.uint8(number)).reshape(-1, 3)
    return frames, boxes


def spread_mixformerv2(network):
    """Let random weights give boxes of a size, and scores on both sides of 0.5."""
    tokens, (first, last) = network.backbone.reg_tokens, network.box_head.layers
    places = torch.arange(last[0].out_features) / last[0].out_features
    for number, middle in enumerate((0.34, 0.66, 0.34, 0.66)):
        tokens[0, number, number] += 6
        first[0].weight[number, number] += 0.5
        last[0].weight[:, number] -= (places - middle) ** 2 * 20
    network.score_head.layers[1].weight *= 20
    network.score_head.layers[1].bias -= SCORE


def spread_stark(network):
    """As ``spread_mixformerv2``."""
    network.box_head.conv5_tl.weight *= 40
    network.box_head.conv5_br.weight *= 40
    if hasattr(network, "cls_head"):
        network.cls_head.layers[-1].weight *= 100
        network.cls_head.layers[-1].bias -= 3


def spread_lightning(network):
    """As ``spread_mixformerv2``."""
    network.box_head.conv_tower[-1].weight *= 40


SPREAD = {"mixformerv2": spread_mixformerv2, "stark": spread_stark, "stark-s": spread_stark}
SPREAD["stark-lightning"] = spread_lightning


def build(name, checkpoint, config):
    """The authors' configuration, and a checkpoint of random weights."""
    kind = KINDS[name]
    config_module, (module, function) = kind.modules()
    settings = importlib.import_module(config_module)
    settings.update_config_from_file(config)
    settings.cfg.TEST_MODE = True
    settings.cfg.TEST.DEVICE = "cpu"
    for patch in kind.patches():
        setattr(importlib.import_module(patch[0]), *patch[1:])
    torch.manual_seed(1)
    network = getattr(importlib.import_module(module), function)(settings.cfg, **kind.arguments)
    for key, buffer in network.named_buffers():
        if key.endswith("running_var"):
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    if name in SPREAD:
        if hasattr(settings.cfg.TEST, "UPDATE_INTERVALS"):
            settings.cfg.TEST.UPDATE_INTERVALS.LASOT = [NEVER]
        with torch.no_grad():
            SPREAD[name](network)
    torch.save({"net": network.state_dict()}, checkpoint)
    return settings.cfg


def recorded(network, names):
    """The maps of every call of an authors' network from now on, a row each."""
    rows = []

    def record(compute):
        def computed(*pictures, **options):
            results = compute(*pictures, **options)
            given = results[0] if isinstance(results, tuple) else results
            if isinstance(given, dict) and all(name in given for name in names):
                maps = [given[name].detach().numpy().ravel() for name in names]
                rows.append(np.concatenate(maps))
            return results

        return computed

    for method in ("forward", "forward_head", "forward_transformer"):
        if hasattr(network, method):
            setattr(network, method, record(getattr(network, method)))
    return rows


def main(name, folder, config, checkpoint, out):
    timm_library()
    for module in UNUSED:
        sys.modules[module] = mock.MagicMock(__path__=[], __spec__=None)
    for owner in (torch.Tensor, torch.nn.Module):
        owner.cuda = lambda self, *_, **__: self
    sys.path.insert(0, folder)
    add_crops(pathlib.Path(folder))
    cfg = build(name, checkpoint, config)
    given = dict(cfg=cfg, checkpoint=checkpoint, debug=0, save_all_boxes=False)
    for key in ("template_factor", "template_size", "search_factor", "search_size"):
        given[key] = getattr(cfg.TEST, key.upper())
    settings = types.SimpleNamespace(**given)
    module = importlib.import_module("lib.test.tracker." + TRACKERS[name])
    build_tracker = getattr(module, "STARK_LightningXtrt", None) or module.get_tracker_class()
    tracker = build_tracker(settings, "lasot")
    frames, boxes = film()
    frames = [cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) for frame in frames]
    tracker.initialize(frames[0], {"init_bbox": list(boxes[0])})
    if name.startswith("stark"):  # it masks the padding, and nothing is masked here
        process = tracker.preprocessor.process
        tracker.preprocessor.process = lambda picture, mask: process(picture, 0 * mask)
    maps = recorded(tracker.network, KINDS[name].maps)
    found = [tracker.track(frame, {}) for frame in frames[1:]]
    np.savez(
        out,
        maps=maps[:: len(maps) // len(found) or 1],  # a method may call another one
        boxes=[result["target_bbox"] for result in found],
        scores=[result["conf_score"] for result in found if "conf_score" in result],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
