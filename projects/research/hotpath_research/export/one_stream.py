"""One-stream trackers: the template and the search region go through one backbone together.

Each becomes one ONNX file with both pictures as inputs. ``hotpath.graphs.assemble``
finds the nodes that depend only on the template when the network is loaded. STARK-S and
STARK-Lightning run their backbone on each picture alone, so they become two files.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from hotpath.calib.errors import BadRun
from hotpath_research.export.authors import MEAN, SCALE, Part, Parts, checkout, load_weights
from hotpath_research.pytorch import functional, nn, timm_library, torch

CENTRE = ("score_map", "size_map", "offset_map")


class Kind(NamedTuple):
    """How one code base builds and runs its network.

    Attributes:
        config: of ``lib.config.NAME.config``, which has ``cfg`` and ``update_config_from_file``.
        builder: below ``lib.models``: module and function that make the network.
        maps: names among the results, in the family's order.
        run: function of (network, configuration, template, search region) -> dict of results. A
            network of two templates takes the first frame's as both, and is not refreshed.
            If ``is_split``: function of (network, configuration) -> two functions, of (network,
            template) -> feature, and of (network, search region, feature) -> tuple of the maps.
        source: where the code is published, on GitHub.
        arguments: arguments of the builder, after the configuration.
        prepare: function of (network), after the weights are loaded.
        alone: below ``lib.models``: module whose ``is_main_process`` would fetch weights.
        mean, scale: of the pictures.
        takes_box: whether ``run`` takes the target's box in the template after the template.
        is_split: whether ``run`` gives two functions, each of which becomes a file.
    """

    config: str
    builder: str
    maps: tuple[str, ...]
    run: Callable[..., Any]
    source: str
    arguments: dict[str, Any] = {"training": False}
    prepare: Callable[[Any], Any] = lambda model: model
    alone: str = ""
    mean: list[float] = MEAN
    scale: list[float] = SCALE
    takes_box: bool = False
    is_split: bool = False

    def modules(self) -> tuple[str, list[str]]:
        """The module of the configuration; module and name of the builder."""
        return f"lib.config.{self.config}.config", f"lib.models.{self.builder}".rsplit(".", 1)

    def patches(self) -> list[tuple[str, str, Any]]:
        """(module, name, value) that the builder needs on a computer without a network."""
        if not self.alone:
            return []
        return [(f"lib.models.{self.alone}", "is_main_process", lambda: False)]


def _ostrack(model: Any, cfg: Any, z: torch.Tensor, x: torch.Tensor) -> Any:
    return model(template=z, search=x, ce_template_mask=_kept_template(cfg))


def _kept_template(cfg: Any) -> torch.Tensor | None:
    """The template's cells by which candidates are eliminated, (1, cells); None for all of them.

    Raises:
        BadRun: the cells depend on the box, which a graph of two pictures is not given.
    """
    backbone = cfg.MODEL.BACKBONE
    where = getattr(backbone, "CE_TEMPLATE_RANGE", "ALL")
    if not getattr(backbone, "CE_LOC", None) or where == "ALL":
        return None
    side = cfg.DATA.TEMPLATE.SIZE // backbone.STRIDE
    wide = {"CTR_POINT": 1, "CTR_REC": 2 - side % 2}.get(where)
    if wide is None:
        raise BadRun(
            f"CE_TEMPLATE_RANGE {where} takes the box, which the graph is not given; "
            "set it to CTR_POINT or CTR_REC, or CE_LOC to [] to eliminate nothing"
        )
    first = (side - 1) // 2
    mask = torch.zeros(1, side, side, dtype=torch.bool)
    mask[:, first : first + wide, first : first + wide] = True
    return mask.flatten(1)


def _mobilevit(model: Any, cfg: Any, z: torch.Tensor, x: torch.Tensor) -> Any:
    for layer in (model.backbone.conv_1, model.backbone.layer_1, model.backbone.layer_2):
        z = layer(z)
    return model(template=z, search=x)


def _hit(model: Any, cfg: Any, z: torch.Tensor, x: torch.Tensor) -> Any:
    return model.forward_head(model.forward_backbone([x, z]))[0]


def _asymtrack(model: Any, cfg: Any, z: torch.Tensor, x: torch.Tensor) -> Any:
    return model.forward_head(model.forward_backbone([x, z], False))[0]


def _mixformer(model: Any, cfg: Any, z: torch.Tensor, x: torch.Tensor) -> Any:
    return model(z, z, x, softmax=True, run_score_head=True)


def _litetrack(model: Any, cfg: Any, z: torch.Tensor, box: torch.Tensor, x: torch.Tensor) -> Any:
    return model(model.forward_z(z, template_bb=box), x)


def _stark(model: Any, cfg: Any, z: torch.Tensor, x: torch.Tensor) -> Any:
    first, region = (_stark_features(model, picture) for picture in (z, x))
    features = first, first, region
    joined = {key: torch.cat([feature[key] for feature in features]) for key in ("feat", "pos")}
    return model.forward_transformer(dict(joined, mask=None), True, True)[0]


def _zeros(picture: torch.Tensor) -> torch.Tensor:
    """A mask of a picture without padding."""
    return torch.zeros(1, *picture.shape[2:], dtype=torch.bool)


def _stark_features(model: Any, picture: torch.Tensor) -> Any:
    nested = model.forward_backbone.__globals__["NestedTensor"]
    return model.forward_backbone(nested(picture, _zeros(picture)))


def _stark_s(model: Any, cfg: Any) -> Any:
    place = _stark_features(model, torch.zeros(1, 3, *[cfg.TEST.TEMPLATE_SIZE] * 2))["pos"]

    def search(model: Any, picture: torch.Tensor, feature: torch.Tensor) -> Any:
        region = _stark_features(model, picture)
        joined = torch.cat([feature, region["feat"]]), torch.cat([place, region["pos"]])
        maps = mock.Mock(side_effect=model.box_head.soft_argmax)
        with mock.patch.object(model.box_head, "soft_argmax", maps):
            model.forward_transformer(dict(zip(("feat", "pos"), joined), mask=None))
        return tuple(call.args[0] for call in maps.call_args_list)

    return lambda model, picture: _stark_features(model, picture)["feat"], search


def _stark_lightning(model: Any, cfg: Any) -> Any:
    model.distill = False  # give the box alone
    place = model.pos_emb_z0(1).flatten(2).permute(2, 0, 1)

    def template(model: Any, picture: torch.Tensor) -> Any:
        return model.forward_backbone(picture, "template0", _zeros(picture))["feat"]

    def search(model: Any, picture: torch.Tensor, feature: torch.Tensor) -> Any:
        region = model.forward_backbone(picture, "search", _zeros(picture))
        values = torch.cat([feature, region["feat"]])
        keys = values + torch.cat([place, region["pos"]])
        query = region["feat"] + region["pos"]
        return (model.forward_transformer(query, keys, values)[0]["pred_boxes"],)

    return template, search


BYTES: dict[str, Any] = {"mean": [0.0, 0.0, 0.0], "scale": [1 / 255.0] * 3}
BOX = ("pred_boxes",)
CORNERS = ("top_left", "bottom_right")
V1 = "mobilevit_track"
V2 = "mobilevitv2_track"
KINDS = {
    "ostrack": Kind("ostrack", "ostrack.build_ostrack", CENTRE, _ostrack, "botaoye/OSTrack"),
    "smat": Kind(V2, f"{V1}.{V2}.build_{V2}", CENTRE, _mobilevit, "goutamyg/SMAT", **BYTES),
    "mvt": Kind(V1, f"{V1}.{V1}.build_{V1}", CENTRE, _mobilevit, "goutamyg/MVT", **BYTES),
    "hit": Kind("HiT", "HiT.build_hit", BOX, _hit, "kangben258/HiT", {}, alone="HiT.backbone"),
    "asymtrack": Kind(
        "AsymTrack",
        "AsymTrack.build_asymtrack",
        BOX,
        _asymtrack,
        "jiawen-zhu/AsymTrack",
        {},
        prepare=lambda model: model.backbone.switch_to_deploy(),
    ),
    "litetrack": Kind(
        "litetrack", "build_LiteTrack", CENTRE, _litetrack, "TsingWei/LiteTrack", takes_box=True
    ),
    "mixformerv2": Kind(
        "mixformer2_vit_online",
        "mixformer2_vit.build_mixformer2_vit_online",
        (*BOX, "pred_scores"),
        _mixformer,
        "MCG-NJU/MixFormerV2",
        {"train": False},
    ),
    "stark-s": Kind(
        "stark_s",
        "stark.build_starks",
        CORNERS,
        _stark_s,
        "researchmm/Stark",
        {},
        alone="stark.backbone",
        is_split=True,
    ),
    "stark-lightning": Kind(
        "stark_lightning_X_trt",
        "stark.build_stark_lightning_x_trt",
        BOX,
        _stark_lightning,
        "researchmm/Stark",
        {"phase": "test"},
        is_split=True,
    ),
    "stark": Kind(
        "stark_st2",
        "stark.build_starkst",
        (*BOX, "pred_logits"),
        _stark,
        "researchmm/Stark",
        {},
        alone="stark.backbone",
    ),
}


def one_stream(kind: Kind, folder: Path, config: Any, checkpoint: Path) -> Parts:
    """Build a network from a checkout, the authors' YAML and a checkpoint.

    In ``Parts`` without an exemplar, ``search`` takes the template and the search region.

    Raises:
        BadRun: the checkout or the checkpoint can't be read.
    """
    timm_library()
    with contextlib.ExitStack() as stack:
        load = stack.enter_context(checkout(folder, "lib"))
        stack.enter_context(_plain_operators())
        configuration, (module, function) = kind.modules()
        settings = load(configuration)
        settings.update_config_from_file(str(config))
        cfg = settings.cfg
        cfg.TEST_MODE = True  # no pretrained backbone is read
        for place, name, value in kind.patches():
            stack.enter_context(mock.patch.object(load(place), name, value))
        model = getattr(load(module), function)(cfg, **kind.arguments)
    load_weights(model, checkpoint)
    kind.prepare(model)
    if kind.is_split:
        with _plain_operators(), torch.no_grad():
            exemplar, search = (_Part(model, run) for run in kind.run(model, cfg))
        return Parts(exemplar, search, kind.maps, _table(kind, cfg))

    def whole(model: Any, *pictures: torch.Tensor) -> Any:
        results = kind.run(model, cfg, *pictures)
        return [results[name] for name in kind.maps]

    return Parts(None, _Part(model, whole), kind.maps, _table(kind, cfg), kind.takes_box)


class _Part(Part):
    """Runs a function of (model, tensors) with operators that can be exported."""

    def forward(self, *inputs: torch.Tensor) -> Any:
        with _plain_operators():
            return super().forward(*inputs)


def _table(kind: Kind, cfg: Any) -> dict[str, Any]:
    """The TOML that the configuration tells; crop and limits are those of the authors' loops."""
    test = cfg.TEST
    head: dict[str, Any] = {"output": "scored_box" if len(kind.maps) == 2 else "box"}
    if kind.maps == CENTRE:
        head = {"map_size": test.SEARCH_SIZE // cfg.MODEL.BACKBONE.STRIDE, "maps": list(CENTRE)}
    elif kind.maps == CORNERS:
        head = {"output": "two_maps", "cell_centre": 0.0, "maps": list(CORNERS)}
        head["map_size"] = test.SEARCH_SIZE // 16  # of the authors' ResNet
    tracking: dict[str, Any] = {"clip": "corners"}
    return {
        "family": "centre" if kind.maps == CENTRE else "corners",
        "source": "https://github.com/" + kind.source,
        "input": {
            "exemplar": test.TEMPLATE_SIZE,
            "search": test.SEARCH_SIZE,
            "crop": "area",
            "exemplar_factor": float(test.TEMPLATE_FACTOR),
            "search_factor": float(test.SEARCH_FACTOR),
            "corner": "s/2",
            "rounding": "half_even",
            "border": "zero",
            "channels": "RGB",
            "mean": kind.mean,
            "scale": kind.scale,
            "box_centre": "w/2",
        },
        "head": dict(head, correlation="attention"),
        "tracking": tracking,
    }


@contextlib.contextmanager
def _plain_operators() -> Iterator[None]:
    """Run the authors' code without a GPU, and with operators that opset 13 has."""
    with contextlib.ExitStack() as stack:
        for owner in (torch.Tensor, nn.Module):
            stack.enter_context(mock.patch.object(owner, "cuda", lambda self, *_, **__: self))
        stack.enter_context(mock.patch.object(functional, "fold", _fold))
        attention = "scaled_dot_product_attention"
        stack.enter_context(mock.patch.object(functional, attention, _attention))
        yield


def _fold(
    patches: torch.Tensor, output_size: Any, kernel_size: Any, stride: Any = 1, **_: Any
) -> torch.Tensor:
    """``functional.fold`` of square patches side by side, as a pixel shuffle."""
    side = kernel_size[0] if isinstance(kernel_size, tuple) else kernel_size
    if stride not in (side, (side, side)):
        raise BadRun(f"patches of {kernel_size} that overlap by a stride of {stride} are not known")
    height, width = (size // side for size in output_size)
    planes = patches.reshape(patches.shape[0], patches.shape[1], height, width)
    return functional.pixel_shuffle(planes, side)


def _attention(query: Any, key: Any, value: Any, *_: Any, **options: Any) -> torch.Tensor:
    """``functional.scaled_dot_product_attention`` without a mask, in matrix products."""
    scale = options.get("scale") or query.shape[-1] ** -0.5
    shares = (query @ key.transpose(-2, -1) * scale).softmax(-1)
    result: torch.Tensor = shares @ value
    return result
