"""Choose the network, its bundle and its witness, without opening any file of a network.

An option decides that names something: ``bundle`` a folder, ``engine`` the engine of a network's
own files. Else a board runs the bundle of its network that was built last, or that of the network,
precision and engine that options name. Without one, the network's own files run where an engine for
them is installed, and the user gets the command that builds the bundle. ``describe_choice`` says
what runs.
"""

import os
from typing import TYPE_CHECKING, Optional, Tuple

from hotpath import boards
from hotpath.runtime import engines
from hotpath.runtime.engines.base import Engine, Setup
from hotpath.runtime.engines.shared.precision import subject
from hotpath.runtime.errors import BadBundle, UnknownNetwork
from hotpath.runtime.networks import (
    default_of,
    load_network,
)
from hotpath.runtime.options import AUTO, NO_WITNESS, Options, checked

if TYPE_CHECKING:
    from hotpath.runtime.networks.bundle import Bundle

DEVICE_TREE = "/proc/device-tree"  # of a board; a PC has none
NVIDIA_DRIVER = "/proc/driver/nvidia/version"  # on a PC and in a Jetson's containers


def choose(options: Options, beside: "Optional[Bundle]" = None) -> Setup:
    """Choose a network, and the bundle that it runs from.

    Args:
        options: what the user names.
        beside: the bundle of another network that runs, too. This one then comes from a bundle of
            the same board in the same folder. None for the first network.

    Raises:
        BadOption, UnknownNetwork, BadNetwork, NoEngine, BadBundle, BundleMismatch: see
            ``hotpath.runtime.errors``.
    """
    options = checked(options)
    if options.bundle is None and beside is None:
        if options.engine == AUTO:  # a PC has bundles for its GPU alone
            may_have_bundles = any(os.path.exists(path) for path in (DEVICE_TREE, NVIDIA_DRIVER))
        else:
            may_have_bundles = not engines.find(options.engine).runs_files
        if not may_have_bundles:
            return choose_own_files(options)
    from hotpath.runtime import bundle_choice

    setup, missing = bundle_choice.choose_bundle(options, beside)
    return choose_own_files(options)._replace(missing=missing) if setup is None else setup


def choose_own_files(options: Options) -> Setup:
    """Choose a network's own files, which an engine of this computer runs."""
    name = default_of(board_here()) if options.network is None else options.network
    return Setup(load_network(name), options=options)


def choose_witness(setup: Setup, options: Options) -> Tuple[Optional[Setup], str]:
    """Choose the second network that follows beside the one of ``setup``.

    Returns:
        (setup, why): that of the witness; without one None, and a phrase that says why.

    Raises:
        BadBundle: there is no bundle of a witness that the user names; or as ``choose``.
    """
    name, is_named = options.witness, options.witness is not None
    if not is_named and options.network is None and options.bundle is None:
        if setup.bundle is None:
            board = board_here()
        else:
            from hotpath.runtime import bundle_choice

            board = bundle_choice.profile_of(setup.bundle)
        name = board.witness if board is not None else None
    if name is None or str(name).lower() in (NO_WITNESS, "false"):
        return None, "without a witness"
    options = options._replace(network=name, bundle=None, log=None)
    try:
        chosen = (
            choose_own_files(options) if setup.bundle is None else choose(options, setup.bundle)
        )
        return chosen, ""
    except UnknownNetwork as error:
        raise UnknownNetwork(f"the witness: {error}", what=error.what) from None
    except BadBundle as error:
        if is_named:
            raise
        return None, f"without its witness {name}: {error}"


def describe_choice(
    setup: Setup, witness: Optional[Setup], why: str, engine: Optional[Engine] = None
) -> str:
    """Say in one sentence what runs from where, in which precision, on what.

    Args:
        setup, witness, why: as chosen.
        engine: of a network's own files, which knows their precision; None with a bundle.
    """
    if engine is not None:
        names, about = [setup.network, witness and witness.network], engine.describe()
        text = subject([network.name for network in names if network is not None])
        text += " in {precision} on {engine} {version}".format(**about)
        text += (f", on {engine.threads} threads" if engine.threads > 1 else "") + engine.why
        if witness is None:
            text += f", {why}"
        if setup.missing:
            return f"{setup.missing}; until then {text}, on the processor, which takes far longer"
        return text
    from hotpath.runtime import bundle_choice

    return bundle_choice.describe_bundles(setup, witness, why)


def board_here() -> Optional[boards.Board]:
    """Return the profile of this computer or board; None if it is not known."""
    if not os.path.exists(DEVICE_TREE):  # as on a PC
        return boards.load_board(boards.HOST)
    from hotpath.boards import detect

    return detect.detect().board
