// What the selects of all families share: the frame around them. A family's kernel finds its box; then
// the state moves there, the loss monitor decides whether the target is lost, and the next frame's
// crop is planned. The target's state stays on the GPU.
//
// What needs doubles is done once, by one or two threads: doubles are slow on small GPUs.
#ifndef HOTPATH_CUDA_SELECT_H
#define HOTPATH_CUDA_SELECT_H

#include "loss_monitor.h"
#include "votes.h"
#include "window.h"

// What a select works on besides the network's maps. Addresses of device memory.
struct hp_selection {
  const hp_view* view;
  const hp_frame* frame;
  const hp_limits* limits;  // 0 if the target is not monitored
  const void* features;     // limits->channels planes of limits->side^2 cells, or 0
  const float* reference;   // one for each channel
  hp_monitor* monitor;
  hp_pose* pose;
  hp_plan_line* plan;
};

// What single threads of the block tell the others. First copies of structures that many steps read:
// global memory is slow where one thread waits for it.
struct hp_selection_memory {
  hp_view view;
  hp_frame frame;
  hp_limits limits;
  hp_monitor monitor;
  hp_pose pose;
  double before[4], after[4];  // states
  double scale[2];             // search pixels per frame pixel, x and y
  double score;                // of the cell that was found
  double certain;              // the score as the loss monitor takes it
  int cell;                    // -1: none was found
  int flags;
  hp_span cells[2];  // columns and rows of the features under the box
  hp_planned window;  // the next frame's
  hp_products products[HP_MOST_WARPS];
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

// The selection of a block's target, its state and its scale. What several targets have lies one after
// the other. The block meets afterwards.
static __device__ hp_selection hp_begin_selection(const hp_view* view, const hp_frame* frame,
                                                  const hp_limits* limits, const void* features,
                                                  const float* reference, const hp_monitor* monitor,
                                                  const hp_pose* pose, hp_plan_line* plan,
                                                  hp_selection_memory* all) {
  const int target = blockIdx.x;
  hp_share(&all->view, view, 0);
  hp_share(&all->frame, frame, 1);
  if (limits) hp_share(&all->limits, limits, 2);
  hp_share(&all->monitor, monitor + target, 3);
  hp_share(&all->pose, pose + target, 4);
  __syncthreads();
  if (features) {
    const int count = all->limits.channels * all->limits.side * all->limits.side;
    features = (hp_map_of(features, all->view.half) + target * count).values;
    reference += target * all->limits.channels;
  }
  if (threadIdx.x == 0) {
    for (int i = 0; i < 4; ++i) all->before[i] = all->after[i] = all->pose.state[i];
    hp_scale_of(&all->view, all->pose.state, all->monitor.widened, all->scale);
  }
  const hp_selection select = {&all->view,    &all->frame, limits ? &all->limits : 0,
                               features,      reference,   &all->monitor,
                               &all->pose,    plan + hp_plan_lines(&all->view) * target};
  return select;
}

// The frame's width or height.
static __device__ double hp_frame_side(const hp_selection* select, int axis) {
  return axis ? select->frame->frame_height : select->frame->frame_width;
}

// Whether the part of the window inside the frame was uploaded.
static __device__ bool hp_uploaded(const hp_frame* frame, const hp_pose* pose) {
  const int left = pose->x > 0 ? pose->x : 0, top = pose->y > 0 ? pose->y : 0;
  int right = pose->x + pose->width, bottom = pose->y + pose->height;
  if (right > frame->frame_width) right = frame->frame_width;
  if (bottom > frame->frame_height) bottom = frame->frame_height;
  if (left >= right || top >= bottom) return true;
  return left >= frame->x && top >= frame->y && right <= frame->x + frame->width &&
         bottom <= frame->y + frame->height;
}

// Takes the new state over unless something is wrong with it. By one thread.
static __device__ void hp_settle(const hp_selection* select, hp_selection_memory* all) {
  hp_pose* pose = select->pose;
  int flags = hp_uploaded(select->frame, pose) ? 0 : HP_NOT_UPLOADED;
  if (all->cell < 0) flags |= HP_NO_SCORE;
  if (!flags && !hp_is_number(all->score)) flags = HP_NOT_FINITE;
  if (!flags)
    for (int i = 0; i < 4; ++i)
      if (!hp_is_number(all->after[i])) flags = HP_NOT_FINITE;
  if (!flags) {
    for (int i = 0; i < 4; ++i) pose->state[i] = all->after[i];
    pose->score = (float)all->score;
  }
  pose->sequence = (short)select->frame->sequence;
  pose->cell = all->cell;
  pose->flags = (short)flags;
  all->flags = flags;
}

// Decides whether the target is lost. By a whole block, after hp_settle found no error.
static __device__ void hp_monitor_loss(const hp_selection* select, hp_selection_memory* all) {
  hp_products sums = hp_no_products();
  if (select->features) {
    const hp_map features = hp_map_of(select->features, select->view->half);
    sums = hp_compare_features(select->limits, features, select->reference, all->cells[1],
                               all->cells[0], all->products);
  }
  if (threadIdx.x) return;
  double now = all->certain;
  if (select->features) now = hp_mul(now, hp_cosine_of(sums));
  hp_judge(select->limits, now, select->monitor, select->pose);
}

// The end of a frame. By a whole block, after the family wrote all->after, score, certain and cell,
// and the block met. What need not wait for each other is done by different warps.
static __device__ void hp_end_selection(const hp_selection* select, hp_selection_memory* all,
                                        hp_monitor* monitor, hp_pose* pose) {
  const int axis = threadIdx.x, last = threadIdx.x - (blockDim.x - 32);  // of the last warp
  if (last == 0) hp_settle(select, all);
  if (select->features && axis < 2)
    all->cells[axis] = hp_axis_cells(select->limits, all->after[axis] - all->before[axis],
                                     all->after[axis + 2], all->scale[axis]);
  __syncthreads();
  if (select->limits && !all->flags) hp_monitor_loss(select, all);
  if (last == 0)
    all->window = hp_plan_crop(select->view, all->pose.state, all->monitor.widened, 0);
  __syncthreads();
  hp_aim_block(select->view, 0, select->pose, select->plan, &all->window);
  if (threadIdx.x == 0) {
    monitor[blockIdx.x] = all->monitor;
    pose[blockIdx.x] = all->pose;
  }
}

// What every select's kernel takes after what is its family's, and its begin and end.
#define HP_FRAME_PARAMETERS                                                        \
  const hp_view *__restrict__ view, const hp_frame *__restrict__ frame,            \
      const hp_limits *__restrict__ limits, const void *__restrict__ features,     \
      const float *__restrict__ reference, hp_monitor *monitor, hp_pose *pose, hp_plan_line *plan
#define HP_BEGIN(all) \
  hp_begin_selection(view, frame, limits, features, reference, monitor, pose, plan, all)
#define HP_END(all) hp_end_selection(&select, all, monitor, pose)

// ---- points and anchors

struct hp_voting_memory {
  hp_selection_memory select;
  hp_vote_memory votes;
  hp_target target;  // before the frame
  hp_rough_target rough;
  hp_scored_box best;
  hp_points points;
};

// After HP_BEGIN. The block has met afterwards. Its last warp also writes the exact target,
// which no rough vote needs. `units`: see hp_rough_target_of.
static __device__ void hp_begin_voting(float units, hp_voting_memory* all) {
  const double *before = all->select.before, *scale = all->select.scale;
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
  if (threadIdx.x == 0) all->select.score = all->select.certain = all->best.score;
  return winner;
}

static __device__ double hp_exact_score(const hp_points* points, hp_map scores, int index,
                                        int count) {
  const double other = scores[index];
  const double wanted = points->score == HP_SOFTMAX ? (double)scores[count + index] : other;
  return hp_probability(points->score, wanted, other);
}

#endif  // HOTPATH_CUDA_SELECT_H
