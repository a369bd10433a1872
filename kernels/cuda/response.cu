// Select for networks that respond to the target at several sizes: the same place and the same box as
// the siamese filter of runtime/decode/response.py.
//
//   hp_enlarge          every window's response by a cubic, with its peak, its least value and its sum
//   hp_remember_peak    the peak of the first frame, when a target is taken
//   hp_place            the best places in the response with the highest peak, one for each block
//   hp_select_response  the best place of all, and the frame around it
#include "select.h"

namespace {

const int ROWS = 16;  // of the enlarged response that one thread writes

// What a part of an enlarged response holds. `most` is not a number if any value is none.
struct heights {
  float most, least;
  hp_pair sum;
};

__device__ heights heights_add(heights a, heights b) {
  heights both;
  both.most = b.most > a.most || b.most != b.most ? b.most : a.most;
  both.least = fminf(a.least, b.least);
  both.sum = hp_pair_add(a.sum, b.sum);
  return both;
}

__device__ heights heights_down(heights value, int distance) {
  value.most = __shfl_down_sync(HP_ALL_LANES, value.most, distance);
  value.least = __shfl_down_sync(HP_ALL_LANES, value.least, distance);
  value.sum = hp_pair_down(value.sum, distance);
  return value;
}

__device__ heights no_heights() {
  const hp_pair zero = {0.0f, 0.0f};
  const heights none = {-hp_infinity(), hp_infinity(), zero};
  return none;
}

__device__ int clamped(int index, int size) {
  return index < 0 ? 0 : index > size - 1 ? size - 1 : index;
}

// The enlargement of one row of a response, at one column.
__device__ float across(hp_map row, const hp_cubic* tap, int size) {
  float sum = row[clamped(tap->first, size)] * tap->weight[0];
#pragma unroll
  for (int i = 1; i < 4; ++i) sum += row[clamped(tap->first + i, size)] * tap->weight[i];
  return sum;
}

// The response with the highest peak, and what its votes need.
struct chosen {
  int index;  // -1 if no peak is finite
  double peak, least, sum, damping;
  float rough_least, rough_share, rough_damping, rough_influence, error;
};

// Peak of one response: its largest value, damped. By one thread.
__device__ heights heights_of(const heights* parts, int index, int count) {
  heights all = no_heights();
#pragma unroll 1
  for (int i = 0; i < count; ++i) all = heights_add(all, parts[index * count + i]);
  return all;
}

// By a whole block, which meets afterwards. parts: `count` of each response. peaks: shared memory.
__device__ void choose(const hp_response* head, const double* damping, const heights* parts,
                       int count, heights* all, chosen* result) {
  const int index = threadIdx.x;
  if (index < head->scales) all[index] = heights_of(parts, index, count);
  __syncthreads();
  if (index) return;
  result->index = -1;
#pragma unroll 1
  for (int i = 0; i < head->scales; ++i) {
    const double peak = hp_mul(all[i].most, damping[i]);
    if (!hp_is_number(peak) || (result->index >= 0 && !(peak > result->peak))) continue;
    result->index = i;
    result->peak = peak;
  }
  if (result->index < 0) return;
  const heights best = all[result->index];
  const int side = head->size * head->upsample;
  result->damping = damping[result->index];
  result->least = hp_mul(best.least, result->damping);
  result->sum = hp_mul(hp_pair_value(best.sum), result->damping) -
                hp_mul((double)side * side, result->least);
  const float share = (float)((1.0 - head->window_influence) / (result->sum + 1e-16));
  result->rough_share = share;
  result->rough_least = (float)result->least;
  result->rough_damping = (float)result->damping;
  result->rough_influence = (float)head->window_influence;
  // Twice what the roundings of `places::rough` can add up to.
  const float largest = fmaxf(fabsf((float)result->peak), fabsf(result->rough_least));
  result->error = 2e-6f * fabsf(share) * largest + 1e-37f;
}

struct places {
  const hp_response* head;
  const chosen* from;
  const float* response;
  const double* line;  // of the Hanning window, one axis; its square's sum is line_sum
  const float* rough_line;
  double line_sum;
  float rough_line_share;  // 1 / line_sum
  int side, begin;         // begin: the block's first place

  __device__ hp_interval rough(int place) const {
    const int at = begin + place, row = at / side;
    const float window = rough_line[row] * rough_line[at - row * side] * rough_line_share;
    const float above = response[at] * from->rough_damping - from->rough_least;
    const float value = above * from->rough_share + window * from->rough_influence;
    const float error = from->error + 1e-6f * fabsf(value);
    const hp_interval vote = {value - error, value + error};
    const hp_interval any = {-hp_infinity(), hp_infinity()};
    return fabsf(value) < 1e30f ? vote : any;
  }

  __device__ double exact(int place, double* vote) const {
    const int at = begin + place, row = at / side;
    const double window = hp_mul(line[row], line[at - row * side]) / line_sum;
    return *vote = hp_response_vote(head, hp_mul(response[at], from->damping), from->least,
                                    from->sum, window);
  }
};

}  // namespace

