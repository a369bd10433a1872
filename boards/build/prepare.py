"""Everything of a TensorRT bundle that can be made off the board: cut and checked ONNX, scales.

A prepared folder holds ONNX models in up to four forms (whole or cut at the correlations; float32,
or float16 by itself for TensorRT 11), the network's TOML, and ``prepared.json``. A board needs
nothing but TensorRT to go on from there. Making one needs onnx, checking it ONNX Runtime.
"""

import hashlib
import json
import shutil
import struct

import numpy as np

from boards.build.writer import Writer
from boards.errors import BuildFailed
from kernels import golden
from runtime import bundle
from runtime.errors import BadNetwork
from runtime.networks import sha256_of

FORMAT = 2
FILE = "prepared.json"
TOLERANCE = 1e-4  # of a map's greatest value: float32 sums in another order
WITHOUT_ONNX = (
    "{} can't be prepared here, because this Python has no onnx; on a computer run `make engine "
    "BOARD={} NETWORK={} PRECISION={} HOST=user@this-board`"
)


def prepare(folder, network, paths, board, precision, dla=None, table=None, say=print):
    """Make a prepared folder.

    Args:
        folder: ``pathlib.Path``; what is there is replaced.
        network: the ``Network``.
        paths: dict of part -> path of its files.
        board: ``boards.Board``.
        precision: "fp32", "fp16" or "int8".
        dla: number of the DLA core, or None.
        table: path of a table of ranges (``python -m calib.int8``), for int8.
        say: function of one sentence.

    Raises:
        BadNetwork: the files don't fit together, or can't be cut.
        BuildFailed: no onnx, no table of ranges, or the parts don't equal the whole.
    """
    try:
        from runtime.graphs import assemble, convert, cut, search_features
    except ImportError:
        raise BuildFailed(
            WITHOUT_ONNX.format(network.name, board.name, network.name, precision)
        ) from None
    graphs, name = search_features.with_seen(network, assemble.build(network, paths))
    graphs = graphs._replace(
        exemplar=convert.plain(graphs.exemplar), search=convert.plain(graphs.search)
    )
    quantised = convert.is_quantised(graphs.search)
    calibration = _calibration(network, paths, precision, quantised, table)
    forms = {"whole": cut.cut(graphs, ())}
    if cut.find(graphs, (cut.CONV,)):
        forms["cut"] = cut.cut(graphs, (cut.CONV,))
        check(graphs, forms["cut"], say)
    values = {
        "format": FORMAT, "board": board.name, "precision": precision, "dla": dla,
        "network": bundle.identity(network, paths), "quantised": quantised, "seen": name,
        "memory_gb": _least(board.memory["size_gb"]),
        "scales": calibration and calibration["scales"],
        "calibration_sha256": calibration and calibration["sha256"],
    }  # fmt: skip
    _write_all(folder, network, forms, values, convert, say)
    say("prepared {}: {} form{}".format(folder, len(forms), "s" if len(forms) > 1 else ""))


def _write_all(folder, network, forms, values, convert, say):
    """Write the folder whole or not at all."""
    with Writer(folder) as writer:
        values["forms"] = {
            name: _save(writer.folder, name, form, values, convert, say)
            for name, form in forms.items()
        }
        shutil.copy(str(network.path), str(writer.folder / (network.name + ".toml")))
        values["files"] = {p.name: sha256_of(p) for p in sorted(writer.folder.iterdir())}
        values["sha256"] = _digest(values)
        (writer.folder / FILE).write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")
        writer.replace()


def read(folder):
    """What a prepared folder says: dict of ``prepared.json``; its files are checked.

    Raises:
        BuildFailed: none there, or a file is not what it was.
    """
    try:
        with open(str(folder / FILE)) as file:
            values = json.load(file)
        own = values.pop("sha256")
        wrong = [] if own == _digest(values) else [FILE]
        wrong += [n for n, h in values["files"].items() if sha256_of(folder / n) != h]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildFailed(
            "{} is no prepared folder ({}); make one with `make engine BOARD=… NETWORK=…` on a "
            "computer".format(folder, error)
        ) from None
    if wrong or values.get("format") != FORMAT:
        what = "{} was altered".format(folder / wrong[0]) if wrong else "it is another version's"
        raise BuildFailed("{} can't be used: {}; copy it again".format(folder, what))
    return values


def _digest(values):
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def is_current(folder, network, board, precision, dla):
    """Whether a prepared folder is there for that network, board and precision."""
    try:
        values = read(folder)
    except BuildFailed:
        return False
    wanted = bundle.identity(network)["files"]
    same = all(values["network"]["files"].get(p) == h for p, h in wanted.items() if h is not None)
    asked = (board.name, precision, dla)
    return same and (values["board"], values["precision"], values["dla"]) == asked


