"""The mean of two checkpoints' averaged weights, as a checkpoint.

    python -m calib.train.blend A.pt B.pt OUT.pt --share 0.5

B must have been trained on from A, and not far: then what lies between them is often better than
either (Wortsman et al., "Model soups", 2022).
"""

import argparse
import sys

from calib.train.errors import TrainingStopped
from calib.train.export import load
from calib.train.loop import save
from runtime.errors import HotpathError


def blend(first, second, share):
    """Averaged weights of two networks of one shape -> those of ``share`` of the second."""
    if first.config != second.config:
        raise TrainingStopped(
            "only checkpoints of one network can be blended; these are of {} and {}".format(
                first.config, second.config
            )
        )
    others = second.state_dict()
    return {
        name: value.lerp(others[name], share) if value.is_floating_point() else value
        for name, value in first.state_dict().items()
    }


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m calib.train.blend", description=__doc__)
    parser.add_argument("first", metavar="A.pt")
    parser.add_argument("second", metavar="B.pt")
    parser.add_argument("out", metavar="OUT.pt")
    parser.add_argument("--share", type=float, default=0.5, help="of B (default: 0.5)")
    args = parser.parse_args(argv)
    first = load(args.first)
    average = blend(first, load(args.second), args.share)
    save(args.out, {"config": first.config, "average": average})


if __name__ == "__main__":
    try:
        main()
    except HotpathError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
