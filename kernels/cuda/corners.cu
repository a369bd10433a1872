// Select for heads in which the means of two heat maps are the box's corners, or which give the
// finished box: the same box as runtime/decode/corners.py.
//
// Sums are pairs of floats, some 45 bits, because a small GPU has few units for doubles.
#include "select.h"

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

namespace {

enum { TERMS = 13 };  // of the series of an exponential; the rest is below 2^-52

// e to the power of a number from -87 to 0.
__device__ hp_pair exponential(hp_pair value) {
  const float whole = rintf(value.high * 1.44269504f);
  // the logarithm of two is the first float less the rest; the product with the first one is exact
  const hp_pair first = {whole * -0.693359375f, 0.0f};
  const hp_pair rest = {2.1219444e-4f, -1.646595e-12f};
  const hp_pair steps = {whole, 0.0f};
  const hp_pair part =
      hp_pair_add(hp_pair_add(value, first), hp_pair_multiply(rest, steps));
  const hp_pair one = {1.0f, 0.0f};
  hp_pair sum = one;
#pragma unroll 1
  for (int i = TERMS; i > 0; --i) {
    const float high = 1.0f / (float)i;
    const hp_pair share = {high, fmaf(-high, (float)i, 1.0f) / (float)i};
    sum = hp_pair_add(one, hp_pair_multiply(hp_pair_multiply(part, share), sum));
  }
  const float power = __int_as_float((int)(whole + 127.0f) << 23);
  sum.high *= power;
  sum.low *= power;
  return sum;
}

struct heat_sums {
  hp_pair all, columns, rows;  // of weights; of weights times the cell's column and row
};

__device__ heat_sums heat_add(heat_sums a, heat_sums b) {
  heat_sums sum;
  sum.all = hp_pair_add(a.all, b.all);
  sum.columns = hp_pair_add(a.columns, b.columns);
  sum.rows = hp_pair_add(a.rows, b.rows);
  return sum;
}

__device__ heat_sums heat_down(heat_sums value, int distance) {
  value.all = hp_pair_down(value.all, distance);
  value.columns = hp_pair_down(value.columns, distance);
  value.rows = hp_pair_down(value.rows, distance);
  return value;
}

struct corner_memory {
  hp_selection select;
  hp_vote_memory votes;
  heat_sums parts[HP_MOST_WARPS];
  heat_sums sums[2];
  int hottest;  // cell of the first map
  bool broken;  // whether a value is not finite
};

struct hot_cell {
  float heat;
  int cell;
};

// The hottest cell, of equal ones the first, in every thread. A map with a value that is not a number
// or is infinite sets `broken`; minus infinity is no heat.
__device__ hot_cell hottest_of(hp_map heat, int count, corner_memory* all) {
  hp_rank best = {0, -1};
  for (int cell = threadIdx.x; cell < count; cell += blockDim.x) {
    const float value = heat[cell];
    if (!(value < hp_infinity())) all->broken = true;
    const int bits = __float_as_int(value + 0.0f);
    const hp_rank mine = {bits < 0 ? bits ^ 0x7fffffff : bits, cell};
    best = hp_higher(best, mine);
  }
  const int cell = hp_block_highest(best, all->votes.ranks).cell;
  const hot_cell found = {heat[cell], cell};
  return found;
}

// Sums of a heat map in all->sums[index]. By a whole block.
__device__ void sum_heat(hp_map heat, int size, float hottest, int index,
                         corner_memory* all) {
  const hp_pair zero = {0.0f, 0.0f};
  heat_sums mine = {zero, zero, zero};
  for (int cell = threadIdx.x; cell < size * size; cell += blockDim.x) {
    const hp_pair cold = hp_two_sum(heat[cell], -hottest);
    if (!(cold.high > -87.0f)) continue;
    const hp_pair weight = exponential(cold);
    const hp_pair column = {(float)(cell % size), 0.0f}, row = {(float)(cell / size), 0.0f};
    const heat_sums here = {weight, hp_pair_multiply(weight, column),
                            hp_pair_multiply(weight, row)};
    mine = heat_add(mine, here);
  }
#pragma unroll 1
  for (int distance = 16; distance > 0; distance >>= 1)
    mine = heat_add(mine, heat_down(mine, distance));
  if (!(threadIdx.x & 31)) all->parts[threadIdx.x >> 5] = mine;
  __syncthreads();
  if (threadIdx.x == 0) {
#pragma unroll 1
    for (int warp = 1; warp < (int)(blockDim.x >> 5); ++warp)
      mine = heat_add(mine, all->parts[warp]);
    all->sums[index] = mine;
  }
  __syncthreads();
}

// Moves to the box of shares cx, cy, w, h. By one thread.
__device__ void take_box(const hp_corners* head, const double* box, corner_memory* all) {
  double* after = all->select.after;
  for (int axis = 0; axis < 2; ++axis)
    hp_take_share(&head->limits, head->search, box[axis], box[axis + 2], 1.0,
                  all->select.look.scale[axis], all->select.frame[axis], after + axis,
                  after + axis + 2);
  for (int i = 0; i < 4; ++i)
    if (!hp_is_number(box[i])) all->select.cell = -1;
}

// Share of the region at which the mean of a heat map lies.
__device__ double mean_share(const hp_corners* head, hp_pair sum, hp_pair all) {
  return (hp_pair_value(sum) / hp_pair_value(all) + head->cell_centre) / head->size;
}

// The box and the score from both maps' sums. By one thread.
__device__ void take_corners(const hp_corners* head, corner_memory* all) {
  double box[4];
  const heat_sums *first = all->sums, *second = all->sums + 1;
  const double x1 = mean_share(head, first->columns, first->all);
  const double y1 = mean_share(head, first->rows, first->all);
  const double x2 = mean_share(head, second->columns, second->all);
  const double y2 = mean_share(head, second->rows, second->all);
  box[0] = (x1 + x2) / 2.0;
  box[1] = (y1 + y2) / 2.0;
  box[2] = x2 - x1;
  box[3] = y2 - y1;
  all->select.score = hp_root(1.0 / hp_pair_value(first->all) * (1.0 / hp_pair_value(second->all)));
  all->select.cell = all->broken ? -1 : all->hottest;
  take_box(head, box, all);
}

}  // namespace

