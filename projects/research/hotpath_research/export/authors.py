"""How each code base builds its network, and which of its functions run on which picture.

A function here takes the folder of a checkout, a configuration file and a checkpoint. It imports
the authors' own modules from the checkout and gives two modules that PyTorch can export, and the
keys of the TOML that the configuration tells.
"""

import collections.abc
import contextlib
import importlib
import pickle
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

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

OTB = "OTB2015"  # the data set whose numbers TracKit's exports have
LIGHTTRACK_MOBILE = "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"
MEAN, SCALE = [123.675, 116.28, 103.53], [0.01712475, 0.0175070, 0.0174292]


class Part(nn.Module):
    """Runs a function of (model, tensors): features or maps."""

    def __init__(self, model: nn.Module, run: Callable[..., Any]) -> None:
        super().__init__()
        self.model, self.run = model, run

    def forward(self, *inputs: torch.Tensor) -> Any:
        results = self.run(self.model, *inputs)
        return tuple(results) if isinstance(results, (list, tuple)) else results


def _template_and_track(model: nn.Module, names: Sequence[Any]) -> tuple[Part, Part]:
    """Both parts of a model whose ``template`` leaves the features in ``zf`` for ``track``."""

    def exemplar(model: Any, picture: torch.Tensor) -> Any:
        model.template(picture)
        return model.zf

    def search(model: Any, picture: torch.Tensor, *features: torch.Tensor) -> Any:
        model.zf = features[0] if len(features) == 1 else list(features)
        results = model.track(picture)
        return (results,) if torch.is_tensor(results) else [results[name] for name in names]

    return Part(model, exemplar), Part(model, search)


@contextlib.contextmanager
def checkout(folder: Path, *packages: str) -> Iterator[Any]:
    """Import from a checkout; forget its modules afterwards."""
    if not folder.is_dir():
        raise BadRun(f"{folder} is not a folder; name a checkout of the authors' code")
    before = set(sys.modules)
    # of older releases of PyTorch, for which some of the authors wrote
    sys.modules.setdefault("torch._six", cast(Any, SimpleNamespace(container_abcs=collections.abc)))
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
    return Parts(*_template_and_track(model, ("cls", "loc")), ("cls", "loc"), table)


def _trackit_numbers(folder: Path, name: str, data_set: str) -> Any:
    """TracKit's numbers for a data set: those of ``experiments/test/*/NAME.yaml``.

    Raises:
        BadRun: the authors have none for this data set.
    """
    numbers: dict[str, Any] = {}
    for path in sorted(folder.glob(f"experiments/test/*/{name}.yaml")):
        text = path.read_text(encoding="utf-8")
        numbers.update(importlib.import_module("yaml").safe_load(text)["TEST"])
    if data_set not in numbers:
        there = ", ".join(numbers) or "none at all"
        raise BadRun(
            f"{folder} has no numbers of {name} for --config {data_set}; there are {there}"
        )
    return numbers[data_set]


def trackit_siamdw(folder: Path, config: Any, checkpoint: Path) -> Any:
    """SiamDW of TracKit: ``models.models.SiamDW``.

    The configuration is the name of the data set whose numbers are written (default: OTB2015).
    """
    with checkout(folder / "lib", "models") as load:
        model = load_weights(load("models.models").SiamDW(), checkpoint)
    own = _trackit_numbers(folder, "SiamDW", config or OTB)
    table = {
        "family": "response",
        "source": "https://github.com/researchmm/TracKit",
        "input": {"exemplar": 127, "search": 255},
        "head": {"stride": 8, "map_size": 17, "correlation": "cross"},
        "tracking": dict(
            scale_step=own["scale_step"],
            scale_penalty=own["scale_penalty"],
            scale_lr=own["scale_lr"],
            window_influence=own["w_influence"],
            min_size=10,
        ),
    }
    return Parts(*_template_and_track(model, (0,)), ("response",), table)


def lighttrack(folder: Path, config: Any, checkpoint: Path) -> Any:
    """LightTrack: ``lib.models.models.LightTrackM_Subnet``.

    The configuration is the name of the path through the supernet (default: LightTrack-Mobile's).
    """
    with checkout(folder, "lib") as load:
        build = load("lib.models.models").LightTrackM_Subnet
        model = load_weights(build(config or LIGHTTRACK_MOBILE, stride=16), checkpoint)
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
    return Parts(*_template_and_track(model, (0, 1)), ("cls", "reg"), table)


