// The arithmetic of one output element of the hot path: one place of resize, one pixel of crop, the
// vote of one cell, the new box. No loops over outputs, no memory, no library but libm: cpu/ and
// cuda/ bring those. C++14, and the same bits on every target: wherever a compiler might fuse or
// reorder, the rounding is spelled out. Definitions: golden.py (crop), runtime/decode/points.py.
#ifndef HOTPATH_H
#define HOTPATH_H

#ifndef __CUDACC_RTC__  // CUDA's run-time compiler has no headers, and knows these functions
#include <math.h>
#include <stdint.h>
#endif

#ifdef __CUDACC__
#define HP_FN __host__ __device__ inline
#else
#define HP_FN static inline
#endif

// ---- rounding --------------------------------------------------------------------------------

// A product, rounded before anything is added to it. On the host the build says -ffp-contract=off.
HP_FN double hp_mul(double a, double b) {
#ifdef __CUDA_ARCH__
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

// ---- crop ------------------------------------------------------------------------------------

enum { HP_WEIGHT_ONE = 2048 };  // resize weights have 11 fractional bits

// Where one output index falls in the source: `first` and the index after it, with their weights.
struct hp_tap {
  int first;
  int weight0, weight1;
};

// Source pixels per output pixel. OpenCV inverts twice, and the rounding of that is part of it.
HP_FN double hp_resize_scale(int source, int target) {
  return 1.0 / ((double)target / (double)source);
}

// Tap of an output index, before any clamping; weights are rounded half to even.
HP_FN hp_tap hp_resize_tap(int index, double scale) {
  const float place = (float)(hp_mul(index + 0.5, scale) - 0.5);
  const float whole = floorf(place);
  const float part = place - whole;
  hp_tap tap;
  tap.first = (int)whole;
  tap.weight0 = (int)rintf((1.0f - part) * (float)HP_WEIGHT_ONE);  // a power of two: exact
  tap.weight1 = (int)rintf(part * (float)HP_WEIGHT_ONE);
  return tap;
}

// Columns: outside the outermost centres of the window's `source` columns, one column counts alone.
HP_FN hp_tap hp_clamp_column(hp_tap tap, int source) {
  const int inside = tap.first >= 0 && tap.first < source - 1;
  if (tap.first < 0) tap.first = 0;
  if (tap.first > source - 1) tap.first = source - 1;
  tap.weight0 = inside ? tap.weight0 : HP_WEIGHT_ONE;
  tap.weight1 = inside ? tap.weight1 : 0;
  return tap;
}

// Rows: an index beyond the window means its outermost row, the weights stay.
HP_FN int hp_clamp_row(int index, int source) {
  return index < 0 ? 0 : index > source - 1 ? source - 1 : index;
}

// Horizontal pass of one channel: 0 .. 32655, 7 fractional bits.
HP_FN int hp_horizontal(int left, int right, int weight0, int weight1) {
  return (left * weight0 + right * weight1) >> 4;
}

// Vertical pass over two values of the horizontal pass: 0 .. 255.
HP_FN int hp_vertical(int top, int bottom, int weight0, int weight1) {
  return (((top * weight0) >> 16) + ((bottom * weight1) >> 16) + 2) >> 2;
}

// What a network that takes float32 gets for a grey value.
HP_FN float hp_normalise(int value, float mean, float scale) {
  return ((float)value - mean) * scale;
}

// The same rounded to a half-precision number's bits, ties to even; too large becomes infinite.
HP_FN unsigned short hp_half(float value) {
  union {
    float value;
    unsigned bits;
  } number;
  number.value = value;
  const unsigned sign = number.bits >> 16 & 0x8000u, rest = number.bits & 0x7fffffffu;
  if (rest > 0x7f800000u) return (unsigned short)(sign | 0x7e00u);   // not a number
  if (rest >= 0x477ff000u) return (unsigned short)(sign | 0x7c00u);  // 65520 and above
  if (rest < 0x38800000u) {  // below 2^-14: multiples of 2^-24, as adding one half rounds them
    number.bits = rest;
    number.value = number.value + 0.5f;
    return (unsigned short)(sign | (number.bits - 0x3f000000u));
  }
  const unsigned even = rest >> 13 & 1u;
  return (unsigned short)(sign | ((rest - 0x38000000u + 0xfffu + even) >> 13));
}

// The same in whole steps of `step`, ties to even, for a network that takes int8.
HP_FN signed char hp_quantise(float value, float step) {
  const float steps = rintf(value / step);
  return (signed char)(steps < -128.0f ? -128.0f : steps > 127.0f ? 127.0f : steps);
}

// A grey value of each channel.
struct hp_bgr {
  int value[3];
};

HP_FN int hp_saturate(int value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

// Camera pixel to BGR: ITU-R BT.601, luma 16 .. 235, in OpenCV's fixed-point numbers (20 bits).
HP_FN hp_bgr hp_from_yuv(int luma, int u, int v) {
  const int grey = (luma < 16 ? 0 : luma - 16) * 1220542, half = 1 << 19;
  hp_bgr pixel;
  u -= 128;
  v -= 128;
  pixel.value[0] = hp_saturate((grey + half + 2116026 * u) >> 20);
  pixel.value[1] = hp_saturate((grey + half - 852492 * v - 409993 * u) >> 20);
  pixel.value[2] = hp_saturate((grey + half + 1673527 * v) >> 20);
  return pixel;
}

// Which pixels one output pixel looks at: rows and columns of the frame, and their weights.
struct hp_site {
  int row0, row1, column0, column1;
  int row_weight0, row_weight1, column_weight0, column_weight1;
};

// Site of output pixel (row, column) of a window at (x, y) of width x height source pixels.
HP_FN hp_site hp_crop_site(int row, int column, int x, int y, int width, int height, double scale_x,
                           double scale_y) {
  const hp_tap vertical = hp_resize_tap(row, scale_y);
  const hp_tap across = hp_clamp_column(hp_resize_tap(column, scale_x), width);
  hp_site site;
  site.row0 = y + hp_clamp_row(vertical.first, height);
  site.row1 = y + hp_clamp_row(vertical.first + 1, height);
  site.column0 = x + across.first;
  site.column1 = x + hp_clamp_row(across.first + 1, width);
  site.row_weight0 = vertical.weight0;
  site.row_weight1 = vertical.weight1;
  site.column_weight0 = across.weight0;
  site.column_weight1 = across.weight1;
  return site;
}

// One channel of one output pixel, from the four grey values at its site.
HP_FN int hp_crop_value(const hp_site* site, int top_left, int top_right, int bottom_left,
                        int bottom_right) {
  const int w0 = site->column_weight0, w1 = site->column_weight1;
  return hp_vertical(hp_horizontal(top_left, top_right, w0, w1),
                     hp_horizontal(bottom_left, bottom_right, w0, w1), site->row_weight0,
                     site->row_weight1);
}

// ---- where to look: square windows, defined in runtime/geometry.py ------------------------------

enum { HP_HALF_UP = 0, HP_HALF_EVEN = 1, HP_UP = 2, HP_CUT = 3 };  // how a corner becomes whole

// Side of the square with the area of a box and its context.
HP_FN double hp_context_side(double width, double height, double context) {
  const double margin = hp_mul(context, width + height);
  return sqrt(hp_mul(width + margin, height + margin));
}

// A window's side in whole pixels, ties to even.
HP_FN int hp_whole_side(double side) {
  const double whole = rint(side);
  return whole < 1.0 ? 1 : (int)whole;
}

// First pixel of a window; `corner` is twice the distance from the centre, less the side.
HP_FN int hp_first_pixel(double centre, int side, int corner, int rounding) {
  const double value = centre - (side + corner) / 2.0;
  if (rounding == HP_HALF_UP) return (int)floor(value + 0.5);
  if (rounding == HP_HALF_EVEN) return (int)rint(value);
  return rounding == HP_UP ? (int)ceil(value) : (int)value;
}

// ---- select: heads in which every cell votes for one box around its own point ------------------

enum { HP_SOFTMAX = 0, HP_SIGMOID = 1, HP_PROBABILITY = 2 };  // what the score map holds

// What does not change while a target is followed.
struct hp_points {
  double stride;     // search pixels a cell
  double penalty;    // strength of the penalty on changes of size and ratio
  double influence;  // of the window, 0 to 1
  double rate;       // how fast the size follows
  double min_size;   // frame pixels
  int size;          // cells a side
  int score;         // HP_SOFTMAX ..
};

// The target as one frame finds it: size in search pixels.
struct hp_target {
  double side;   // of the square with the area of the box and its context
  double ratio;  // width / height
};

// What a cell says; width and height in search pixels.
struct hp_ballot {
  double score, penalty, vote, width, height;
};

// Probability of the target from float32 logits; `other` counts for HP_SOFTMAX alone.
HP_FN double hp_probability(int kind, double target, double other) {
  if (kind == HP_SOFTMAX) return 1.0 / (1.0 + exp(other - target));
  return kind == HP_SIGMOID ? 1.0 / (1.0 + exp(-target)) : target;
}

// How far a ratio is from one, either way; at least 1.
HP_FN double hp_change(double ratio) {
  const double inverse = 1.0 / ratio;
  return ratio > inverse ? ratio : inverse;
}

// Side of the square that has the area of the box with its context.
HP_FN double hp_side(double width, double height) {
  const double context = (width + height) / 2.0;
  return sqrt(hp_mul(width + context, height + context));
}

HP_FN hp_target hp_search_target(double width, double height, double scale_x, double scale_y) {
  hp_target target;
  width = hp_mul(width, scale_x);
  height = hp_mul(height, scale_y);
  target.side = hp_side(width, height);
  target.ratio = width / height;
  return target;
}

// Vote of one cell from its probability and its four distances in search pixels.
HP_FN hp_ballot hp_vote(const hp_points* points, const hp_target* target, double window,
                        double score, double left, double top, double right, double bottom) {
  hp_ballot cell;
  cell.score = score;
  cell.width = left + right;
  cell.height = top + bottom;
  const double size_change = hp_change(hp_side(cell.width, cell.height) / target->side);
  const double ratio_change = hp_change(target->ratio / (cell.width / cell.height));
  const double change = hp_mul(ratio_change, size_change) - 1.0;
  cell.penalty = exp(hp_mul(-change, points->penalty));
  cell.vote = hp_mul(hp_mul(cell.penalty, score), 1.0 - points->influence) +
              hp_mul(window, points->influence);
  return cell;
}

// No vote of a cell is above this, if its box has an area, its score is at most `score`, the penalty
// is not negative and the influence lies in 0 .. 1. Exact: every rounding on the way is monotone.
HP_FN double hp_vote_bound(const hp_points* points, double window, double score) {
  return hp_mul(score, 1.0 - points->influence) + hp_mul(window, points->influence);
}

// Keeps a value that is not a number at `low`, as the definition does.
HP_FN double hp_clip_size(double value, double low, double high) {
  value = high < value ? high : value;
  return value > low ? value : low;
}

HP_FN double hp_clip_centre(double value, double high) {
  value = 0.0 > value ? 0.0 : value;
  return high < value ? high : value;
}

// Moves one axis of the target to the winning cell: `place` is the cell's column or row, `before`
// and `after` its distances to the left and right (or top and bottom), `scale` search pixels per
// frame pixel, `frame` the frame's width or height.
HP_FN void hp_move(const hp_points* points, const hp_ballot* best, int place, double before,
                   double after, double scale, double frame, double* centre, double* size) {
  const double point = hp_mul(place - points->size / 2, points->stride);
  const double rate = hp_mul(hp_mul(best->penalty, best->score), points->rate);
  *centre += (point + (after - before) / 2.0) / scale;
  *size += hp_mul((before + after) / scale - *size, rate);
  *centre = hp_clip_centre(*centre, frame);
  *size = hp_clip_size(*size, points->min_size, frame);
}

#endif  // HOTPATH_H