// first, second: heat of the top left and of the bottom right corner, one plane of size x size each; or
// first: centre and size as shares of the region, and second: its score, where there is one.
extern "C" __global__ void __launch_bounds__(256, 1)
    hp_select_corners(const hp_corners* __restrict__ head, const void* __restrict__ first,
                      int first_apart, const void* __restrict__ second, int second_apart,
                      HP_WINDOW_PARAMETERS) {
  __shared__ corner_memory all;
  hp_begin_selection(frame, looks, &all.select);
  const hp_map one = hp_map_at(first, half, first_apart);
  const hp_map other = hp_map_at(second, half, second_apart);
  if (threadIdx.x == 0) all.broken = false;
  __syncthreads();
  if (head->output != HP_TWO_HEATS) {
    if (threadIdx.x == 0) {
      const double box[4] = {one[0], one[1], one[2], one[3]};
      all.select.cell = 0;
      all.select.score = 1.0;
      if (head->output == HP_SCORED_BOX)
        all.select.score =
            hp_probability(head->score, other[0], 0.0);
      if (!hp_is_number(all.select.score)) all.select.cell = -1;
      take_box(head, box, &all);
    }
  } else {
    const int size = head->size;
    const hot_cell top_left = hottest_of(one, size * size, &all);
    if (threadIdx.x == 0) all.hottest = top_left.cell;
    sum_heat(one, size, top_left.heat, 0, &all);
    const hot_cell bottom_right = hottest_of(other, size * size, &all);
    sum_heat(other, size, bottom_right.heat, 1, &all);
    if (threadIdx.x == 0) take_corners(head, &all);
  }
  __syncthreads();
  hp_end_selection(&all.select, seen);
}
