// Watch: whether the target is lost, from what the network saw under its box. Runs after select;
// keeps the target and widens the search region where that is asked for. Held to runtime/loss.py.
#include "frame.h"

namespace {

const unsigned ALL_LANES = 0xffffffffu;

struct span {
  int first, end;  // cells
};

// Cells within half a length of a centre, at least one; in cells, cell i at i - side / 2.
__device__ span cells_of(double centre, double length, int side) {
  const double half = length / 2 > 0.5 ? length / 2 : 0.5;
  const double first = ceil(centre - half + side / 2), end = floor(centre + half + side / 2) + 1;
  span cells;
  cells.first = first < 0 ? 0 : first > side - 1 ? side - 1 : (int)first;
  cells.end = end > side ? side : end < cells.first + 1 ? cells.first + 1 : (int)end;
  return cells;
}

// The sums of three numbers over a block of whole warps, in thread 0; always in the same order.
struct sums {
  double product, own, other;
};

__device__ sums warp_sum(sums mine) {
  for (int distance = 16; distance > 0; distance >>= 1) {
    mine.product += __shfl_down_sync(ALL_LANES, mine.product, distance);
    mine.own += __shfl_down_sync(ALL_LANES, mine.own, distance);
    mine.other += __shfl_down_sync(ALL_LANES, mine.other, distance);
  }
  return mine;
}

// Smooths the certainty, and keeps a target that is not to be believed.
__device__ void judge(const hp_limits* limits, double now, hp_monitor* monitor, hp_pose* pose) {
  monitor->certainty += hp_mul(now - monitor->certainty, 1 - limits->kept);
  pose->certainty = (float)monitor->certainty;
  if (monitor->certainty < limits->lost_below) pose->flags |= HP_LOST;
  if (!(limits->hold_below > 0)) return;
  if (monitor->certainty < limits->hold_below) {
    const double wider = hp_mul(monitor->widened, limits->hold_widen);
    monitor->widened = wider < limits->hold_limit ? wider : limits->hold_limit;
    for (int i = 0; i < 4; ++i) pose->state[i] = monitor->held[i];
    pose->flags |= HP_HELD;
    return;
  }
  monitor->widened = 1.0;
  if (now >= limits->hold_below)
    for (int i = 0; i < 4; ++i) monitor->held[i] = pose->state[i];
}

}  // namespace

// Remembers the first frame's features (`begin`), or judges a frame and plans the next one's crop.
// One block of whole warps. seen: channels of side x side cells, or 0; reference: one a channel.
extern "C" __global__ void __launch_bounds__(256)
    hp_monitor_loss(const hp_limits* __restrict__ limits, const hp_view* __restrict__ view,
                   int begin, const float* __restrict__ seen, float* reference, hp_monitor* monitor,
                   hp_pose* pose, hp_site* plan) {
  __shared__ sums parts[32];
  if (pose->flags) return;  // nothing was found
  const double scale =
      view->exemplar / hp_context_side(monitor->before[2], monitor->before[3], view->context) /
      monitor->widened;
  sums mine = {0.0, 0.0, 0.0};
  if (seen) {
    const double cell = limits->stride;
    const double x = hp_mul(pose->state[0] - monitor->before[0], scale);
    const double y = hp_mul(pose->state[1] - monitor->before[1], scale);
    const double w = hp_mul(hp_mul(pose->state[2], scale), limits->inner) / cell;
    const double h = hp_mul(hp_mul(pose->state[3], scale), limits->inner) / cell;
    const span columns = cells_of(x / cell, w, limits->side);
    const span rows = cells_of(y / cell, h, limits->side);
    const double share =
        1.0 / ((double)(rows.end - rows.first) * (columns.end - columns.first));
    for (int c = threadIdx.x; c < limits->channels; c += blockDim.x) {
      const float* plane = seen + (long long)c * limits->side * limits->side;
      double sum = 0;
#pragma unroll 1
      for (int row = rows.first; row < rows.end; ++row)
#pragma unroll 1
        for (int column = columns.first; column < columns.end; ++column)
          sum += plane[row * limits->side + column];
      const double mean = hp_mul(sum, share);
      if (begin) {
        reference[c] = (float)mean;
        continue;
      }
      const double first = reference[c];
      mine.product += hp_mul(mean, first);
      mine.own += hp_mul(mean, mean);
      mine.other += hp_mul(first, first);
    }
  }
  if (begin) return;

  mine = warp_sum(mine);
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  if (lane == 0) parts[warp] = mine;
  __syncthreads();
  if (warp == 0) {
    const sums none = {0.0, 0.0, 0.0};
    mine = warp_sum(lane < (blockDim.x >> 5) ? parts[lane] : none);
    if (lane == 0) {
      double now = pose->score;
      if (seen) {
        const double lengths = sqrt(hp_mul(mine.own, mine.other));
        const double like = lengths > 0 ? mine.product / lengths : 0.0;
        now = hp_mul(now, like > 0 ? like : 0.0);
      }
      judge(limits, now, monitor, pose);
      for (int i = 0; i < 4; ++i) monitor->before[i] = pose->state[i];
      hp_aim_window(view, monitor, pose, 0);
    }
  }
  __syncthreads();
  hp_plan_crop(pose, view->search, plan);
}
