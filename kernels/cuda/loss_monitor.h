// The loss monitor: whether the target is lost, from the features under its box. Its functions run
// inside select, after the target was moved. runtime/presence.py is the definition.
//
// Sums of features are pairs of floats, some 45 bits, because a small GPU has few units for doubles.
// Features must lie within 1e-15 .. 1e15, or be 0, so that their squares are floats.
#ifndef HOTPATH_CUDA_LOSS_MONITOR_H
#define HOTPATH_CUDA_LOSS_MONITOR_H

#include "frame.h"

// ---- pairs of floats: the value is high + low, and low is below one unit of high's last place

struct hp_pair {
  float high, low;
};

// The exact sum of two floats (Knuth).
static __device__ hp_pair hp_two_sum(float a, float b) {
  hp_pair sum;
  sum.high = a + b;
  const float part = sum.high - a;
  sum.low = (a - (sum.high - part)) + (b - part);
  return sum;
}

// The same if |a| >= |b| (Dekker).
static __device__ hp_pair hp_quick_sum(float a, float b) {
  hp_pair sum;
  sum.high = a + b;
  sum.low = b - (sum.high - a);
  return sum;
}

static __device__ hp_pair hp_pair_add(hp_pair a, hp_pair b) {
  const hp_pair sum = hp_two_sum(a.high, b.high);
  return hp_quick_sum(sum.high, sum.low + (a.low + b.low));
}

static __device__ hp_pair hp_pair_multiply(hp_pair a, hp_pair b) {
  const float product = a.high * b.high;
  const float rest = fmaf(a.high, b.high, -product) + (a.high * b.low + a.low * b.high);
  return hp_quick_sum(product, rest);
}

static __device__ hp_pair hp_pair_down(hp_pair value, int distance) {
  value.high = __shfl_down_sync(0xffffffffu, value.high, distance);
  value.low = __shfl_down_sync(0xffffffffu, value.low, distance);
  return value;
}

static __device__ hp_pair hp_pair_of(double value) {
  hp_pair pair;
  pair.high = (float)value;
  pair.low = (float)(value - pair.high);
  return pair;
}

static __device__ double hp_pair_value(hp_pair pair) { return (double)pair.high + pair.low; }

// ---- which cells lie under the box

struct hp_span {
  int first, end;  // cells
};

// Cells within half a length of a centre, at least one. In cells; cell i lies at i - side / 2.
static __device__ hp_span hp_cells_under(double centre, double length, int side) {
  const double half = length / 2 > 0.5 ? length / 2 : 0.5;
  const int first = (int)ceil(centre - half + side / 2);
  const int last = (int)floor(centre + half + side / 2);
  hp_span cells;
  cells.first = first < 0 ? 0 : first > side - 1 ? side - 1 : first;
  cells.end = last > side - 1 ? side : last < cells.first ? cells.first + 1 : last + 1;
  return cells;
}

// The cells on one axis. `moved`: frame pixels from the search region's centre to the box's.
// `size`: of the box. `scale`: search pixels per frame pixel.
static __device__ hp_span hp_axis_cells(const hp_limits* limits, double moved, double size,
                                        double scale) {
  const double length = hp_mul(hp_mul(size, scale), limits->inner);
  return hp_cells_under(hp_mul(hp_mul(moved, scale), limits->cells), length, limits->side);
}

// ---- features

enum { HP_CHANNEL_LANES = 8 };  // lanes that add up the cells of one channel

// The sum of a channel's cells in the first of each group of HP_CHANNEL_LANES lanes. By a whole
// warp; a lane whose channel does not exist gives 0 as plane.
static __device__ hp_pair hp_channel_sum(hp_map plane, int side, hp_span rows, hp_span columns) {
  const int width = columns.end - columns.first, count = (rows.end - rows.first) * width;
  const float share = __fdividef(1.0f, (float)width);  // a division of whole numbers is slow
  hp_pair sum = {0.0f, 0.0f};
  if (plane.values) {
    int i = threadIdx.x & (HP_CHANNEL_LANES - 1);
    while (i < count) {
      hp_pair cells[4] = {};  // read together: one wait for memory serves all
#pragma unroll
      for (int k = 0; k < 4; ++k, i += HP_CHANNEL_LANES) {
        const int row = (int)(((float)i + 0.5f) * share);
        if (i < count)
          cells[k].high = plane[(rows.first + row) * side + columns.first + (i - row * width)];
      }
#pragma unroll
      for (int k = 0; k < 4; ++k) sum = hp_pair_add(sum, cells[k]);
    }
  }
#pragma unroll
  for (int distance = HP_CHANNEL_LANES / 2; distance > 0; distance >>= 1)
    sum = hp_pair_add(sum, hp_pair_down(sum, distance));
  return sum;
}

