// Select for heads in which every cell votes for a box around its own point: the same cell and the
// same box as runtime/decode/points.py.
#include "select.h"

namespace {

struct point_votes {
  const hp_points* points;
  const hp_target* target;
  const hp_rough_target* rough_target;
  hp_map scores, distances, qualities;
  const double* window;
  const float* rough_window;
  int count;

  __device__ hp_interval rough(int cell) const {
    const hp_map from = distances + cell;  // read first: one wait for memory serves all
    const float left = from[0], top = from[count], right = from[2 * count], low = from[3 * count];
    const float extra = points->inclusive ? 1.0f : 0.0f;
    hp_rough_score score = hp_rough_score_of(points->score, scores, cell, count);
    if (qualities.values)
      score = with_quality(score, hp_rough_score_of(HP_SIGMOID, qualities, cell, 0));
    return hp_rough_vote(rough_target, score, left + right + extra, top + low + extra,
                         rough_window[cell]);
  }

  __device__ hp_rough_score with_quality(hp_rough_score score, hp_rough_score quality) const {
    const float share = rough_target->quality_share;
    score.possible = score.possible && quality.possible;
    score.value = points->quality == HP_PRODUCT
                      ? score.value * quality.value
                      : (1.0f - share) * score.value + share * quality.value;
    return score;
  }

  __device__ double exact(int cell, hp_scored_box* found) const {
    const hp_map from = distances + cell;
    double score = hp_exact_score(points, scores, cell, count);
    if (qualities.values) score = hp_with_quality(points, score, qualities[cell]);
    *found = hp_vote(points, target, window[cell], score, from[0], from[count], from[2 * count],
                     from[3 * count]);
    return found->vote;
  }
};

// Moves one axis to the winning cell: 0 is x, 1 is y.
__device__ void move_axis(const hp_points* points, hp_map distances, int axis,
                          hp_voting_memory* all) {
  const int count = points->size * points->size, cell = all->select.cell;
  const hp_map from = distances + (cell + axis * count);
  hp_move(points, &all->best, axis ? cell / points->size : cell % points->size, from[0],
          from[2 * count], all->select.look.scale[axis], all->select.frame[axis],
          all->select.after + axis, all->select.after + axis + 2);
}

}  // namespace

// scores: one or two planes of size x size for each window; distances: four; qualities: one, or 0.
// window, rough_window: one plane, in doubles and in floats.
extern "C" __global__ void __launch_bounds__(256, 1)
    hp_select_points(const hp_points* points, const double* __restrict__ window,
                     const float* __restrict__ rough_window, const void* __restrict__ scores,
                     int scores_apart, const void* __restrict__ distances, int distances_apart,
                     const void* __restrict__ qualities, int qualities_apart,
                     HP_WINDOW_PARAMETERS) {
  __shared__ hp_voting_memory all;
  hp_share(&all.points, points, 5);
  hp_begin_selection(frame, looks, &all.select);
  points = &all.points;
  hp_begin_voting(5e-6f, &all);
  const int count = points->size * points->size;
  const hp_map boxes = hp_map_at(distances, half, distances_apart);
  hp_map extra = hp_map_at(qualities, half, qualities_apart);
  if (!qualities) extra.values = 0;
  const point_votes votes = {points,
                             &all.target,
                             &all.rough,
                             hp_map_at(scores, half, scores_apart),
                             boxes,
                             extra,
                             window,
                             rough_window,
                             count};
  const int cell = hp_take_winner(votes, count, &all);
  if (cell >= 0 && threadIdx.x < 2) move_axis(points, boxes, threadIdx.x, &all);
  __syncthreads();
  hp_end_selection(&all.select, seen);
}
