// Select for heads in which every cell votes for a box, and where to look next: the state stays here.
// Held to runtime/decode/points.py (the same cell, the same box) and runtime/geometry.py.
#include "frame.h"

namespace {

const unsigned ALL_LANES = 0xffffffffu;

struct vote {
  double value;
  int cell;  // -1: none
};

// The higher vote; of equal ones the lower cell.
__device__ vote winner(vote a, vote b) {
  if (b.cell < 0) return a;
  if (a.cell < 0 || b.value > a.value || (b.value == a.value && b.cell < a.cell)) return b;
  return a;
}

__device__ bool is_number(double value) { return value - value == 0.0; }

// Lane 0 of each warp ends up with the warp's winner.
__device__ vote warp_winner(vote best) {
  for (int distance = 16; distance > 0; distance >>= 1) {
    vote other;
    other.value = __shfl_down_sync(ALL_LANES, best.value, distance);
    other.cell = __shfl_down_sync(ALL_LANES, best.cell, distance);
    best = winner(best, other);
  }
  return best;
}

struct maps {
  const float *scores, *distances;
  const double* window;
};

__device__ hp_ballot ballot(const hp_points* points, const hp_target* target, const maps* from,
                            int cell) {
  const int count = points->size * points->size;
  const bool two = points->score == HP_SOFTMAX;
  const double other = from->scores[cell];
  const double wanted = two ? (double)from->scores[count + cell] : other;
  const float* distances = from->distances + cell;
  return hp_vote(points, target, from->window[cell],
                 hp_probability(points->score, wanted, other), distances[0], distances[count],
                 distances[2 * count], distances[3 * count]);
}

// Whether the window's part inside the frame was uploaded.
__device__ bool uploaded(const hp_frame* frame, const hp_pose* pose) {
  const int left = pose->x > 0 ? pose->x : 0, top = pose->y > 0 ? pose->y : 0;
  int right = pose->x + pose->side, bottom = pose->y + pose->side;
  if (right > frame->frame_width) right = frame->frame_width;
  if (bottom > frame->frame_height) bottom = frame->frame_height;
  if (left >= right || top >= bottom) return true;
  return left >= frame->x && top >= frame->y && right <= frame->x + frame->width &&
         bottom <= frame->y + frame->height;
}

// Moves the target to the winning cell, if there is one.
__device__ void settle(const hp_points* points, const hp_target* target, const maps* from,
                       double scale, int cell, const hp_frame* frame, hp_pose* pose) {
  pose->sequence = (short)frame->sequence;
  pose->cell = cell;
  pose->flags = 0;
  if (!uploaded(frame, pose)) pose->flags = HP_NOT_UPLOADED;
  if (cell < 0) pose->flags |= HP_NO_SCORE;
  if (pose->flags) return;

  const hp_ballot best = ballot(points, target, from, cell);
  const int count = points->size * points->size;
  const float* distances = from->distances + cell;
  double state[4];
  for (int i = 0; i < 4; ++i) state[i] = pose->state[i];
  hp_move(points, &best, cell % points->size, distances[0], distances[2 * count], scale,
          frame->frame_width, &state[0], &state[2]);
  hp_move(points, &best, cell / points->size, distances[count], distances[3 * count], scale,
          frame->frame_height, &state[1], &state[3]);
  for (int i = 0; i < 4; ++i)
    if (!is_number(state[i])) pose->flags = HP_NOT_FINITE;
  if (pose->flags) return;
  for (int i = 0; i < 4; ++i) pose->state[i] = state[i];
  pose->score = best.score;
}

}  // namespace

// Window and plan of the target's exemplar, or of its search region. One block.
extern "C" __global__ void __launch_bounds__(256)
    hp_aim(const hp_view* __restrict__ view, const hp_monitor* __restrict__ monitor, int exemplar,
           hp_pose* pose, hp_site* plan) {
  if (threadIdx.x == 0) hp_aim_window(view, monitor, pose, exemplar);
  __syncthreads();
  hp_plan_crop(pose, exemplar ? view->exemplar : view->search, plan);
}

// Finds the winning cell, moves the target there, and plans the next frame's crop. One block of
// whole warps. scores: one or two planes of size x size; distances: four; window: one.
extern "C" __global__ void __launch_bounds__(256)
    hp_select(const hp_points* __restrict__ points, const hp_view* __restrict__ view,
              const double* __restrict__ window, const float* __restrict__ scores,
              const float* __restrict__ distances, const hp_frame* __restrict__ frame,
              const hp_monitor* __restrict__ monitor, hp_pose* pose, hp_site* plan) {
  __shared__ vote winners[32];
  const maps from = {scores, distances, window};
  const double scale =
      view->exemplar / hp_context_side(pose->state[2], pose->state[3], view->context) /
      monitor->widened;
  const hp_target target = hp_search_target(pose->state[2], pose->state[3], scale, scale);

  vote best = {0.0, -1};
  for (int cell = threadIdx.x; cell < points->size * points->size; cell += blockDim.x) {
    const vote found = {ballot(points, &target, &from, cell).vote, cell};
    if (is_number(found.value)) best = winner(best, found);
  }

  best = warp_winner(best);
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  if (lane == 0) winners[warp] = best;
  __syncthreads();
  if (warp == 0) {
    const vote none = {0.0, -1};
    best = warp_winner(lane < (blockDim.x >> 5) ? winners[lane] : none);
    if (lane == 0) {
      settle(points, &target, &from, scale, best.cell, frame, pose);
      hp_aim_window(view, monitor, pose, 0);
    }
  }
  __syncthreads();
  hp_plan_crop(pose, view->search, plan);
}
