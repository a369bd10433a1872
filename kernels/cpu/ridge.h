// The Fourier transforms and the ridge regression of DCFNet. hotpath.cpp includes this file; ridge.py
// calls it. runtime/decode/shared/ridge.py is the definition.
//
// A cell is 16 complex numbers, real parts first. The transform of the columns of a picture does 16
// columns at once, that of the rows 16 frequencies y. A spectrum has blocks of 16 frequencies y, of
// which there are n / 2 + 1, and in each block n frequencies x. Sums over channels are sums of cells.

#include "../hotpath.h"

typedef float hp_lanes __attribute__((vector_size(64), aligned(4), may_alias));  // 16 floats

#if defined(HP_AVX2) && defined(__AVX512F__)
// The form of hp_multiply_add for them, in ../fourier.h.
HP_INLINE hp_lanes hp_multiply_add(const hp_lanes& a, float b, const hp_lanes& c) {
  return (hp_lanes)_mm512_fmadd_ps((__m512)a, _mm512_set1_ps(b), (__m512)c);
}
#endif

#include "../fourier.h"

struct hp_cell {
  hp_lanes re, im;
};

struct hp_ridge {
  i64 side, channels;
  double regularisation;
  const float* waves;   // (side, 2): cosine and sine of -2 pi i / side
  const float* window;  // (side, padded side): the padding is zero
  const double* label;  // spectrum of the label, in doubles
  hp_cell* sums;        // one spectrum
  hp_cell* space;       // two padded spectra and 2 * padded side cells
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

i64 sixteens(i64 count) { return (count + 15) / 16; }
i64 blocks_of(const hp_ridge* ridge) { return sixteens(ridge->side / 2 + 1); }
i64 cells_of(const hp_ridge* ridge) { return blocks_of(ridge) * ridge->side; }

// Four rows of four numbers become columns.
#if defined(HP_AVX2)
typedef __m128 hp_four;
inline hp_four load_four(const float* from) { return _mm_loadu_ps(from); }
inline void store_four(float* to, hp_four values) { _mm_storeu_ps(to, values); }
inline void turn_four(hp_four* row) { _MM_TRANSPOSE4_PS(row[0], row[1], row[2], row[3]); }
#elif defined(HP_NEON)
typedef float32x4_t hp_four;
inline hp_four load_four(const float* from) { return vld1q_f32(from); }
inline void store_four(float* to, hp_four values) { vst1q_f32(to, values); }
inline void turn_four(hp_four* row) {
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
inline void turn_four(hp_four* row) {
  const hp_four old[4] = {row[0], row[1], row[2], row[3]};
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 4; ++x) row[x].value[y] = old[y].value[x];
}
#endif

// Row i of `to` becomes column i of `from`. Rows are `apart` vectors from each other.
void transpose(const hp_lanes* from, hp_lanes* to, i64 apart) {
  for (int y = 0; y < 16; y += 4)
    for (int x = 0; x < 16; x += 4) {
      hp_four row[4];
      for (int i = 0; i < 4; ++i) row[i] = load_four((const float*)(from + (y + i) * apart) + x);
      turn_four(row);
      for (int i = 0; i < 4; ++i) store_four((float*)(to + (x + i) * apart) + y, row[i]);
    }
}

void transpose_cells(const hp_cell* from, hp_cell* to) {
  transpose(&from->re, &to->re, 2);
  transpose(&from->im, &to->im, 2);
}

// 16 columns of two channels, times the window, as real and imaginary parts. Columns beyond the last
// read the next row; what follows the last row of all is not read.
void load_columns(const hp_ridge* ridge, const float* features, i64 channel, i64 tile,
                  hp_cell* line) {
  const i64 side = ridge->side, area = side * side, from = 16 * tile;
  const bool is_pair = channel + 1 < ridge->channels;
  const float *first = features + channel * area + from, *second = is_pair ? first + area : first;
  const float* window = ridge->window + from;
  const float share = is_pair ? 1.0f : 0.0f;
  // of `second`, the places at which 16 values begin
  const i64 places = (ridge->channels - channel - is_pair) * area - from - 15;
  i64 y = 0;
  for (; y < side && y * side < places;
       ++y, first += side, second += side, window += 16 * sixteens(side)) {
    const hp_lanes w = *(const hp_lanes*)window;
    line[y].re = *(const hp_lanes*)first * w;
    line[y].im = *(const hp_lanes*)second * (w * share);
  }
  for (; y < side; ++y, first += side, second += side, window += 16 * sixteens(side)) {
    float* end = (float*)(line + y);
    for (i64 i = 0; i < 16; ++i) {
      const bool is_known = from + i < side;
      end[i] = is_known ? first[i] * window[i] : 0;
      end[16 + i] = is_known ? second[i] * window[i] * share : 0;
    }
  }
}

// Transforms features (channels, side, side). `take(channel, block, cells)` gets the `side` cells of a
// block of a channel's spectrum.
template <class Take>
HP_INLINE void for_spectrum(const hp_ridge* ridge, const float* features, Take take) {
  const int side = (int)ridge->side, columns = side / 2 + 1;
  const i64 blocks = blocks_of(ridge), tiles = sixteens(side), across = 16 * tiles;
  hp_cell *half = ridge->space, *line = half + 2 * blocks * across, *spare = line + across;
  for (i64 channel = 0; channel < ridge->channels; channel += 2) {
    for (i64 tile = 0; tile < tiles; ++tile) {
      load_columns(ridge, features, channel, tile, line);
      const hp_cell* both = transform(ridge->waves, side, line, spare, line);
      for (i64 block = 0; block < blocks; ++block) {
        hp_cell one[16] = {}, other[16] = {};  // the transforms of two real pictures
        for (int i = 0; i < 16 && 16 * block + i < columns; ++i) {
          const i64 k = 16 * block + i;
          const hp_cell a = hp_times(both[k], 0.5f), b = hp_times(both[k ? side - k : 0], 0.5f);
          one[i] = {a.re + b.re, a.im - b.im};
          other[i] = {a.im + b.im, b.re - a.re};
        }
        transpose_cells(one, half + block * across + 16 * tile);
        transpose_cells(other, half + (blocks + block) * across + 16 * tile);
      }
    }
    for (i64 own = channel; own < channel + 2 && own < ridge->channels; ++own)
      for (i64 block = 0; block < blocks; ++block) {
        const hp_cell* rows = half + ((own - channel) * blocks + block) * across;
        take(own, block, transform(ridge->waves, side, rows, spare, line));
      }
  }
}

// Transforms a spectrum back. Real and imaginary parts change places before and after.
void transform_back(const hp_ridge* ridge, hp_cell* spectrum, double* response) {
  const int side = (int)ridge->side, columns = side / 2 + 1;
  const i64 blocks = blocks_of(ridge), tiles = sixteens(side), across = 16 * tiles;
  hp_cell *half = ridge->space, *line = half + 2 * blocks * across, *spare = line + across;
  for (i64 block = 0; block < blocks; ++block) {
    hp_cell* cells = spectrum + block * side;
    for (int k = 0; k < side; ++k) cells[k] = {cells[k].im, cells[k].re};
    const hp_cell* done = transform(ridge->waves, side, cells, spare, line);
    memcpy(half + block * across, done, (size_t)side * sizeof(hp_cell));
  }
  const double scale = 1.0 / ((double)side * side);
  for (i64 tile = 0; tile < tiles; ++tile) {
    for (i64 block = 0; block < blocks; ++block) {
      hp_cell rows[16];
      transpose_cells(half + block * across + 16 * tile, rows);
      for (int i = 0; i < 16 && 16 * block + i < columns; ++i) {
        const i64 k = 16 * block + i;
        line[k] = rows[i];
        if (k) line[side - k] = {-rows[i].re, rows[i].im};  // the response is real
      }
    }
    const hp_cell* done = transform(ridge->waves, side, line, spare, line);
    for (int y = 0; y < side; ++y)
      for (i64 i = 0; i < 16 && 16 * tile + i < side; ++i)
        response[y * side + 16 * tile + i] = done[y].im[i] * scale;
  }
}

}  // namespace

