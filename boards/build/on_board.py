"""Build TensorRT's plans out of a prepared folder, on the board that will run them."""

import pathlib
import shutil
from typing import Any, Callable, Dict, List, Optional, Tuple

from boards import detect
from boards.build import plans, prepared
from boards.build.writer import Writer
from boards.errors import BuildFailed
from runtime import bundle

CACHE = pathlib.Path("~/.cache/hotpath").expanduser()
WINDOWS = "windows.plan"
RUN_KEYS = ("features", "maps", "steps", "shapes", "seen")

Say = Callable[[str], None]


def build_for(
    folder: pathlib.Path, target: Optional[pathlib.Path], force: bool, say: Say
) -> bundle.Bundle:
    """Build a prepared folder, if it was prepared for this board.

    Args:
        folder: the prepared folder.
        target: the bundle's folder, or None for the usual name beside the prepared folder.
        force: build also when this is another board.
        say: function of one sentence.

    Raises:
        BuildFailed: it was prepared for another board; or see ``build``.
    """
    values = prepared.read(folder)
    here = detect.detect().board
    name, precision = values["network"]["name"], values["precision"]
    if here is not None and here.name != values["board"] and not force:
        raise BuildFailed(
            "this board is {}, but the folder was prepared for {}; run `{}`".format(
                here.name, values["board"], bundle.command(here.name, name, precision)
            )
        )
    usual = bundle.folder_of(values["board"], name, precision).name
    return build(folder, target or folder.with_name(usual), say)


def build(folder: pathlib.Path, target: pathlib.Path, say: Say) -> bundle.Bundle:
    """Build a prepared folder on this board.

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
    request = plans.Request(
        values["precision"],
        dla=values["dla"],
        scales=values["scales"],
        quantised=values["quantised"],
        memory_gb=values["memory_gb"],
        half_tensors=bool(values.get("half_tensors")),  # earlier versions did not know it
    )
    builder = plans.Builder(request, str(CACHE), say)
    number = builder.gpu.compute_capability.replace(".", "")
    say(f"TensorRT {builder.version} on {builder.gpu.name} (sm_{number})")
    with Writer(target) as writer:
        form, name = _build_form(values, folder, builder, writer.folder, say)
        toml = values["network"]["name"] + ".toml"
        shutil.copy(str(folder / toml), str(writer.folder / toml))
        run = {key: form[key] for key in RUN_KEYS}
        run.update(exemplar="exemplar.plan", parts=_plan_names(form)[1:], form=name)
        run["dtype"] = "float16" if _half_tensors(form, builder) else "float32"
        run["windows"] = _build_windows(values, form, folder, builder, writer.folder, say)
        return writer.finish(
            {
                "network": values["network"],
                "board": values["board"],
                "engine": "tensorrt",
                "precision": values["precision"],
                "libraries": {"tensorrt": builder.version},
                "compute_capability": builder.gpu.compute_capability,
                "calibration_sha256": values["calibration_sha256"],
                "settings": {"dla": values["dla"], "driver": builder.gpu.driver},
                "run": run,
            }
        )


def _build_form(
    values: Dict[str, Any],
    prepared_folder: pathlib.Path,
    builder: plans.Builder,
    folder: pathlib.Path,
    say: Say,
) -> Tuple[Dict[str, Any], str]:
    """Build the whole network. Where the parser refuses it, build it cut at the correlation."""
    names = ["whole", "cut"] if builder.takes_tensor_kernels else ["cut", "whole"]
    names = [name for name in names if name in values["forms"]]
    for name in names:
        form = values["forms"][name]
        try:
            for model, plan in zip(_models(values, form, builder), _plan_names(form)):
                (folder / plan).write_bytes(builder.build(prepared_folder / model, model))
            return form, name
        except BuildFailed as error:
            if name == names[-1]:
                raise
            say(f"{name}: {error}; building it {names[1]}")
            for path in folder.glob("*.plan"):
                path.unlink()
    raise AssertionError("a prepared folder has a form")


def _build_windows(
    values: Dict[str, Any],
    form: Dict[str, Any],
    prepared_folder: pathlib.Path,
    builder: plans.Builder,
    folder: pathlib.Path,
    say: Say,
) -> Optional[Dict[str, Any]]:
    """Build the plan for several windows of a lost target's search, where there is a model for it.

    It has a fixed number of windows. A plan for any number would choose its kernels for all of
    them, and a DLA core takes no such plan.
    """
    kept = form.get("windows")
    if not kept or kept["count"] != values.get("windows"):  # as the board's profile wants it
        return None
    is_half = builder.strong and (values["precision"] == "fp16" or _half_tensors(form, builder))
    model = kept.get("half") if is_half else kept["model"]
    try:
        if model is None:
            raise BuildFailed("there is no model of float16 for it")
        (folder / WINDOWS).write_bytes(builder.build(prepared_folder / model, model))
    except BuildFailed as error:
        say(f"a lost target is searched for in one window at a time: {error}")
        return None
    return {"plan": WINDOWS, "count": kept["count"]}


def _half_tensors(form: Dict[str, Any], builder: plans.Builder) -> bool:
    """Whether the plans take and give float16. A network that is shipped prepared may lack that."""
    return builder.request.half_tensors and (not builder.strong or "half" in form)


def _models(values: Dict[str, Any], form: Dict[str, Any], builder: plans.Builder) -> List[str]:
    """Return the models of a form, in the number format that this TensorRT wants."""
    half_computes = values["precision"] == "fp16"
    if not builder.strong or not (half_computes or _half_tensors(form, builder)):
        return list(form["models"])
    if "half" not in form:
        raise BuildFailed(
            f"TensorRT {builder.version} takes FP16 only from a network of that type, and there "
            "is none here; "
            "prepare it on a computer with onnx, or use PRECISION=fp32"
        )
    return list(form["half"])


def _plan_names(form: Dict[str, Any]) -> List[str]:
    searches = [f"search{index}.plan" for index in range(len(form["models"]) - 1)]
    return ["exemplar.plan"] + searches
