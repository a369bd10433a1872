// What the classifier that learns online computes: which boxes it learns, features under boxes,
// moments of samples, and the regression's solution. Definitions: runtime/identity/learner.
//
// A square matrix that is symmetric is kept as rows of blocks of 16 x 16 values up to the diagonal:
// block row b has columns 0 .. 16 b + 15 and begins at 256 * (b * (b + 1) / 2) values.
#pragma once
#include "platform.h"

typedef double hp_doubles __attribute__((vector_size(64), aligned(8)));          // 8 doubles
typedef float hp_lanes __attribute__((vector_size(64), aligned(4), may_alias));  // 16 floats
typedef float hp_quad __attribute__((vector_size(16), aligned(4), may_alias));

struct hp_cell_share {
  i64 cell;
  float share;
};  // of a part of a box

struct hp_pooling {
  i64 side, channels, parts;  // cells of the features; parts of a box along each side
  double stride, least;       // search pixels a cell; smallest part, cells
  const float* mean;          // (blocks of 16 channels,)
  float* cells;               // (side * side, blocks of 16 channels): features, cell by cell
  uint8_t* ready;             // (side,): which rows of `cells` are filled in
  double* shares;             // (2, parts, side)
  i64* ranges;                // (2, parts, 2): first and end of what is not 0 in `shares`
  float* sums;                // (blocks of 16 channels,)
  hp_cell_share* under;       // (side * side,)
};

struct hp_samples {
  double positive, negative;  // overlaps with the target: at least, at most
  double step;                // from one negative to the next, sides of the target
  i64 most;                   // negatives on each side of the middle, along x and along y
  i64 count;                  // of `moves`
  const double* moves;        // (count, 3): positives, moved by x and y, and times as large
};

struct hp_regression {
  i64 size, blocks;    // numbers of a sample; blocks of 16 that hold them
  double ridge, tiny;  // added to the diagonal; squared length at which it is solved
  float* square;       // A, up to the diagonal
  double* mean;        // (16 blocks,): b
  double* weights;     // (16 blocks,)
  double* space;       // 3 x (16 blocks,): rest, way, along
  float* samples;      // 2 x (LARGEST_BATCH, 16 blocks)
};

