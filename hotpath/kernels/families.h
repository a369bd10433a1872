// Select of the families points and centre, one cell or one axis of the box at a time. The loops over
// cells are in cpu/ and cuda/. The definitions are the files of runtime/decode.
#ifndef HOTPATH_FAMILIES_H
#define HOTPATH_FAMILIES_H

#include "geometry.h"

enum { HP_SOFTMAX = 0, HP_SIGMOID = 1, HP_PROBABILITY = 2 };  // contents of the score map

// Probability of the target from float32 logits; only HP_SOFTMAX uses `other`.
HP_FN double hp_probability(int kind, double target, double other) {
  if (kind == HP_SOFTMAX) return 1.0 / (1.0 + hp_exp(other - target));
  return kind == HP_SIGMOID ? 1.0 / (1.0 + hp_exp(-target)) : target;
}

// ---- heads in which every cell proposes a box: runtime/decode/points.py --------------------------

// The target before the frame, in search pixels.
struct hp_target {
  double side;   // of the square with the area of the box and its context
  double ratio;  // width / height
};

// A cell's box: its vote is its score with the penalty and the window's influence. Search pixels.
struct hp_scored_box {
  double score, penalty, vote, width, height;
};

// Place of a column or row, search pixels from the region's centre.
HP_FN double hp_point(const hp_points* points, int place) {
  return hp_mul(place - points->size / 2, points->stride);
}

// The ratio a / (b / c) or its inverse, whichever is larger. A GPU divides once where none has a sign.
HP_FN double hp_change(double a, double b, double c) {
#ifdef __CUDA_ARCH__
  const double product = a * c;
  const long long first = __double_as_longlong(product), second = __double_as_longlong(b);
  if ((first | second) >= 0)
    return hp_div(first > second ? product : b, first > second ? b : product);
#endif
  const double ratio = a / (b / c), inverse = 1.0 / ratio;
  return ratio > inverse ? ratio : inverse;
}

// Side of the square that has the area of the box with its context.
HP_FN double hp_side(double width, double height) {
  const double context = (width + height) / 2.0;
  return hp_root(hp_mul(width + context, height + context));
}

HP_FN hp_target hp_search_target(double width, double height, double scale_x, double scale_y) {
  hp_target target;
  width = hp_mul(width, scale_x);
  height = hp_mul(height, scale_y);
  target.side = hp_side(width, height);
  target.ratio = hp_div(width, height);
  return target;
}

// Vote of one cell from its probability and its four distances in search pixels.
HP_FN hp_scored_box hp_vote(const hp_points* points, const hp_target* target, double window,
                            double score, double left, double top, double right, double bottom) {
  hp_scored_box cell;
  cell.score = score;
  cell.width = left + right;
  cell.height = top + bottom;
  const double size_change = hp_change(hp_side(cell.width, cell.height), target->side, 1.0);
  const double ratio_change = hp_change(target->ratio, cell.width, cell.height);
  const double change = hp_mul(ratio_change, size_change) - 1.0;
  cell.penalty = hp_exp(hp_mul(-change, points->penalty));
  cell.vote = hp_mul(hp_mul(cell.penalty, score), 1.0 - points->window_influence) +
              hp_mul(window, points->window_influence);
  return cell;
}

// How far the size moves towards the winning box: 0 to 1, or all the way with the power 0.
HP_FN double hp_rate(const hp_points* points, const hp_scored_box* best) {
  const double rate = hp_mul(hp_mul(best->penalty, best->score), points->size_lr);
  if (points->power == 0) return 1.0;
  return points->power == 1 ? rate : hp_mul(rate, rate);
}

// Moves one axis of the target to the winning box. `place`: the cell's column or row. `before` and
// `after`: its distances to the left and right, or top and bottom. `scale`: search pixels per frame
// pixel. `frame`: the frame's width or height.
HP_FN void hp_move(const hp_points* points, const hp_scored_box* best, int place, double before,
                   double after, double scale, double frame, double* centre, double* size) {
  const double middle = hp_point(points, place) + (after - before) / 2.0;
  *centre += hp_div(middle, scale);
  *size += hp_mul(hp_div(before + after, scale) - *size, hp_rate(points, best));
  hp_keep(&points->limits, frame, centre, size);
}

// ---- heads that give the box as shares of the search region: runtime/decode/centre.py ------------

// Takes one axis of a box: `middle` and `share` are its centre and length as shares of the region,
// `side` the region's side in search pixels. The target's length follows by `rate`.
HP_FN void hp_take_share(const hp_bounds* bounds, double side, double middle, double share,
                         double rate, double scale, double frame, double* centre, double* size) {
  *centre += hp_mul(middle - 0.5, side) / scale;
  const double length = hp_mul(share, side) / scale;
  *size = rate == 1.0 ? length : *size + hp_mul(length - *size, rate);
  hp_keep(bounds, frame, centre, size);
}

enum { HP_FROM_TARGET = 0, HP_FROM_WINDOW = 1 };  // what the search region is centred on

// Share of the new size in the target's; `raw` is the best cell's score in the map.
HP_FN double hp_centre_rate(const hp_centre* head, double raw) {
  if (head->power == 0) return head->size_lr;
  const double score = hp_probability(head->score, raw, 0.0);
  return hp_mul(head->size_lr, head->power == 1 ? score : hp_mul(score, score));
}

// Where the search region's centre lies: the target's, or the window's in whole pixels.
HP_FN void hp_region_centre(const hp_centre* head, const double* state, double* x, double* y) {
  *x = state[0];
  *y = state[1];
  if (head->relative_to == HP_FROM_TARGET) return;
  double scale[2];
  const hp_window window = hp_search_window(&head->window, state, 1.0, scale);
  *x = window.x + window.width / 2.0;
  *y = window.y + window.height / 2.0;
}

HP_FN double hp_centre_vote(const hp_centre* head, double raw, double window) {
  const double score = hp_probability(head->score, raw, 0.0);
  if (head->influence < 0.0) return hp_mul(score, window);
  return hp_mul(score, 1.0 - head->influence) + hp_mul(window, head->influence);
}

// The score of the cell with the best vote: with an influence, the window is no part of it.
HP_FN double hp_centre_score(const hp_centre* head, double raw, double vote) {
  return head->influence < 0.0 ? vote : hp_probability(head->score, raw, 0.0);
}

// Share of the region at which the centre lies: in a column or row, moved by the cell's offset.
HP_FN double hp_centre_share(const hp_centre* head, int place, double offset) {
  return (place + offset) / head->size;
}

#endif  // HOTPATH_FAMILIES_H
