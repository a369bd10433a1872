"""One-step overlap of any network that the runtime can run.

    python -m calib.train.validate --clips DIR --networks-dir DIR NETWORK...
    python -m calib.train.validate --clips DIR --only NAME... --repeats 3 NETWORK...

Mean overlap of whole tracks: ``python -m calib.evaluate``.
"""

import argparse
import json
import sys

import numpy as np

from calib.train.overlap import OneStep
from runtime import engines
from runtime.decode.points import probability
from runtime.errors import BadNetwork, HotpathError
from runtime.networks import load_network


class Maps:
    """A network's maps for a pair of crops, through one of the runtime's engines."""

    def __init__(self, network, engine="onnxruntime", networks_dir=None):
        self.network = load_network(network)
        if self.network.family != "points":
            raise BadNetwork('{} is not of the family "points"'.format(network))
        self.engine = engines.create(engine, self.network, self.network.locate(networks_dir))
        self._mean = np.array(self.network.mean, np.float32)[:, None, None]
        self._scale = np.array(self.network.scale, np.float32)[:, None, None]

    def exemplar(self, crop):
        """uint8 (127,127,3) BGR -> features."""
        self._put(self.engine.exemplar_crop, crop)
        return self.engine.exemplar()

    def search(self, features, crop):
        """uint8 (255,255,3) -> probability (n,n), distances (4,n,n)."""
        self._put(self.engine.search_crop, crop)
        score, distances = self.engine.search(features)
        return probability(np.array(score, np.float64), self.network.score), np.array(distances[0])

    def _put(self, buffer, crop):
        if self.network.channels == "RGB":
            crop = crop[:, :, ::-1]
        buffer[0] = (crop.transpose(2, 0, 1).astype(np.float32) - self._mean) * self._scale


def overlaps(maps, pairs):
    """IoU of every pair, in order."""
    exemplars = [maps.exemplar(crop) for crop in pairs.exemplars]
    found = (maps.search(exemplars[c], crop) for c, crop in zip(pairs.clip, pairs.searches))
    return pairs.overlaps(found)


def one_step(maps, pairs):
    """Summary of the one-step overlap (see ``OneStep.summary``)."""
    return pairs.summary(overlaps(maps, pairs))


def report(name, found, pairs, each=False):
    """A line of figures of one network; ``each``: with the mean of every clip."""
    line = {"network": name, **pairs.summary(found), "lost": round(float((found < 0.3).mean()), 4)}
    if each:
        line["clips"] = {
            clip: round(float(found[pairs.clip == index].mean()), 3)
            for index, clip in enumerate(pairs.clips)
        }
    return line


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m calib.train.validate", description=__doc__)
    parser.add_argument("networks", nargs="+", metavar="NETWORK", help="name, or path of a TOML")
    parser.add_argument("--clips", required=True, help="annotated clips")
    parser.add_argument("--only", nargs="+", default=[""], help="beginnings of names of clips")
    parser.add_argument("--repeats", type=int, default=1, help="crops of every frame")
    parser.add_argument("--each", action="store_true", help="print the mean of every clip too")
    parser.add_argument("--networks-dir")
    parser.add_argument("--engine", default="onnxruntime")
    args = parser.parse_args(argv)
    pairs = OneStep(args.clips, args.only, args.repeats)
    for name in args.networks:
        maps = Maps(name, args.engine, args.networks_dir)
        print(json.dumps(report(name, overlaps(maps, pairs), pairs, args.each)), flush=True)


if __name__ == "__main__":
    try:
        main()
    except HotpathError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
