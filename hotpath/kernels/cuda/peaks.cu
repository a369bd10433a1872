// Places of a window in the maps of the families points and centre, and the features under their
// boxes. The definitions are runtime/decode/shared/proposals.py and Pooling of runtime/identity/learner/classifier.py.
//
// Every thread computes the score and the vote of its cells in doubles, which are slow on small GPUs:
// 256 cells take some ten microseconds there.
#include "frame.h"

namespace {

enum { MOST_WARPS = 32 };
enum { POINTS = 0, CENTRE = 1 };

// Told by its exponent, which takes no operation on doubles.
__device__ bool is_number(double value) {
  return (__double_as_longlong(value) >> 52 & 0x7ff) != 0x7ff;
}

// A value as a whole number of the same order, so that threads compare values without doubles.
struct rank {
  long long order;
  int cell;  // -1: none
};

__device__ rank rank_of(double value, int cell) {
  const long long bits = __double_as_longlong(value + 0.0);  // -0 becomes 0
  const rank result = {bits < 0 ? bits ^ 0x7fffffffffffffffll : bits, is_number(value) ? cell : -1};
  return result;
}

// Whether a comes before b: it is higher, or of equal ones it has the lower cell.
__device__ bool before(rank a, rank b) {
  if (a.cell < 0 || b.cell < 0) return b.cell < 0 && a.cell >= 0;
  return a.order > b.order || (a.order == b.order && a.cell < b.cell);
}

// The first of a block, in every thread.
__device__ rank first_of_block(rank best, rank* parts) {
  for (int distance = 16; distance > 0; distance >>= 1) {
    rank other;
    other.order = __shfl_down_sync(0xffffffffu, best.order, distance);
    other.cell = __shfl_down_sync(0xffffffffu, best.cell, distance);
    if (before(other, best)) best = other;
  }
  if (!(threadIdx.x & 31)) parts[threadIdx.x >> 5] = best;
  __syncthreads();
  best = parts[0];
  for (int warp = 1; warp < (int)(blockDim.x >> 5); ++warp)
    if (before(parts[warp], best)) best = parts[warp];
  __syncthreads();  // until all have read
  return best;
}

// What the threads of a block share. The numbers of the network are copied, as the window's prior
// changes two of them.
struct memory {
  hp_window_request look;
  union {
    hp_points points;
    hp_centre centre;
  } head;
  rank parts[MOST_WARPS];
  int cells[HP_MOST_PLACES];
  double state[HP_MOST_PLACES][4];
  double score[HP_MOST_PLACES];
};

// Copies a structure by a whole block.
template <class Structure>
__device__ void share(Structure* copy, const void* from) {
  for (int i = threadIdx.x; i < (int)(sizeof(Structure) / 8); i += blockDim.x)
    ((long long*)copy)[i] = ((const long long*)from)[i];
}

// Every cell proposes a box around its own point: runtime/decode/points.py.
struct point_head {
  const hp_points* points;
  hp_target target;
  hp_map scores, distances;
  const double* window;
  int size, count;

  __device__ double probability(int cell) const {
    const double other = scores[cell];
    const double own = points->score == HP_SOFTMAX ? (double)scores[count + cell] : other;
    return hp_probability(points->score, own, other);
  }

  __device__ hp_scored_box scored(int cell, double probability) const {
    return hp_vote(points, &target, window[cell], probability, distances[cell],
                   distances[count + cell], distances[2 * count + cell],
                   distances[3 * count + cell]);
  }

  __device__ double vote(int cell, double probability, double* score) const {
    const hp_scored_box box = scored(cell, probability);
    *score = box.score;
    return box.vote;
  }

  // Moves a target there; returns its score.
  __device__ double move(int cell, double probability, double, const hp_window_request* look,
                         const double* frame, double* state) const {
    const hp_scored_box box = scored(cell, probability);
    for (int axis = 0; axis < 2; ++axis)
      hp_move(points, &box, axis ? cell / size : cell % size, distances[axis * count + cell],
              distances[(axis + 2) * count + cell], look->scale[axis], frame[axis], state + axis,
              state + axis + 2);
    return is_number(box.vote) ? box.score : box.vote;
  }
};

// A score of the target's centre, its place in the cell, and its size: runtime/decode/centre.py.
struct centre_head {
  const hp_centre* head;
  hp_map scores, sizes, offsets;
  const double* window;
  int size, count;

