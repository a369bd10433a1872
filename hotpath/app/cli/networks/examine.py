"""Check the values that a network's files compute, for ``networks check``.

The network runs on two pictures. A damaged file, or a TOML with the wrong mean and scale, shows in
numbers that no tracker could use.
"""

import pathlib
from typing import Any, Dict, List, Mapping, Optional, Tuple

import cv2
import numpy as np

from hotpath.graphs import canonical_models, convert, models, picture_values, score_values
from hotpath.kernels.golden import pack
from hotpath.runtime import engines, load_tracker
from hotpath.runtime.errors import BadNetwork, HotpathError
from hotpath.runtime.network import Network

# boxes of engines that add or round in another order; an operator that is read otherwise: 49
APART_PX = {"fp32": 2.0, "int8": 10.0}
FILM_SIDE, FRAMES = 256, 6
HALF = 65504.0  # the largest number in FP16, of which a picture of noise takes a share at most
HALF_SHARE = 0.25
LARGEST = 1e6  # of a map's numbers; the largest in use are distances of some hundred pixels

Paths = Mapping[str, pathlib.Path]  # part -> path


def pictures(side: int) -> List[np.ndarray]:
    """Two BGR pictures of soft colours, one upside down: float32 (side, side, 3), 0 to 255."""
    noise = np.random.RandomState(1).rand(8, 8, 3).astype(np.float32) * 255
    scene = cv2.resize(noise, (side, side))
    return [scene, scene[::-1]]


def maps(network: Network, paths: Paths) -> Tuple[List[str], List[str]]:
    """Run a network on two pictures and look at its maps.

    Returns:
        (report, mistakes): lines that describe the run, and one sentence for each mistake.

    Raises:
        HotpathError: no engine is installed, or none can load the files.
    """
    engine = engines.create("auto", network, dict(paths))
    try:
        _put(engine.exemplar_crop, network, pictures(network.exemplar)[0])
        features: Any = engine.exemplar()
        results = []
        for picture in pictures(network.search):
            _put(engine.search_crop, network, picture)
            results.append([np.array(item) for item in engine.search(features)])
        report = ["runs       on {engine} {version}".format(**engine.describe())]
    finally:
        engine.close()
    sides = (picture_values.twice(path, network.mean, network.scale) for path in paths.values())
    mistakes = list(filter(None, sides))
    for index, (first, second) in enumerate(zip(*results)):
        shape = "x".join(map(str, first.shape))
        report.append(f"map        {shape} from {first.min():.4g} to {first.max():.4g}")
        problem = _problem(first, second)
        if problem:
            mistakes.append(f"map {index + 1} {problem}")
    kind = getattr(network, "score", None)
    if not mistakes and kind is not None:
        scores = results[0][network.family == "corners"]  # the box comes before its score
        if kind != "none":
            is_squashed = scores.min() >= 0 and scores.max() <= 1
            if is_squashed or score_values.are_probabilities(network, paths):
                mistakes.append(score_values.advice(kind))
        elif scores.min() < -0.01 or scores.max() > 1.01:
            mistakes.append(
                f"map 1 has scores from {scores.min():.3g} to {scores.max():.3g}, which are no "
                'probabilities; score must be "sigmoid" or "softmax"'
            )
    return report, mistakes


