// Select for heads in which every cell votes for a box, the loss monitor, and the plan of the next
// crop. The target's state stays on the GPU. Definitions: runtime/decode/points.py (the same cell,
// the same box), runtime/loss.py and runtime/geometry.py.
//
// Doubles are slow on small GPUs. So each thread counts its cells' votes in floats, with a bound on
// the error. Only a cell that can be the winner is counted again in doubles, by its own thread: as a
// rule one. All else that needs doubles is done once, by one or two threads.
#include "loss_monitor.h"

namespace {

const unsigned ALL_LANES = 0xffffffffu;
const int MOST_WARPS = 32;

__device__ float infinity() { return __int_as_float(0x7f800000); }

__device__ bool is_number(double value) { return value - value == 0.0; }

struct maps {
  const float *scores, *distances;
  const double* window;
  const float* rough_window;
};

// ---- votes in floats

// The target in floats, and what the bound of the error needs.
struct rough_target {
  float inverse_area, ratio;         // 1 / side^2; width / height
  float penalty, influence, others;  // others: 1 - influence
  float error;
};

__device__ rough_target rough(const hp_points* points, const hp_target* target) {
  rough_target result;
  result.inverse_area = (float)(1.0 / hp_mul(target->side, target->side));
  result.ratio = (float)target->ratio;
  result.penalty = (float)points->penalty;
  result.influence = (float)points->influence;
  result.others = 1.0f - result.influence;
  // Twice what the roundings below and those of the GPU's fast functions can add up to, relative to
  // 1 + |score|. The bound holds for the usual ranges alone; beyond them every cell is counted again.
  const bool usual = points->penalty >= 0 && points->influence >= 0 && points->influence <= 1;
  result.error = usual ? 4e-6f * (1.0f + result.penalty) : infinity();
  return result;
}

// Limits of a cell's vote: -infinity for high if the cell can't win.
struct interval {
  float low, high;
};

__device__ interval rough_vote(const rough_target* target, int kind, const maps* from, int cell,
                             int count) {
  interval vote = {-infinity(), -infinity()};
  float score = from->scores[cell];
  if (kind != HP_PROBABILITY) {
    const float apart = kind == HP_SOFTMAX ? score - from->scores[count + cell] : -score;
    score = __fdividef(1.0f, 1.0f + __expf(apart));
  }
  const float* distances = from->distances + cell;
  const float width = distances[0] + distances[2 * count];
  const float height = distances[count] + distances[3 * count];
  if (!(fabsf(score) < infinity()) || width != width || height != height) return vote;
  vote.high = infinity();
  const float error = target->error * (1.0f + fabsf(score));
  if (!(width >= 0.0f && height >= 0.0f && width < 1e15f && height < 1e15f && error < 1e30f))
    return vote;
  const float window = from->rough_window[cell] * target->influence;
  const float context = (width + height) * 0.5f;
  float size = (width + context) * (height + context) * target->inverse_area;
  size = fmaxf(size, __fdividef(1.0f, size));
  const float other = target->ratio * height;
  const float ratio = other > width ? __fdividef(other, width) : __fdividef(width, other);
  const float change = (ratio * (size * rsqrtf(size)) - 1.0f) * target->penalty;
  if (!(change < 80.0f)) {  // so large that the penalty is almost 0; or not a number
    vote.high = fmaxf(score, 0.0f) * target->others + window + error;
    return vote;
  }
  const float value = __expf(-change) * score * target->others + window;
  vote.low = value - error;
  vote.high = value + error;
  return vote;
}

// The largest value of a block, in every thread.
__device__ float block_max(float value, float* parts) {
  for (int distance = 16; distance > 0; distance >>= 1)
    value = fmaxf(value, __shfl_down_sync(ALL_LANES, value, distance));
  if (!(threadIdx.x & 31)) parts[threadIdx.x >> 5] = value;
  __syncthreads();
  value = parts[0];
  for (int warp = 1; warp < (int)(blockDim.x >> 5); ++warp) value = fmaxf(value, parts[warp]);
  return value;
}

// ---- votes in doubles

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

// A vote as a whole number of the same order, so that threads compare votes without doubles.
struct rank {
  long long order;
  int cell;  // -1: none
};

__device__ rank rank_of(double vote, int cell) {
  const long long bits = __double_as_longlong(vote + 0.0);  // -0 becomes 0
  const rank result = {bits < 0 ? bits ^ 0x7fffffffffffffffll : bits, cell};
  return result;
}

// The higher vote; of equal ones the lower cell.
__device__ rank higher(rank a, rank b) {
  if (b.cell < 0) return a;
  const bool second = a.cell < 0 || b.order > a.order || (b.order == a.order && b.cell < a.cell);
  return second ? b : a;
}

// The highest of a block, in every thread.
__device__ rank block_highest(rank best, rank* parts) {
  for (int distance = 16; distance > 0; distance >>= 1) {
    rank other;
    other.order = __shfl_down_sync(ALL_LANES, best.order, distance);
    other.cell = __shfl_down_sync(ALL_LANES, best.cell, distance);
    best = higher(best, other);
  }
  if (!(threadIdx.x & 31)) parts[threadIdx.x >> 5] = best;
  __syncthreads();
  best = parts[0];
  for (int warp = 1; warp < (int)(blockDim.x >> 5); ++warp) best = higher(best, parts[warp]);
  return best;
}

// ---- a frame

// What single threads of the block tell the others.
struct block_memory {
  double scale;      // search pixels per frame pixel
  hp_target target;  // before the frame
  rough_target rough;
  hp_ballot best;
  double before[4], after[4];  // states
  int flags;
  hp_span cells[2];  // columns and rows of the features under the box
  hp_scale resize;   // of the next crop
  float floats[MOST_WARPS];
  rank ranks[MOST_WARPS];
  hp_products products[MOST_WARPS];
};

// By one thread.
__device__ void prepare(const hp_points* points, const hp_view* view, const hp_monitor* monitor,
                        const hp_pose* pose, block_memory* all) {
  for (int i = 0; i < 4; ++i) all->before[i] = pose->state[i];
  all->scale = view->exemplar / hp_context_side(pose->state[2], pose->state[3], view->context) /
               monitor->widened;
  all->target = hp_search_target(pose->state[2], pose->state[3], all->scale, all->scale);
  all->rough = rough(points, &all->target);
}

// The winning cell, in every thread; -1 if no vote is finite. Its ballot is in all->best.
__device__ int find_winner(const hp_points* points, const maps* from, block_memory* all) {
  const int count = points->size * points->size, kind = points->score;
  float low = -infinity(), high = low;
  for (int cell = threadIdx.x; cell < count; cell += blockDim.x) {
    const interval vote = rough_vote(&all->rough, kind, from, cell, count);
    low = fmaxf(low, vote.low);
    high = fmaxf(high, vote.high);
  }
  const float least = block_max(low, all->floats);

  rank best = {0, -1};
  hp_ballot mine;
  if (high >= least) {
    for (int cell = threadIdx.x; cell < count; cell += blockDim.x) {
      if (!(rough_vote(&all->rough, kind, from, cell, count).high >= least)) continue;
      const hp_ballot found = ballot(points, &all->target, from, cell);
      if (!is_number(found.vote)) continue;
      best = higher(best, rank_of(found.vote, cell));
      if (best.cell == cell) mine = found;
    }
  }
  const int winner = block_highest(best, all->ranks).cell;
  if (best.cell >= 0 && best.cell == winner) all->best = mine;
  return winner;
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

// Moves one axis to the winning cell: 0 is x, 1 is y. Writes all->after.
__device__ void move_axis(const hp_points* points, const maps* from, int cell, int axis,
                          const hp_frame* frame, block_memory* all) {
  const int count = points->size * points->size;
  const float* distances = from->distances + cell + axis * count;
  double centre = all->before[axis], size = all->before[axis + 2];
  hp_move(points, &all->best, axis ? cell / points->size : cell % points->size, distances[0],
          distances[2 * count], all->scale, axis ? frame->frame_height : frame->frame_width,
          &centre, &size);
  all->after[axis] = centre;
  all->after[axis + 2] = size;
}

// Takes the new state over unless something is wrong with it. By one thread.
__device__ void settle(int cell, const hp_frame* frame, hp_pose* pose, block_memory* all) {
  int flags = uploaded(frame, pose) ? 0 : HP_NOT_UPLOADED;
  if (cell < 0) flags |= HP_NO_SCORE;
  if (!flags)
    for (int i = 0; i < 4; ++i)
      if (!is_number(all->after[i])) flags = HP_NOT_FINITE;
  if (!flags) {
    for (int i = 0; i < 4; ++i) pose->state[i] = all->after[i];
    pose->score = all->best.score;
  }
  pose->sequence = (short)frame->sequence;
  pose->cell = cell;
  pose->flags = (short)flags;
  all->flags = flags;
}

// Decides whether the target is lost. By a whole block, after settle found no error.
__device__ void monitor_loss(const hp_limits* limits, const float* features,
                             const float* reference, hp_monitor* monitor, hp_pose* pose,
                             block_memory* all) {
  const int axis = threadIdx.x;
  hp_products sums = hp_no_products();
  if (features) {
    if (axis < 2)
      all->cells[axis] = hp_axis_cells(limits, all->after[axis] - all->before[axis],
                                       all->after[axis + 2], all->scale);
    __syncthreads();
    sums = hp_compare_features(limits, features, reference, all->cells[1], all->cells[0],
                               all->products);
  }
  if (threadIdx.x) return;
  double now = pose->score;
  if (features) now = hp_mul(now, hp_cosine_of(sums));
  hp_judge(limits, now, monitor, pose);
}

// The next window. By one thread.
__device__ void aim(const hp_view* view, const hp_monitor* monitor, int exemplar, hp_pose* pose,
                    hp_scale* resize) {
  hp_aim_window(view, monitor, pose, exemplar);
  *resize = hp_split_scale(
      hp_resize_scale(pose->side, exemplar ? view->exemplar : view->search));
}

struct take_reference {
  float* reference;
  hp_pair share;  // 1 / number of cells
  __device__ void operator()(int channel, hp_pair sum) const {
    reference[channel] = hp_pair_multiply(sum, share).high;
  }
};

}  // namespace

// Window and plan of the target's exemplar, or of its search region. One block.
extern "C" __global__ void __launch_bounds__(256)
    hp_aim(const hp_view* __restrict__ view, const hp_monitor* __restrict__ monitor, int exemplar,
           hp_pose* pose, hp_line* plan) {
  __shared__ hp_scale resize;
  if (threadIdx.x == 0) aim(view, monitor, exemplar, pose, &resize);
  __syncthreads();
  hp_plan_crop(pose, exemplar ? view->exemplar : view->search, resize, plan);
}

// Finds the winning cell, moves the target there, decides whether it is lost, and plans the next
// frame's crop. One block of whole warps. scores: one or two planes of size x size; distances: four;
// window, rough_window: one, in doubles and in floats. limits: 0 if the target is not monitored.
// features: limits->channels planes of limits->side^2 cells, or 0; reference: one for each channel.
extern "C" __global__ void __launch_bounds__(256)
    hp_select(const hp_points* __restrict__ points, const hp_view* __restrict__ view,
              const double* __restrict__ window, const float* __restrict__ rough_window,
              const float* __restrict__ scores, const float* __restrict__ distances,
              const hp_frame* __restrict__ frame, const hp_limits* __restrict__ limits,
              const float* __restrict__ features, const float* __restrict__ reference,
              hp_monitor* monitor, hp_pose* pose, hp_line* plan) {
  __shared__ block_memory all;
  const maps from = {scores, distances, window, rough_window};
  if (threadIdx.x == 0) prepare(points, view, monitor, pose, &all);
  __syncthreads();
  const int cell = find_winner(points, &from, &all);
  __syncthreads();
  if (cell >= 0 && threadIdx.x < 2) move_axis(points, &from, cell, threadIdx.x, frame, &all);
  __syncthreads();
  if (threadIdx.x == 0) settle(cell, frame, pose, &all);
  __syncthreads();
  if (limits && !all.flags) monitor_loss(limits, features, reference, monitor, pose, &all);
  if (threadIdx.x == 0) aim(view, monitor, 0, pose, &all.resize);
  __syncthreads();
  hp_plan_crop(pose, view->search, all.resize, plan);
}

// Remembers the features of the first search region as the target's. One block of whole warps.
extern "C" __global__ void __launch_bounds__(256)
    hp_remember(const hp_limits* __restrict__ limits, const hp_view* __restrict__ view,
                const hp_pose* __restrict__ pose, const float* __restrict__ features,
                float* reference) {
  __shared__ hp_span cells[2];
  __shared__ hp_pair share;
  if (threadIdx.x < 2) {
    const double scale =
        view->exemplar / hp_context_side(pose->state[2], pose->state[3], view->context);
    cells[threadIdx.x] = hp_axis_cells(limits, 0.0, pose->state[threadIdx.x + 2], scale);
  }
  __syncthreads();
  if (threadIdx.x == 0)
    share = hp_pair_of(1.0 / ((double)(cells[0].end - cells[0].first) *
                              (cells[1].end - cells[1].first)));
  __syncthreads();
  const take_reference take = {reference, share};
  hp_each_channel(limits, features, cells[1], cells[0], take);
}
