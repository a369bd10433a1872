"""Which square of a frame a tracker looks at: the exemplar's and the search region's window.

Source: Bertinetto et al., "Fully-Convolutional Siamese Networks for Object Tracking", 2016,
section 2 (context of half the box's width plus height); rounding as in the PySOT family's code.
"""

import math


def context_side(size, context):
    """Side of the square that has the area of a box with its context.

    Args:
        size: (w, h) of the box in frame pixels.
        context: share of (w + h) added to both sides.

    Returns:
        float, frame pixels.
    """
    w, h = float(size[0]), float(size[1])
    margin = context * (w + h)
    return math.sqrt((w + margin) * (h + margin))


def square(centre_x, centre_y, side):
    """The window of an integer side around a point.

    Returns:
        (x0, y0, w, h) ints, 0-based frame pixels; may lie outside the frame.
    """
    x0 = math.floor(centre_x - (side + 1) / 2 + 0.5)
    y0 = math.floor(centre_y - (side + 1) / 2 + 0.5)
    return int(x0), int(y0), side, side


def exemplar_window(network, state):
    """Window around the first box, to be resized to ``network.exemplar`` pixels.

    Args:
        network: uses ``context``.
        state: [cx, cy, w, h], centre and size in frame pixels.
    """
    side = context_side(state[2:], network.context)
    return square(state[0], state[1], max(1, round(side)))


def search_window(network, state):
    """Window of a frame, to be resized to ``network.search`` pixels, and its scale.

    Args:
        network: uses ``context``, ``exemplar``, ``search``.
        state: [cx, cy, w, h], centre and size in frame pixels.

    Returns:
        ((x0, y0, w, h), scale): the window, and search pixels per frame pixel, before rounding.
    """
    side = context_side(state[2:], network.context)
    scale = network.exemplar / side
    return square(state[0], state[1], max(1, round(side * network.search / network.exemplar))), scale
