// Correlates the features of the exemplar with those of the search region, for graphs that are cut
// there. A thread computes one output. It adds n = h * w products in a fixed order, each by a fused
// multiply-add. So the result is within n / 2^24 of the sum of the products' magnitudes (Higham,
// "Accuracy and Stability of Numerical Algorithms", section 3.1). With `half` 1, what it reads and
// writes is of half precision; it adds up floats all the same.
#include "../hotpath.h"
#include "maps.h"

namespace {

__device__ float read(const float* from, int index) { return from[index]; }
__device__ float read(const unsigned short* from, int index) { return hp_from_half(from[index]); }
__device__ void write(float* out, int index, float value) { out[index] = value; }
__device__ void write(unsigned short* out, int index, float value) { out[index] = hp_half(value); }

template <class Number>
__device__ void depthwise(const Number* search, const Number* exemplar, int rows, int columns,
                          int h, int w, int padding, Number* out, float* weights) {
  const int plane = blockIdx.z * gridDim.y + blockIdx.y;
  for (int i = threadIdx.x; i < h * w; i += blockDim.x)
    weights[i] = read(exemplar, plane * h * w + i);
  __syncthreads();

  const int out_rows = rows + 2 * padding - h + 1, out_columns = columns + 2 * padding - w + 1;
  const int index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= out_rows * out_columns) return;
  const int top = index / out_columns - padding, left = index % out_columns - padding;
  const Number* pixels = search + blockIdx.y * rows * columns;
  float sum = 0.0f;
  for (int i = 0; i < h; ++i) {
    const int row = top + i;
    if (row < 0 || row >= rows) continue;
    for (int k = 0; k < w; ++k) {
      const int column = left + k;
      if (column < 0 || column >= columns) continue;
      sum = fmaf(read(pixels, row * columns + column), weights[i * w + k], sum);
    }
  }
  write(out, plane * out_rows * out_columns + index, sum);
}

}  // namespace

// Each channel separately: search (channels, rows, columns), exemplar (count, channels, h, w), out
// (count, channels, rows + 2*padding - h + 1, columns + 2*padding - w + 1); zeros around the search
// region. Grid: (blocks that cover the outputs of a channel, channels, count). Dynamic shared memory:
// h * w floats.
extern "C" __global__ void __launch_bounds__(256)
    hp_correlate_depthwise(const void* __restrict__ search, const void* __restrict__ exemplar,
                           int rows, int columns, int h, int w, int padding, int half,
                           void* __restrict__ out) {
  extern __shared__ float weights[];
  if (half)
    depthwise((const unsigned short*)search, (const unsigned short*)exemplar, rows, columns, h, w,
              padding, (unsigned short*)out, weights);
  else
    depthwise((const float*)search, (const float*)exemplar, rows, columns, h, w, padding,
              (float*)out, weights);
}