def half_overflow(network: Network, paths: Paths) -> str:
    """Say that activations come near the largest number in FP16; "" if they do not.

    ``onnx`` computes them, in floats. Without its reference, "" is returned.
    """
    graphs = canonical_models.models(network, paths)
    image, window = (pictures(side)[0] for side in (network.exemplar, network.search))
    values: Dict[str, np.ndarray] = {}
    for name, picture in zip(graphs.image, (image, window)):
        is_rgb = network.channels == "RGB"
        values[name] = pack(picture, network.mean, network.scale, is_rgb, np.float32)
    try:
        from onnx.reference import ReferenceEvaluator  # since onnx 1.13; Python 3.6 has 1.11

        for model in (graphs.exemplar, graphs.search):
            feed = {value.name: values[value.name] for value in models.inputs(model)}
            values.update(ReferenceEvaluator(model).run(None, feed, intermediate=True))
    except Exception:  # of any class: an operator, or an input, that it does not have
        return ""
    nodes = [*graphs.exemplar.graph.node, *graphs.search.graph.node]
    names = [name for node in nodes for name in node.output if name in values]
    most = {name: float(np.abs(values[name]).max()) for name in names if values[name].size}
    where = max(most, key=most.__getitem__)
    if most[where] <= HALF_SHARE * HALF:
        return ""
    return (
        f"fp16       the activations reach {most[where]:.2g} ({where}), and {HALF:.0f} is the "
        "largest number in FP16: on a GPU they may overflow; build with PRECISION=fp32, or train "
        "with a smaller scale"
    )


def boxes(network: Network, paths: Paths, networks_dir: Optional[str]) -> Tuple[List[str], int]:
    """Compare the boxes of all engines of this computer, and what a board with TensorRT gets.

    Returns:
        (report, mistakes): a line for each engine, one for TensorRT, and how many are wrong.
    """
    graphs = canonical_models.models(network, paths)
    opset = models.opset(graphs.search)
    report, mistakes = [], 0
    reference: Any = None
    for name in engines.installed():
        try:
            found = _boxes_of(network, name, networks_dir)
        except HotpathError as error:
            report.append(f"{name:<16} opset {opset}, can't: {error}")
            continue
        reference = found if reference is None else reference
        off = float(np.abs(found - reference).max())
        mistakes += not off <= APART_PX[graphs.precision]
        report.append(f"{name:<16} opset {opset}, boxes within {off:.2g} px of the first engine's")
        if not off <= APART_PX[graphs.precision]:
            report[-1] += ", so one of them computes an operator otherwise; track with neither"
    try:
        for part in (graphs.exemplar, graphs.search):
            convert.check_quantisers(part, network.name)
        older = [convert.for_old_tensorrt(model) for model in (graphs.exemplar, graphs.search)]
        opsets = " and ".join(sorted({str(models.opset(model)) for model in older}))
        report.append(f"{'TensorRT':<16} opset {opsets}, as `hotpath engine` prepares it")
    except BadNetwork as error:
        report.append(f"{'TensorRT':<16} opset {opset}, can't: {error}")
    return report, mistakes


def _boxes_of(network: Network, engine: str, networks_dir: Optional[str]) -> np.ndarray:
    """The boxes of an engine on a small film, in the numbers that the files have."""
    scene = pictures(FILM_SIDE)[0].astype(np.uint8)
    options: Any = dict(engine=engine, precision="fp32", networks_dir=networks_dir, recover=False)
    with load_tracker(str(network.path), **options) as tracker:
        tracker.init(scene, (100.0, 90.0, 60.0, 48.0), time_s=0)
        moved = [np.roll(scene, 2 * n, axis=1) for n in range(1, FRAMES)]
        return np.array(
            [tuple(tracker.update(f, time_s=n / 30).box) for n, f in enumerate(moved, 1)]
        )


def _put(crop: np.ndarray, network: Network, picture: np.ndarray) -> None:
    """Write a BGR picture into an engine's input as a tracker would."""
    is_rgb = network.channels == "RGB"
    crop[...] = pack(picture, network.mean, network.scale, is_rgb, crop.dtype)


def _problem(first: np.ndarray, second: np.ndarray) -> Optional[str]:
    """What is wrong with a map that was computed for two pictures; None if nothing is."""
    both = np.concatenate([first.ravel(), second.ravel()])
    if not np.isfinite(both).all():
        problem = "is not finite"
    elif not both.any():
        problem = "is zero everywhere"
    elif np.array_equal(first, second):
        problem = "is the same for different pictures"
    elif np.abs(both).max() > LARGEST:
        problem = f"has numbers up to {np.abs(both).max():.1e}"
    else:
        return None
    return problem + "; the file is damaged, or mean and scale are wrong"