  __device__ double probability(int cell) const {
    return hp_probability(head->score, scores[cell], 0.0);
  }

  __device__ double vote(int cell, double, double* score) const {
    const double raw = scores[cell], vote = hp_centre_vote(head, raw, window[cell]);
    *score = hp_centre_score(head, raw, vote);
    return vote;
  }

  __device__ double move(int cell, double, double score, const hp_window_request* look,
                         const double* frame, double* state) const {
    if (score < head->min_score) return score;
    const double across = offsets[cell], down = offsets[count + cell];
    const double width = sizes[cell], height = sizes[count + cell];
    if (!is_number(across + down + width + height)) return across + down + width + height;
    if (head->relative_to == HP_FROM_WINDOW)
      for (int axis = 0; axis < 2; ++axis)
        state[axis] = look->window[axis] + look->window[axis + 2] / 2.0;
    const double side = head->window.search, rate = hp_centre_rate(head, scores[cell]);
    hp_take_share(&head->limits, side, hp_centre_share(head, cell % size, across), width, rate,
                  look->scale[0], frame[0], state, state + 2);
    hp_take_share(&head->limits, side, hp_centre_share(head, cell / size, down), height, rate,
                  look->scale[1], frame[1], state + 1, state + 3);
    return score;
  }
};

// The cell with the highest of some values, and of equal ones the lowest. `takes(cell)` says which
// cells count.
template <class Takes>
__device__ rank highest(const double* values, int count, rank* parts, const Takes& takes) {
  rank best = {0, -1};
  for (int cell = threadIdx.x; cell < count; cell += blockDim.x) {
    const rank own = rank_of(values[cell], cell);
    if (before(own, best) && takes(cell)) best = own;
  }
  return first_of_block(best, parts);
}

struct every_cell {
  __device__ bool operator()(int) const { return true; }
};

// Cells that are apart from those that were taken.
struct cells_apart {
  const int* taken;
  int found, size, apart;

  __device__ bool operator()(int cell) const {
    for (int i = 0; i < found; ++i) {
      const int down = cell / size - taken[i] / size, across = cell % size - taken[i] % size;
      if (down < apart && -down < apart && across < apart && -across < apart) return false;
    }
    return true;
  }
};

// Peaks that reach `least` and come after another one. The best cell is none of them.
struct later_peaks {
  const double* scores;
  double least;
  rank last;
  int best, size;

