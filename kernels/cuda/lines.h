// Discrete Fourier transforms of the lines of a block, in memory that it shares: a warp has a line. The
// butterflies are those of ../fourier.h, as on a processor.
#ifndef HOTPATH_CUDA_LINES_H
#define HOTPATH_CUDA_LINES_H

#include "../fourier.h"

enum { HP_WARP = 32 };

#ifdef __CUDACC__
#define HP_IN_PLACE static __device__ __forceinline__  // a call would need a stack
#else
#define HP_IN_PLACE static inline
#endif

// One stage of the transform of a warp's line.
template <int FACTOR>
static __device__ void hp_line_stage(const float* waves, int side, int ahead, int rest,
                                     const hp_number* from, hp_number* to) {
#pragma unroll 1
  for (int i = threadIdx.x & (HP_WARP - 1); i < side / FACTOR; i += HP_WARP) {
    const int q = i / ahead, t = i - q * ahead;
    float c[FACTOR], s[FACTOR];
    hp_turns<FACTOR>(waves, q, ahead, c, s);
    hp_butterfly<FACTOR>(from + i, rest, to + t + ahead * FACTOR * q, ahead, c, s, q > 0);
  }
}

// The same with any factor.
static __device__ void hp_line_stage_of(int factor, const float* waves, int side, int ahead,
                                        int rest, const hp_number* from, hp_number* to) {
#pragma unroll 1
  for (int i = threadIdx.x & (HP_WARP - 1); i < side; i += HP_WARP) {
    const int q = i / (ahead * factor), k = i / ahead - q * factor, t = i % ahead;
    to[i] = hp_any_butterfly(factor, waves, side, from + t + ahead * q, rest, ahead, q, k);
  }
}

// Transforms the `side` cells of a warp's line; returns where the result is, `line` or `spare`. By a
// whole block, which meets before and after it.
HP_IN_PLACE hp_number* hp_transform_lines(const float* waves, int side, hp_number* line,
                                          hp_number* spare) {
  int left = side, ahead = 1;
#pragma unroll 1
  while (left > 1) {
    const int factor = hp_smallest_factor(left);
    left /= factor;
    __syncthreads();
    if (factor == 5)
      hp_line_stage<5>(waves, side, ahead, left, line, spare);
    else if (factor == 2)
      hp_line_stage<2>(waves, side, ahead, left, line, spare);
    else
      hp_line_stage_of(factor, waves, side, ahead, left, line, spare);
    ahead *= factor;
    hp_number* done = spare;
    spare = line;
    line = done;
  }
  __syncthreads();
  return line;
}

#endif  // HOTPATH_CUDA_LINES_H
