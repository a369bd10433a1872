"""The evidence file: one JSON for each run, with all that others need to check its figures."""

import json
import operator
import pathlib
from typing import Union

import numpy as np

from hotpath.base import cache
from hotpath.base.text import read_json
from hotpath.deploy.errors import BadEvidence
from hotpath.deploy.fps import Evidence, Result
from hotpath.deploy.fps.stats import figures_of
from hotpath.deploy.fps.verdict import why_invalid

FORMAT = 2
MOST_BYTES = 1 << 26  # a run of an hour has some MB
NEEDED = {  # what comparisons and reports take of each part
    "run": ("id", "started", "commit", "dirty", "complete", "rounds"),
    "before": ("board", "model", "release", "power_mode", "locked", "sample"),
    "results": ("network_sha256", "kernels", "threads", "boxes"),
}


def write_evidence(evidence: Evidence, path: pathlib.Path) -> None:
    """Write a file, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(path, json.dumps(evidence, allow_nan=False))
    except OSError as error:
        raise BadEvidence(
            f"the evidence can't be written to {path}: {error.strerror}; name another folder with "
            "--out"
        ) from None


def read_evidence(path: Union[str, pathlib.Path]) -> Evidence:
    """Read a file. Whether it is valid is found out again from what was measured."""
    again = "measure with `hotpath fps --out DIR`, which writes DIR/evidence-*.json"
    try:
        evidence: Evidence = read_json(str(path), MOST_BYTES)
        if evidence["format"] != FORMAT:
            raise ValueError("another version of Hotpath wrote it")
        for part, keys in NEEDED.items():
            for entry in evidence[part] if part == "results" else [evidence[part]]:
                operator.itemgetter(*keys)(entry)
        evidence["before"]["board"] + str(evidence["film"])
        for result in evidence["results"]:
            name_of(result)
            np.reshape(np.asarray(result["boxes"], np.float64), (-1, 4))
            if result["rounds"]:
                float(figures_of(result)["total"]["median"])
        evidence["invalid"] = why_invalid(evidence)
    except KeyError as error:
        raise BadEvidence(f"{path} is not evidence of ours: it lacks {error}; {again}") from None
    except (OSError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise BadEvidence(f"{path} can't be read as evidence: {error}; {again}") from None
    return evidence


def name_of(result: Result) -> str:
    """Return a result's name: network, precision and engine."""
    return "{network} {precision} {0}".format(result["engine"]["engine"], **result)