namespace {

const int LARGEST_BATCH = 32;  // samples that are added at once

inline i64 block_at(i64 row) { return 256 * (row * (row + 1) / 2); }
// Intersection over union of two boxes [cx, cy, w, h].
double overlap_of(const double* box, const double* other) {
  double sides[2];
  for (int axis = 0; axis < 2; ++axis) {
    const double half = box[axis + 2] / 2, other_half = other[axis + 2] / 2;
    const double low = box[axis] - half, other_low = other[axis] - other_half;
    const double high = box[axis] + half, other_high = other[axis] + other_half;
    const double length =
        (high < other_high ? high : other_high) - (low > other_low ? low : other_low);
    sides[axis] = length > 0 ? length : 0;
  }
  const double common = sides[0] * sides[1], all = box[2] * box[3] + other[2] * other[3] - common;
  return common / (all > 1e-12 ? all : 1e-12);
}

// Places of negatives along one axis, as numpy.linspace gives them; returns how many.
i64 places_along(const hp_samples* samples, double middle, double reach, double size,
                 double* places) {
  const double fitting = reach / (samples->step * size), space = reach - size / 2;
  const i64 most = samples->most;
  const i64 count = !(fitting > 1) ? 1 : fitting < (double)most ? (i64)fitting : most;
  const double room = space > 0 ? space : 0, step = (room + room) / (double)(2 * count);
  for (i64 i = 0; i <= 2 * count; ++i) places[i] = middle + ((double)i * step - room);
  places[2 * count] = middle + room;
  return 2 * count + 1;
}

// Writes the boxes to learn a frame from, [cx, cy, w, h]: positives, then negatives; returns how many
// positives there are. `region` is the search region's centre, and from there to its edges: x, y, x, y.
// `places`: 2 x (2 most + 1). `total`: of all boxes.
i64 boxes_to_learn(const hp_samples* samples, const double* state, const double* region,
                   double* places, double* out, i64* total) {
  double* box = out;
  for (i64 i = 0; i < samples->count; ++i) {
    const double* move = samples->moves + 3 * i;
    for (int axis = 0; axis < 2; ++axis) {
      box[axis] = state[axis] + move[axis] * state[axis + 2];
      box[axis + 2] = state[axis + 2] * move[2];
    }
    const bool inside =
        fabs(box[0] - region[0]) < region[2] && fabs(box[1] - region[1]) < region[3];
    if (overlap_of(box, state) >= samples->positive && inside) box += 4;
  }
  const i64 positives = (box - out) / 4;
  double *across = places, *down = places + 2 * samples->most + 1;
  const i64 columns = places_along(samples, region[0], region[2], state[2], across);
  const i64 rows = places_along(samples, region[1], region[3], state[3], down);
  for (i64 i = 0; i < rows * columns; ++i) {
    box[0] = across[i % columns], box[1] = down[i / columns], box[2] = state[2], box[3] = state[3];
    if (overlap_of(box, state) <= samples->negative) box += 4;
  }
  *total = (box - out) / 4;
  return positives;
}

// How much of each part lies in each cell along one axis; `_shares` of the definition.
void share_cells(const hp_pooling* pooling, double centre, double length, double* shares,
                 i64* ranges) {
  const i64 side = pooling->side, parts = pooling->parts;
  const double shortest = pooling->least * (double)parts;
  if (!(length > shortest)) length = shortest;
  for (i64 part = 0; part < parts; ++part, shares += side, ranges += 2) {
    const double place = ((double)part + 0.5) / (double)parts - 0.5;
    const double at = centre + place * length + (double)(side / 2);
    const double half = length / (double)parts / 2.0, low = at - half, high = at + half;
    double sum = 0;
    for (i64 cell = 0; cell < side; ++cell) {
      const double end = (double)cell + 0.5, first = (double)cell - 0.5;
      const double covered = (high < end ? high : end) - (low > first ? low : first);
      shares[cell] = covered > 0 ? covered : 0;
      sum += shares[cell];
    }
    if (!(sum > 1e-6)) {  // a part outside of the region takes the nearest cell
      double nearest = rint(at);
      nearest = nearest > 0 ? nearest : 0;
      nearest = nearest < (double)(side - 1) ? nearest : (double)(side - 1);
      for (i64 cell = 0; cell < side; ++cell) shares[cell] = cell == (i64)nearest;
      sum = 1;
    }
    ranges[0] = side, ranges[1] = 0;
    for (i64 cell = 0; cell < side; ++cell) {
      if (shares[cell] == 0) continue;
      shares[cell] /= sum;
      if (ranges[0] == side) ranges[0] = cell;
      ranges[1] = cell + 1;
    }
  }
}

// Four rows of four numbers become columns.
#if defined(HP_AVX2)
typedef __m128 hp_four;
inline hp_four load_four(const float* from) { return _mm_loadu_ps(from); }
inline void store_four(float* to, hp_four values) { _mm_storeu_ps(to, values); }
inline void transpose_four(hp_four* row) { _MM_TRANSPOSE4_PS(row[0], row[1], row[2], row[3]); }
#elif defined(HP_NEON)
typedef float32x4_t hp_four;
inline hp_four load_four(const float* from) { return vld1q_f32(from); }
inline void store_four(float* to, hp_four values) { vst1q_f32(to, values); }
inline void transpose_four(hp_four* row) {
  const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(row[0], row[1]));
  const float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(row[0], row[1]));
  const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(row[2], row[3]));
  const float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(row[2], row[3]));
  row[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
  row[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
  row[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
  row[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}
#else
struct hp_four {
  float value[4];
};
inline hp_four load_four(const float* from) { return {{from[0], from[1], from[2], from[3]}}; }
inline void store_four(float* to, hp_four values) { memcpy(to, values.value, sizeof values.value); }
inline void transpose_four(hp_four* row) {
  const hp_four old[4] = {row[0], row[1], row[2], row[3]};
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 4; ++x) row[x].value[y] = old[y].value[x];
}
#endif

// Writes one row of cells with the channels of each cell side by side: four cells of four channels at
// once, then what is left.
void transpose_row(const hp_pooling* pooling, const float* features, i64 row) {
  const i64 side = pooling->side, area = side * side, count = (pooling->channels + 15) / 16 * 16;
  const i64 cells_in_fours = side / 4 * 4, channels_in_fours = pooling->channels / 4 * 4;
  float* cells = pooling->cells + row * side * count;
  features += row * side;
  for (i64 channel = 0; channel < channels_in_fours; channel += 4)
    for (i64 x = 0; x < cells_in_fours; x += 4) {
      hp_four lines[4];
      for (int i = 0; i < 4; ++i) lines[i] = load_four(features + (channel + i) * area + x);
      transpose_four(lines);
      for (int i = 0; i < 4; ++i) store_four(cells + (x + i) * count + channel, lines[i]);
    }
  for (i64 channel = 0; channel < pooling->channels; ++channel) {
    const i64 first = channel < channels_in_fours ? cells_in_fours : 0;
    for (i64 x = first; x < side; ++x) cells[x * count + channel] = features[channel * area + x];
  }
}

// The cells under one part of a box; returns how many. A cell is left out where nothing is covered.
i64 cells_under(i64 side, const double* rows, const i64* down, const double* columns,
                const i64* across, hp_cell_share* out) {
  i64 count = 0;
  for (i64 y = down[0]; y < down[1]; ++y)
    for (i64 x = across[0]; x < across[1]; ++x) {
      const hp_cell_share one = {y * side + x, (float)(rows[y] * columns[x])};
      out[count++] = one;
    }
  return count;
}

// COUNT blocks of 16 channels: the mean of the cells, weighted. `width`: floats of a cell.
template <int COUNT>
void pool_blocks(const float* cells, i64 width, const hp_cell_share* shares, i64 count,
                 float* out) {
  hp_lanes sums[COUNT] = {};
  for (i64 i = 0; i < count; ++i) {
    const hp_lanes* cell = (const hp_lanes*)(cells + shares[i].cell * width);
    for (int k = 0; k < COUNT; ++k) sums[k] += cell[k] * shares[i].share;
  }
  memcpy(out, sums, sizeof sums);
}

// One part of a box: the mean of the cells, weighted, less the mean of all; returns its square.
double pool_part(const hp_pooling* pooling, const hp_cell_share* shares, i64 count, float* out) {
  const i64 channels = pooling->channels, width = (channels + 15) / 16 * 16;
  const float *cells = pooling->cells, *mean = pooling->mean;
  float* sums = pooling->sums;
  i64 block = 0;
  for (; block + 4 <= width / 16; block += 4)
    pool_blocks<4>(cells + 16 * block, width, shares, count, sums + 16 * block);
  for (; block + 3 <= width / 16; block += 3)
    pool_blocks<3>(cells + 16 * block, width, shares, count, sums + 16 * block);
  for (; block < width / 16; ++block)
    pool_blocks<1>(cells + 16 * block, width, shares, count, sums + 16 * block);
  hp_lanes squares = {0};
  for (i64 i = 0; i < width; i += 16) {  // means and sums of channels that are none are 0
    const hp_lanes values = *(const hp_lanes*)(sums + i) - *(const hp_lanes*)(mean + i);
    squares += values * values;
    memcpy(sums + i, &values, sizeof values);
  }
  memcpy(out, sums, (size_t)channels * sizeof(float));
  double square = 0;
  for (int i = 0; i < 16; ++i) square += squares[i];
  return square;
}

HP_INLINE double total(const hp_doubles& values) {
  double sum = 0;
  for (int i = 0; i < 8; ++i) sum += values[i];
  return sum;
}

// The product of two vectors of `blocks` of 16 doubles.
double dot(const double* one, const double* other, i64 blocks) {
  hp_doubles low = {0}, high = {0};
  for (i64 i = 0; i < 16 * blocks; i += 16) {
    low += *(const hp_doubles*)(one + i) * *(const hp_doubles*)(other + i);
    high += *(const hp_doubles*)(one + i + 8) * *(const hp_doubles*)(other + i + 8);
  }
  return total(low) + total(high);
}

// to += by * more, of `blocks` of 16 doubles
void add_times(double* to, const double* more, double by, i64 blocks) {
  for (i64 i = 0; i < 16 * blocks; ++i) to[i] += by * more[i];
}

// out = A vector. A value beside the diagonal's blocks counts twice: for its row, and for its column.
void multiply(const hp_regression* model, const double* vector, double* out) {
  const i64 blocks = model->blocks, width = 16 * blocks;
  float *narrow = model->samples, *columns = narrow + width;
  for (i64 i = 0; i < width; ++i) narrow[i] = (float)vector[i];
  memset(columns, 0, (size_t)width * sizeof(float));
  for (i64 block = 0; block < blocks; ++block) {
    const i64 length = 16 * (block + 1);
    for (int i = 0; i < 16; i += 4) {
      const float *row = model->square + block_at(block) + i * length,
                  *by = narrow + 16 * block + i;
      hp_lanes sums[4] = {};
      for (i64 column = 0; column < 16 * block; column += 16) {
        const hp_lanes values = *(const hp_lanes*)(narrow + column);
        hp_lanes below = *(const hp_lanes*)(columns + column);
        for (int r = 0; r < 4; ++r) {
          const hp_lanes known = *(const hp_lanes*)(row + r * length + column);
          sums[r] += known * values;
          below += known * by[r];
        }
        *(hp_lanes*)(columns + column) = below;
      }
      const hp_lanes values = *(const hp_lanes*)(narrow + 16 * block);
      for (int r = 0; r < 4; ++r) {
        sums[r] += *(const hp_lanes*)(row + r * length + 16 * block) * values;
        const hp_quad* quads = (const hp_quad*)&sums[r];
        const hp_quad sum = (quads[0] + quads[1]) + (quads[2] + quads[3]);
        out[16 * block + i + r] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
      }
    }
  }
  for (i64 i = 0; i < width; ++i) out[i] += columns[i];
}

// square = square * kept + sum over samples of scaled[k] samples[k]^T, up to the diagonal.
void add_products(float* square, i64 blocks, const float* samples, const float* scaled, i64 count,
                  float kept) {
  const i64 width = 16 * blocks;
  for (i64 block = 0; block < blocks; ++block) {
    float* rows = square + block_at(block);
    const i64 length = 16 * (block + 1);
    for (int i = 0; i < 16; i += 4)
      for (i64 column = 0; column < length; column += 16) {
        float* at = rows + i * length + column;
        hp_lanes a = *(hp_lanes*)at * kept, b = *(hp_lanes*)(at + length) * kept;
        hp_lanes c = *(hp_lanes*)(at + 2 * length) * kept;
        hp_lanes d = *(hp_lanes*)(at + 3 * length) * kept;
        const float *sample = samples + column, *by = scaled + 16 * block + i;
        for (i64 k = 0; k < count; ++k, sample += width, by += width) {
          const hp_lanes values = *(const hp_lanes*)sample;
          a += values * by[0], b += values * by[1], c += values * by[2], d += values * by[3];
        }
        *(hp_lanes*)at = a, *(hp_lanes*)(at + length) = b;
        *(hp_lanes*)(at + 2 * length) = c, *(hp_lanes*)(at + 3 * length) = d;
      }
  }
}

}  // namespace

extern "C" {

// Describes boxes: `out` is (count, parts * parts * channels + 1). `states` are [cx, cy, w, h] in frame
// pixels; `view` is the region's centre in frame pixels, and search pixels per frame pixel: x, y, x, y.
void hp_pooling_describe(const hp_pooling* pooling, const float* features, const double* states,
                         i64 count, const double* view, float* out) {
  const i64 side = pooling->side, parts = pooling->parts, channels = pooling->channels;
  memset(pooling->ready, 0, (size_t)side);
  double *rows = pooling->shares, *columns = rows + parts * side;
  i64 *down = pooling->ranges, *across = down + 2 * parts;
  for (i64 box = 0; box < count; ++box, states += 4) {
    const double x = (states[0] - view[0]) * view[2], y = (states[1] - view[1]) * view[3];
    share_cells(pooling, x / pooling->stride, states[2] * view[2] / pooling->stride, columns,
                across);
    share_cells(pooling, y / pooling->stride, states[3] * view[3] / pooling->stride, rows, down);
    double square = 0;
    float* first = out;
    for (i64 r = 0; r < parts; ++r) {
      for (i64 row = down[2 * r]; row < down[2 * r + 1]; ++row) {
        if (!pooling->ready[row]) transpose_row(pooling, features, row);
        pooling->ready[row] = 1;
      }
      for (i64 c = 0; c < parts; ++c, out += channels) {
        const i64 under = cells_under(side, rows + r * side, down + 2 * r, columns + c * side,
                                      across + 2 * c, pooling->under);
        square += pool_part(pooling, pooling->under, under, out);
      }
    }
    const float length = (float)sqrt(square) + 1e-9f;
    for (float* value = first; value < out; ++value) *value /= length;
    *out++ = 1;
  }
}

// Takes samples (count, size) into the moments of a class, `rate` of all. `weights`: (count,), or 0.
void hp_moments_add(const hp_regression* model, const float* samples, const double* weights,
                    i64 count, double rate, double* mean, float* square) {
  const i64 size = model->size, width = 16 * model->blocks;
  double all = 0;
  for (i64 i = 0; i < count; ++i) all += weights ? weights[i] : 1.0;
  for (i64 i = 0; i < width; ++i) mean[i] *= 1 - rate;
  float *held = model->samples, *scaled = held + LARGEST_BATCH * width;
  float kept = (float)(1 - rate);
  for (i64 first = 0; first < count; first += LARGEST_BATCH) {
    const i64 some = count - first < LARGEST_BATCH ? count - first : LARGEST_BATCH;
    for (i64 k = 0; k < some; ++k) {
      const float* sample = samples + (first + k) * size;
      const double share = (weights ? weights[first + k] : 1.0) / all * rate;
      float *row = held + k * width, *row_scaled = scaled + k * width;
      memset(row + width - 16, 0, 16 * sizeof(float));
      memset(row_scaled + width - 16, 0, 16 * sizeof(float));
      for (i64 i = 0; i < size; ++i) {
        row[i] = sample[i];
        row_scaled[i] = sample[i] * (float)share;
        mean[i] += sample[i] * share;
      }
    }
    add_products(square, model->blocks, held, scaled, some, kept);
    kept = 1;
  }
}

// A = sum of shares[k] squares[k], and the ridge; b = sum of signed[k] means[k].
void hp_regression_weigh(const hp_regression* model, const float* const* squares,
                         const double* shares, i64 count, const double* const* means,
                         const double* signed_shares) {
  const i64 blocks = model->blocks, width = 16 * blocks;
  for (i64 i = 0; i < block_at(blocks); i += 16) {
    hp_lanes sum = {0};
    for (i64 k = 0; k < count; ++k) sum += *(const hp_lanes*)(squares[k] + i) * (float)shares[k];
    *(hp_lanes*)(model->square + i) = sum;
  }
  for (i64 i = 0; i < model->size; ++i)
    model->square[block_at(i / 16) + i % 16 * 16 * (i / 16 + 1) + i] += (float)model->ridge;
  memset(model->mean, 0, (size_t)width * sizeof(double));
  for (i64 k = 0; k < count; ++k) add_times(model->mean, means[k], signed_shares[k], blocks);
}

// Some steps of conjugate gradients towards A weights = b, from the last weights on.
void hp_regression_solve(const hp_regression* model, i64 steps) {
  const i64 blocks = model->blocks, width = 16 * blocks;
  double *rest = model->space, *way = rest + width, *along = way + width;
  multiply(model, model->weights, along);
  for (i64 i = 0; i < width; ++i) way[i] = rest[i] = model->mean[i] - along[i];
  double length = dot(rest, rest, blocks);
  for (i64 step = 0; step < steps && length >= model->tiny; ++step) {
    multiply(model, way, along);
    const double far = length / dot(way, along, blocks);
    add_times(model->weights, way, far, blocks);
    add_times(rest, along, -far, blocks);
    const double last = length;
    length = dot(rest, rest, blocks);
    for (i64 i = 0; i < width; ++i) way[i] = rest[i] + length / last * way[i];
  }
}

// The products of samples (count, size) and the weights.
void hp_regression_judge(const hp_regression* model, const float* samples, i64 count, double* out) {
  for (i64 k = 0; k < count; ++k, samples += model->size) {
    double sums[8] = {0};
    i64 i = 0;
    for (; i + 8 <= model->size; i += 8)
      for (int j = 0; j < 8; ++j) sums[j] += samples[i + j] * model->weights[i + j];
    for (; i < model->size; ++i) sums[0] += samples[i] * model->weights[i];
    out[k] =
        ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
  }
}

// The samples of a frame: boxes around the target, described, and how much each negative counts, which
// is more where it looks like the target. `state`: of the target, [cx, cy, w, h] in frame pixels.
// `view`: as for hp_pooling_describe. `half`: from the region's centre to its edges, search pixels.
// `places`: 2 x (2 most + 1). Writes `boxes`, `described`, `hard` (of the negatives) and `total`, the
// number of boxes; returns how many of them, the first, are positives.
i64 hp_samples_of_frame(const hp_samples* samples, const hp_pooling* pooling,
                        const hp_regression* model, const float* features, const double* state,
                        const double* view, double half, double hardness, double* places,
                        double* boxes, float* described, double* hard, i64* total) {
  const double region[4] = {view[0], view[1], half / view[2], half / view[3]};
  const i64 positives = boxes_to_learn(samples, state, region, places, boxes, total);
  const i64 negatives = *total - positives;
  hp_pooling_describe(pooling, features, boxes, *total, view, described);
  hp_regression_judge(model, described + positives * model->size, negatives, hard);
  for (i64 i = 0; i < negatives; ++i) {
    const double most = hard[i] > 1 ? 1 : hard[i];  // what is not a number stays so
    hard[i] = exp(hardness * (most < -1 ? -1 : most));
  }
  return positives;
}

}  // extern "C"
