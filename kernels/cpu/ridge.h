// The Fourier transforms and the ridge regression of DCFNet: 16 channels are transformed at once.
// hotpath.cpp includes this file; ridge.py calls it. runtime/decode/shared/ridge.py is the definition.
//
// A spectrum has blocks of n / 2 + 1 columns of n rows; a cell is 16 channels, real parts first.

#include "../fourier.h"

typedef float hp_lanes __attribute__((vector_size(64), aligned(4)));  // 16 floats

struct hp_cell {
  hp_lanes re, im;
};

struct hp_ridge {
  i64 side, channels, blocks;  // blocks of 16 channels; those beyond `channels` are zero
  double regularisation;
  const float* waves;    // (side, 2): cosine and sine of -2 pi i / side
  const float* window;   // (side, side)
  const double* label;   // (columns, side, 2): spectrum of the label
  double* sums;          // (columns, side, 2)
  hp_cell* space;        // columns * side + 2 * side cells
};

namespace {

// One stage of the transform of a line; see ../fourier.h.
template <int FACTOR>
void stage(const float* waves, int ahead, int rest, const hp_cell* __restrict from,
           hp_cell* __restrict to) {
  for (int q = 0; q < rest; ++q) {
    float c[FACTOR], s[FACTOR];
    hp_turns<FACTOR>(waves, q, ahead, c, s);
    for (int t = 0; t < ahead; ++t)
      hp_butterfly<FACTOR>(from + t + ahead * q, rest, to + t + ahead * FACTOR * q, ahead, c, s,
                           q > 0);
  }
}

// The same with any factor.
void stage_of(int factor, const float* waves, int side, int ahead, int rest, const hp_cell* from,
              hp_cell* to) {
  for (int q = 0; q < rest; ++q)
    for (int t = 0; t < ahead; ++t)
      for (int k = 0; k < factor; ++k)
        to[t + ahead * (factor * q + k)] =
            hp_any_butterfly(factor, waves, side, from + t + ahead * q, rest, ahead, q, k);
}

// Transforms the `side` cells of `from`; returns where the result is: `one`, `other`, or `from` itself
// where there is but one. Stages write to `one` and `other` in turns; `from` may be `other`.
const hp_cell* transform(const float* waves, int side, const hp_cell* from, hp_cell* one,
                         hp_cell* other) {
  int left = side, ahead = 1;
  while (left > 1) {
    const int factor = hp_smallest_factor(left);
    left /= factor;
    if (factor == 5) stage<5>(waves, ahead, left, from, one);
    else if (factor == 2) stage<2>(waves, ahead, left, from, one);
    else stage_of(factor, waves, side, ahead, left, from, one);
    ahead *= factor;
    from = one;
    one = other;
    other = (hp_cell*)from;
  }
  return from;
}

// Two rows of 16 channels, times the window, as the real and the imaginary part of one line.
void load_rows(const hp_ridge* ridge, const float* features, int block, int y, hp_cell* line) {
  const int side = (int)ridge->side;
  for (int lane = 0; lane < 16; ++lane) {
    const int channel = block * 16 + lane;
    float* out = (float*)line + lane;
    if (channel >= ridge->channels) {
      for (int x = 0; x < side; ++x) out[32 * x] = out[32 * x + 16] = 0;
      continue;
    }
    const float* values = features + ((i64)channel * side + y) * side;
    const float* window = ridge->window + y * side;
    for (int x = 0; x < side; ++x) out[32 * x] = values[x] * window[x];
    if (y + 1 < side)
      for (int x = 0; x < side; ++x) out[32 * x + 16] = values[side + x] * window[side + x];
    else
      for (int x = 0; x < side; ++x) out[32 * x + 16] = 0;
  }
}

// The sum of 16 values, in pairs: four steps in place of sixteen.
HP_INLINE double sum_of(const hp_lanes& values) {
  float parts[16];
  memcpy(parts, &values, sizeof parts);
  for (int count = 8; count > 0; count /= 2)
    for (int i = 0; i < count; ++i) parts[i] += parts[i + count];
  return parts[0];
}

// Transforms features (channels, side, side). `take(place, cells)` gets the `side` rows of a column;
// place counts cells of a spectrum, (blocks, columns, side).
template <class Take>
void for_spectrum(const hp_ridge* ridge, const float* features, Take take) {
  const int side = (int)ridge->side, columns = side / 2 + 1, blocks = (int)ridge->blocks;
  hp_cell *half = ridge->space, *line = half + (i64)columns * side, *spare = line + side;
  for (int block = 0; block < blocks; ++block) {
    for (int y = 0; y < side; y += 2) {
      load_rows(ridge, features, block, y, line);
      const hp_cell* both = transform(ridge->waves, side, line, spare, line);
      for (int k = 0; k < columns; ++k) {  // the transforms of two real rows
        const hp_cell a = hp_times(both[k], 0.5f), b = hp_times(both[k ? side - k : 0], 0.5f);
        half[(i64)k * side + y] = {a.re + b.re, a.im - b.im};
        if (y + 1 < side) half[(i64)k * side + y + 1] = {a.im + b.im, b.re - a.re};
      }
    }
    for (int k = 0; k < columns; ++k) {
      const hp_cell* done = transform(ridge->waves, side, half + (i64)k * side, spare, line);
      take(((i64)block * columns + k) * side, done);
    }
  }
}

}  // namespace

