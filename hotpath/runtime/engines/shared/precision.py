"""Choose the precision on a processor: INT8 if it has fast instructions for it, else float32.

A network may have an INT8 form: ``NAME-int8.toml`` beside its TOML or in a folder ``int8`` there,
as ``hotpath int8`` writes it. With "auto" the INT8 form runs if the processor has instructions
for it and the engine uses them. So the precision, and with it the boxes, depend on the computer
alone, and never on its load.
"""

from typing import List, Optional

from hotpath.runtime import engines
from hotpath.runtime.engines.base import Engine, Setup
from hotpath.runtime.engines.shared import arithmetic
from hotpath.runtime.errors import BadNetwork, NoEngine
from hotpath.runtime.network import INT8_FORMS
from hotpath.runtime.networks import Network, load_network
from hotpath.runtime.options import AUTO, FP32, INT8, PRECISIONS, Log, Options

SUFFIX = "-int8"  # of the names of INT8 forms


def open_precision(setup: Setup) -> Engine:
    """Load a network's own files into an engine, in the precision that is asked for.

    Args:
        setup: the ``Setup``, without a bundle. With "fp32" its network does not change, even if it
            is an INT8 form.

    Returns:
        The engine, whose ``why`` says why it has its precision where nobody asked for one.

    Raises:
        BadNetwork: "int8" was asked for and the network has no INT8 form, or one of other files;
            or files are missing.
        NoEngine: there is no such precision; or see ``hotpath.runtime.engines.create``.
    """
    network, options = setup.network, setup.options
    precision, engine, log = options.precision, options.engine, options.log
    if precision not in PRECISIONS:
        all_names = ", ".join(PRECISIONS)
        raise NoEngine(
            f"no engine of a processor runs {precision!r}; take one of {all_names}, or a bundle",
            what="unknown precision",
        )
    form = None if precision == FP32 else int8_form(network)
    if precision == INT8 and form is None:
        raise BadNetwork(
            f"{network.name} has no INT8 form: no {network.name}-int8.toml beside its TOML; make "
            f"one with `hotpath int8 --network {network.given} --clips DIR` and take "
            "that network",
            what="no INT8 form",
        )
    if form is None:
        return _opened(network, options)
    if precision == INT8 or form is network:
        network.check_form(form, options.networks_dir)
        _say_in_floats(engine, log)
        return _opened(form, options)
    reason = _why_floats(form, setup)
    if not reason:
        try:
            chosen = _opened(form, options)
        except (BadNetwork, NoEngine) as error:  # the INT8 form is an offer, no demand
            reason = f", since its INT8 form can't be loaded: {error}"
        else:
            named = ", ".join(sorted(arithmetic.instructions()))
            chosen.why = f", since this processor has {named}"
            return chosen
    chosen = _opened(network, options)
    chosen.why = reason
    return chosen


def default_precision(setup: Setup) -> str:
    """The precision that "auto" runs a network's own files in on this processor: INT8 or FP32.

    Nothing is opened, so what fails only when it is loaded is not known.
    """
    network = setup.network
    form = int8_form(network)
    if form is network:
        return INT8
    return FP32 if form is None or _why_floats(form, setup) else INT8


def _why_floats(form: Network, setup: Setup) -> str:
    """Why "auto" does not run a network's INT8 form; "" where it does."""
    try:
        setup.network.check_form(form, setup.options.networks_dir)
    except BadNetwork as error:
        return f": {error}"
    if not arithmetic.instructions():
        return ", since this processor has no instructions for INT8"
    name = int8_engine(setup.options.engine)
    if name not in engines.PREFERRED:
        return f", since the engine {name} is asked for INT8 by precision int8 alone"
    if not engines.find(name).computes_int8():
        return f", since {name} computes INT8 in floats on this processor"
    return ""


def _opened(form: Network, options: Options) -> Engine:
    name = int8_engine(options.engine) if form.name.endswith(SUFFIX) else options.engine
    return engines.create(name, form, form.locate(options.networks_dir), options)


def int8_form(network: Network) -> Optional[Network]:
    """The INT8 form of a network, itself if it is one; None if it has none."""
    if network.name.endswith(SUFFIX):
        return network
    name = network.name + SUFFIX + ".toml"
    for folder in (network.path.parent, network.path.parent / INT8_FORMS.name):
        if (folder / name).is_file():
            return load_network(folder / name)
    return None


def int8_engine(engine: str) -> str:
    """Return the engine for INT8 networks: with "auto" the first that computes in integers."""
    if engine != AUTO:
        return engine
    first = ""
    for name in engines.each_installed():
        if engines.find(name).computes_int8():
            return name
        first = first or name
    return first or engine


def _say_in_floats(engine: str, log: Log) -> None:
    """Say that the engine for INT8 networks computes them in float32."""
    engine, other = int8_engine(engine), int8_engine(AUTO)
    if log is None or engine == AUTO or engines.find(engine).computes_int8():
        return
    log(
        "{} computes INT8 networks in float32 on this processor, which is slower than fp32; use "
        "{}precision fp32".format(engine, "" if other == engine else f"the engine {other}, or ")
    )


def subject(names: List[str]) -> str:
    """The networks and the verb of a sentence that says where they run."""
    verb = "run" if len(names) > 1 else "runs"
    return f"{' and its witness '.join(map(plain_name, names))} {verb}"


def plain_name(name: str) -> str:
    """The name of a network without that of its INT8 form."""
    return name.split(SUFFIX)[0]