  __device__ bool operator()(int cell) const {
    const double own = scores[cell];
    if (cell == best || !(own >= least)) return false;
    if (last.cell >= 0 && !before(last, rank_of(own, cell))) return false;
    const int row = cell / size, column = cell % size;
    for (int y = row > 0 ? row - 1 : 0; y <= row + 1 && y < size; ++y)
      for (int x = column > 0 ? column - 1 : 0; x <= column + 1 && x < size; ++x)
        if (is_number(scores[y * size + x]) && scores[y * size + x] > own) return false;
    return true;
  }
};

// Writes the places of a block's window. `room`: three doubles for each cell.
template <class Head>
__device__ void propose(const Head& head, const double* frame, double* room, memory* all,
                        hp_window_result* seen) {
  const hp_window_request* look = &all->look;
  const int count = head.count;
  double *probabilities = room, *votes = room + count, *scores = votes + count;
  for (int cell = threadIdx.x; cell < count; cell += blockDim.x) {
    probabilities[cell] = head.probability(cell);
    votes[cell] = head.vote(cell, probabilities[cell], scores + cell);
  }
  __syncthreads();
  const int most = look->most < HP_MOST_PLACES ? look->most : HP_MOST_PLACES;
  const rank best = highest(votes, count, all->parts, every_cell());
  int found = best.cell >= 0;
  if (threadIdx.x == 0) all->cells[0] = best.cell;
  __syncthreads();
  if (found && look->apart > 0) {
    const double least = hp_mul(look->share, scores[best.cell]);
    while (found < most) {
      const cells_apart apart = {all->cells, found, head.size, look->apart};
      const int cell = highest(votes, count, all->parts, apart).cell;
      if (cell < 0 || !(scores[cell] >= least)) break;
      if (threadIdx.x == 0) all->cells[found] = cell;
      ++found;
      __syncthreads();
    }
  } else if (found && most > 1) {
    const rank top = highest(probabilities, count, all->parts, every_cell());
    later_peaks peaks = {probabilities,
                         top.cell < 0 ? 0.0 : hp_mul(look->share, probabilities[top.cell]),
                         {0, -1},
                         best.cell,
                         head.size};
    while (found < most) {
      peaks.last = highest(probabilities, count, all->parts, peaks);
      if (peaks.last.cell < 0) break;
      if (threadIdx.x == 0) all->cells[found] = peaks.last.cell;
      ++found;
    }
    __syncthreads();
  }
  if ((int)threadIdx.x < found) {  // one thread a box
    double* state = all->state[threadIdx.x];
    for (int i = 0; i < 4; ++i) state[i] = look->around[i];
    const int cell = all->cells[threadIdx.x];
    const double score = head.move(cell, probabilities[cell], scores[cell], look, frame, state);
    bool finite = is_number(score);
    for (int i = 0; i < 4; ++i) finite = finite && is_number(state[i]);
    all->score[threadIdx.x] = score;
    if (!finite) all->cells[threadIdx.x] = -1;
  }
  __syncthreads();
  if (threadIdx.x) return;
  int kept = 0;
  for (int i = 0; i < found && all->cells[0] >= 0; ++i) {
    if (all->cells[i] < 0 && look->apart > 0) break;  // as a select that finds nothing
    if (all->cells[i] < 0) continue;
    for (int k = 0; k < 4; ++k) seen->state[kept][k] = all->state[i][k];
    seen->score[kept] = all->score[i];
    seen->cell[kept++] = all->cells[i];
  }
  seen->count = kept;
  for (; kept < HP_MOST_PLACES; ++kept) {
    for (int k = 0; k < 4; ++k) seen->state[kept][k] = 0.0;
    seen->score[kept] = 0.0;
    seen->cell[kept] = 0;
  }
}

// The share of each cell along one axis in one part of a box; `_shares` of the definition. `centre` and
// `length` of the box in cells, from the region's centre.
__device__ void share_cells(float centre, float length, int part, int side, float* shares,
                            int* range) {
  length = fmaxf(length, (float)HP_PARTS);
  const float at = centre + ((part + 0.5f) / HP_PARTS - 0.5f) * length + (float)(side / 2);
  const float low = at - length / HP_PARTS / 2, high = at + length / HP_PARTS / 2;
  float sum = 0.0f;
  for (int cell = 0; cell < side; ++cell) {
    shares[cell] = fmaxf(fminf(high, cell + 0.5f) - fmaxf(low, cell - 0.5f), 0.0f);
    sum += shares[cell];
  }
  if (!(sum > 1e-6f)) {  // a part outside of the region takes the nearest cell
    const int nearest = (int)fminf(fmaxf(rintf(at), 0.0f), (float)(side - 1));
    for (int cell = 0; cell < side; ++cell) shares[cell] = cell == nearest ? 1.0f : 0.0f;
    sum = 1.0f;
  }
  range[0] = side;
  range[1] = 0;
  for (int cell = 0; cell < side; ++cell) {
    if (shares[cell] == 0.0f) continue;
    shares[cell] /= sum;
    if (cell < range[0]) range[0] = cell;
    range[1] = cell + 1;
  }
}

}  // namespace

// The places of windows, one block of whole warps for each. head: hp_points or hp_centre, by `family`.
// scores, boxes, more: the network's maps; `more` may be 0. The first numbers of two windows are
// `apart`. window: the weight of each cell. room: three doubles for each cell of each window.
extern "C" __global__ void __launch_bounds__(256, 1)
    hp_peaks(int family, const void* __restrict__ head, const double* __restrict__ window,
             const void* __restrict__ scores, int scores_apart, const void* __restrict__ boxes,
             int boxes_apart, const void* __restrict__ more, int more_apart,
             const hp_frame* __restrict__ frame, const hp_window_request* __restrict__ looks,
             int half, double* room, hp_window_result* seen) {
  __shared__ memory all;
  share(&all.look, looks + blockIdx.x);
  if (family == POINTS)
    share(&all.head.points, head);
  else
    share(&all.head.centre, head);
  __syncthreads();
  if (threadIdx.x == 0) {
    if (family == POINTS) {
      all.head.points.window_influence = all.look.influence;
      all.head.points.size_lr = all.look.size_lr;
    } else {
      all.head.centre.influence = all.look.influence;
      all.head.centre.size_lr = all.look.size_lr;
    }
  }
  __syncthreads();
  const double sides[2] = {(double)frame->frame_width, (double)frame->frame_height};
  const hp_map first = hp_map_of(scores, half) + blockIdx.x * scores_apart;
  const hp_map second = hp_map_of(boxes, half) + blockIdx.x * boxes_apart;
  const hp_map third = hp_map_of(more, half) + blockIdx.x * more_apart;  // of a centre head
  seen += blockIdx.x;
  if (family == POINTS) {
    const hp_points* points = &all.head.points;
    const double* around = all.look.around;
    const int size = points->size, count = size * size;
    const hp_target target =
        hp_search_target(around[2], around[3], all.look.scale[0], all.look.scale[1]);
    const point_head own = {points, target, first, second, window, size, count};
    propose(own, sides, room + 3 * count * blockIdx.x, &all, seen);
  } else {
    const int size = all.head.centre.size, count = size * size;
    const centre_head own = {&all.head.centre, first, second, third, window, size, count};
    propose(own, sides, room + 3 * count * blockIdx.x, &all, seen);
  }
}

