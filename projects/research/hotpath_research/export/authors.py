"""How each code base builds its network, and which of its functions run on which picture.

A function here takes the folder of a checkout, a configuration file and a checkpoint. It imports
the authors' own modules from the checkout and gives two modules that PyTorch can export, and the
keys of the TOML that the configuration tells.
"""

import contextlib
import importlib
import pickle
import sys
from collections import namedtuple
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hotpath.calib.errors import BadRun
from hotpath_research.pytorch import nn, torch

Parts = namedtuple("Parts", "exemplar search maps table box", defaults=[False])
Parts.__doc__ = """An exportable tracker.

Attributes:
    exemplar: module, picture -> features (a tensor or a tuple); None where the network is one
        graph of both pictures.
    search: module, picture and features -> maps (a tuple); without ``exemplar``: both pictures.
    maps: names of the maps, in the order of the family.
    table: dict, the TOML without files.
    box: whether ``search`` takes the target's box in the exemplar after the exemplar.
"""

MEAN, SCALE = [123.675, 116.28, 103.53], [0.01712475, 0.0175070, 0.0174292]


class Exemplar(nn.Module):
    """Runs ``template``, which leaves the features in ``zf``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, picture: torch.Tensor) -> Any:
        self.model.template(picture)
        features = self.model.zf
        return tuple(features) if isinstance(features, (list, tuple)) else features


class Search(nn.Module):
    """Runs ``track`` with given features, and gives some of its results."""

    def __init__(self, model: nn.Module, names: Sequence[Any]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, picture: torch.Tensor, *features: torch.Tensor) -> Any:
        self.model.zf = features[0] if len(features) == 1 else list(features)
        results = self.model.track(picture)
        if torch.is_tensor(results):
            return (results,)
        return tuple(results[name] for name in self.names)


@contextlib.contextmanager
def checkout(folder: Path, *packages: str) -> Iterator[Any]:
    """Import from a checkout; forget its modules afterwards."""
    if not folder.is_dir():
        raise BadRun(f"{folder} is not a folder; name a checkout of the authors' code")
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module
    except ImportError as error:
        raise BadRun(
            f"the checkout {folder} can't be imported: {error}; install what its README asks for"
        ) from None
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if name.split(".")[0] in packages:
                del sys.modules[name]


class _Ignored:
    """Stands for every object that is no weight: statistics, settings. It runs nothing."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def _read(path: Path) -> Any:
    """The content of a checkpoint. The authors' trainers store objects beside the weights."""
    try:
        return torch.load(str(path), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
        with torch.serialization.safe_globals([(_Ignored, name) for name in names]):
            return torch.load(str(path), map_location="cpu", weights_only=True)


def load_weights(model: nn.Module, path: Path) -> Any:
    """Load a checkpoint; prefixes of data-parallel training are removed."""
    try:
        state = _read(path)
    except Exception as error:
        unsafe = isinstance(error, pickle.UnpicklingError)  # PyTorch's advice is to run it
        why = "it holds more than weights, which could run code" if unsafe else error
        raise BadRun(f"{path} can't be read as a checkpoint: {why}") from None
    for key in ("state_dict", "net", "model", "model_state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    state = {name[7:] if name.startswith("module.") else name: v for name, v in state.items()}
    missing, _ = model.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing:
        raise BadRun(
            f"the checkpoint {path} lacks {len(missing)} of the model's weights, such as "
            f"{missing[0]}; name the configuration that it was trained with"
        )
    return model.eval()


def pysot(folder: Path, config: Any, checkpoint: Path) -> Any:
    """SiamRPN and SiamRPN++ of pysot: ``pysot.models.model_builder.ModelBuilder``."""
    with checkout(folder, "pysot") as load:
        cfg = load("pysot.core.config").cfg
        cfg.merge_from_file(str(config))
        model = load_weights(load("pysot.models.model_builder").ModelBuilder(), checkpoint)
    cells = (cfg.TRACK.INSTANCE_SIZE - cfg.TRACK.EXEMPLAR_SIZE) // cfg.ANCHOR.STRIDE + 1
    table = {
        "family": "anchors",
        "source": "https://github.com/STVIR/pysot",
        "input": {
            "exemplar": cfg.TRACK.EXEMPLAR_SIZE,
            "search": cfg.TRACK.INSTANCE_SIZE,
            "context": cfg.TRACK.CONTEXT_AMOUNT,
        },
        "head": {
            "stride": cfg.ANCHOR.STRIDE,
            "map_size": cells + cfg.TRACK.BASE_SIZE,
            "ratios": list(cfg.ANCHOR.RATIOS),
            "scales": list(cfg.ANCHOR.SCALES),
            "correlation": "depthwise",
        },
        "tracking": {
            "penalty": cfg.TRACK.PENALTY_K,
            "window_influence": cfg.TRACK.WINDOW_INFLUENCE,
            "size_lr": cfg.TRACK.LR,
        },
    }
    return Parts(Exemplar(model), Search(model, ("cls", "loc")), ("cls", "loc"), table)


def trackit_siamdw(folder: Path, config: Any, checkpoint: Path) -> Any:
    """SiamDW of TracKit: ``models.models.SiamDW``; the configuration is not needed."""
    with checkout(folder / "lib", "models") as load:
        model = load_weights(load("models.models").SiamDW(), checkpoint)
    table = {
        "family": "response",
        "source": "https://github.com/researchmm/TracKit",
        "input": {"exemplar": 127, "search": 255},
        "head": {"stride": 8, "map_size": 17, "correlation": "cross"},
        "tracking": dict(
            scale_step=1.0375,
            scale_penalty=0.9745,
            scale_lr=0.59,
            window_influence=0.35,
            min_size=10,
        ),
    }
    return Parts(Exemplar(model), Search(model, (0,)), ("response",), table)


def lighttrack(folder: Path, config: Any, checkpoint: Path) -> Any:
    """LightTrack: ``lib.models.models.LightTrackM_Subnet``; the configuration is the path name."""
    with checkout(folder, "lib") as load:
        build = load("lib.models.models").LightTrackM_Subnet
        model = load_weights(build(str(config), 16), checkpoint)
    table = {
        "family": "points",
        "source": "https://github.com/researchmm/LightTrack",
        "input": {
            "exemplar": 127,
            "search": 256,
            "rounding": "half_even",
            "channels": "RGB",
            "mean": MEAN,
            "scale": SCALE,
            "box_centre": "w/2",
        },
        "head": {"stride": 16, "map_size": 16, "score": "sigmoid"},
        "tracking": dict(penalty=0.007, window_influence=0.225, size_lr=0.616, size_lr_power=2),
    }
    return Parts(Exemplar(model), Search(model, ("cls", "reg")), ("cls", "reg"), table)


AUTHORS = {"pysot": pysot, "trackit-siamdw": trackit_siamdw, "lighttrack": lighttrack}
