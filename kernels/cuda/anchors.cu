// Select for heads that score and move several boxes of fixed shapes in every cell: the same anchor
// and the same box as runtime/decode/anchors.py. An index is that of (anchors, size, size).
#include "select.h"

namespace {

// Beyond these deltas the bound of the error of an exponential is too wide.
const float LARGEST_DELTA = 16.0f;

struct anchor_votes {
  const hp_points* points;
  const hp_target* target;
  const hp_rough_target* rough_target;
  hp_map scores, deltas;
  const double *window, *sizes;
  const float *rough_window, *rough_sizes;
  int cells, count;

  __device__ hp_interval rough(int index) const {
    const int anchor = index / cells;
    const float across = deltas[2 * count + index], down = deltas[3 * count + index];
    const hp_rough_score score = hp_rough_score_of(points->score, scores, index, count);
    if (fabsf(across) > LARGEST_DELTA || fabsf(down) > LARGEST_DELTA) {
      const hp_interval any = {-hp_infinity(), score.possible ? hp_infinity() : -hp_infinity()};
      return any;
    }
    return hp_rough_vote(rough_target, score, rough_sizes[2 * anchor] * __expf(across),
                         rough_sizes[2 * anchor + 1] * __expf(down),
                         rough_window[index - anchor * cells]);
  }

  __device__ double exact(int index, hp_scored_box* found) const {
    const double score = hp_exact_score(points, scores, index, count);
    double width = 0.0, height = 0.0;
#pragma unroll 1  // the code of one exponential serves both, and no register spills
    for (int axis = 0; axis < 2; ++axis) {
      const double length = sizes[2 * (index / cells) + axis];
      width = height;
      height = hp_mul(length, hp_exp((double)deltas[(2 + axis) * count + index]));
    }
    *found = hp_vote_for(points, target, window[index % cells], score, width, height);
    return found->vote;
  }
};

}  // namespace

// scores: one or two planes for each anchor of each window; deltas: four. window, rough_window: one
// plane, in doubles and in floats; sizes, rough_sizes: width and height of each anchor, search pixels.
extern "C" __global__ void __launch_bounds__(256, 1)
    hp_select_anchors(const hp_points* points, const double* __restrict__ window,
                      const float* __restrict__ rough_window, const double* __restrict__ sizes,
                      const float* __restrict__ rough_sizes, const void* __restrict__ scores,
                      int scores_apart, const void* __restrict__ deltas, int deltas_apart,
                      HP_WINDOW_PARAMETERS) {
  __shared__ hp_voting_memory all;
  hp_share(&all.points, points, 5);
  hp_begin_selection(frame, looks, &all.select);
  points = &all.points;
  // The exponential of a delta is wrong by up to 21 units in the last place, and a change of the
  // box by up to four times as much.
  hp_begin_voting(4e-5f, &all);
  const int cells = points->size * points->size, count = points->anchors * cells;
  const hp_map moves = hp_map_at(deltas, half, deltas_apart);
  const anchor_votes votes = {points,
                              &all.target,
                              &all.rough,
                              hp_map_at(scores, half, scores_apart),
                              moves,
                              window,
                              sizes,
                              rough_window,
                              rough_sizes,
                              cells,
                              count};
  const int winner = hp_take_winner(votes, count, &all);
  if (winner >= 0 && threadIdx.x < 2) {
    const int axis = threadIdx.x, cell = winner % cells;
    const double anchor = sizes[2 * (winner / cells) + axis];
    const int place = axis ? cell / points->size : cell % points->size;
    const double middle =
        hp_point(points, place) + hp_mul((double)moves[axis * count + winner], anchor);
    hp_move_to(points, &all.best, middle, axis ? all.best.height : all.best.width,
               all.select.look.scale[axis], all.select.frame[axis], all.select.after + axis,
               all.select.after + axis + 2);
  }
  __syncthreads();
  hp_end_selection(&all.select, seen);
}
