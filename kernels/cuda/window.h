// The plan of each crop: which rows and columns of a frame each pixel of the network's input is made
// of. ../geometry.h says which windows are cropped.
#ifndef HOTPATH_CUDA_WINDOW_H
#define HOTPATH_CUDA_WINDOW_H

#include "frame.h"

// Lines of the plan of one target's window.
static __device__ int hp_plan_lines(const hp_view* view) {
  return 2 * view->geometry.search;
}

// Search pixels per frame pixel, x and y. `widened`: see hp_monitor.
static __device__ void hp_scale_of(const hp_view* view, const double* state, double widened,
                                   double* scale) {
  const hp_geometry* geometry = &view->geometry;
  if (geometry->shape == HP_SQUARE) {  // the same with fewer operations on doubles
    const double side = hp_context_side(state[2], state[3], geometry->context);
    scale[0] = scale[1] = hp_div(geometry->exemplar, side);
    if (widened != 1.0) scale[0] = scale[1] = hp_div(scale[0], widened);
    return;
  }
  hp_search_window(geometry, state, widened, scale);
  scale[0] = scale[0] / widened;
  scale[1] = scale[1] / widened;
}

// One window as a crop takes it.
struct hp_planned {
  int x, y, width, height;
  hp_scale across, down;      // frame pixels per pixel of the network's input, of whole pixels
  hp_line across_at, down_at;  // places in the frame, of fractions of pixels
};

static __device__ hp_planned hp_planned_of(hp_window window, int out_side, int warp) {
  hp_planned planned;
  if (warp) {
    planned.across_at = hp_warp_line(window.x, window.width, out_side);
    planned.down_at = hp_warp_line(window.y, window.height, out_side);
    planned.x = hp_warp_tap(planned.across_at, 0).first;
    planned.y = hp_warp_tap(planned.down_at, 0).first;
    planned.width = hp_warp_tap(planned.across_at, out_side - 1).first + 2 - planned.x;
    planned.height = hp_warp_tap(planned.down_at, out_side - 1).first + 2 - planned.y;
    return planned;
  }
  planned.x = (int)window.x;
  planned.y = (int)window.y;
  planned.width = (int)window.width;
  planned.height = (int)window.height;
  planned.across = hp_split_scale(hp_resize_scale(planned.width, out_side));
  planned.down = planned.height == planned.width
                     ? planned.across
                     : hp_split_scale(hp_resize_scale(planned.height, out_side));
  return planned;
}

// A line between two rows or columns of a frame, `first` and the next one.
static __device__ hp_plan_line hp_line_of(hp_tap tap, int second) {
  const hp_plan_line line = {tap.first, second, tap.weight0, tap.weight1};
  return line;
}

// Lines of one window's crop: first its rows, then its columns. By a whole block.
static __device__ void hp_plan_window(const hp_planned* window, int side, int warp,
                                      hp_plan_line* plan) {
  for (int i = threadIdx.x; i < side; i += blockDim.x) {
    hp_plan_line row, column;
    if (warp) {
      const hp_tap down = hp_warp_tap(window->down_at, i);
      const hp_tap across = hp_warp_tap(window->across_at, i);
      row = hp_line_of(down, down.first + 1);
      column = hp_line_of(across, across.first + 1);
    } else {
      hp_tap down = hp_resize_tap_whole(i, window->down);
      const int below = window->y + hp_clamp_row(down.first + 1, window->height);
      down.first = window->y + hp_clamp_row(down.first, window->height);
      row = hp_line_of(down, below);
      hp_tap across =
          hp_clamp_column(hp_resize_tap_whole(i, window->across), window->width);
      const int right = window->x + hp_clamp_row(across.first + 1, window->width);
      across.first += window->x;
      column = hp_line_of(across, right);
    }
    plan[i] = row;
    plan[side + i] = column;
  }
}

// Plans the window of the next frame, or of the exemplar. By one thread.
static __device__ hp_planned hp_plan_crop(const hp_view* view, const double* state, double widened,
                                          int exemplar) {
  const hp_geometry* geometry = &view->geometry;
  double scale[2];
  const hp_window window = exemplar ? hp_exemplar_window(geometry, state)
                                    : hp_search_window(geometry, state, widened, scale);
  return hp_planned_of(window, exemplar ? geometry->exemplar : geometry->search, geometry->warp);
}

// Writes the plan of the exemplar's crop, or of the next frame's. By a whole block, after
// hp_plan_crop and after the block met.
static __device__ void hp_aim_block(const hp_view* view, int exemplar, hp_pose* pose,
                                    hp_plan_line* plan, const hp_planned* window) {
  const hp_geometry* geometry = &view->geometry;
  if (threadIdx.x == 0) {
    pose->x = window->x;
    pose->y = window->y;
    pose->width = window->width;
    pose->height = window->height;
  }
  hp_plan_window(window, exemplar ? geometry->exemplar : geometry->search, geometry->warp, plan);
}

#endif  // HOTPATH_CUDA_WINDOW_H