// The mean of each channel in each part of the boxes, a row for each place: those of the first window
// first, without gaps. A row is a float and whole numbers of 16 bits, which times the float are the
// means: a download holds twice as many rows as of floats. The float is not a number if a mean is not
// finite. Blocks: places x windows. features: channels of side x side cells. sums: room for the means.
extern "C" __global__ void __launch_bounds__(256, 1)
    hp_pool(const hp_window_request* __restrict__ looks, const hp_window_result* __restrict__ seen,
            const void* __restrict__ features, int apart, int half, int channels, int side,
            double stride, float* sums, char* rows) {
  __shared__ float shares[2][HP_PARTS][HP_MOST_CELLS];
  __shared__ int ranges[2][HP_PARTS][2];
  __shared__ float parts[MOST_WARPS];
  const int place = blockIdx.x, own = blockIdx.y;
  if (place >= seen[own].count) return;
  int row = place;
  for (int i = 0; i < own; ++i) row += seen[i].count;
  if (threadIdx.x < 2 * HP_PARTS) {
    const int axis = threadIdx.x / HP_PARTS, part = threadIdx.x % HP_PARTS;
    const hp_window_request* look = looks + own;
    const double* state = seen[own].state[place];
    const double cells = look->scale[axis] / stride;
    share_cells((float)((state[axis] - look->around[axis]) * cells),
                (float)(state[axis + 2] * cells), part, side, shares[axis][part],
                ranges[axis][part]);
  }
  __syncthreads();
  const hp_map map = hp_map_of(features, half) + own * apart;
  const int length = HP_PARTS * HP_PARTS * channels;
  const float infinity = __int_as_float(0x7f800000);
  float largest = 0.0f;
  sums += row * length;
  for (int i = threadIdx.x; i < length; i += blockDim.x) {
    const int part = i / channels;
    const float *across = shares[0][part % HP_PARTS], *down = shares[1][part / HP_PARTS];
    const int *columns = ranges[0][part % HP_PARTS], *lines = ranges[1][part / HP_PARTS];
    const hp_map channel = map + i % channels * side * side;
    float sum = 0.0f;
    for (int y = lines[0]; y < lines[1]; ++y)
      for (int x = columns[0]; x < columns[1]; ++x)
        sum += down[y] * across[x] * channel[y * side + x];
    sums[i] = sum;
    largest = fmaxf(largest, sum - sum == 0.0f ? fabsf(sum) : infinity);
  }
  for (int distance = 16; distance > 0; distance >>= 1)
    largest = fmaxf(largest, __shfl_down_sync(0xffffffffu, largest, distance));
  if (!(threadIdx.x & 31)) parts[threadIdx.x >> 5] = largest;
  __syncthreads();
  for (int warp = 0; warp < (int)(blockDim.x >> 5); ++warp) largest = fmaxf(largest, parts[warp]);
  const bool finite = largest < infinity;
  const float steps = 32767.0f, scale = finite ? largest / steps : __int_as_float(0x7fc00000);
  rows += row * (4 + 2 * length);
  if (threadIdx.x == 0) *(float*)rows = scale;
  short* values = (short*)(rows + 4);
  for (int i = threadIdx.x; i < length; i += blockDim.x)
    values[i] = finite && largest > 0.0f ? (short)rintf(sums[i] / largest * steps) : 0;
}
