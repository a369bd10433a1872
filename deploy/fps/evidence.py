"""The evidence file: one JSON for each run, with all that others need to check its figures."""

import json
import pathlib
from typing import Any, Dict, Iterable, List, Optional, Union

import numpy as np

from hotpath.kernels import cache
from hotpath.runtime.errors import HotpathError

FORMAT = 1
SCHEMA = pathlib.Path(__file__).resolve().parent / "evidence.schema.json"
LAST_S = 60.0  # of the run; "sustained" figures are of this part
TYPES: Dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
# evidence.schema.json says what they hold
Evidence = Dict[str, Any]
Result = Dict[str, Any]
Sample = Dict[str, Any]
Schema = Dict[str, Any]
PathLike = Union[str, pathlib.Path]


class BadEvidence(HotpathError):
    """A file is missing, is no JSON, or has not the published form."""


def write(evidence: Evidence, path: PathLike) -> None:
    """Write a file, whole or not at all."""
    mistakes = check(evidence)
    if mistakes:
        raise ValueError("evidence of the wrong form: " + mistakes[0])
    path = pathlib.Path(str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(path, json.dumps(evidence, allow_nan=False))
    except OSError as error:
        raise BadEvidence(
            f"the evidence can't be written to {path}: {error.strerror}; name another folder with "
            "--out"
        ) from None


def read(path: PathLike) -> Evidence:
    again = "measure with `hotpath fps --out DIR`, which writes DIR/evidence-*.json"
    try:
        evidence: Evidence = json.loads(pathlib.Path(str(path)).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadEvidence(f"{path} can't be read as evidence: {error}; {again}") from None
    mistakes = check(evidence)
    if mistakes:
        raise BadEvidence(f"{path} is not evidence of ours: {mistakes[0]}; {again}")
    return evidence


def check(evidence: Any) -> List[str]:
    """Return what is wrong with the form: a list of sentences, empty when it is right."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    mistakes: List[str] = []
    _check(evidence, schema, schema.get("definitions", {}), "evidence", mistakes)
    return mistakes


def _check(
    value: Any, schema: Schema, definitions: Dict[str, Schema], where: str, mistakes: List[str]
) -> None:
    """Check the part of JSON Schema that is used here. Boards lack the library for all of it."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds and not any(_is(value, kind) for kind in kinds):
        mistakes.append("{} is not of type {}".format(where, " or ".join(kinds)))
        return
    if "enum" in schema and value not in schema["enum"]:
        mistakes.append("{} is {!r}, not one of {}".format(where, value, schema["enum"]))
    if "minimum" in schema and _is(value, "number") and value < schema["minimum"]:
        mistakes.append("{} is below {}".format(where, schema["minimum"]))
    if isinstance(value, dict):
        for key in schema.get("required", ()):
            if key not in value:
                mistakes.append(f"{where} lacks {key}")
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        for key, item in value.items():
            if key in properties or isinstance(more, dict):
                inner = properties.get(key, more)
                _check(item, inner, definitions, f"{where}.{key}", mistakes)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            mistakes.append(f"{where} is too short")
        for index, item in enumerate(value if "items" in schema else ()):
            _check(item, schema["items"], definitions, f"{where}[{index}]", mistakes)


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number") and isinstance(value, bool):
        return False
    if kind == "number" and isinstance(value, float) and not np.isfinite(value):
        return False
    return isinstance(value, TYPES[kind])


def name_of(result: Result) -> str:
    """Return a result's name: network, precision, engine and clip."""
    return "{} {} {} {}".format(
        result["network"], result["precision"], result["engine"]["engine"], result["clip"]
    )


def totals(result: Result) -> List[np.ndarray]:
    """A result's rounds: list of arrays of frame times, ms."""
    return [np.array(r["ms"]["total"], np.float64) for r in result["rounds"]]


def alone_ms(result: Result) -> List[float]:
    """Medians of the network alone, a round each; empty if a round has none."""
    times = [r["ms"].get("alone") for r in result["rounds"]]
    return [float(np.median(ms)) for ms in times] if all(times) else []


def relative(result: Result) -> List[np.ndarray]:
    """The rounds in units of the network alone; empty if a round has none."""
    return [ms / alone for ms, alone in zip(totals(result), alone_ms(result))]


def alone_ratio(base: Result, new: Result) -> Optional[float]:
    """How many times as long the network alone takes as in another result; None if unknown."""
    first, second = alone_ms(base), alone_ms(new)
    return float(np.median(second) / np.median(first)) if first and second else None


def sustained_fps(result: Result) -> Optional[float]:
    """FPS of the last minute of a result's rounds; None for shorter rounds."""
    rounds = result["rounds"]
    end = _end_s(rounds[-1]) if rounds else 0.0
    if not rounds or end - rounds[0]["started_s"] < LAST_S:
        return None
    last = [r["ms"]["total"] for r in rounds if _end_s(r) > end - LAST_S]
    return 1e3 / float(np.median(np.concatenate(last)))


def _end_s(part: Dict[str, Any]) -> float:
    """When a round's last frame ended, since the run began."""
    end: float = part["started_s"] + part.get("span_s", part["seconds"])
    return end


def energy_mj(result: Result, samples: Iterable[Sample]) -> Optional[float]:
    """Energy a frame, mJ: the board's mean power over its rounds times the mean frame; or None."""
    spans = [(r["started_s"], _end_s(r)) for r in result["rounds"]]
    power = []
    for sample in samples:
        total = sample.get("power_total_mw")
        if total is not None and any(a <= sample["time_s"] <= b for a, b in spans):
            power.append(total)
    if not power or not spans:
        return None
    frames = sum(len(r["ms"]["total"]) for r in result["rounds"])
    seconds = sum(r["seconds"] for r in result["rounds"])
    return float(np.mean(power) * seconds / frames)
