"""Compare a network that was cut at its correlations with the whole network."""

import numpy as np

from hotpath.kernels import golden

TOLERANCE = 1e-4  # of a map's greatest value: float32 sums in another order


def difference(graphs, form):
    """By what share of its largest value a map of the parts differs, for random pictures.

    Args:
        graphs: ``hotpath.graphs.assemble``'s two models.
        form: the ``hotpath.graphs.correlation_cut.Cut``, whose correlations are computed by their
            definition.
    """
    random = np.random.RandomState(0)
    pictures = {}
    for model, name in ((graphs.exemplar, "exemplar"), (graphs.search, "search")):
        value = next(v for v in model.graph.input if v.name == name)
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        pictures[name] = random.uniform(-1, 1, shape).astype(np.float32)
    whole = run(graphs.exemplar, pictures)
    whole.update(run(graphs.search, dict(whole, **pictures)))
    parts = dict(pictures)
    parts.update(run(form.exemplar, parts))
    for index, part in enumerate(form.parts):
        parts.update(run(part, parts))
        for step in form.steps[index] if index < len(form.steps) else []:
            kernels, region = parts[step.exemplar], parts[step.search][0]
            found = [golden.correlate_depthwise(each, region, step.padding) for each in kernels]
            parts[step.out] = np.stack(found).astype(np.float32)
    scales = {name: max(float(np.abs(whole[name]).max()), 1e-6) for name in form.maps}
    return max(float(np.abs(parts[name] - whole[name]).max()) / scales[name] for name in form.maps)


def run(model, values):
    """The outputs of a model by ONNX Runtime, by name; ``values`` has its inputs, by name."""
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