def check(graphs, form, say=print):
    """Hold the parts, with the correlations by their definition, to the whole graph.

    Raises:
        BuildFailed: a map differs by more than ``TOLERANCE``.
    """
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        return say("the cut was not checked, since there is no onnxruntime here")
    random = np.random.RandomState(0)
    pictures = {}
    for model, name in ((graphs.exemplar, "exemplar"), (graphs.search, "search")):
        value = next(v for v in model.graph.input if v.name == name)
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        pictures[name] = random.uniform(-1, 1, shape).astype(np.float32)
    whole = _run(graphs.exemplar, pictures)
    whole.update(_run(graphs.search, dict(whole, **pictures)))
    parts = run_parts(form, pictures)
    worst = 0.0
    for name in form.maps:
        scale = max(float(np.abs(whole[name]).max()), 1e-6)
        worst = max(worst, float(np.abs(parts[name] - whole[name]).max()) / scale)
    if not worst <= TOLERANCE:
        raise BuildFailed(
            "the network cut at its correlation gives other maps than the whole one, by {:.2g} of "
            "their range; tell us its name".format(worst)
        )
    return say("cut at the correlation: {} parts, maps within {:.1g} of the whole graph's".format(
        len(form.parts), worst))  # fmt: skip


def run_parts(form, pictures):
    """Run a ``cut.Cut`` on ONNX Runtime and ``kernels.golden``: dict of every tensor's value."""
    values = dict(pictures)
    values.update(_run(form.exemplar, values))
    for index, part in enumerate(form.parts):
        values.update(_run(part, values))
        for step in form.steps[index] if index < len(form.steps) else []:
            values[step.out] = correlate(step, values[step.exemplar], values[step.search])
    return values


def correlate(step, exemplar, search):
    """A ``cut.Step`` by its definition, float32."""
    if step.kind == "pixelwise":
        result = golden.correlate_pixelwise(exemplar[0][:, :, None], search[0][:, :, None])
        return result[None, :, :, 0].astype(np.float32)
    kernels = [golden.correlate_depthwise(each, search[0], step.padding) for each in exemplar]
    return np.stack(kernels).astype(np.float32)


def _run(model, values):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]
    feed = {value.name: values[value.name] for value in session.get_inputs()}
    return dict(zip(names, session.run(names, feed)))


def _save(folder, name, form, values, convert, say):
    """Write a form's models, and those in float16 where the precision may want them."""
    kept = {"features": list(form.features), "maps": list(form.maps), "seen": values["seen"]}
    kept["steps"] = [[dict(step._asdict()) for step in steps] for steps in form.steps]
    kept["shapes"] = _shapes(form)
    models = [("exemplar", form.exemplar)]
    models += [("search{}".format(index), part) for index, part in enumerate(form.parts)]
    kept["models"] = [_write(folder, "{}-{}".format(name, part), m) for part, m in models]
    if values["precision"] == "fp16":
        try:
            halves = [("{}-{}-half".format(name, part), convert.half(m)) for part, m in models]
            kept["half"] = [_write(folder, file, model) for file, model in halves]
        except BadNetwork as error:
            say("not for TensorRT 11: {}".format(error))
    return kept


def _write(folder, name, model):
    (folder / (name + ".onnx")).write_bytes(model.SerializeToString())
    return name + ".onnx"


def _shapes(form):
    """dict of name -> shape of every tensor that passes between parts, pictures and maps too."""
    shapes = {}
    for model in [form.exemplar] + list(form.parts):
        for value in list(model.graph.input) + list(model.graph.output):
            shapes[value.name] = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    for steps in form.steps:
        for step in steps:
            for name in (step.search, step.exemplar, step.out):
                shapes[name] = list(form.shapes[name])
    return shapes


def _calibration(network, paths, precision, quantised, table):
    """The scales as TensorRT's cache writes them, from a table of ranges; None where not needed."""
    if precision != "int8" or quantised:
        return None
    if table is None:
        raise BuildFailed(
            "INT8 needs the ranges of {0}, and no table of them was given; run `python -m "
            "calib.int8 --network {0} --out out/int8` and name out/int8/{0}-ranges.json with "
            "--calibration".format(network.name)
        )
    from calib import table as tables  # off the board

    ranges = tables.read(table)
    files = {part: sha256_of(path) for part, path in paths.items()}
    if ranges["files"] != files:
        raise BuildFailed(
            "{} was measured on {} with other files; run `python -m calib.int8 --network {}` "
            "again".format(table, ranges["network"], network.name)
        )
    scales = {
        name: struct.pack(">f", np.float32(magnitude) / np.float32(127)).hex()
        for name, magnitude in tables.amax(ranges).items()
    }
    return {"scales": scales, "sha256": sha256_of(table)}


def _least(amount):
    """The least of the amounts that modules of one name have."""
    return min(amount.values()) if isinstance(amount, dict) else (amount or 4)
