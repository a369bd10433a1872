"""python -m calib.research.train.blend: mix the averaged weights of two checkpoints.

    python -m calib.research.train.blend A.pt B.pt OUT.pt --share 0.5

B must have been trained on from A for a short time. Then weights between them are often better than
either (Wortsman et al., "Model soups", 2022).
"""

from calib import command
from calib.research.train.errors import TrainingStopped
from calib.research.train.export import load
from calib.research.train.loop import save


def blend(first, second, share):
    """The weights of two networks of one shape, mixed: ``share`` of the second."""
    if first.config != second.config:
        raise TrainingStopped(
            f"only checkpoints of one network can be blended; these are of {first.config} and "
            f"{second.config}"
        )
    others = second.state_dict()
    return {
        name: value.lerp(others[name], share) if value.is_floating_point() else value
        for name, value in first.state_dict().items()
    }


def main(arguments=None):
    """Run the command line; returns the exit code."""
    return command.run("calib.research.train.blend", run, parser(), arguments)


def parser():
    """The command line's options."""
    cli = command.parser("calib.research.train.blend", __doc__)
    cli.add_argument("first", metavar="A.pt", help="a checkpoint")
    cli.add_argument("second", metavar="B.pt", help="one that was trained on from A")
    cli.add_argument("out", metavar="OUT.pt", help="where to write")
    cli.add_argument("--share", type=float, default=0.5, help="weight of B (default: 0.5)")
    return cli


def run(options):
    """Write the mean of both checkpoints."""
    first = load(options.first)
    average = blend(first, load(options.second), options.share)
    save(options.out, {"config": first.config, "average": average})


if __name__ == "__main__":
    raise SystemExit(main())
