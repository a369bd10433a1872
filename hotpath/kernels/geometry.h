// Which windows of a frame a tracker searches, and the limits of its box: the arithmetic of
// runtime/frames/geometry.py, which is the definition. Windows are doubles; those of resize hold whole
// numbers.
#ifndef HOTPATH_GEOMETRY_H
#define HOTPATH_GEOMETRY_H

#include "hotpath.h"
#include "structures.h"

// ---- the larger and the smaller of two, as Python's max and min give them for NaN too

HP_FN double hp_max(double a, double b) { return b > a ? b : a; }

HP_FN double hp_min(double a, double b) { return b < a ? b : a; }

// ---- windows ---------------------------------------------------------------------------------

enum { HP_HALF_UP = 0, HP_HALF_EVEN = 1, HP_UP = 2 };   // rounding of a corner
enum { HP_SQUARE = 0, HP_AREA = 1, HP_STRETCHED = 2 };  // shape of a window

// In frame pixels; it may lie outside the frame.
struct hp_window {
  double x, y, width, height;
};

// Side of the square with the area of a box and its context.
HP_FN double hp_context_side(double width, double height, double context) {
  const double margin = hp_mul(context, width + height);
  return hp_root(hp_mul(width + margin, height + margin));
}

// A window's corner in whole pixels.
HP_FN double hp_whole(double value, int rounding) {
  if (rounding == HP_HALF_UP) return floor(value + 0.5);
  if (rounding == HP_HALF_EVEN) return rint(value);
  return ceil(value);
}

// The window of a whole side around the target's centre.
HP_FN hp_window hp_square_window(const hp_geometry* geometry, const double* state, double side) {
  const double half = (side + geometry->corner) / 2.0;
  hp_window window = {state[0] - half, state[1] - half, side, side};
  if (geometry->warp) {  // from the first pixel's centre to the last one's
    window.width = window.height = hp_max(side - 1.0, 1.0);
    return window;
  }
  window.x = hp_whole(window.x, geometry->rounding);
  window.y = hp_whole(window.y, geometry->rounding);
  return window;
}

// The box with a margin on each side, `factor` times as large; cut to whole pixels.
HP_FN hp_window hp_stretched_window(const double* state, double margin, double factor) {
  const double w = state[2], h = state[3];
  margin = hp_mul(margin, factor) + (factor - 1.0) / 2.0;
  const hp_window window = {trunc(state[0] - w / 2.0 - hp_mul(w, margin)),
                            trunc(state[1] - h / 2.0 - hp_mul(h, margin)),
                            hp_max(1.0, trunc(hp_mul(w, 1.0 + margin + margin))),
                            hp_max(1.0, trunc(hp_mul(h, 1.0 + margin + margin)))};
  return window;
}

// Side of the square of so many times a box's area.
HP_FN double hp_area_side(const double* state, double factor) {
  return hp_max(1.0, ceil(hp_mul(hp_root(hp_mul(state[2], state[3])), factor)));
}

// Window to search, `factor` times as large as usual. `scale` becomes (x, y), search pixels per frame
// pixel of the usual window.
HP_FN hp_window hp_search_window(const hp_geometry* geometry, const double* state, double factor,
                                 double* scale) {
  if (geometry->shape == HP_STRETCHED) {
    const hp_window window = hp_stretched_window(state, geometry->search_margin, factor);
    scale[0] = hp_mul(geometry->search, factor) / window.width;
    scale[1] = hp_mul(geometry->search, factor) / window.height;
    return window;
  }
  double side;
  if (geometry->shape == HP_AREA) {
    side = hp_area_side(state, hp_mul(geometry->search_factor, factor));
    scale[0] = scale[1] = hp_mul(geometry->search, factor) / side;
  } else {
    side = hp_context_side(state[2], state[3], geometry->context);
    scale[0] = scale[1] = geometry->exemplar / side;
    side = hp_mul(hp_div(hp_mul(side, geometry->search), geometry->exemplar), factor);
    side = hp_max(1.0, rint(side));
  }
  return hp_square_window(geometry, state, side);
}

// ---- limits of a box -------------------------------------------------------------------------

enum { HP_CLIP_CENTRE = 0, HP_CLIP_CORNERS = 1, HP_CLIP_NONE = 2, HP_CLIP_INSIDE = 3 };
enum { HP_EXACT = 0, HP_FLOOR = 1, HP_ROUND = 2 };  // whole pixels of a box

HP_FN double hp_clip_centre(double value, double high) { return hp_min(hp_max(value, 0.0), high); }

// The near end of a box, `low`, moves in from the left or top; the far end is cut.
HP_FN void hp_move_inside(double least, double frame, double low, double* centre, double* size) {
  low = hp_min(hp_max(0.0, low), frame);
  *size = hp_min(low + hp_max(least, *size), frame) - low;
  if (*size < least) {
    *size = least;
    low -= hp_max(0.0, low + least - frame);
  }
  *centre = low + *size / 2.0;
}

// Brings one axis of a target into the limits. `frame`: the frame's width or height.
HP_FN void hp_keep(const hp_bounds* bounds, double frame, double* centre, double* size) {
  const double least = bounds->min_size;
  double low = *centre - *size / 2.0;
  if (bounds->pixels != HP_EXACT) {
    low = bounds->pixels == HP_ROUND ? rint(low) : floor(low);
    *size = bounds->pixels == HP_ROUND ? rint(*size) : floor(*size);
    *centre = low + *size / 2.0;
    low = *centre - *size / 2.0;
  }
  if (bounds->clip == HP_CLIP_INSIDE) {
    hp_move_inside(least, frame, low, centre, size);
    return;
  }
  if (bounds->clip == HP_CLIP_CORNERS) {
    const double high = hp_min(hp_max(least, *centre + *size / 2.0), frame);
    low = hp_min(hp_max(0.0, low), frame - least);
    *size = hp_max(least, high - low);
    *centre = low + *size / 2.0;
    return;
  }
  *size = hp_max(least, *size);
  if (bounds->clip == HP_CLIP_NONE) return;
  *centre = hp_clip_centre(*centre, frame);
  *size = hp_max(least, hp_min(*size, frame));
}

#endif  // HOTPATH_GEOMETRY_H
