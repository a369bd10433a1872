"""A trained network as the runtime takes it: two folded ONNX graphs and a TOML.

``kestrel_exemplar.onnx``: image (1,3,127,127) -> features (1,48,8,8).
``kestrel_search.onnx``: features, image (1,3,255,255) -> score logits (1,1,16,16), distances
(1,4,16,16) l,t,r,b in search pixels. Images are BGR, mean and scale as in the TOML.
"""

import argparse
import hashlib
import json
import pathlib
import sys

import torch

from calib.train.errors import TrainingStopped
from calib.train.geometry import EXEMPLAR, MEAN, SCALE, SEARCH
from calib.train.network import ExemplarGraph, Kestrel, SearchGraph, macs
from runtime.errors import HotpathError

TOML = """\
# Kestrel: plain 3x3 and 1x1 convolutions, pixel-wise correlation, {macs:.1f} MMAC.
family = "points"
licence = "{licence}"
source = "calib/train/README.md"

[input]
exemplar = 127            # pixels, side of the square crop around the first box
search = 255
context = 0.5             # of (w + h), added to both sides before the crop
border = "mean"           # colour outside the frame: mean of the first frame
channels = "BGR"
mean = [{mean:.1f}, {mean:.1f}, {mean:.1f}]
scale = [{scale:.9f}, {scale:.9f}, {scale:.9f}]  # 1 / 58

[head]
stride = 16               # search pixels a cell
map_size = 16             # cells a side
score = "sigmoid"         # one logit
correlation = "pixelwise"

[tracking]                # those of nanotrack_v2, not fitted
penalty = {penalty}
window = {window}
lr = {lr}
min_size = 10             # frame pixels
lost_below = 0.54         # certainty (runtime/loss.py), by calib.loss_thresholds

[[file]]
part = "exemplar"
name = "kestrel_exemplar.onnx"
sha256 = "{exemplar}"

[[file]]
part = "search"
name = "kestrel_search.onnx"
sha256 = "{search}"
"""
TRACKING = {"penalty": 0.15, "window": 0.49, "lr": 0.385}
LICENCE = "not settled: trained on research-only pictures, see calib/train/README.md"


def load(checkpoint):
    """The averaged network of a checkpoint, ready to use."""
    path = pathlib.Path(checkpoint)
    if not path.is_file():
        raise TrainingStopped("{} is not there; train first: python -m calib.train".format(path))
    state = torch.load(path, map_location="cpu", weights_only=False)
    network = Kestrel(**state["config"])
    network.load_state_dict(state["average"])
    return network.eval()


def fold_error(network, exemplar_graph, search_graph):
    """Largest difference between the network and its folded form, logits and log distances."""
    torch.manual_seed(0)
    z, x = torch.randn(1, 3, EXEMPLAR, EXEMPLAR), torch.randn(1, 3, SEARCH, SEARCH)
    with torch.no_grad():
        logits, log_distances = network(z, x)
        folded, distances = search_graph(exemplar_graph(z), x)
    on = (log_distances > -1.9) & (log_distances < 6.4)  # where training does not clamp
    gap = (distances.log() - log_distances).abs()[on]
    return max(float((folded[:, 0] - logits).abs().max()), float(gap.max()) if len(gap) else 0.0)


def write_onnx(graph, inputs, path, input_names, output_names):
    torch.onnx.export(graph, inputs, str(path), input_names=input_names, output_names=output_names,
                      dynamo=False, opset_version=13)  # fmt: skip
    return hashlib.sha256(path.read_bytes()).hexdigest()


def export(checkpoint, folder, licence=LICENCE):
    """Write both graphs and ``kestrel.toml`` into ``folder``; returns figures about them."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    network = load(checkpoint)
    exemplar_graph, search_graph = ExemplarGraph(network).eval(), SearchGraph(network).eval()
    error = fold_error(network, exemplar_graph, search_graph)
    z, x = torch.randn(1, 3, EXEMPLAR, EXEMPLAR), torch.randn(1, 3, SEARCH, SEARCH)
    with torch.no_grad():
        features = exemplar_graph(z)
    sums = {
        "exemplar": write_onnx(exemplar_graph, (z,), folder / "kestrel_exemplar.onnx", ["image"],
                               ["features"]),
        "search": write_onnx(search_graph, (features, x), folder / "kestrel_search.onnx",
                             ["exemplar", "image"], ["score", "distances"]),
    }  # fmt: skip
    size = macs(network)
    total = size["backbone"] + size["head"]
    text = TOML.format(macs=total, licence=licence, mean=MEAN, scale=SCALE, **TRACKING, **sums)
    (folder / "kestrel.toml").write_text(text)
    size_mb = sum(path.stat().st_size for path in folder.glob("kestrel_*.onnx")) / 1e6
    return {
        "fold_error": error,
        "macs_m": total,
        "parameters_m": size["parameters"],
        "size_mb": size_mb,
    }


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m calib.train.export", description=__doc__)
    parser.add_argument("checkpoint", help="such as runs/NAME/joint.pt; unfinished ones will do")
    parser.add_argument("folder", help="where to write, such as runtime/networks")
    args = parser.parse_args(argv)
    print(json.dumps(export(args.checkpoint, args.folder), indent=1))


if __name__ == "__main__":
    try:
        main()
    except HotpathError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
