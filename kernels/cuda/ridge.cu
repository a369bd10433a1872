// Select for networks that give features alone, on which a ridge regression is learnt in every frame:
// the same place and box as runtime/decode/shared/ridge.py.
//
//   hp_ridge_rows      the features' spectra along their rows, times the window
//   hp_ridge_respond   along their columns; the response's spectrum, and back along the columns
//   hp_ridge_response  back along the rows: the responses, with the best places of parts of them
//   hp_select_ridge    the best size and place, and the frame around it; aims at the window to learn
//                      from
//   hp_ridge_learn     moves the regression towards the spectrum of that window
//   hp_ridge_means     the features' means under the box
//   hp_ridge_aim       how much these are the target's; aims at the next frame's windows
//
// A spectrum has columns = side / 2 + 1 lines of `side` cells for each channel. A block has a line for
// each of its warps in memory that it shares.
#include "lines.h"
#include "select.h"

// What is known of a target besides its regression.
struct hp_ridge_target {
  double first[2];  // width and height of the first box
  double likeness;  // of the last frame's box to the first one's
};

namespace {

const long long NO_NUMBER = 0x7fffffffffffffffll;  // order of a value that is not finite

struct complex_pair {
  hp_pair re, im;
};

__device__ int warp_of() { return threadIdx.x / HP_WARP; }

__device__ int lane_of() { return threadIdx.x & (HP_WARP - 1); }

// sum + a * b.
__device__ hp_pair add_product(hp_pair sum, float a, float b) {
  const hp_pair one = {a, 0.0f}, other = {b, 0.0f};
  return hp_pair_add(sum, hp_pair_multiply(one, other));
}

// Transforms a column of the spectra of the block's channels, which begin with `first`. Returns the
// first of the block's lines; each is `side` cells long.
__device__ const hp_number* column_spectra(const hp_ridge_head* head, const float* waves,
                                           const hp_number* rows, int column, int first,
                                           hp_number* cells) {
  const int side = head->side, columns = side / 2 + 1, lines = blockDim.x / HP_WARP;
  const int channel = first + warp_of();
  hp_number* line = cells + warp_of() * side;
  __syncthreads();  // the block has read the lines before
  for (int y = lane_of(); y < side; y += HP_WARP) {
    const hp_number nothing = {0.0f, 0.0f};
    line[y] = channel < head->channels
                  ? rows[((long long)channel * columns + column) * side + y]
                  : nothing;
  }
  return hp_transform_lines(waves, side, line, line + lines * side) - warp_of() * side;
}

}  // namespace

// features: one plane for each channel of each of gridDim.z sets; window: one plane; rows: spectra
// along the rows. Grid: the pairs of rows, a warp each; the channels; the sets.
extern "C" __global__ void __launch_bounds__(256)
    hp_ridge_rows(const hp_ridge_head* __restrict__ head, const float* __restrict__ waves,
                  const float* __restrict__ window, const float* __restrict__ features,
                  hp_number* __restrict__ rows) {
  extern __shared__ hp_number row_cells[];
  const int side = head->side, columns = side / 2 + 1, lines = blockDim.x / HP_WARP;
  const int y = 2 * (blockIdx.x * lines + warp_of());
  const long long plane = blockIdx.z * head->channels + blockIdx.y;
  features += plane * side * side;
  rows += plane * columns * side;
  hp_number* line = row_cells + warp_of() * side;
  // two rows are the real and the imaginary part of a line
  for (int x = lane_of(); x < side; x += HP_WARP) {
    const int at = y * side + x;
    line[x].re = y < side ? features[at] * window[at] : 0.0f;
    line[x].im = y + 1 < side ? features[at + side] * window[at + side] : 0.0f;
  }
  const hp_number* both = hp_transform_lines(waves, side, line, line + lines * side);
  if (y >= side) return;
  for (int k = lane_of(); k < columns; k += HP_WARP) {
    const hp_number a = hp_times(both[k], 0.5f), b = hp_times(both[k ? side - k : 0], 0.5f);
    const hp_number upper = {a.re + b.re, a.im - b.im}, lower = {a.im + b.im, b.re - a.re};
    rows[k * side + y] = upper;
    if (y + 1 < side) rows[k * side + y + 1] = lower;
  }
}

