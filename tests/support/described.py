"""Networks that a TOML describes: those that ship, and the examples of the documents."""

from hotpath.runtime import networks
from tests.support import ROOT

EXAMPLES = ROOT / "docs" / "examples" / "networks"


def names():
    """The names of both."""
    return sorted(networks.names() + networks.names(EXAMPLES))


def toml_of(name):
    """The path of a TOML of either."""
    return next(
        folder / f"{name}.toml"
        for folder in (networks.FOLDER, EXAMPLES)
        if (folder / f"{name}.toml").is_file()
    )


def load_network(name_or_path):
    """As ``hotpath.runtime.networks.load_network``, also by the name of an example."""
    example = EXAMPLES / f"{name_or_path}.toml"
    return networks.load_network(example if example.is_file() else name_or_path)