def trackit_ocean(folder: Path, config: Any, checkpoint: Path) -> Any:
    """Ocean of TracKit without online update, as its authors run it on OTB2015.

    The object-aware score is left out: a deformable convolution computes it, and the authors'
    tracker has it for VOT only. The configuration is not needed.
    """
    # the constructors move tensors to a GPU
    with checkout(folder / "lib", "models", "online") as load, mock.patch.object(
        torch.Tensor, "cuda", lambda tensor, *_: tensor
    ):
        model = load_weights(load("models.models").Ocean(align=False), checkpoint)
    own = _trackit_numbers(folder, "Ocean", OTB)
    table = {
        "family": "points",
        "source": "https://github.com/researchmm/TracKit",
        "input": {"exemplar": 127, "search": 271, "rounding": "half_even", "box_centre": "w/2"},
        "head": {"stride": 8, "map_size": 27, "score": "sigmoid", "correlation": "depthwise"},
        "tracking": dict(
            penalty=own["penalty_k"],
            window_influence=own["window_influence"],
            size_lr=own["lr"],
            size_lr_power=2,
        ),
    }
    return Parts(*_template_and_track(model, (0, 1)), ("cls", "bbox"), table)


def video_analyst(folder: Path, config: Any, checkpoint: Path) -> Any:
    """SiamFC++ of video_analyst; the configuration is a YAML file of experiments/siamfcpp/test.

    The score is multiplied by the centre-ness. A box reaches from pixel centre to pixel centre
    there, so it gets half a pixel more on each side.
    """
    with checkout(folder, "videoanalyst") as load:
        text = Path(config).read_text(encoding="utf-8")
        own = load("yaml").safe_load(text)["test"]["track"]
        builder = load("videoanalyst.model.builder")
        settings = builder.get_config(["track", "vos"])["track"]
        settings.merge_from_other_cfg(type(settings)(own["model"]))
        settings.task_model.SiamTrack.pretrain_model_path = ""
        model = load_weights(builder.build("track", settings), checkpoint)
        correlate = load("videoanalyst.model.common_opr.common_block").xcorr_depthwise
    head, given = settings.task_head.DenseboxHead, own["pipeline"]["SiamFCppTracker"]
    cells = head.score_size

    def search(model: Any, picture: torch.Tensor, *features: torch.Tensor) -> Any:
        cls_z, box_z = features
        seen = model.basemodel(picture)
        maps = correlate(model.c_x(seen), cls_z), correlate(model.r_x(seen), box_z)
        score, centre, distances = model.head(*maps, 0, True)
        score = torch.sigmoid(score) * torch.sigmoid(centre)
        return score.reshape(1, 1, cells, cells), distances + 0.5

    table = {
        "family": "points",
        "source": "https://github.com/MegviiDetection/video_analyst",
        "input": {
            "exemplar": 127,
            "search": head.x_size,
            "corner": "(s-1)/2",
            "resample": "warp",
            "box_corner": "(w-1)/2",
        },
        "head": {
            "stride": head.total_stride,
            "map_size": cells,
            "score": "none",
            "correlation": "depthwise",
        },
        "tracking": dict(
            penalty=given["penalty_k"],
            window_influence=given["window_influence"],
            size_lr=given["test_lr"],
        ),
    }
    exemplar = Part(model, lambda model, picture: model(picture, phase="feature"))
    return Parts(exemplar, Part(model, search), ("score", "distances"), table)


def fear(folder: Path, config: Any, checkpoint: Path) -> Any:
    """FEAR-XS of FEARTracker; the configuration is model_training/config/model/fear.yaml."""
    with checkout(folder, "model_training") as load:
        settings = load("yaml").safe_load(Path(config).read_text(encoding="utf-8"))
        del settings["_target_"]
        build = load("model_training.model.fear_net").FEARNet
        model = load_weights(build(**dict(settings, pretrained=False)), checkpoint)
    regression, score = "TARGET_REGRESSION_LABEL_KEY", "TARGET_CLASSIFICATION_KEY"

    def search(model: Any, picture: torch.Tensor, features: torch.Tensor) -> Any:
        maps = model.track(picture, features)
        return maps[score], maps[regression]

    table = {
        "family": "points",
        "source": "https://github.com/PinataFarms/FEARTracker",
        "input": {
            "exemplar": 128,
            "search": 256,
            "crop": "stretched",
            "exemplar_margin": 0.2,
            "search_margin": 2.0,
            "border": "mean_rounded",
            "channels": "RGB",
            "mean": MEAN,
            "scale": SCALE,
            "box_centre": "w/2",
        },
        "head": {"stride": 16, "map_size": 16, "score": "sigmoid"},
        "tracking": dict(
            penalty=0.0,
            window_influence=0.0,
            size_lr=1.0,
            size_lr_power=0,
            min_size=3,
            clip="inside",
            box_pixels="round",
        ),
    }
    exemplar = Part(model, lambda model, picture: model.get_features(picture))
    return Parts(exemplar, Part(model, search), ("score", "distances"), table)


AUTHORS = {
    "pysot": pysot,
    "trackit-siamdw": trackit_siamdw,
    "trackit-ocean": trackit_ocean,
    "video-analyst": video_analyst,
    "fear": fear,
    "lighttrack": lighttrack,
}
