// The winning cell of a map, found by one block.
//
// Doubles are slow on small GPUs. So each thread counts its cells' votes in floats, with a bound on
// the error. Only a cell that can be the winner is counted again in doubles, by its own thread: as a
// rule one.
#ifndef HOTPATH_CUDA_VOTES_H
#define HOTPATH_CUDA_VOTES_H

#include "../families.h"
#include "maps.h"

enum { HP_MOST_WARPS = 32 };

static __device__ const unsigned HP_ALL_LANES = 0xffffffffu;

static __device__ float hp_infinity() { return __int_as_float(0x7f800000); }

// Told by its exponent, which takes no operation on doubles.
static __device__ bool hp_is_number(double value) {
  return (__double_as_longlong(value) >> 52 & 0x7ff) != 0x7ff;
}

// Limits of a cell's vote: -infinity for high if the cell can't win.
struct hp_interval {
  float low, high;
};

// A vote as a whole number of the same order, so that threads compare votes without doubles.
struct hp_rank {
  long long order;
  int cell;  // -1: none
};

static __device__ hp_rank hp_rank_of(double vote, int cell) {
  const long long bits = __double_as_longlong(vote + 0.0);  // -0 becomes 0
  const hp_rank result = {bits < 0 ? bits ^ 0x7fffffffffffffffll : bits, cell};
  return result;
}

// The higher vote; of equal ones the lower cell.
static __device__ hp_rank hp_higher(hp_rank a, hp_rank b) {
  if (b.cell < 0) return a;
  const bool second = a.cell < 0 || b.order > a.order || (b.order == a.order && b.cell < a.cell);
  return second ? b : a;
}

// What the threads of a block tell one another about votes.
struct hp_vote_memory {
  float floats[HP_MOST_WARPS];
  hp_rank ranks[HP_MOST_WARPS];
};

// The largest value of a block, in every thread.
static __device__ float hp_block_max(float value, float* parts) {
  for (int distance = 16; distance > 0; distance >>= 1)
    value = fmaxf(value, __shfl_down_sync(HP_ALL_LANES, value, distance));
  if (!(threadIdx.x & 31)) parts[threadIdx.x >> 5] = value;
  __syncthreads();
  value = parts[0];
  for (int warp = 1; warp < (int)(blockDim.x >> 5); ++warp) value = fmaxf(value, parts[warp]);
  return value;
}

// The highest of a block, in every thread.
static __device__ hp_rank hp_block_highest(hp_rank best, hp_rank* parts) {
  for (int distance = 16; distance > 0; distance >>= 1) {
    hp_rank other;
    other.order = __shfl_down_sync(HP_ALL_LANES, best.order, distance);
    other.cell = __shfl_down_sync(HP_ALL_LANES, best.cell, distance);
    best = hp_higher(best, other);
  }
  if (!(threadIdx.x & 31)) parts[threadIdx.x >> 5] = best;
  __syncthreads();
  best = parts[0];
  for (int warp = 1; warp < (int)(blockDim.x >> 5); ++warp) best = hp_higher(best, parts[warp]);
  return best;
}

// The winning cell of `count`, in every thread; -1 if no vote is finite.
//
// Votes has `rough(cell)`, an hp_interval, and `exact(cell, &found)`, the vote as a double. `Found` of
// the winner is written to `winner`. By a whole block, which meets before it reads `winner`.
template <class Found, class Votes>
static __device__ int hp_find_winner(const Votes& votes, int count, hp_vote_memory* memory,
                                     Found* winner) {
  float low = -hp_infinity(), high = low;
#pragma unroll 1
  for (int cell = threadIdx.x; cell < count; cell += blockDim.x) {
    const hp_interval vote = votes.rough(cell);
    low = fmaxf(low, vote.low);
    high = fmaxf(high, vote.high);
  }
  const float least = hp_block_max(low, memory->floats);

  hp_rank best = {0, -1};
  Found mine;
  if (high >= least) {
#pragma unroll 1
    for (int cell = threadIdx.x; cell < count; cell += blockDim.x) {
      const float own = count > (int)blockDim.x ? votes.rough(cell).high : high;
      if (!(own >= least)) continue;
      Found found;
      const double vote = votes.exact(cell, &found);
      if (!hp_is_number(vote)) continue;
      best = hp_higher(best, hp_rank_of(vote, cell));
      if (best.cell == cell) mine = found;
    }
  }
  const int cell = hp_block_highest(best, memory->ranks).cell;
  if (best.cell >= 0 && best.cell == cell) *winner = mine;
  return cell;
}