// Sums over the channels of the products of features and reference.
struct hp_products {
  hp_pair product, own, other;
};

static __device__ hp_products hp_products_add(hp_products a, hp_products b) {
  hp_products sum;
  sum.product = hp_pair_add(a.product, b.product);
  sum.own = hp_pair_add(a.own, b.own);
  sum.other = hp_pair_add(a.other, b.other);
  return sum;
}

static __device__ hp_products hp_no_products() {
  const hp_pair zero = {0.0f, 0.0f};
  const hp_products none = {zero, zero, zero};
  return none;
}

// The sum of a warp's products, in its first lane: of `count` lanes that are `apart`.
static __device__ hp_products hp_warp_products(hp_products mine, int apart, int count) {
#pragma unroll 1
  for (int distance = apart * count / 2; distance >= apart; distance >>= 1) {
    hp_products other;
    other.product = hp_pair_down(mine.product, distance);
    other.own = hp_pair_down(mine.own, distance);
    other.other = hp_pair_down(mine.other, distance);
    mine = hp_products_add(mine, other);
  }
  return mine;
}

// The sum of a block's products, in thread 0: of every lane that is a multiple of `apart`. By a whole
// block of at most 8 warps; `parts` has one for each.
static __device__ hp_products hp_block_products(hp_products mine, int apart, hp_products* parts) {
  mine = hp_warp_products(mine, apart, 32 / apart);
  if (!(threadIdx.x & 31)) parts[threadIdx.x >> 5] = mine;
  __syncthreads();
  if (threadIdx.x >= 32) return mine;
  mine = threadIdx.x < (blockDim.x >> 5) ? parts[threadIdx.x] : hp_no_products();
  return hp_warp_products(mine, 1, 8);
}

// Calls `take(channel, sum)` for every channel, in the first lane of its group. By a whole block.
template <class Take>
static __device__ void hp_each_channel(const hp_limits* limits, hp_map features,
                                       hp_span rows, hp_span columns, Take take) {
  const int groups = blockDim.x / HP_CHANNEL_LANES, group = threadIdx.x / HP_CHANNEL_LANES;
  const int channels = limits->channels, cells = limits->side * limits->side;
#pragma unroll 1
  for (int first = 0; first < channels; first += groups) {
    const int channel = first + group;
    const hp_map none = {0, 0}, plane = channel < channels ? features + channel * cells : none;
    const hp_pair sum = hp_channel_sum(plane, limits->side, rows, columns);
    if (plane.values && !(threadIdx.x & (HP_CHANNEL_LANES - 1))) take(channel, sum);
  }
}

struct hp_compare {
  const float* reference;
  hp_products* sums;
  __device__ void operator()(int channel, hp_pair sum) const {
    const hp_pair first = {reference[channel], 0.0f};
    hp_products here;
    here.product = hp_pair_multiply(sum, first);
    here.own = hp_pair_multiply(sum, sum);
    here.other = hp_pair_multiply(first, first);
    *sums = hp_products_add(*sums, here);
  }
};

// Sums of products of all channels, in thread 0. By a whole block; `parts` has one for each warp.
static __device__ hp_products hp_compare_features(const hp_limits* limits, hp_map features,
                                                  const float* reference, hp_span rows,
                                                  hp_span columns, hp_products* parts) {
  hp_products mine = hp_no_products();
  const hp_compare compare = {reference, &mine};
  hp_each_channel(limits, features, rows, columns, compare);
  return hp_block_products(mine, HP_CHANNEL_LANES, parts);
}

// The cosine of the features and the reference; 0 if it is negative or not a number. The sums need
// not be divided by the number of cells: that changes no angle.
static __device__ double hp_cosine_of(hp_products sums) {
  const double lengths = hp_root(hp_mul(hp_pair_value(sums.own), hp_pair_value(sums.other)));
  const double cosine = lengths > 0 ? hp_div(hp_pair_value(sums.product), lengths) : 0.0;
  return cosine > 0 ? cosine : 0.0;
}

// ---- judgement

// Smooths the certainty. By one thread.
static __device__ void hp_judge(const hp_limits* limits, double now, hp_monitor* monitor,
                                hp_pose* pose) {
  monitor->certainty += hp_mul(now - monitor->certainty, 1 - limits->kept);
  pose->certainty = (float)monitor->certainty;
  if (monitor->certainty < limits->lost_below) pose->flags |= HP_LOST;
}

#endif  // HOTPATH_CUDA_LOSS_MONITOR_H
