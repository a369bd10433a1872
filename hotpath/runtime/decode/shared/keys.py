"""Keys of a network's TOML that several families share."""

from hotpath.base.toml_keys import Key, Keys

# Smallest and largest numbers that make sense for the keys of several families.
LARGEST_SIDE = 4096  # pixels; no tracker's picture is larger, and maps of it still fit in memory
LARGEST_STRIDE = 256  # pixels; the published networks have 4 to 32
LARGEST_MAP = 512  # cells a side

# Limits of the target, for families that give a box.
LIMITS: Keys = {
    # smallest width and height of a box, frame pixels
    "min_size": Key(float, 10.0, low=0, high=1000),
    # what is kept inside the frame: "centre": the centre, and the size below the frame's;
    # "corners": each corner; "inside": the whole box, moved in from the left and top and cut at
    # the right and bottom; "none": nothing
    "clip": Key(str, "centre", ("centre", "corners", "none", "inside")),
    "box_pixels": Key(str, "exact", ("exact", "floor", "round")),  # whole pixels, if the authors do
}

MAP_SIZE = Key(int, low=1, high=LARGEST_MAP)  # cells a side
STRIDE = Key(int, low=1, high=LARGEST_STRIDE)  # search pixels between two cells