// rows: from hp_ridge_rows; exemplar: spectra of the target's features; filter: the regression's
// spectrum; back: the response's spectrum, transformed back along the columns. Grid: the columns; the
// sets. Shared memory: the block's lines twice, and one line of complex_pair.
extern "C" __global__ void __launch_bounds__(256, 4)
    hp_ridge_respond(const hp_ridge_head* __restrict__ head, const float* __restrict__ waves,
                     const hp_number* __restrict__ rows, const hp_number* __restrict__ exemplar,
                     const complex_pair* __restrict__ filter, hp_number* __restrict__ back) {
  extern __shared__ hp_number respond_cells[];
  const int side = head->side, columns = side / 2 + 1, lines = blockDim.x / HP_WARP;
  const int column = blockIdx.x, set = blockIdx.y;
  complex_pair* sums = (complex_pair*)(respond_cells + 2 * lines * side);
  rows += (long long)set * head->channels * columns * side;
  back += ((long long)set * columns + column) * side;
  const complex_pair nothing = {};
  for (int y = threadIdx.x; y < side; y += blockDim.x) sums[y] = nothing;
#pragma unroll 1
  for (int first = 0; first < head->channels; first += lines) {
    const hp_number* done = column_spectra(head, waves, rows, column, first, respond_cells);
    const int count = head->channels - first < lines ? head->channels - first : lines;
    for (int y = threadIdx.x; y < side; y += blockDim.x) {
      complex_pair sum = sums[y];
#pragma unroll 1
      for (int i = 0; i < count; ++i) {
        const hp_number z = done[i * side + y];
        const hp_number x = exemplar[((long long)(first + i) * columns + column) * side + y];
        sum.re = add_product(add_product(sum.re, z.re, x.re), z.im, x.im);
        sum.im = add_product(add_product(sum.im, z.im, x.re), -z.re, x.im);
      }
      sums[y] = sum;
    }
  }
  __syncthreads();
  const float share = 1.0f / ((float)head->channels * (float)side * (float)side);
  hp_number* line = respond_cells + warp_of() * side;
  for (int y = lane_of(); y < side; y += HP_WARP) {  // every warp has the same line
    const complex_pair a = sums[y], b = filter[column * side + y];
    const hp_pair minus = {-a.im.high, -a.im.low};
    const hp_pair re = hp_pair_add(hp_pair_multiply(a.re, b.re), hp_pair_multiply(minus, b.im));
    const hp_pair im = hp_pair_add(hp_pair_multiply(a.re, b.im), hp_pair_multiply(a.im, b.re));
    line[y].re = im.high * share;  // real and imaginary parts change places to go back
    line[y].im = re.high * share;
  }
  const hp_number* done = hp_transform_lines(waves, side, line, line + lines * side);
  if (warp_of() == 0)
    for (int y = lane_of(); y < side; y += HP_WARP) {
      const hp_number value = {done[y].im, done[y].re};
      back[y] = value;
    }
}

// back: from hp_ridge_respond; found: the highest value of each block, as a rank. Grid: the pairs of
// rows, a warp each; the sets.
extern "C" __global__ void __launch_bounds__(256)
    hp_ridge_response(const hp_ridge_head* __restrict__ head, const float* __restrict__ waves,
                      const hp_number* __restrict__ back, hp_rank* __restrict__ found) {
  extern __shared__ hp_number back_cells[];
  __shared__ hp_rank ranks[HP_MOST_WARPS];
  const int side = head->side, columns = side / 2 + 1, lines = blockDim.x / HP_WARP;
  const int y = 2 * (blockIdx.x * lines + warp_of());
  back += (long long)blockIdx.y * columns * side;
  hp_number* line = back_cells + warp_of() * side;
  for (int x = lane_of(); x < side; x += HP_WARP) {
    const bool mirrored = x >= columns, real = !x || 2 * x == side;
    const hp_number nothing = {0.0f, 0.0f};
    const hp_number* from = back + (long long)(mirrored ? side - x : x) * side + y;
    hp_number a = y < side ? from[0] : nothing, b = y + 1 < side ? from[1] : nothing;
    if (mirrored) {
      a.im = -a.im;
      b.im = -b.im;
    }
    if (real) a.im = b.im = 0.0f;
    line[x].re = a.im + b.re;  // of a + i b, with its parts in each other's place
    line[x].im = a.re - b.im;
  }
  const hp_number* done = hp_transform_lines(waves, side, line, line + lines * side);
  const float scale = 1.0f / ((float)side * (float)side);
  hp_rank best = {0, -1};
  if (y < side) {
    for (int i = lane_of(); i < 2 * side; i += HP_WARP) {
      const int x = i < side ? i : i - side, row = y + (i >= side);
      if (row >= side) break;
      const float value = (i < side ? done[x].im : done[x].re) * scale;
      const int bits = __float_as_int(value + 0.0f);
      hp_rank mine = {bits < 0 ? bits ^ 0x7fffffff : bits, row * side + x};
      if (!(value < hp_infinity())) mine.order = NO_NUMBER;
      best = hp_higher(best, mine);
    }
  }
  best = hp_block_highest(best, ranks);
  if (threadIdx.x == 0) found[blockIdx.y * gridDim.x + blockIdx.x] = best;
}

