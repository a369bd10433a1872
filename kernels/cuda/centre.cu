// Select for heads with a score of the target's centre, its place in the cell, and its size: the same
// cell and the same box as runtime/decode/centre.py.
#include "select.h"

namespace {

struct centre_votes {
  const hp_centre* head;
  hp_map scores;
  const double* window;
  const float* rough_window;

  __device__ hp_interval rough(int cell) const {
    const hp_rough_score score = hp_rough_score_of(head->score, scores, cell, 0);
    hp_interval vote = {-hp_infinity(), -hp_infinity()};
    if (!score.possible) return vote;
    const float value = score.value * rough_window[cell];
    // Twice what two roundings and the GPU's fast functions can add up to.
    const float error = 1e-37f + (head->score == HP_SIGMOID ? 4e-6f : 5e-7f * fabsf(value));
    vote.low = value - error;
    vote.high = value + error;
    return vote;
  }

  __device__ double exact(int cell, double* vote) const {
    return *vote = hp_centre_vote(head, scores[cell], window[cell]);
  }
};

struct centre_memory {
  hp_selection_memory select;
  hp_vote_memory votes;
  double vote;
};

// Moves to the winning cell. By one thread; all->select.before is the state.
__device__ void move(const hp_selection* select, const hp_centre* head, hp_map sizes,
                     hp_map offsets, centre_memory* all) {
  const int size = head->size, count = size * size, cell = all->select.cell;
  const float across = offsets[cell], down = offsets[count + cell];
  const float width = sizes[cell], height = sizes[count + cell];
  const double sum = (double)across + down + width + height;  // a number if all four are
  if (!hp_is_number(sum)) {
    all->select.cell = -1;
    return;
  }
  double* after = all->select.after;
  hp_region_centre(head, all->select.before, after, after + 1);
  const double side = head->window.search;
  hp_take_share(&head->limits, side, hp_centre_share(head, cell % size, across), width,
                all->select.scale[0], hp_frame_side(select, 0), after, after + 2);
  hp_take_share(&head->limits, side, hp_centre_share(head, cell / size, down), height,
                all->select.scale[1], hp_frame_side(select, 1), after + 1, after + 3);
}

}  // namespace

// One block of whole warps for each target. scores: one plane of size x size for each target; sizes,
// offsets: two, x and y. window, rough_window: one plane, in doubles and in floats.
extern "C" __global__ void __launch_bounds__(256, 1)
    hp_select_centre(const hp_centre* __restrict__ head, const double* __restrict__ window,
                     const float* __restrict__ rough_window, const void* __restrict__ scores,
                     const void* __restrict__ sizes, const void* __restrict__ offsets,
                     HP_FRAME_PARAMETERS) {
  __shared__ centre_memory all;
  const hp_selection select = HP_BEGIN(&all.select);
  const int count = head->size * head->size;
  const int block = blockIdx.x, half = view->half;
  const hp_map lengths = hp_map_of(sizes, half) + block * 2 * count;
  const hp_map places = hp_map_of(offsets, half) + block * 2 * count;
  const centre_votes votes = {head, hp_map_of(scores, half) + block * count, window, rough_window};
  const int cell = hp_find_winner(votes, count, &all.votes, &all.vote);
  __syncthreads();
  if (threadIdx.x == 0) {
    all.select.cell = cell;
    all.select.score = all.select.certain = all.vote;
    if (cell >= 0 && !(all.vote < head->min_score)) move(&select, head, lengths, places, &all);
  }
  __syncthreads();
  HP_END(&all.select);
}
