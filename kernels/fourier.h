// The butterflies of a discrete Fourier transform of any length, for ridge regression: Stockham's
// transform, which needs no other order of its input. The loops over lines are in cpu/ridge.h, where a
// cell holds 16 channels, and in cuda/ridge.cu. Definition: runtime/decode/shared/ridge.py.
#ifndef HOTPATH_FOURIER_H
#define HOTPATH_FOURIER_H

#include "hotpath.h"

#ifdef __CUDACC__
#define HP_BUTTERFLY __host__ __device__ __forceinline__
#else
#define HP_BUTTERFLY static inline __attribute__((always_inline))
#endif

// A complex number, or several whose parts are vectors. Cell, below, is any such structure.
struct hp_number {
  float re, im;
};

template <class Cell>
HP_BUTTERFLY Cell hp_plus(const Cell& a, const Cell& b) {
  return {a.re + b.re, a.im + b.im};
}

template <class Cell>
HP_BUTTERFLY Cell hp_minus(const Cell& a, const Cell& b) {
  return {a.re - b.re, a.im - b.im};
}

template <class Cell>
HP_BUTTERFLY Cell hp_times(const Cell& a, float factor) {
  return {a.re * factor, a.im * factor};
}

// a * b + c. Where a processor has one instruction for it, cpu/ridge.h has another form for vectors.
template <class Part>
HP_BUTTERFLY Part hp_multiply_add(const Part& a, float b, const Part& c) {
  return a * b + c;
}

// a + b * factor.
template <class Cell>
HP_BUTTERFLY Cell hp_plus_times(const Cell& a, const Cell& b, float factor) {
  return {hp_multiply_add(b.re, factor, a.re), hp_multiply_add(b.im, factor, a.im)};
}

// a * (c + i s).
template <class Cell>
HP_BUTTERFLY Cell hp_turned(const Cell& a, float c, float s) {
  return {hp_multiply_add(a.im, -s, a.re * c), hp_multiply_add(a.im, c, a.re * s)};
}

// a - i b.
template <class Cell>
HP_BUTTERFLY Cell hp_minus_i(const Cell& a, const Cell& b) {
  return {a.re + b.im, a.im - b.re};
}

// Sums of five values with the fifth roots of one.
template <class Cell>
HP_BUTTERFLY void hp_five(Cell* a) {
  const float c1 = 0.30901699437494745f, c2 = -0.8090169943749475f;
  const float s1 = 0.9510565162951535f, s2 = 0.5877852522924731f;
  const Cell near = hp_plus(a[1], a[4]), far = hp_plus(a[2], a[3]);
  const Cell near_apart = hp_minus(a[1], a[4]), far_apart = hp_minus(a[2], a[3]);
  const Cell m1 = hp_plus_times(hp_plus_times(a[0], near, c1), far, c2);
  const Cell m2 = hp_plus_times(hp_plus_times(a[0], near, c2), far, c1);
  const Cell n1 = hp_plus_times(hp_times(near_apart, s1), far_apart, s2);
  const Cell n2 = hp_plus_times(hp_times(near_apart, s2), far_apart, -s1);
  a[0] = hp_plus(a[0], hp_plus(near, far));
  a[1] = hp_minus_i(m1, n1);
  a[4] = hp_minus_i(m1, hp_times(n1, -1.0f));
  a[2] = hp_minus_i(m2, n2);
  a[3] = hp_minus_i(m2, hp_times(n2, -1.0f));
}

// A stage replaces the lines of `factor` times `rest` transforms by those of `rest`. `ahead` is the
// product of the factors before. waves: cosine and sine of -2 pi i / side.

// One butterfly of a stage with a factor of 2 or 5: FACTOR cells become FACTOR others. c, s: what they
// are turned by, which is nothing where `turns` is false.
template <int FACTOR, class Cell>
HP_BUTTERFLY void hp_butterfly(const Cell* from, int rest, Cell* to, int ahead, const float* c,
                               const float* s, bool turns) {
  Cell a[FACTOR];
  for (int r = 0; r < FACTOR; ++r) a[r] = from[ahead * rest * r];
  if (FACTOR == 5) {
    hp_five(a);
  } else {
    const Cell first = a[0];
    a[0] = hp_plus(first, a[1]);
    a[1] = hp_minus(first, a[1]);
  }
  to[0] = a[0];
  for (int k = 1; k < FACTOR; ++k) to[ahead * k] = turns ? hp_turned(a[k], c[k], s[k]) : a[k];
}

// What the results of butterfly `q` are turned by.
template <int FACTOR>
HP_BUTTERFLY void hp_turns(const float* waves, int q, int ahead, float* c, float* s) {
  for (int k = 0; k < FACTOR; ++k) {
    const float* wave = waves + 2 * (q * k * ahead);
    c[k] = wave[0];
    s[k] = wave[1];
  }
}

// Result `k` of a butterfly with any factor.
template <class Cell>
HP_BUTTERFLY Cell hp_any_butterfly(int factor, const float* waves, int side, const Cell* from,
                                   int rest, int ahead, int q, int k) {
  Cell sum = from[0];
  for (int r = 1; r < factor; ++r) {
    const float* wave = waves + 2 * (r * k % factor * (side / factor));
    sum = hp_plus(sum, hp_turned(from[ahead * rest * r], wave[0], wave[1]));
  }
  const float* wave = waves + 2 * (q * k * ahead);
  return hp_turned(sum, wave[0], wave[1]);
}

// The smallest factor above 1 of a number above 1.
HP_FN int hp_smallest_factor(int number) {
  int factor = 2;
  while (number % factor) ++factor;
  return factor;
}

#endif  // HOTPATH_FOURIER_H
