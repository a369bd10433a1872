"""Compiles a network for the FPGA engine from its files and its table of ranges."""

import pathlib

import hotpath_fpga as design
from hotpath.graphs import quantisable, table
from hotpath.graphs.errors import BadRangeTable
from hotpath.runtime.networks import sha256_of
from hotpath_fpga.compiler import Compiler


def compile_network(network, paths=None, ranges=None, size_name="pynq_z2"):
    """Compile a network for one size of the engine.

    Args:
        paths: dict of part -> path of its files; None for those that come with it.
        ranges: path of a table of ``hotpath int8``, or what ``hotpath.graphs.table.read`` returns;
            None for the table beside the network's TOML.
        size_name: a section of ``projects/fpga/hotpath_fpga/sizes.toml``.

    Returns:
        ``hotpath_fpga.compiler.Compiled``.

    Raises:
        CannotCompile: the engine can't run the network; the sentence names the node.
        BadTable: no table of ranges, or another network's.
    """
    paths = paths or network.locate(None)
    ranges = beside(network) if ranges is None else ranges
    if not isinstance(ranges, dict):
        ranges = table.read(pathlib.Path(ranges))
    if ranges["files"] != {part: sha256_of(path) for part, path in paths.items()}:
        raise BadRangeTable(
            "the table of ranges was measured on other files of {} than these; run `hotpath "
            "int8 --network {} --clips DIR` again".format(ranges["network"], network.given),
            what="other files",
        )
    models = quantisable.parts(network, paths)
    by_part = {
        part: table.ranges(ranges, part) if part in ranges["tensors"] else {} for part in models
    }
    size = design.sizes()[size_name]
    return Compiler(network, models, by_part, size_name, size).run()


def beside(network):
    """Path of the table of ranges that comes with a network."""
    return network.path.with_name(network.name + "-ranges.json")
