"""The prepared folder, from which a board continues a TensorRT build.

It holds ONNX models in up to four forms (whole or cut at the correlations; float32, or float16 for
TensorRT 11), the network's TOML, and ``prepared.json``. The board needs only TensorRT to go on. To
prepare a network takes onnx, and ONNX Runtime for the check.
"""

import functools
import hashlib
import json
import pathlib
import shutil
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, List

from hotpath.base.messages import error_text, make_command, pip_command
from hotpath.base.toml_keys import FileName, form_problem
from hotpath.deploy.bundles import int8_scales
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.bundles.writer import BundleWriter, copy_toml
from hotpath.deploy.errors import BuildFailed
from hotpath.graphs import canonical_models
from hotpath.runtime.errors import BadNetwork
from hotpath.runtime.networks import bundle, onnx_budget, sha256_of

if TYPE_CHECKING:
    from onnx import ModelProto

FILE, FORMAT = "prepared.json", 6
# the pip of JetPack 4 finds no onnx, and a newer one only with another NumPy, which crashes there
INSTALL = f"run `{pip_command('onnx')}`, or " if sys.version_info >= (3, 8) else ""
SHIPPED = pathlib.Path(__file__).resolve().parent / "shipped"

Say = Callable[[str], None]

Values = Dict[str, Any]  # of ``prepared.json``, and of a part of it


def prepare(folder: pathlib.Path, order: Order, say: Say = print) -> None:
    """Make a prepared folder.

    Args:
        folder: an existing one is replaced.
        order: what is to be built.
        say: function of one sentence.

    Raises:
        BadNetwork: the network's files don't fit together, or TensorRT can't read them.
        BuildFailed: there is no onnx or no table of ranges.
    """
    network = order.network
    try:
        from hotpath.graphs import convert, correlation_cut
    except ImportError:
        return _copy_shipped(folder, order, say)
    paths = order.paths()
    graphs = canonical_models.models(network, paths)
    seen = graphs.search_features
    graphs = graphs._replace(
        exemplar=convert.for_old_tensorrt(graphs.exemplar),
        search=convert.for_old_tensorrt(graphs.search),
    )
    quantised = convert.is_quantised(graphs.search)
    if quantised and order.precision != "int8":
        other = "name its network in floating point"
        if "int8" in order.board.precision["exists"]:
            other = f"run `{order.command('int8')}`"
        raise BuildFailed(
            f"{network.name} is INT8, so {order.board.title} can't run it in {order.precision}; "
            f"{other}"
        )
    for part in (graphs.exemplar, graphs.search):
        convert.check_quantisers(part, network.name)
    needs_scales = order.precision == "int8" and not quantised
    int8 = int8_scales.of_order(order, paths) if needs_scales else None
    forms = {"whole": correlation_cut.cut(graphs, correlations=False)}
    if correlation_cut.find(graphs):
        try:
            forms["cut"] = correlation_cut.cut(graphs)
        except BadNetwork as error:
            say(f"TensorRT before 8.5.1 can't run it: {error}")
    half: Any = convert.with_half_ends if order.half_tensors else None  # for TensorRT 11
    if order.precision == "fp16":
        half = functools.partial(convert.to_float16, ends=order.half_tensors)
    values = {
        "network": bundle.network_entry(network, paths),
        "quantised": quantised,
        "seen": seen,
        "scales": int8 and int8.scales,
        "float_tensors": int8.float_tensors if int8 else [],
        "calibration_sha256": int8 and int8.digest,
    }

    def put(place: pathlib.Path) -> Values:
        return {name: _save(place, name, form, seen, half, say) for name, form in forms.items()}

    _write(folder, order, values, put)
    say(f"prepared {folder}: {len(forms)} form{'s' if len(forms) > 1 else ''}")


def read(folder: pathlib.Path) -> Values:
    """Read ``prepared.json`` and check the folder's files.

    Raises:
        BuildFailed: there is no prepared folder, or one of its files was altered.
        BadNetwork: a file is over the budget of ``hotpath.runtime.networks.onnx_budget``.
    """
    try:
        with open(str(folder / FILE)) as file:
            values: Values = json.load(file)
        own = values.pop("sha256")
        wrong = [] if own == _digest(values) else [FILE]
        wrong += [name for name in values["files"] if form_problem(FileName, name)]
        wrong = wrong or [n for n, h in values["files"].items() if sha256_of(folder / n) != h]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BuildFailed(
            f"{folder} is not a prepared folder ({error_text(error)}); make one with "
            f"`{make_command('engine', BOARD='…', NETWORK='…')}` on a computer"
        ) from None
    for name in () if wrong else values["files"]:
        if name.endswith(".onnx"):
            onnx_budget.check(folder / name)
    if wrong or values.get("format") != FORMAT:
        what = "another version of this program made it"
        if wrong:
            what = f"{folder / wrong[0]} was altered"
        raise BuildFailed(f"{folder} can't be used: {what}; copy it again")
    return values