extern "C" {

// Response to a target: `response` is (side, side). `filter`: a spectrum of doubles; `exemplar`: a
// spectrum for each channel.
void hp_ridge_respond(const hp_ridge* ridge, const float* features, const hp_cell* exemplar,
                      const double* filter, double* response) {
  const int side = (int)ridge->side;
  const i64 cells = cells_of(ridge);
  const double share = 1.0 / ((double)ridge->channels * side * side);
  hp_cell* sums = ridge->sums;
  memset((void*)sums, 0, (size_t)cells * sizeof(hp_cell));
  for_spectrum(ridge, features, [=](i64 channel, i64 block, const hp_cell* now) {
    const hp_cell* known = exemplar + channel * cells + block * side;
    hp_cell* sum = sums + block * side;
    for (int k = 0; k < side; ++k) {
      const hp_cell z = now[k], x = known[k];
      sum[k].re += z.re * x.re + z.im * x.im;
      sum[k].im += z.im * x.re - z.re * x.im;
    }
  });
  for (i64 i = 0; i < cells; ++i, filter += 32) {
    float *re = (float*)&sums[i].re, *im = (float*)&sums[i].im;
    for (int lane = 0; lane < 16; ++lane) {
      const double a = re[lane] * share, b = im[lane] * share;
      re[lane] = (float)(a * filter[lane] - b * filter[lane + 16]);
      im[lane] = (float)(a * filter[lane + 16] + b * filter[lane]);
    }
  }
  transform_back(ridge, sums, response);
}

// Moves the filter and the exemplar towards those of the features, all the way with the rate 1.
void hp_ridge_follow(const hp_ridge* ridge, const float* features, double rate, hp_cell* exemplar,
                     double* filter) {
  const int side = (int)ridge->side;
  const i64 cells = cells_of(ridge);
  const double share = 1.0 / ((double)ridge->channels * side * side);
  const float step = (float)rate;
  hp_cell* sums = ridge->sums;
  memset((void*)sums, 0, (size_t)cells * sizeof(hp_cell));
  for_spectrum(ridge, features, [=](i64 channel, i64 block, const hp_cell* now) {
    hp_cell* known = exemplar + channel * cells + block * side;
    for (int k = 0; k < side; ++k) {
      const hp_cell z = now[k];
      sums[block * side + k].re += z.re * z.re + z.im * z.im;
      known[k] = rate == 1 ? z : hp_plus(known[k], hp_times(hp_minus(z, known[k]), step));
    }
  });
  const double* label = ridge->label;
  for (i64 i = 0; i < cells; ++i, label += 32, filter += 32) {
    const float* energy = (const float*)&sums[i].re;
    for (int lane = 0; lane < 32; ++lane) {
      const double solved = label[lane] / (energy[lane % 16] * share + ridge->regularisation);
      filter[lane] = rate == 1 ? solved : filter[lane] + (solved - filter[lane]) * rate;
    }
  }
}

}  // extern "C"
