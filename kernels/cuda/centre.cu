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
    const float influence = (float)head->influence, bump = rough_window[cell];
    const float value = influence < 0.0f ? score.value * bump
                                         : score.value * (1.0f - influence) + bump * influence;
    // Twice what the roundings and the GPU's fast functions can add up to.
    const float error = 1e-37f + (head->score == HP_SIGMOID ? 4e-6f : 1e-6f * fabsf(value));
    vote.low = value - error;
    vote.high = value + error;
    return vote;
  }

  __device__ double exact(int cell, double* vote) const {
    return *vote = hp_centre_vote(head, scores[cell], window[cell]);
  }
};

struct centre_memory {
  hp_selection select;
  hp_vote_memory votes;
  double vote;
};

// Moves to the winning cell. By one thread.
__device__ void move(const hp_centre* head, hp_map scores, hp_map sizes, hp_map offsets,
                     centre_memory* all) {
  const hp_look* look = &all->select.look;
  const int size = head->size, count = size * size, cell = all->select.cell;
  const float across = offsets[cell], down = offsets[count + cell];
  const float width = sizes[cell], height = sizes[count + cell];
  const double sum = (double)across + down + width + height;  // a number if all four are
  if (!hp_is_number(sum)) {
    all->select.cell = -1;
    return;
  }
  double* after = all->select.after;
  if (head->relative_to == HP_FROM_WINDOW)
    for (int axis = 0; axis < 2; ++axis)
      after[axis] = look->window[axis] + look->window[axis + 2] / 2.0;
  const double side = head->window.search, rate = hp_centre_rate(head, scores[cell]);
  hp_take_share(&head->limits, side, hp_centre_share(head, cell % size, across), width, rate,
                look->scale[0], all->select.frame[0], after, after + 2);
  hp_take_share(&head->limits, side, hp_centre_share(head, cell / size, down), height, rate,
                look->scale[1], all->select.frame[1], after + 1, after + 3);
}

}  // namespace

// scores: one plane of size x size for each window; sizes, offsets: two, x and y. window, rough_window:
// one plane, in doubles and in floats.
extern "C" __global__ void __launch_bounds__(256, 1)
    hp_select_centre(const hp_centre* __restrict__ head, const double* __restrict__ window,
                     const float* __restrict__ rough_window, const void* __restrict__ scores,
                     int scores_apart, const void* __restrict__ sizes, int sizes_apart,
                     const void* __restrict__ offsets, int offsets_apart,
                     HP_WINDOW_PARAMETERS) {
  __shared__ centre_memory all;
  hp_begin_selection(frame, looks, &all.select);
  const int count = head->size * head->size;
  const hp_map lengths = hp_map_at(sizes, half, sizes_apart);
  const hp_map places = hp_map_at(offsets, half, offsets_apart);
  const hp_map heat = hp_map_at(scores, half, scores_apart);
  const centre_votes votes = {head, heat, window, rough_window};
  const int cell = hp_find_winner(votes, count, &all.votes, &all.vote);
  __syncthreads();
  if (threadIdx.x == 0) {
    const double score = cell < 0 ? all.vote : hp_centre_score(head, heat[cell], all.vote);
    all.select.cell = cell;
    all.select.score = score;
    if (cell >= 0 && !(score < head->min_score)) move(head, heat, lengths, places, &all);
  }
  __syncthreads();
  hp_end_selection(&all.select, seen);
}
