"""Sizes of the crops and maps in this training."""

from calib.one_step_overlap import Shape

EXEMPLAR = 127  # pixels, side of the exemplar crop
SEARCH = 255  # pixels, side of the search crop
STRIDE = 16  # search pixels a cell
CELLS = 16  # cells a side of a map of the search crop
EXEMPLAR_CELLS = 8  # the same of the exemplar
CONTEXT = 0.5  # of an exemplar's square, as in a network's TOML
MEAN, SCALE = 118.0, 1.0 / 58.0  # (value - MEAN) * SCALE is what the network sees
PAIRS = Shape(EXEMPLAR, SEARCH, STRIDE, CONTEXT)  # of the pairs to validate by