// ---- votes in floats

// Limits of the probability of a raw score; `count`: cells of one of a softmax's halves.
struct hp_rough_score {
  float value;
  bool possible;  // whether a cell with it can win
};

static __device__ hp_rough_score hp_rough_score_of(int kind, hp_map scores, int cell, int count) {
  hp_rough_score score;
  score.value = scores[cell];
  if (kind != HP_PROBABILITY) {
    const float apart = kind == HP_SOFTMAX ? score.value - scores[count + cell] : -score.value;
    score.value = __fdividef(1.0f, 1.0f + __expf(apart));
  }
  score.possible = fabsf(score.value) < hp_infinity();
  return score;
}

// The target in floats, and what the bound of the error needs.
struct hp_rough_target {
  float inverse_area, ratio;         // 1 / side^2; width / height
  float penalty, influence, others;  // others: 1 - influence
  float quality_share;
  float error;
};

// `units`: bound of the error of a vote, relative to 1 + |score| and without a penalty.
static __device__ hp_rough_target hp_rough_target_of(const hp_points* points, float width,
                                                     float height, float units) {
  hp_rough_target result;
  const float context = (width + height) * 0.5f;
  result.inverse_area = __fdividef(1.0f, (width + context) * (height + context));
  result.ratio = __fdividef(width, height);
  result.penalty = (float)points->penalty;
  result.influence = (float)points->window_influence;
  result.others = 1.0f - result.influence;
  result.quality_share = (float)points->quality_share;
  // Twice what the roundings below and those of the GPU's fast functions can add up to, relative to
  // 1 + |score|. The bound holds for the usual ranges alone; beyond them every cell is counted again.
  const bool usual =
      points->penalty >= 0 && points->window_influence >= 0 && points->window_influence <= 1;
  result.error = usual ? units * (1.0f + result.penalty) : hp_infinity();
  return result;
}

// The vote for a box of SiamRPN's line of trackers; hp_vote has it in doubles.
static __device__ hp_interval hp_rough_vote(const hp_rough_target* target, hp_rough_score score,
                                            float width, float height, float window) {
  hp_interval vote = {-hp_infinity(), -hp_infinity()};
  if (!score.possible || width != width || height != height) return vote;
  vote.high = hp_infinity();
  const float error = target->error * (1.0f + fabsf(score.value));
  if (!(width >= 0.0f && height >= 0.0f && width < 1e15f && height < 1e15f && error < 1e30f))
    return vote;
  window *= target->influence;
  const float context = (width + height) * 0.5f;
  float size = (width + context) * (height + context) * target->inverse_area;
  size = fmaxf(size, __fdividef(1.0f, size));
  const float other = target->ratio * height;
  const float ratio = other > width ? __fdividef(other, width) : __fdividef(width, other);
  const float change = (ratio * (size * rsqrtf(size)) - 1.0f) * target->penalty;
  if (!(change < 80.0f)) {  // so large that the penalty is almost 0; or not a number
    vote.high = fmaxf(score.value, 0.0f) * target->others + window + error;
    return vote;
  }
  const float value = __expf(-change) * score.value * target->others + window;
  vote.low = value - error;
  vote.high = value + error;
  return vote;
}

#endif  // HOTPATH_CUDA_VOTES_H
