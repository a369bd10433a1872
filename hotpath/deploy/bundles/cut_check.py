"""Compare a network that was cut at its correlations with the whole network."""

from typing import TYPE_CHECKING, Any, Callable, Dict

import numpy as np

from hotpath.deploy.errors import BuildFailed
from hotpath.kernels import golden

if TYPE_CHECKING:
    from onnx import ModelProto

TOLERANCE = 1e-4  # of a map's greatest value: float32 sums in another order

Values = Dict[str, Any]


def check(graphs: Any, form: Any, say: Callable[[str], None] = print) -> None:
    """Compare the parts, with the correlations by their definition, with the whole graph.

    Args:
        graphs: ``hotpath.graphs.assemble``'s two models.
        form: the ``hotpath.graphs.cut.Cut``.
        say: function of one sentence.

    Raises:
        BuildFailed: a map differs by more than ``TOLERANCE``.
    """
    try:
        import onnxruntime  # noqa: F401  (only whether it is here)
    except ImportError:
        say("the cut was not checked, since there is no onnxruntime here")
        return
    worst = _difference(graphs, form)
    if not worst <= TOLERANCE:
        raise BuildFailed(
            "the network cut at its correlation gives other maps than the whole one, by "
            f"{worst:.2g} of their range; report the network's name",
            what="other maps",
        )
    count = len(form.parts)
    say(f"cut at the correlation: {count} parts, maps within {worst:.1g} of the whole graph's")


def _difference(graphs: Any, form: Any) -> float:
    """By what share of its largest value a map of the parts differs, for random pictures."""
    random = np.random.RandomState(0)
    pictures = {}
    for model, name in ((graphs.exemplar, "exemplar"), (graphs.search, "search")):
        value = next(v for v in model.graph.input if v.name == name)
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        pictures[name] = random.uniform(-1, 1, shape).astype(np.float32)
    whole = _run(graphs.exemplar, pictures)
    whole.update(_run(graphs.search, dict(whole, **pictures)))
    parts = dict(pictures)
    parts.update(_run(form.exemplar, parts))
    for index, part in enumerate(form.parts):
        parts.update(_run(part, parts))
        for step in form.steps[index] if index < len(form.steps) else []:
            parts[step.out] = _correlate(step, parts[step.exemplar], parts[step.search])
    worst = 0.0
    for name in form.maps:
        scale = max(float(np.abs(whole[name]).max()), 1e-6)
        worst = max(worst, float(np.abs(parts[name] - whole[name]).max()) / scale)
    return worst


def _correlate(step: Any, exemplar: np.ndarray, search: np.ndarray) -> np.ndarray:
    """Compute a ``cut.Step`` by its definition, in float32."""
    kernels = [golden.correlate_depthwise(kernel, search[0], step.padding) for kernel in exemplar]
    return np.stack(kernels).astype(np.float32)


def _run(model: "ModelProto", values: Values) -> Values:
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
