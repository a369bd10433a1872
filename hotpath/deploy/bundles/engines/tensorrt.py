"""Build for TensorRT, completely on the board, or as a prepared folder on another computer."""

import pathlib
from typing import Callable, List, Optional, Tuple

from hotpath.base import cache
from hotpath.base.errors import NoGpu
from hotpath.base.toml_keys import Table
from hotpath.boards import Board, detect
from hotpath.deploy.bundles import plans, prepared
from hotpath.deploy.bundles.order import Order
from hotpath.deploy.bundles.writer import BundleWriter
from hotpath.deploy.errors import BuildFailed
from hotpath.kernels.cuda import driver
from hotpath.runtime.networks import bundle

CACHE = cache.USERS
EXEMPLAR = "exemplar.plan"
RUN_KEYS = ("features", "maps", "steps", "shapes", "seen")

Say = Callable[[str], None]


def build(order: Order, say: Say) -> Optional[bundle.Bundle]:
    """Build the bundle. Return None when the board must go on; its command was printed then."""
    is_here = _is_here(order.board)
    folder = order.target.with_name(order.target.name + ".prepared")
    if not is_here or not prepared.is_current(folder, order):
        prepared.prepare(folder, order, say)
    if is_here:
        return build_prepared(folder, order.target, say)
    say(
        f"this computer is not that board ({order.board.title}); copy {folder} to one that has "
        "Hotpath, and run there:"
    )
    words = ["python3 -m hotpath engine --prepared", str(folder)]
    print(" ".join(words + (["--force"] if order.force else [])))
    return None


def build_here(
    folder: pathlib.Path, target: Optional[pathlib.Path], force: bool, say: Say
) -> bundle.Bundle:
    """Build a prepared folder, if it was prepared for this board.

    Args:
        folder: the prepared folder.
        target: the bundle's folder, or None for the usual name beside the prepared folder.
        force: build also when this is another board.
        say: function of one sentence.

    Raises:
        BuildFailed: it was prepared for another board; or see ``build_prepared``.
    """
    values = prepared.read(folder)
    detection = detect.detect()
    here = detection.board
    is_it = detection.may_be(values["board"])
    name, precision = values["network"]["name"], values["precision"]
    if here is not None and not is_it and not force:
        command = bundle.build_command(here.name, name, bundle.precision_on(here, precision))
        raise BuildFailed(
            f"this board is {here.name}, but the folder was prepared for {values['board']}; run "
            f"`{command}`"
        )
    target = target or folder.with_name(bundle.folder_of(values["board"], name, precision).name)
    return build_prepared(folder, target, say)


def build_prepared(folder: pathlib.Path, target: pathlib.Path, say: Say) -> bundle.Bundle:
    """Build TensorRT's plans out of a prepared folder, on the board that will run them.

    Args:
        folder: the prepared folder.
        target: the bundle's folder; an existing one is replaced.
        say: function of one sentence.

    Raises:
        NoGpu: there is no driver, or it finds no GPU.
        NoEngine: TensorRT can't be imported.
        BuildFailed: the folder was altered, or TensorRT refuses.
    """
    values = prepared.read(folder)
    asked = {key: values[key] for key in plans.Request._fields if key in values}
    builder = plans.PlanBuilder(plans.Request(**asked), str(CACHE), say)
    number = builder.gpu.compute_capability.replace(".", "")
    say(f"TensorRT {builder.version} on {builder.gpu.name} (sm_{number})")
    with BundleWriter(target) as writer:
        form, name = _build_form(values, folder, builder, writer.folder, say)
        run = {key: form[key] for key in RUN_KEYS}
        run.update(exemplar=EXEMPLAR, parts=_plan_names(form)[1:], form=name)
        run["dtype"] = "float16" if _half_tensors(form, builder) else "float32"
        entries = {
            "network": values["network"],
            "board": values["board"],
            "engine": "tensorrt",
            "precision": values["precision"],
            "libraries": {"tensorrt": builder.version},
            "compute_capability": builder.gpu.compute_capability,
            "calibration_sha256": values["calibration_sha256"],
            "settings": {"driver": builder.gpu.driver},
            "run": run,
        }
        return writer.finish(entries, folder / (values["network"]["name"] + ".toml"))


def _is_here(board: Board) -> bool:
    """Whether this is the board. In a container the GPU tells what the device tree does not."""
    detection = detect.detect()
    if detection.sure or not detection.may_be(board.name):
        return detection.may_be(board.name)
    try:
        return bool(driver.describe_gpu().compute_capability == board.gpu["compute_capability"])
    except NoGpu:
        return False


def _build_form(
    values: Table,
    folder: pathlib.Path,
    builder: plans.PlanBuilder,
    out: pathlib.Path,
    say: Say,
) -> Tuple[Table, str]:
    """Build the whole network. Where the parser refuses it, build it cut at the correlation.

    Returns:
        The form and its name.

    Raises:
        BuildFailed: TensorRT refuses each form.
    """
    forms = values["forms"]
    names = ["whole", "cut"] if builder.takes_tensor_kernels else ["cut", "whole"]
    names = [name for name in names if name in forms]
    for name in names:
        form = forms[name]
        try:
            for model, plan in zip(_models(values, form, builder), _plan_names(form)):
                (out / plan).write_bytes(builder.build(folder / model, model))
            return form, name
        except BuildFailed as error:
            if name == names[-1]:
                raise
            say(f"{name}: {error}; trying another form")
            for path in out.glob("*.plan"):
                path.unlink()
    raise AssertionError("a prepared folder has a form")


def _half_tensors(form: Table, builder: plans.PlanBuilder) -> bool:
    """Whether the plans take and give float16. A network that is shipped prepared may lack that."""
    return builder.request.half_tensors and (not builder.strong or "half" in form)


def _takes_half(values: Table, form: Table, builder: plans.PlanBuilder) -> bool:
    """Whether this TensorRT wants models whose own types are float16."""
    return builder.strong and (values["precision"] == "fp16" or _half_tensors(form, builder))


def _models(values: Table, form: Table, builder: plans.PlanBuilder) -> List[str]:
    """Return the models of a form, in the number format that this TensorRT wants."""
    if not _takes_half(values, form, builder):
        return list(form["models"])
    if "half" not in form:
        raise BuildFailed(
            f"TensorRT {builder.version} takes FP16 only from a network of that type, and there "
            "is none here; prepare it on a computer with onnx, or use PRECISION=fp32"
        )
    return list(form["half"])


def _plan_names(form: Table) -> List[str]:
    searches = [f"search{index}.plan" for index in range(len(form["models"]) - 1)]
    return [EXEMPLAR] + searches
