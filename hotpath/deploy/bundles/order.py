"""Describe the bundle to build, and check that the board can run it."""

import pathlib
from typing import Dict, Optional, Union

from hotpath.base.toml_keys import Table
from hotpath.boards import HOST, Board
from hotpath.deploy.errors import BuildFailed
from hotpath.runtime.network import Network
from hotpath.runtime.networks import bundle

PRECISIONS = ("fp32", "fp16", "int8")
TABLE = "out/int8/{}-ranges.json"  # where `hotpath int8 --out out/int8` writes it


class Order:
    """One bundle that is to be built.

    Args:
        board: the ``hotpath.boards.Board``.
        network: the ``hotpath.runtime.networks.Network``.
        precision: one of ``PRECISIONS``.
        out: folder of all bundles.
        networks_dir: folder that is searched for the network's files, or None.
        calibration: path of a table of ranges, or None for the one that was made here.
        engine: name of the engine that the bundle is for, or None for the board's own.
        force: whether to build a precision that the board lacks.

    Attributes:
        target: folder of the bundle.

    Raises:
        BuildFailed: the board does not have the precision.
    """

    def __init__(
        self,
        board: Board,
        network: Network,
        precision: str,
        out: Union[str, pathlib.Path] = bundle.FOLDER,
        networks_dir: Optional[str] = None,
        calibration: Optional[pathlib.Path] = None,
        force: bool = False,
        engine: Optional[str] = None,
    ) -> None:
        self.board, self.network, self.precision = board, network, precision
        self.networks_dir, self.calibration = networks_dir, calibration
        self.force, self.engine = force, engine or board.engine
        precisions = board.precision
        if precision not in precisions["exists"] and not force:
            why = precisions["why"].get(precision, f"it has no {precision.upper()} unit")
            otherwise = ", or add --force (FORCE=1)" if board.name != HOST else ""
            raise BuildFailed(
                f"{precision.upper()} on {board.title}: {why}; run "
                f"`{self.command(precisions['default'])}`{otherwise}",
                what="precision",
            )
        self.target = bundle.folder_of(board.name, network.name, precision, out)
        if self.engine != board.engine:  # the board's own engine has a bundle of that name
            self.target = self.target.with_name(f"{self.target.name}-{engine}")

    def paths(self) -> Dict[str, pathlib.Path]:
        """Return the network's files: dict of part -> path."""
        return self.network.locate(self.networks_dir)

    def table(self) -> Optional[pathlib.Path]:
        """Return the table of ranges that was named, was made here, or comes with the network."""
        here = pathlib.Path(TABLE.format(self.network.name))
        beside: pathlib.Path = self.network.path.with_name(self.network.name + "-ranges.json")
        return self.calibration or next((path for path in (here, beside) if path.is_file()), None)

    @property
    def half_tensors(self) -> bool:
        """Whether TensorRT's plans take and give float16, so that it converts no tensor."""
        return self.precision in self.board.precision["half_tensors"]

    def command(self, precision: Optional[str] = None) -> str:
        """Return the command that builds this bundle, or that of another precision."""
        return bundle.build_command(
            self.board.name, self.network.given, precision or self.precision
        )

    def entries(self, paths: Dict[str, pathlib.Path], **more: object) -> Table:
        """Return the keys of ``bundle.json`` that the order decides, and those of ``more``."""
        entries = {
            "network": bundle.network_entry(self.network, paths),
            "board": self.board.name,
            "engine": self.engine,
            "precision": self.precision,
        }
        return dict(entries, **more)
