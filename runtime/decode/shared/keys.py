"""How the keys of a network's TOML are described, and the keys that several families share."""

import typing

REQUIRED = object()  # default of a key that must be there

# parts that give one map each, in the order in which families take maps
MAP_PARTS = ("score", "distances", "deltas", "size", "offset", "quality")


class Key(typing.NamedTuple):
    """Description of one key of a TOML.

    Attributes:
        kind: int, float, bool, str, list (of numbers), or tuple (of names).
        default: value when the TOML leaves the key out. Without a default the key is required.
        choices: the texts that are allowed.
        low, high: smallest and largest value, both allowed. They hold for each number of a list.
        length: how many numbers a list holds; None for any number above zero.
        when: (name, values). The key is used, and required, only where the key ``name`` has one
            of these values.
        nonzero: whether 0 is refused.
    """

    kind: type
    default: typing.Any = REQUIRED
    choices: typing.Optional[typing.Tuple[str, ...]] = None
    low: typing.Optional[float] = None
    high: typing.Optional[float] = None
    length: typing.Optional[int] = None
    when: typing.Optional[typing.Tuple[str, typing.Tuple[str, ...]]] = None
    nonzero: bool = False


Keys = typing.Dict[str, Key]

# Smallest and largest numbers that make sense for the keys of several families.
LARGEST_SIDE = 4096  # pixels; no tracker's picture is larger, and maps of it still fit in memory
LARGEST_STRIDE = 256  # pixels; the published networks have 4 to 32
LARGEST_MAP = 512  # cells a side

# Limits of the target, for families that give a box.
LIMITS: Keys = {
    # smallest width and height of a box, frame pixels
    "min_size": Key(float, 10.0, low=0, high=1000),
    # what is kept inside the frame: "centre": the centre, and the size below the frame's;
    # "position": only the centre; "corners": each corner; "inside": the whole box, moved in from
    # the left and top and cut at the right and bottom; "none": nothing
    "clip": Key(str, "centre", ("centre", "position", "corners", "inside", "none")),
    "box_pixels": Key(str, "exact", ("exact", "round", "floor")),  # whole pixels, if the authors do
}

MAP_SIZE = Key(int, low=1, high=LARGEST_MAP)  # cells a side
STRIDE = Key(int, low=1, high=LARGEST_STRIDE)  # search pixels between two cells
