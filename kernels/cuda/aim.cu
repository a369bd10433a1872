// What is done when a target is taken: the first windows and their plans, and the features that the
// loss monitor remembers.
#include "loss_monitor.h"
#include "window.h"

namespace {

struct take_reference {
  float* reference;
  hp_pair share;  // 1 / number of cells
  __device__ void operator()(int channel, hp_pair sum) const {
    reference[channel] = hp_pair_multiply(sum, share).high;
  }
};

}  // namespace

// Window and plan of the target's exemplar, or of its search region. One block for each target. plan:
// the lines of one window after those of another: first the rows, then the columns.
extern "C" __global__ void __launch_bounds__(256)
    hp_aim(const hp_view* __restrict__ view, const hp_monitor* __restrict__ monitor, int exemplar,
           hp_pose* pose, hp_plan_line* plan) {
  __shared__ hp_planned window;
  const int target = blockIdx.x;
  pose += target;
  if (threadIdx.x == 0)
    window = hp_plan_crop(view, pose->state, monitor[target].widened, exemplar);
  __syncthreads();
  hp_aim_block(view, exemplar, pose, plan + hp_plan_lines(view) * target, &window);
}

// Remembers the features of the first search region as the target's. One block of whole warps.
extern "C" __global__ void __launch_bounds__(256)
    hp_remember(const hp_limits* __restrict__ limits, const hp_view* __restrict__ view,
                const hp_pose* __restrict__ pose, const void* __restrict__ features,
                float* reference) {
  __shared__ hp_span cells[2];
  __shared__ hp_pair share;
  if (threadIdx.x < 2) {
    double scale[2];
    hp_search_window(&view->geometry, pose->state, 1.0, scale);
    cells[threadIdx.x] =
        hp_axis_cells(limits, 0.0, pose->state[threadIdx.x + 2], threadIdx.x ? scale[1] : scale[0]);
  }
  __syncthreads();
  if (threadIdx.x == 0)
    share = hp_pair_of(1.0 / ((double)(cells[0].end - cells[0].first) *
                              (cells[1].end - cells[1].first)));
  __syncthreads();
  const take_reference take = {reference, share};
  hp_each_channel(limits, hp_map_of(features, view->half), cells[1], cells[0], take);
}