// responses: one plane of size x size for each scale of each target; taps: one for each column or row
// of the enlarged response; half: whether responses are of half precision; enlarged: one plane for each scale; parts: gridDim.x * gridDim.y for each
// scale. Grid: blocks of blockDim.x columns and ROWS * blockDim.y rows, one layer for each scale.
extern "C" __global__ void __launch_bounds__(256)
    hp_enlarge(const hp_response* __restrict__ head, const hp_cubic* __restrict__ taps,
               const void* __restrict__ responses, int half, float* __restrict__ enlarged,
               heights* __restrict__ parts) {
  __shared__ heights shared[HP_MOST_WARPS];
  const int size = head->size, side = size * head->upsample;
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  const hp_map response = hp_map_of(responses, half) + (int)blockIdx.z * size * size;
  float* out = enlarged + blockIdx.z * side * side;
  heights mine = no_heights();
  if (column < side) {
    const hp_cubic tap = taps[column];
    const int begin = (blockIdx.y * blockDim.y + threadIdx.y) * ROWS;
    const int end = begin + ROWS < side ? begin + ROWS : side;
    int first = -2147483647;
    float rows[4] = {};
#pragma unroll 1
    for (int row = begin; row < end; ++row) {
      const hp_cubic down = taps[row];
      if (down.first != first) {
        first = down.first;
#pragma unroll
        for (int i = 0; i < 4; ++i)
          rows[i] = across(response + clamped(first + i, size) * size, &tap, size);
      }
      float value = rows[0] * down.weight[0];
#pragma unroll
      for (int i = 1; i < 4; ++i) value += rows[i] * down.weight[i];
      out[row * side + column] = value;
      const hp_pair one = {value, 0.0f};
      const heights here = {value, value, one};
      mine = heights_add(mine, here);
    }
  }
#pragma unroll 1
  for (int distance = 16; distance > 0; distance >>= 1)
    mine = heights_add(mine, heights_down(mine, distance));
  const int thread = threadIdx.y * blockDim.x + threadIdx.x;
  if (!(thread & 31)) shared[thread >> 5] = mine;
  __syncthreads();
  if (thread) return;
#pragma unroll 1
  for (int warp = 1; warp < (int)(blockDim.x * blockDim.y >> 5); ++warp)
    mine = heights_add(mine, shared[warp]);
  parts[(blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = mine;
}

// One thread. parts: `count` for each scale; first_peak becomes the peak of the unchanged size.
extern "C" __global__ void hp_remember_peak(const hp_response* __restrict__ head,
                                            const double* __restrict__ damping,
                                            const heights* __restrict__ parts, int count,
                                            double* first_peak) {
  const int middle = head->scales / 2;
  *first_peak = hp_mul(heights_of(parts, middle, count).most, damping[middle]);
}

// Blocks of whole warps; each looks through a part of the response with the highest peak of a target,
// which is blockIdx.y. line, rough_line: the Hanning window's axis in doubles and in floats; its
// square's sum is the first number behind it. found: one for each block.
extern "C" __global__ void __launch_bounds__(256)
    hp_place(const hp_response* __restrict__ head, const double* __restrict__ damping,
             const double* __restrict__ line, const float* __restrict__ rough_line,
             const float* __restrict__ enlarged, const heights* __restrict__ parts, int count,
             hp_rank* __restrict__ found) {
  __shared__ heights all[HP_MOST_WINDOWS];
  __shared__ chosen best;
  __shared__ hp_vote_memory votes;
  __shared__ double vote;
  const int target = blockIdx.y;
  choose(head, damping, parts + target * head->scales * count, count, all, &best);
  __syncthreads();
  const int side = head->size * head->upsample, cells = side * side;
  const int share = (cells + gridDim.x - 1) / gridDim.x, begin = blockIdx.x * share;
  const int length = begin + share < cells ? share : cells - begin;
  int place = -1;
  if (best.index >= 0 && length > 0) {
    const float* response = enlarged + (target * head->scales + best.index) * cells;
    const places all_places = {head,       &best,      response,
                               line,       rough_line, line[side],
                               rough_line[side + 1],   side,
                               begin};
    place = hp_find_winner(all_places, length, &votes, &vote);
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    hp_rank mine = {0, -1};
    if (place >= 0) mine = hp_rank_of(vote, begin + place);
    found[target * gridDim.x + blockIdx.x] = mine;
  }
}

// One block of whole warps for each target. found: `blocks` of them for each target, from hp_place.
extern "C" __global__ void __launch_bounds__(256)
    hp_select_response(const hp_response* __restrict__ head, const double* __restrict__ damping,
                       const heights* __restrict__ parts, int count,
                       const hp_rank* __restrict__ found, int blocks,
                       const double* __restrict__ first_peak, HP_FRAME_PARAMETERS) {
  __shared__ hp_selection_memory all;
  __shared__ heights peaks[HP_MOST_WINDOWS];
  __shared__ chosen best;
  __shared__ hp_rank ranks[HP_MOST_WARPS];
  const int target = blockIdx.x;
  const hp_selection select = HP_BEGIN(&all);
  parts += target * head->scales * count;
  found += target * blocks;
  first_peak += target;
  choose(head, damping, parts, count, peaks, &best);
  hp_rank mine = {0, -1};
  for (int i = threadIdx.x; i < blocks; i += blockDim.x) mine = hp_higher(mine, found[i]);
  const int cell = hp_block_highest(mine, ranks).cell;
  __syncthreads();
  if (threadIdx.x == 0) {
    all.cell = cell;
    all.score = all.certain = 1.0 / (1.0 + hp_exp(-best.peak));
    if (*first_peak > 0) all.certain = hp_clip_centre(best.peak / *first_peak, 1.0);
  }
  if (cell >= 0 && threadIdx.x < 2) {
    const int axis = threadIdx.x, side = head->size * head->upsample;
    hp_response_move(head, axis ? cell / side : cell % side, view->factors[best.index],
                     all.scale[axis], hp_frame_side(&select, axis), all.after + axis,
                     all.after + axis + 2);
  }
  __syncthreads();
  HP_END(&all);
}
