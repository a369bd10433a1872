"""Join two networks: write the ONNX files and the TOML of one that gives the mean of their maps."""

import pathlib
import shutil
from typing import Any, Callable, Dict, Optional, Sequence

import onnx

from hotpath.app.cli.networks.add import checked_place
from hotpath.base import cache, toml, toml_text
from hotpath.graphs import assemble, joining
from hotpath.runtime.decode.shared import conventions
from hotpath.runtime.engines.shared.precision import SUFFIX, int8_form
from hotpath.runtime.errors import BadNetwork, BadOption
from hotpath.runtime.network import Network, sha256_of

OWN = (
    "negatives",
    "point_prompt",
    "published",
    "made_from",
    "engine",
    "file",
)

Say = Callable[[str], None]


def join(
    networks: Sequence[Network],
    out: pathlib.Path,
    weight: float = 0.5,
    networks_dir: Optional[str] = None,
    say: Say = print,
) -> pathlib.Path:
    """Write two joined networks; their INT8 form too if both have one.

    Args:
        networks: two networks. The settings, negatives and point prompt of the first one are taken.
        out: path of the TOML, without ``.toml``. The ONNX files lie beside it.
        weight: share of the second network's maps in the mean, 0 to 1.
        networks_dir: folder with downloaded files.
        say: function of one line.

    Returns:
        the TOML's path.

    Raises:
        BadNetwork: the networks can't be joined; the sentence says what differs.
        BadOption: ``weight`` is not between 0 and 1.
        BadOutput: the TOML is there already, or can't be written.
    """
    if not 0 <= weight <= 1:
        raise BadOption(f"--weight {weight:g} is no share; give a number from 0 to 1")
    reason = joining.why_not(*networks)
    if reason:
        raise BadNetwork(reason, what="networks differ")
    checked_place(out.parent, out.name, "--out")
    note = f"Written by `hotpath networks join {networks[0].given} {networks[1].given}`"
    note += f" with --weight {weight:g}."
    path = _write(networks, out.name, out.parent, weight, networks_dir, note)
    say(f"wrote      {path}")
    forms = [form for form in map(int8_form, networks) if form is not None]
    if len(forms) == len(networks):
        for network, form in zip(networks, forms):
            network.check_form(form, networks_dir)
        made_from = {part: sha256_of(out.parent / f"{out.name}_{part}.onnx") for part in PARTS}
        path_int8 = _write(
            forms, out.name + SUFFIX, out.parent, weight, networks_dir, note, made_from
        )
        say(f"wrote      {path_int8}, which runs on processors where it is faster")
    else:
        lacking = " and ".join(n.name for n in networks if int8_form(n) is None)
        say(f"no INT8    there is no INT8 form of {lacking}; make it with `hotpath int8`")
    return path


PARTS = ("exemplar", "search")


def _write(
    networks: Sequence[Any],
    name: str,
    folder: pathlib.Path,
    weight: float,
    networks_dir: Optional[str],
    note: str,
    made_from: Optional[Dict[str, str]] = None,
) -> pathlib.Path:
    """Write one precision; returns the TOML's path."""
    built = [assemble.build(network, network.locate(networks_dir)) for network in networks]
    models = joining.joined(networks, built, weight)
    tables = [toml.read(network.path, BadNetwork) for network in networks]
    table = {key: value for key, value in tables[0].items() if key not in OWN}
    for key in ("licence", "source"):
        texts = [t.get(key) or f"not stated ({n.name})" for t, n in zip(tables, networks)]
        table[key] = "; ".join(dict.fromkeys(texts))
    converted = set(conventions.KEYS) | {"maps"}
    table["head"] = {k: v for k, v in table["head"].items() if k not in converted}
    folder.mkdir(parents=True, exist_ok=True)
    table["file"] = []
    for part, model in zip(PARTS, models):
        file = folder / f"{name}_{part}.onnx"
        onnx.save(model, str(file))
        table["file"].append({"part": part, "name": file.name, "sha256": sha256_of(file)})
    for section in ("negatives", "point_prompt"):
        made = getattr(networks[0], section)
        if made:
            table[section] = tables[0][section]
            shutil.copy(str(networks[0].locate_made(made)), str(folder / made.name))
    if made_from:
        table["made_from"] = made_from
    path = folder / (name + ".toml")
    cache.write_text(path, toml_text.text(table, note))
    return path