extern "C" {

// Response to a target: `response` is (side, side). `filter`: (columns, side, 2) doubles; `exemplar`
// as a spectrum.
void hp_ridge_respond(const hp_ridge* ridge, const float* features, const hp_cell* exemplar,
                      const double* filter, double* response) {
  const int side = (int)ridge->side, columns = side / 2 + 1;
  const i64 places = (i64)columns * side;
  const double share = 1.0 / ((double)ridge->channels * side * side);
  double* sums = ridge->sums;
  memset(sums, 0, 2 * places * sizeof(double));
  for_spectrum(ridge, features, [&](i64 place, const hp_cell* cells) {
    double* sum = sums + 2 * (place % places);
    for (int y = 0; y < side; ++y, sum += 2) {
      const hp_cell &z = cells[y], &x = exemplar[place + y];
      sum[0] += sum_of(z.re * x.re + z.im * x.im);
      sum[1] += sum_of(z.im * x.re - z.re * x.im);
    }
  });
  // 16 columns at once from here on; real and imaginary parts change places to go back
  hp_cell *product = ridge->space, *line = product + places, *spare = line + side;
  float* parts = (float*)product;  // (columns, side, 2)
  for (i64 i = 0; i < places; ++i) {
    const double real = sums[2 * i] * share, imaginary = sums[2 * i + 1] * share;
    parts[2 * i] = (float)(real * filter[2 * i] - imaginary * filter[2 * i + 1]);
    parts[2 * i + 1] = (float)(real * filter[2 * i + 1] + imaginary * filter[2 * i]);
  }
  for (int from = 0; from < columns; from += 16) {
    for (int y = 0; y < side; ++y)
      for (int lane = 0; lane < 16; ++lane) {
        const i64 i = (i64)(from + lane) * side + y;
        line[y].re[lane] = from + lane < columns ? parts[2 * i + 1] : 0;
        line[y].im[lane] = from + lane < columns ? parts[2 * i] : 0;
      }
    const hp_cell* done = transform(ridge->waves, side, line, spare, line);
    for (int y = 0; y < side; ++y)
      for (int lane = 0; lane < 16 && from + lane < columns; ++lane) {
        const i64 i = (i64)(from + lane) * side + y;
        parts[2 * i] = done[y].im[lane];
        parts[2 * i + 1] = done[y].re[lane];
      }
  }
  const double scale = 1.0 / ((double)side * side);
  for (int from = 0; from < side; from += 16) {  // 16 rows at once
    for (int k = 0; k < side; ++k)
      for (int lane = 0; lane < 16; ++lane) {
        const int y = from + lane < side ? from + lane : side - 1;
        const bool mirrored = k >= columns;
        const i64 i = (i64)(mirrored ? side - k : k) * side + y;
        line[k].re[lane] = mirrored ? -parts[2 * i + 1] : parts[2 * i + 1];
        line[k].im[lane] = parts[2 * i];
      }
    const hp_cell* done = transform(ridge->waves, side, line, spare, line);
    for (int lane = 0; lane < 16 && from + lane < side; ++lane)
      for (int x = 0; x < side; ++x)
        response[(i64)(from + lane) * side + x] = done[x].im[lane] * scale;
  }
}

// Moves the filter and the exemplar towards those of the features, all the way with the rate 1.
void hp_ridge_follow(const hp_ridge* ridge, const float* features, double rate, hp_cell* exemplar,
                     double* filter) {
  const int side = (int)ridge->side;
  const i64 places = (i64)(side / 2 + 1) * side;
  const double share = 1.0 / ((double)ridge->channels * side * side);
  const float step = (float)rate;
  double* sums = ridge->sums;
  memset(sums, 0, places * sizeof(double));
  for_spectrum(ridge, features, [&](i64 place, const hp_cell* cells) {
    double* sum = sums + place % places;
    for (int y = 0; y < side; ++y) {
      const hp_cell& now = cells[y];
      hp_cell& kept = exemplar[place + y];
      sum[y] += sum_of(now.re * now.re + now.im * now.im);
      kept = rate == 1 ? now : hp_plus(kept, hp_times(hp_minus(now, kept), step));
    }
  });
  for (i64 i = 0; i < places; ++i) {
    const double divisor = sums[i] * share + ridge->regularisation;
    for (int part = 0; part < 2; ++part) {
      const double solved = ridge->label[2 * i + part] / divisor;
      double& old = filter[2 * i + part];
      old = rate == 1 ? solved : old + (solved - old) * rate;
    }
  }
}

}  // extern "C"
