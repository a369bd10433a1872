"""The layers of the packages, which pyproject.toml states, and no circle of files at all."""

import sys

import pytest

from tests.support import ROOT

grimp = pytest.importorskip("grimp")

PACKAGES = ("kernels", "boards", "runtime", "calib")


@pytest.fixture(scope="module")
def graph():
    """All imports of the four packages, those inside functions too."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)


def test_no_file_imports_itself_through_others(graph):
    """Also where the contract about folders makes an exception."""
    circles = []
    for module in sorted(graph.modules):
        for imported in graph.find_modules_directly_imported_by(module):
            chain = graph.find_shortest_chain(importer=imported, imported=module)
            if chain:
                circles.append(" -> ".join((module,) + tuple(chain)))
    assert not circles


@pytest.mark.parametrize(
    "below, above",
    [
        ("kernels", ("boards", "runtime", "calib")),
        ("runtime", ("calib", "boards.build", "boards.doctor")),
    ],
)
def test_no_package_imports_one_above_it(graph, below, above):
    for package in above:
        chains = graph.find_shortest_chains(importer=below, imported=package)
        assert not chains, sorted(" -> ".join(chain) for chain in chains)
