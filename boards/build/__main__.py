"""python -m boards.build: make a network ready for a board, as a bundle (see ``runtime.bundle``).

    python -m boards.build jetson_nano --network kestrel                       on the board itself
    python -m boards.build jetson_nano --network kestrel --host user@nano      from a computer
    python -m boards.build host --network kestrel                              for this computer

On another computer without --host, all that can be prepared there is, and the command to run on
the board is printed.
"""

import argparse
import importlib
import os
import pathlib
import shutil
import sys

import boards
from boards import detect
from boards.build import prepare, remote, tensorrt
from boards.build.writer import Writer
from boards.errors import BuildFailed
from runtime import DEFAULT_NETWORK, bundle
from runtime.errors import HotpathError
from runtime.networks import load_network, sha256_of

PRECISIONS = ("fp32", "fp16", "int8")
CACHE = pathlib.Path("~/.cache/hotpath").expanduser()
IMAGE = "image.bin"
TABLE = "out/int8/{}-ranges.json"  # where `python -m calib.int8 --out out/int8` leaves it


def main(arguments=None):
    """Run the command line; returns the exit code."""
    cli = _parser()
    options = cli.parse_args(arguments)
    if bool(options.board) == bool(options.prepared):
        cli.error("name a board, or a folder with --prepared")
    try:
        build_prepared(options) if options.prepared else build(options)
        return 0
    except HotpathError as error:
        print("boards.build: {}".format(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("boards.build: stopped; nothing was changed", file=sys.stderr)
        return 130


def _parser():
    cli = argparse.ArgumentParser(
        prog="python -m boards.build", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    cli.add_argument("board", nargs="?", help="a name of `python -m boards list`, or a TOML")
    cli.add_argument("--network", default=DEFAULT_NETWORK, metavar="NAME|FILE.toml")
    cli.add_argument("--precision", choices=PRECISIONS, help="default: the board's own")
    cli.add_argument("--networks-dir", default=os.environ.get("NETWORKS_DIR"), metavar="DIR")
    cli.add_argument("--calibration", metavar="FILE", type=pathlib.Path,
                     help="ranges for int8 (default: " + TABLE.format("NETWORK") + ")")  # fmt: skip
    cli.add_argument("--dla", type=int, metavar="CORE", help="run on this DLA core where it can")
    cli.add_argument("--provider", choices=("cuda", "tensorrt"),
                     help="of a computer's ONNX Runtime, for its NVIDIA GPU")  # fmt: skip
    cli.add_argument("--host", metavar="USER@BOARD", help="build there over ssh")
    cli.add_argument("--ssh", default="ssh", metavar="COMMAND", help='such as "ssh -p 2222"')
    cli.add_argument("--out", type=pathlib.Path, metavar="DIR",
                     help="folder of all bundles (default: {})".format(bundle.FOLDER))  # fmt: skip
    cli.add_argument("--force", action="store_true", help="a precision that does not pay too")
    cli.add_argument("--prepared", type=pathlib.Path, metavar="DIR",
                     help="go on from there; the bundle comes beside it")  # fmt: skip
    return cli


def build(options):
    """Build, or prepare, the bundle of a board."""
    board = boards.load_board(options.board)
    network = load_network(options.network)
    precision = options.precision or board.precision["default"]
    check_precision(board, precision, network.name, options.force)
    out = options.out or bundle.FOLDER
    target = bundle.folder_of(board.name, network.name, precision, out)
    if board.engine == "overlay":
        paths = network.locate(options.networks_dir)
        return tell(build_overlay(board, network, paths, target, options.calibration))
    if board.engine != "tensorrt":
        paths = network.locate(options.networks_dir)
        return tell(build_host(board, network, paths, precision, target, options.provider))
    check_dla(board, options.dla, precision)
    here = None if options.host else detect.detect().board
    is_here = here is not None and here.name == board.name
    prepared = target.with_name(target.name + ".prepared")
    fresh = not prepare.is_current(prepared, network, board, precision, options.dla)
    if fresh or not is_here:
        table = options.calibration or pathlib.Path(TABLE.format(network.name))
        prepare.prepare(
            prepared, network, network.locate(options.networks_dir), board, precision,
            options.dla, table if table.is_file() else options.calibration, tensorrt.say,
        )  # fmt: skip
    if options.host:
        made = remote.build(
            options.host, prepared, target, options.force, options.ssh, tensorrt.say
        )
        return tell(made)
    if is_here:
        return tell(build_here(prepared, target, tensorrt.say))
    tensorrt.say("this is no {}; copy this checkout there and run in it:".format(board.title))
    words = ["python3 -m boards.build --prepared", str(prepared)]
    print(" ".join(words + (["--force"] if options.force else [])))
    return None


def build_prepared(options):
    """Go on from a prepared folder, on the board."""
    values = prepare.read(options.prepared)
    here = detect.detect().board
    if here is not None and here.name != values["board"] and not options.force:
        raise BuildFailed(
            "this board is {}, but the folder was prepared for {}; run `{}`".format(
                here.name, values["board"],
                bundle.command(here.name, values["network"]["name"], values["precision"]),
            )
        )  # fmt: skip
    if options.out:
        build_here(options.prepared, options.out / "bundle", tensorrt.say)
    else:
        name = bundle.folder_of(values["board"], values["network"]["name"], values["precision"])
        tell(build_here(options.prepared, options.prepared.with_name(name.name), tensorrt.say))


def check_precision(board, precision, network, force):
    """Refuse a precision that a board does not have, unless forced.

    Raises:
        BuildFailed: with the reason from the board's TOML.
    """
    if precision in board.precision["exists"] or force:
        return
    why = board.precision["why"].get(precision, "it has no {} unit".format(precision.upper()))
    raise BuildFailed(
        "{} on a {}: {}; run `{}`, or FORCE=1 to try it all the same".format(
            precision.upper(), board.title, why,
            bundle.command(board.name, network, board.precision["default"]),
        )
    )  # fmt: skip


def check_dla(board, core, precision):
    """Refuse a DLA core that no module of the board has, or a precision that none has."""
    if core is not None and precision == "fp32":
        raise BuildFailed("a DLA core computes in FP16 and INT8 alone; take PRECISION=fp16")
    cores = board.gpu["dla_cores"]
    most = max(cores.values()) if isinstance(cores, dict) else cores or 0
    if core is not None and not 0 <= core < most:
        raise BuildFailed(
            "a {} has {:g} DLA cores, so there is none of number {}; leave --dla away".format(
                board.title, most, core
            )
        )


def check_host_precision(board, network, paths, precision):
    """Refuse a precision that a network's own files don't have.

    Raises:
        BuildFailed: with the command that gives it, or another.
    """
    from runtime.graphs import assemble, convert

    quantised = any(convert.is_quantised(assemble._read(path)) for path in paths.values())
    if precision == "fp16":
        raise BuildFailed(
            "FP16 on {}: {}; run `{}`".format(
                board.title, board.precision["why"].get("fp16", "it gains nothing"),
                bundle.command(board.name, network.name, "fp32"),
            )
        )  # fmt: skip
    if precision == "int8" and not quantised:
        raise BuildFailed(
            "{0} is not INT8; run `python -m calib.int8 --network {0} --out out/int8` and build "
            "out/int8/{0}-int8.toml".format(network.name)
        )
    if precision != "int8" and quantised:
        command = bundle.command(board.name, network.path, "int8")
        raise BuildFailed("{} is INT8; run `{}`".format(network.name, command))


def build_host(board, network, paths, precision, target, provider=None):
    """The bundle of a computer: the network's own files, run once by the engine that is there.

    Raises:
        BuildFailed: a precision that its files or this computer don't have.
    """
    from runtime import engines

    check_host_precision(board, network, paths, precision)
    if provider:
        module = importlib.import_module("runtime.engines.onnxruntime_gpu")
        engine = module.Engine(network, paths, provider)
    else:
        name = board.engine if board.engine in engines.installed() else "auto"
        engine = engines.create(name, network, paths)
    engine.search(engine.exemplar() if len(paths) > 1 or "whole" in paths else ())
    about = engine.describe()
    engine.close()
    with Writer(target) as writer:
        files = {}
        for part, path in paths.items():
            files[part] = path.name
            shutil.copy(str(path), str(writer.folder / path.name))
        toml = network.name + ".toml"
        shutil.copy(str(network.path), str(writer.folder / toml))
        return writer.finish(
            {
                "network": bundle.identity(network, paths), "board": board.name,
                "engine": about["engine"], "precision": precision,
                "libraries": {about["engine"]: about["version"]}, "compute_capability": None,
                "calibration_sha256": None, "settings": {"provider": provider},
                "run": {"files": files},
            }
        )  # fmt: skip


def build_overlay(board, network, paths, target, table=None):
    """The bundle of an FPGA board: programs and weights of the overlay's engine.

    Args:
        board: ``boards.Board``.
        network: the ``Network``.
        paths: dict of part -> path of its files.
        target: the bundle's folder.
        table: path of a table of ranges (``python -m calib.int8``); None for the one that was made
            here, or that comes with the network.

    Raises:
        BuildFailed: no table, no such size of the engine, or not on this computer.
        CannotCompile: the engine can't run the network.
    """
    try:
        if sys.version_info < (3, 10):
            raise ImportError("this is Python {}.{}".format(*sys.version_info))
        from calib.fpga.compile import compile_network
        from kernels.fpga import tables
        from runtime.engines import overlay
    except ImportError as error:
        raise BuildFailed(
            "programs for a {} are compiled on a computer with Python 3.10 or newer and onnx ({}); "
            "run `{}` there and copy {} to the board".format(
                board.title, error, bundle.command(board.name, network.name, "int8"), target
            )
        ) from None
    size = tables.sizes().get(board.name)
    if size is None:
        raise BuildFailed(
            "kernels/fpga/sizes.toml does not say how large the engine is on a {}; add a section "
            "[{}] there".format(board.title, board.name)
        )
    beside = network.path.with_name(network.name + "-ranges.json")
    made = pathlib.Path(TABLE.format(network.name))
    table = table or next((path for path in (made, beside) if path.is_file()), None)
    if table is None:
        raise BuildFailed(
            "{0} has no table of ranges; run `python -m calib.int8 --network {0} --clips DIR` "
            "first".format(network.name)
        )
    compiled = compile_network(network, paths, table, board.name)
    with Writer(target) as writer:
        (writer.folder / IMAGE).write_bytes(compiled.image)
        shutil.copy(str(network.path), str(writer.folder / (network.name + ".toml")))
        return writer.finish(
            {
                "network": bundle.identity(network, paths), "board": board.name,
                "engine": "overlay", "precision": "int8", "compute_capability": None,
                "libraries": {"overlay": overlay.LAYOUT},
                "calibration_sha256": sha256_of(table),
                "settings": {"size": size}, "run": dict(compiled.run, image=IMAGE),
            }
        )  # fmt: skip


def build_here(prepared, target, say):
    """Build a prepared folder on this board.

    Raises:
        NoGpu, NoEngine, BuildFailed: see ``boards.build.tensorrt``.
    """
    values = prepare.read(prepared)
    request = tensorrt.Request(
        values["precision"], values["dla"], values["scales"], values["quantised"],
        values["memory_gb"],
    )  # fmt: skip
    builder = tensorrt.Builder(request, str(CACHE), say)
    number = builder.gpu.compute_capability.replace(".", "")
    say("TensorRT {} on {} (sm_{})".format(builder.version, builder.gpu.name, number))
    with Writer(target) as writer:
        form, name = _build_form(values, prepared, builder, writer.folder, say)
        toml = values["network"]["name"] + ".toml"
        shutil.copy(str(prepared / toml), str(writer.folder / toml))
        run = {key: form[key] for key in ("features", "maps", "steps", "shapes", "seen")}
        run.update(exemplar="exemplar.plan", parts=_plan_names(form)[1:], form=name)
        return writer.finish(
            {
                "network": values["network"], "board": values["board"], "engine": "tensorrt",
                "precision": values["precision"], "libraries": {"tensorrt": builder.version},
                "compute_capability": builder.gpu.compute_capability,
                "calibration_sha256": values["calibration_sha256"],
                "settings": {"dla": values["dla"], "driver": builder.gpu.driver}, "run": run,
            }
        )  # fmt: skip


def _build_form(values, prepared, builder, folder, say):
    """Build the whole network; where its parser can't, the one cut at the correlation."""
    forms = ["whole", "cut"] if builder.takes_tensor_kernels else ["cut", "whole"]
    forms = [name for name in forms if name in values["forms"]]
    for name in forms:
        form = values["forms"][name]
        models = form["models"]
        if builder.strong and values["precision"] == "fp16":
            if "half" not in form:
                raise BuildFailed(
                    "TensorRT {} takes FP16 from the network alone, and this one can't be turned; "
                    "run the command with PRECISION=fp32".format(builder.version)
                )
            models = form["half"]
        try:
            for model, plan in zip(models, _plan_names(form)):
                (folder / plan).write_bytes(builder.build(prepared / model, model))
            return form, name
        except BuildFailed as error:
            if name == forms[-1]:
                raise
            say("{}: {}; building it {}".format(name, error, forms[1]))
            for path in folder.glob("*.plan"):
                path.unlink()
    raise AssertionError("a prepared folder has a form")


def _plan_names(form):
    return ["exemplar.plan"] + [
        "search{}.plan".format(index) for index in range(len(form["models"]) - 1)
    ]


def tell(made):
    """Say where a bundle is and how it is used."""
    size = sum(part["bytes"] for part in made.parts.values())
    tensorrt.say("wrote {} ({:.1f} MB, {} {})".format(
        made.folder, size / 1e6, made.engine, made.libraries.get(made.engine)))  # fmt: skip
    print("python -m runtime.track --bundle {} --video cam0".format(made.folder))


if __name__ == "__main__":
    sys.exit(main())
