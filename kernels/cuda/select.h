// What the selects of all families share: the window around them. A family's kernel finds its box in the
// maps of a window; the new state goes to hp_seen. One block of whole warps for each window.
//
// What needs doubles is done once, by one or two threads: doubles are slow on small GPUs.
#ifndef HOTPATH_CUDA_SELECT_H
#define HOTPATH_CUDA_SELECT_H

#include "frame.h"
#include "votes.h"

// What single threads of the block tell the others. First a copy of the window's record, which many
// steps read: global memory is slow where one thread waits for it.
struct hp_selection {
  hp_look look;
  double frame[2];  // the frame's width and height
  double after[4];  // the new state
  double score;     // of the cell that was found
  int cell;         // -1: none was found
};

// Copies a structure by a whole block, which meets afterwards. `warp` is where it begins, so that the
// copies of several structures run at the same time.
template <class Structure>
static __device__ void hp_share(Structure* copy, const Structure* from, int warp) {
  int i = (int)threadIdx.x - 32 * warp;
  while (i < 0) i += blockDim.x;
  for (; i < (int)(sizeof(Structure) / 8); i += blockDim.x)
    ((long long*)copy)[i] = ((const long long*)from)[i];
}

// Begins the selection of a block's window. The block has met afterwards.
static __device__ void hp_begin_selection(const hp_frame* frame, const hp_look* looks,
                                          hp_selection* select) {
  hp_share(&select->look, looks + blockIdx.x, 0);
  if (threadIdx.x == 0) {
    select->frame[0] = frame->frame_width;
    select->frame[1] = frame->frame_height;
  }
  __syncthreads();
  if (threadIdx.x < 4) select->after[threadIdx.x] = select->look.around[threadIdx.x];
  __syncthreads();
}

// Writes what was found, or that nothing finite was. By a whole block, after the family wrote after,
// score and cell, and the block met.
static __device__ void hp_end_selection(const hp_selection* select, hp_seen* seen) {
  if (threadIdx.x) return;
  seen += blockIdx.x;
  bool found = select->cell >= 0 && hp_is_number(select->score);
  for (int i = 0; i < 4; ++i) found = found && hp_is_number(select->after[i]);
  for (int i = 0; i < 4; ++i)
    seen->state[i] = found ? select->after[i] : select->look.around[i];
  seen->score = found ? select->score : __longlong_as_double(0x7ff8000000000000ll);
  seen->cell = found ? select->cell : -1;
}

// A map's part of a block's window; the first numbers of two windows are `apart`.
static __device__ hp_map hp_map_at(const void* values, int half, int apart) {
  return hp_map_of(values, half) + blockIdx.x * apart;
}

// What every select's kernel takes after what is its family's. `half`: whether the maps are of half
// precision.
#define HP_WINDOW_PARAMETERS                                                                  \
  const hp_frame *__restrict__ frame, const hp_look *__restrict__ looks, int half, hp_seen *seen

// ---- points and anchors

struct hp_voting_memory {
  hp_selection select;
  hp_vote_memory votes;
  hp_target target;
  hp_rough_target rough;
  hp_scored_box best;
  hp_points points;
};

// After hp_begin_selection. The block has met afterwards. Its last warp also writes the exact target,
// which no rough vote needs. `units`: see hp_rough_target_of.
static __device__ void hp_begin_voting(float units, hp_voting_memory* all) {
  const double *before = all->select.look.around, *scale = all->select.look.scale;
  if (threadIdx.x == 0)
    all->rough = hp_rough_target_of(&all->points, (float)before[2] * (float)scale[0],
                                    (float)before[3] * (float)scale[1], units);
  __syncthreads();
  if (threadIdx.x == blockDim.x - 32)
    all->target = hp_search_target(before[2], before[3], scale[0], scale[1]);
}

// The winner of `count` votes in every thread, -1 if there is none. Its score is the frame's.
template <typename Votes>
static __device__ int hp_take_winner(const Votes& votes, int count, hp_voting_memory* all) {
  const int winner = hp_find_winner(votes, count, &all->votes, &all->best);
  if (threadIdx.x == 0) all->select.cell = winner;
  __syncthreads();
  if (threadIdx.x == 0) all->select.score = all->best.score;
  return winner;
}

static __device__ double hp_exact_score(const hp_points* points, hp_map scores, int index,
                                        int count) {
  const double other = scores[index];
  const double wanted = points->score == HP_SOFTMAX ? (double)scores[count + index] : other;
  return hp_probability(points->score, wanted, other);
}

#endif  // HOTPATH_CUDA_SELECT_H