// One block of whole warps. found: `blocks` of them for each size; learn: where the window to learn
// from lies.
extern "C" __global__ void __launch_bounds__(256)
    hp_select_ridge(const hp_ridge_head* __restrict__ head, const hp_rank* __restrict__ found,
                    int blocks, const hp_ridge_target* __restrict__ target,
                    const hp_view* __restrict__ learn, const hp_view* __restrict__ view,
                    const hp_frame* __restrict__ frame, const hp_limits* __restrict__ limits,
                    const float* __restrict__ features, const float* __restrict__ reference,
                    hp_monitor* monitor, hp_pose* pose, hp_plan_line* plan) {
  __shared__ hp_turn_memory all;
  __shared__ hp_rank peaks[HP_MOST_SIZES];
  __shared__ int chosen;
  hp_turn turn = {view, frame, limits, features, reference, monitor, pose, plan};
  hp_begin_turn(&turn, &all);
  turn.view = learn;
  if ((int)threadIdx.x < head->scales) {
    hp_rank best = {0, -1};
#pragma unroll 1
    for (int i = 0; i < blocks; ++i) best = hp_higher(best, found[threadIdx.x * blocks + i]);
    peaks[threadIdx.x] = best;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    double highest = 0.0;
    all.cell = chosen = -1;
#pragma unroll 1
    for (int i = 0; i < head->scales; ++i) {
      const int bits = (int)peaks[i].order;
      const float height = __int_as_float(bits < 0 ? bits ^ 0x7fffffff : bits);
      const double damped = hp_mul(height, head->damping[i]);
      if (peaks[i].order == NO_NUMBER || !hp_is_number(damped)) continue;
      if (chosen >= 0 && !(damped > highest)) continue;
      highest = damped;
      chosen = i;
      all.score = hp_clip_centre(height, 1.0);
      all.cell = peaks[i].cell;
    }
    all.certain = target->likeness;
  }
  __syncthreads();
  if (chosen >= 0 && threadIdx.x < 2) {
    const int axis = threadIdx.x;
    hp_ridge_move(head, axis ? all.cell / head->side : all.cell % head->side,
                  view->factors[chosen], all.scale[axis], hp_frame_side(&turn, axis),
                  target->first[axis], all.after + axis, all.after + axis + 2);
  }
  __syncthreads();
  hp_end_turn(&turn, &all);
  if (threadIdx.x == 0 && !all.flags && !hp_uploaded(frame, pose)) pose->flags |= HP_NOT_UPLOADED;
}

// rows: of the window to learn from. first_time: whether the target was just taken, so that nothing is
// known of it. Grid: the columns. Shared memory: the block's lines twice, and one line of hp_pair.
extern "C" __global__ void __launch_bounds__(256)
    hp_ridge_learn(const hp_ridge_head* __restrict__ head, const float* __restrict__ waves,
                   const hp_number* __restrict__ label, const hp_number* __restrict__ rows,
                   const hp_pose* __restrict__ pose, int first_time,
                   hp_number* __restrict__ exemplar, complex_pair* __restrict__ filter) {
  extern __shared__ hp_number learn_cells[];
  if (!first_time && (pose->flags & (HP_NO_SCORE | HP_NOT_FINITE | HP_NOT_UPLOADED))) return;
  const int side = head->side, columns = side / 2 + 1, lines = blockDim.x / HP_WARP;
  const int column = blockIdx.x;
  const float step = (float)head->rate;
  hp_pair* energies = (hp_pair*)(learn_cells + 2 * lines * side);
  const hp_pair zero = {0.0f, 0.0f};
  for (int y = threadIdx.x; y < side; y += blockDim.x) energies[y] = zero;
#pragma unroll 1
  for (int first = 0; first < head->channels; first += lines) {
    const hp_number* done = column_spectra(head, waves, rows, column, first, learn_cells);
    const int count = head->channels - first < lines ? head->channels - first : lines;
    for (int y = threadIdx.x; y < side; y += blockDim.x) {
      hp_pair energy = energies[y];
#pragma unroll 1
      for (int i = 0; i < count; ++i) {
        const hp_number now = done[i * side + y];
        hp_number* kept = exemplar + ((long long)(first + i) * columns + column) * side + y;
        energy = add_product(add_product(energy, now.re, now.re), now.im, now.im);
        *kept = first_time ? now : hp_plus(*kept, hp_times(hp_minus(now, *kept), step));
      }
      energies[y] = energy;
    }
  }
  const float share = 1.0f / ((float)head->channels * (float)side * (float)side);
  const float least = (float)head->regularisation;
  for (int y = threadIdx.x; y < side; y += blockDim.x) {
    const int at = column * side + y;
    const float divisor = energies[y].high * share + least;
    const hp_pair re = {label[at].re / divisor, 0.0f}, im = {label[at].im / divisor, 0.0f};
    complex_pair solved = {re, im};
    if (!first_time) {
      const complex_pair old = filter[at];
      const hp_pair rate = {step, 0.0f};
      const hp_pair less_re = {-old.re.high, -old.re.low}, less_im = {-old.im.high, -old.im.low};
      const hp_pair to_re = hp_pair_multiply(hp_pair_add(solved.re, less_re), rate);
      const hp_pair to_im = hp_pair_multiply(hp_pair_add(solved.im, less_im), rate);
      solved.re = hp_pair_add(old.re, to_re);
      solved.im = hp_pair_add(old.im, to_im);
    }
    filter[at] = solved;
  }
}

