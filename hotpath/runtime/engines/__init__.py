"""Engines run networks: one file for each engine (interface: ``hotpath.runtime.engines.base``).

To list the engines imports none of them. Only those that are asked for are imported. Each
file names its class as ``ENGINE``. ``shared/`` has what engines share; a file whose name begins
with ``_`` is no engine.
"""

import importlib
import pathlib
import pkgutil
import re
from typing import Iterator, List, Mapping, Optional, Tuple, Type

from hotpath.base.python_end import uninterrupted
from hotpath.runtime.engines.base import THREADS, Engine, Setup
from hotpath.runtime.errors import BadNetwork, NoEngine
from hotpath.runtime.networks import Network
from hotpath.runtime.options import AUTO, DEFAULTS, Options

__all__ = ["AUTO", "THREADS", "choices", "create", "find", "installed", "names", "open_engine"]

# what the loader of libraries says where no memory is left
NO_MAPPING = re.compile("failed to map segment|[Cc]annot allocate memory")
PREFERRED = ("openvino", "onnxruntime")


def names() -> Tuple[str, ...]:
    """List all engines: those that "auto" may take, in its order, then the others."""
    files = {module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg}
    own = (name for name in files.difference(PREFERRED, ("base",)) if name[0] != "_")
    return PREFERRED + tuple(sorted(own))


def find(name: str) -> Type[Engine]:
    """Return the class of an engine.

    Raises:
        NoEngine: there is no file of that name.
    """
    if name not in names():
        there = ", ".join(names())
        raise NoEngine(f"no engine is called {name!r}; there are: {there}", what="unknown name")
    engine: Type[Engine] = importlib.import_module(__name__ + "." + name).ENGINE
    return engine


def choices(of_files: bool = False) -> Tuple[str, ...]:
    """List values of ``--engine``: "auto" and all names, or only engines that run ONNX files."""
    return (AUTO,) + tuple(n for n in names() if not of_files or find(n).runs_files)


def installed() -> List[str]:
    """List the installed engines that "auto" may take, the preferred one first."""
    return list(each_installed())


def each_installed() -> Iterator[str]:
    """Yield what ``installed`` lists. An engine behind the one that is taken is not imported."""
    for name in PREFERRED:
        if find(name).is_installed():
            yield name


def create(
    name: str,
    network: Network,
    paths: Mapping[str, pathlib.Path],
    options: Options = DEFAULTS,
) -> Engine:
    """Load a network's own files into an engine.

    Args:
        name: "auto" for the first of ``PREFERRED`` that is installed, or a name of
            ``choices(of_files=True)``.
        network: the ``Network``.
        paths: dict of part -> path, from ``network.locate()``.
        options: ``threads`` and ``log`` count.

    Raises:
        NoEngine: there is no such engine, it is not installed, or it runs bundles only.
        BadNetwork: the files are not what the TOML says.
    """
    setup = Setup(network, paths, options=options)
    if name == AUTO:
        return _first_that_opens(setup)
    engine = find(name)
    if not engine.runs_files:
        engine.bundle_of(setup)
    if not engine.is_installed():
        raise NoEngine(
            "{} is not installed; run `{}`, or take the engine {}".format(
                name, engine.install_command(), (installed() + ["auto after installing one"])[0]
            )
        )
    return open_engine(name, setup)


@uninterrupted
def open_engine(name: str, setup: Setup) -> Engine:
    """Make an engine from a ``Setup``.

    Raises:
        NoEngine: one of its libraries cannot be imported; or what the engine itself raises.
    """
    engine = find(name)
    try:
        return engine(setup)
    except MemoryError:
        from hotpath.base.messages import NO_MEMORY

        raise NoEngine(f"the engine {name} can't be loaded: {NO_MEMORY}") from None
    except (ImportError, ValueError, AttributeError) as error:  # two of another NumPy
        from hotpath.base.broken_libraries import why_broken
        from hotpath.base.messages import NO_MEMORY

        if NO_MAPPING.search(str(error)):
            raise NoEngine(f"the engine {name} can't be loaded ({error}): {NO_MEMORY}") from None
        for library in engine.libraries:
            why_not = why_broken(library)
            if why_not is not None:
                raise NoEngine(
                    f"the engine {name} can't be loaded: {library}: {why_not.why}; run "
                    f"`{why_not.command}`"
                ) from None
        if not isinstance(error, ImportError):
            raise
        raise NoEngine(
            f"the engine {name} can't be loaded: {error}; install its libraries again with "
            f"`{engine.install_command()}`"
        ) from None


def _first_that_opens(setup: Setup) -> Engine:
    """Open the preferred engine whose library is not broken."""
    reasons = []
    refusal: Optional[BadNetwork] = None
    for name in each_installed():
        try:
            return open_engine(name, setup)
        except NoEngine as error:
            reasons.append(str(error))
        except BadNetwork as error:
            if error.what != "not loaded":
                raise
            refusal = refusal or error
            if setup.options.log is not None:
                setup.options.log(f"{error}; trying the next engine")
    if refusal is not None:
        raise refusal
    ways = dict.fromkeys(
        find(name).install_command() for name in PREFERRED
    )  # each one once, in their order
    raise NoEngine(
        "; ".join(reasons) or "no engine is installed; run `{}`".format("` or `".join(ways)),
        what="none installed",
    )
