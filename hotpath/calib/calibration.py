"""Calibrate one network: measure ranges, and try choices."""

import functools
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from tqdm import tqdm

from hotpath.calib import crops, one_step_overlap, qdq, sensitivity
from hotpath.calib.errors import BadRun
from hotpath.calib.one_step_overlap import Estimate, Finder, Pairs, estimate
from hotpath.calib.ranges import METHODS, Histograms, session
from hotpath.graphs import assemble, models, quantisable, table
from hotpath.graphs.models import shape_of
from hotpath.runtime import engines, load_tracker
from hotpath.runtime.network import Network
from hotpath.runtime.networks import load_network
from hotpath.video.clips import AnnotatedClip

Feeds = list[dict[str, np.ndarray]]
Found = tuple[np.ndarray, np.ndarray]  # cells and overlaps of all pairs
Table = dict[str, Any]  # of ranges or of their report
NOISE_CROPS = 6  # search crops that layers are ranked on


class NetworkCalibration:
    """Measures one network.

    Args:
        networks_dir: where its files are.
        clips: the clips on which ranges are measured and choices are made.
        held: the clips that only the last figures use.
        counts: (exemplars, searches) a clip.
    """

    def __init__(
        self,
        network: Network,
        networks_dir: str | None,
        clips: Sequence[AnnotatedClip],
        held: Sequence[AnnotatedClip],
        counts: tuple[int, int],
    ) -> None:
        if min(counts) < 1:
            raise BadRun(
                "{} exemplars and {} search crops a clip leave nothing to measure; give 1 "
                "or more of each".format(*counts)
            )
        one_step_overlap.check_supported(network)
        self.network, self.networks_dir = network, networks_dir
        self.clips, self.held, self.counts = clips, held, counts
        self.hashes = table.file_hashes(network, networks_dir)
        self.parts = quantisable.parts(network, network.locate(networks_dir))
        picture, *box = models.inputs(self.parts["exemplar"])
        if box:
            raise BadRun(
                f"{network.name} takes the target's box, which calibration does not give; run it "
                "in fp32",
                what="takes a box",
            )
        self._exemplars = shape_of(picture)
        self.last = quantisable.last_layers(self.parts["search"])
        self._crops: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._pairs: dict[tuple[str, ...], Pairs] = {}
        self._plain: np.ndarray | None = None

    # -- crops and ranges

    @functools.cached_property
    def _tracker(self) -> Any:
        return load_tracker(self.network.path, precision="fp32", networks_dir=self.networks_dir)

    def crops(self, clip: AnnotatedClip) -> tuple[np.ndarray, np.ndarray]:
        """(exemplars, searches) of a clip, uint8."""
        if clip.sha256 not in self._crops:
            self._crops[clip.sha256] = crops.collect(clip, self._tracker, *self.counts)
        return self._crops[clip.sha256]

    def feeds(self, clip: AnnotatedClip) -> tuple[Feeds, Feeds]:
        """Return the inputs of both parts, two lists of dicts; searches hold their exemplar."""
        exemplars, searches = self.crops(clip)
        z = [
            {assemble.IMAGES[0]: np.resize(crops.as_input(crop, self.network), self._exemplars)}
            for crop in exemplars
        ]
        runner = session(self.parts["exemplar"])
        names = [value.name for value in self.parts["exemplar"].graph.output]
        features = [dict(zip(names, runner.run(names, feed))) for feed in z]
        x = [
            dict(
                {assemble.IMAGES[1]: crops.as_input(crop, self.network)},
                **features[i * len(features) // len(searches)],
            )
            for i, crop in enumerate(searches)
        ]
        return z, x

    def histograms(self) -> dict[str, Histograms]:
        """Return a dict of part -> ``Histograms`` over all clips."""
        histograms = {part: Histograms(model) for part, model in self.parts.items()}
        for clip in tqdm(self.clips, desc="ranges", unit=" clips", disable=None, leave=False):
            for of_part, feeds in zip(histograms.values(), self.feeds(clip)):
                for feed in feeds:
                    of_part.add(feed)
        return histograms

    def table(self) -> Table:
        """Return the table with the ranges of every method, before one is chosen."""
        tensors: dict[str, Table] = {}
        for part, histograms in self.histograms().items():
            measured = {method: histograms.ranges(method) for method in METHODS}
            tensors[part] = {
                name: {
                    "range": None,
                    "all": {m: table.round_range(measured[m][name]) for m in METHODS},
                }
                for name in histograms.names
            }
        counts = dict(zip(("exemplars", "searches"), self.counts))
        for part, image in zip(self.parts, assemble.IMAGES):
            tensors[part][image]["all"] = dict.fromkeys(METHODS, picture_range(self.network))
        return {
            "format": table.FORMAT,
            "network": self.network.name,
            "files": self.hashes,
            "method": None,
            "keep": [],
            "last": sorted(self.last),
            "clips": [{"name": c.name, "sha256": c.sha256, **counts} for c in self.clips],
            "libraries": {"onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
            "tensors": tensors,
        }

    @staticmethod
    def choose(ranges: Table, method: str | None) -> None:
        """Write the ranges of one method into the table as the chosen ones."""
        ranges["method"] = method
        for part in ranges["tensors"].values():
            for entry in part.values():
                entry["range"] = entry["all"][method]

    # -- networks and their overlap

    def models(
        self, ranges: Table, method: str | None, keep: Iterable[str], form: str
    ) -> dict[str, onnx.ModelProto]:
        """dict of part -> Q/DQ model."""
        floating = {"exemplar": set(keep), "search": set(keep) | self.last}
        return {
            part: qdq.quantised_model(
                model, table.ranges(ranges, part, method), form, floating[part]
            )
            for part, model in self.parts.items()
        }

    def try_out(self, ranges: Table, method: str | None, keep: Iterable[str]) -> float:
        """Return the loss (see ``loss``) of one method and one list of kept layers."""
        models = self.models(ranges, method, keep, "cpu")
        with tempfile.TemporaryDirectory() as folder:
            path = qdq.write(self.network, models, folder, "tried", "a trial", ranges["files"])
            return self.loss(self.run(path, self.clips)[1])

    def loss(self, overlaps: np.ndarray) -> float:
        """Return the mean overlap lost against fp32 on the measured clips.

        A gain on one pair does not make up for a loss on another. INT8 moves boxes a little, and
        some pairs gain by chance. On other clips the movement remains and the gain does not.
        """
        if self._plain is None:
            self._plain = self.run(self.network.path, self.clips)[1]
        return float(np.maximum(self._plain - overlaps, 0).mean())

    def run(
        self, path: str | Path, clips: Sequence[AnnotatedClip], engine: str = "onnxruntime"
    ) -> Found:
        """(cells, overlaps) of all pairs of some clips."""
        network = load_network(path)
        there = network.locate(self.networks_dir)
        runner = engines.create(engine, network, there)
        answers = Finder(network, runner).run(self.pairs(clips))
        runner.close()
        return answers.cells, answers.overlaps

    def pairs(self, clips: Sequence[AnnotatedClip]) -> Pairs:
        """The fixed pairs of some clips."""
        key = tuple(clip.sha256 for clip in clips)
        if key not in self._pairs:
            self._pairs[key] = Pairs(clips, self.network)
        if not len(self._pairs[key]):
            names = ", ".join(clip.name for clip in clips)
            raise BadRun(f"no frame of {names} shows the target twice in a row; name other clips")
        return self._pairs[key]

    def noises(self, ranges: Table) -> dict[str, float]:
        """dict of layer -> its noise when it alone is in INT8; without the last layers."""
        feeds = [feed for clip in self.clips for feed in self.feeds(clip)[1][:2]][:NOISE_CROPS]
        spans = table.ranges(ranges, "search")
        noises = sensitivity.noise(self.parts["search"], spans, feeds, "cpu")
        return {name: value for name, value in noises.items() if name not in self.last}

    def keep_sets(self, noises: dict[str, float], budget: float) -> Iterator[list[str]]:
        """Return growing lists of layers to keep; see ``sensitivity.keep_sets``."""
        return sensitivity.keep_sets(noises, self.costs(), budget)

    def costs(self) -> dict[str, int]:
        """dict of layer -> multiply-accumulates of the search part."""
        return {quantisable.base(n): c for n, c in qdq.macs(self.parts["search"]).items()}

    # -- the last figures

    def final(self, written: dict[str, Path], ranges: Table) -> Table:
        """Return all figures of the report about the finished networks."""
        plain = self.run(self.network.path, self.held)
        clip = self.pairs(self.held).clip
        forms = {"fp32": self._form(self.network.path, plain, plain, clip)}
        cpu = written["cpu"]
        for engine in engines.installed():
            result = self.run(cpu, self.held, engine)
            forms[f"INT8 cpu, {engine}"] = self._form(cpu, result, plain, clip)
        symmetric = self.run(written["symmetric"], self.held)
        name = "INT8 symmetric, onnxruntime"
        forms[name] = self._form(written["symmetric"], symmetric, plain, clip)
        costs = self.costs()
        return {
            "network": self.network.name,
            "method": ranges["method"],
            "keep": ranges["keep"],
            "last": sorted(self.last),
            "kept_share": sum(costs.get(n, 0) for n in set(ranges["keep"]) | self.last)
            / max(1, sum(costs.values())),
            "measured_on": [clip.name for clip in self.clips],
            "held_out": [clip.name for clip in self.held],
            "pairs": len(plain[0]),
            "forms": forms,
        }

    def _form(
        self, path: str | Path, result: Found, plain: Found, clip: np.ndarray
    ) -> dict[str, float | None]:
        """Figures of one form; ``loss`` is against ``plain`` on the same pairs."""
        overlap, loss = estimate(result[1], clip), estimate(plain[1] - result[1], clip)
        network = load_network(path)
        size = sum(os.path.getsize(p) for p in network.locate(self.networks_dir).values())
        return {
            "overlap": overlap.mean,
            "overlap_error": _error(overlap),
            "loss": loss.mean,
            "loss_error": _error(loss),
            "same_cell": float((result[0] == plain[0]).mean()),
            "bytes": size,
        }


def _error(figure: Estimate) -> float | None:
    """The standard error, or None: one clip shows none."""
    return figure.error if np.isfinite(figure.error) else None


def picture_range(network: Network) -> list[float]:
    """Return the range of a picture's values: always that of all bytes.

    Clips without a white pixel would give a smaller range. Then its 256 levels would not be the
    bytes, and no engine could take the picture as bytes (``hotpath.graphs.byte_pictures``).
    """
    mean, scale = np.array(network.mean), np.array(network.scale)
    ends = np.concatenate([(0 - mean) * scale, (255 - mean) * scale, [0.0]])
    return table.round_range((ends.min(), ends.max()))