def is_current(folder: pathlib.Path, order: Order) -> bool:
    """Whether a prepared folder is there for that network, board and precision."""
    try:
        values = read(folder)
    except BuildFailed:
        return False
    built = values["network"]["files"]
    hashes = bundle.network_entry(order.network)["files"]
    same = all(built.get(part) == sha for part, sha in hashes.items() if sha is not None)
    asked = {key: value for key, value in _for_board(order).items() if key != "memory_gb"}
    if not same or any(values.get(key) != value for key, value in asked.items()):
        return False
    table = order.table() if values["scales"] else None
    if table is None:
        return True
    return table.is_file() and values["calibration_sha256"] == sha256_of(table)


def _write(
    folder: pathlib.Path,
    order: Order,
    values: Values,
    put: Callable[[pathlib.Path], Values],
) -> None:
    """Write a prepared folder, whole or not at all; ``put`` writes models, returns the forms."""
    with BundleWriter(folder) as writer:
        values = dict(values, **_for_board(order))
        values = dict(values, format=FORMAT, forms=put(writer.folder))
        copy_toml(order.network.path, writer.folder / (order.network.name + ".toml"))
        seal(writer.folder, values)
        writer.replace()


def seal(folder: pathlib.Path, values: Values) -> None:
    """Write ``prepared.json`` for the files that are in a folder."""
    files = {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.name != FILE}
    values = dict(values, files=files)
    values["sha256"] = _digest(values)
    (folder / FILE).write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")


def _copy_shipped(folder: pathlib.Path, order: Order, say: Say) -> None:
    """Use what comes prepared with this program, as a board without onnx must.

    ``python -m hotpath_research.train.ship NETWORK`` makes it.

    Raises:
        BuildFailed: there is none of this network, or it is INT8, whose scales are not shipped.
    """
    name = order.network.name
    source = SHIPPED / str(order.network.name)
    values = read(source) if (source / FILE).is_file() else {}
    if values.get("network") != bundle.network_entry(order.network):
        raise BuildFailed(
            f"{name} can't be prepared here, because this Python has no onnx; {INSTALL}on a "
            f"computer run `{order.command()}`, and copy what it prepares to this board"
        )
    if order.precision == "int8" and not values["quantised"]:
        raise BuildFailed(
            f"INT8 can't be prepared without onnx; on a computer run `{order.command()}`, "
            "and copy what it prepares to this board"
        )

    def put(place: pathlib.Path) -> Values:
        for file in values["files"]:
            shutil.copy(str(source / file), str(place / file))
        return values["forms"]

    _write(folder, order, values, put)
    say(f"prepared {folder} from {source}")


def _for_board(order: Order) -> Values:
    """Return the values of ``prepared.json`` that depend on the board and on the order."""
    size = order.board.memory["size_gb"]
    least = min(size.values()) if isinstance(size, dict) else size
    return {
        "board": order.board.name,
        "precision": order.precision,
        "half_tensors": order.half_tensors,
        "memory_gb": float(least or 4),
    }


def _save(folder: pathlib.Path, name: str, form: Any, seen: Any, half: Any, say: Say) -> Values:
    """Write a form's models; returns its entry in ``prepared.json``."""
    models = {f"{name}-exemplar": form.exemplar}
    models.update((f"{name}-search{index}", part) for index, part in enumerate(form.parts))
    return dict(
        _save_models(folder, models, half, say),
        features=list(form.features),
        maps=list(form.maps),
        seen=seen,
        steps=[[dict(step._asdict()) for step in steps] for steps in form.steps],
        shapes=_shapes(form),
    )


def _save_models(folder: pathlib.Path, models: Values, half: Any, say: Say) -> Dict[str, List[str]]:
    """Write models, and their versions for TensorRT 11 where ``half`` converts them.

    Returns:
        dict of "models" and perhaps "half" -> names of files.
    """

    def write(name: str, model: "ModelProto") -> str:
        _check_loads(model)
        (folder / (name + ".onnx")).write_bytes(model.SerializeToString())
        return name + ".onnx"

    kept = {"models": [write(name, model) for name, model in models.items()]}
    if half is not None:
        try:
            halves = {name + "-half": half(model) for name, model in models.items()}
            kept["half"] = [write(name, model) for name, model in halves.items()]
        except BadNetwork as error:
            say(f"TensorRT 11 can't run it with float16: {error}")
    return kept


def _check_loads(model: "ModelProto") -> None:
    """Refuse a converted model that ONNX Runtime can't load, if that is installed."""
    try:
        import onnxruntime
    except ImportError:
        return
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    data, providers = model.SerializeToString(), ["CPUExecutionProvider"]
    try:
        onnxruntime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # ONNX Runtime's classes derive from nothing else
        raise BadNetwork(f"ONNX Runtime refuses it: {error_text(error)}") from None


def _shapes(form: Any) -> Dict[str, List[int]]:
    """Return the shape of every tensor that passes between parts, with pictures and maps."""
    shapes = {}
    for model in [form.exemplar] + list(form.parts):
        for value in list(model.graph.input) + list(model.graph.output):
            shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    for steps in form.steps:
        for step in steps:
            for name in (step.search, step.exemplar, step.out):
                shapes[name] = list(form.shapes[name])
    return shapes


def _digest(values: Values) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