// A channel's mean under the box, less the first window's mean. first_time: as above; then `usual`
// becomes that mean, and `means` is the target's. Grid: the channels.
extern "C" __global__ void __launch_bounds__(256)
    hp_ridge_means(const hp_ridge_head* __restrict__ head, const float* __restrict__ features,
                   int first_time, float* __restrict__ usual, float* __restrict__ means) {
  __shared__ hp_pair parts[2][HP_MOST_WARPS];
  const int side = head->side, channel = blockIdx.x;
  const int begin = head->inner_first, end = head->inner_end;
  features += (long long)channel * side * side;
  hp_pair inner = {0.0f, 0.0f}, whole = inner;
  for (int i = threadIdx.x; i < side * side; i += blockDim.x) {
    const int row = i / side, column = i - row * side;
    const hp_pair value = {features[i], 0.0f};
    if (row >= begin && row < end && column >= begin && column < end)
      inner = hp_pair_add(inner, value);
    whole = hp_pair_add(whole, value);
  }
#pragma unroll 1
  for (int distance = HP_WARP / 2; distance > 0; distance >>= 1) {
    inner = hp_pair_add(inner, hp_pair_down(inner, distance));
    whole = hp_pair_add(whole, hp_pair_down(whole, distance));
  }
  if (!lane_of()) {
    parts[0][warp_of()] = inner;
    parts[1][warp_of()] = whole;
  }
  __syncthreads();
  if (threadIdx.x) return;
#pragma unroll 1
  for (int warp = 1; warp < (int)(blockDim.x / HP_WARP); ++warp) {
    inner = hp_pair_add(inner, parts[0][warp]);
    whole = hp_pair_add(whole, parts[1][warp]);
  }
  const float cells = (float)((end - begin) * (end - begin));
  if (first_time) usual[channel] = whole.high / (float)(side * side);
  means[channel] = inner.high / cells - usual[channel];
}

// One block of whole warps. means: those of the last frame; wanted: the target's. first_time: the
// target was just taken.
extern "C" __global__ void __launch_bounds__(256)
    hp_ridge_aim(const hp_ridge_head* __restrict__ head, const float* __restrict__ means,
                 const float* __restrict__ wanted, int first_time, hp_ridge_target* target,
                 const hp_view* __restrict__ view, const hp_monitor* __restrict__ monitor,
                 hp_pose* pose, hp_plan_line* plan) {
  __shared__ hp_products parts[HP_MOST_WARPS];
  __shared__ hp_plans plans;
  hp_products mine = hp_no_products();
  for (int channel = threadIdx.x; channel < head->channels; channel += blockDim.x) {
    const float now = means[channel], then = wanted[channel];
    mine.product = add_product(mine.product, now, then);
    mine.own = add_product(mine.own, now, now);
    mine.other = add_product(mine.other, then, then);
  }
  mine = hp_block_products(mine, 1, parts);
  if (threadIdx.x == 0) {
    if (first_time) {
      target->first[0] = pose->state[2];
      target->first[1] = pose->state[3];
      target->likeness = 1.0;
    } else if (!(pose->flags & (HP_NO_SCORE | HP_NOT_FINITE | HP_NOT_UPLOADED))) {
      target->likeness = hp_cosine_of(mine);
    }
  }
  hp_aim_block(view, monitor, 0, pose, plan, &plans);
}
