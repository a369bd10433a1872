// A small network for tests of a whole frame. It looks for the place with the colours most similar
// to the exemplar's middle. Like a real network it gives exemplar features, and maps of a frame.

namespace {

// Mean of a square of a planar picture, clipped to the picture. The order of additions is fixed.
__device__ float mean(const float* picture, int side, int channel, int row, int column, int half) {
  float sum = 0.0f;
  int count = 0;
  for (int y = row - half; y <= row + half; ++y)
    for (int x = column - half; x <= column + half; ++x) {
      if (x < 0 || y < 0 || x >= side || y >= side) continue;
      sum += picture[(channel * side + y) * side + x];
      ++count;
    }
  return sum / (float)count;
}

}  // namespace

// features: 3 floats. One thread a channel; more threads do nothing, here and below.
extern "C" __global__ void tiny_exemplar(const float* picture, int side, float* features) {
  if (threadIdx.x < 3)
    features[threadIdx.x] = mean(picture, side, threadIdx.x, side / 2, side / 2, 8);
}

// seen: three channels of cells x cells, the colours around each cell. One thread a cell, one block a
// row.
extern "C" __global__ void tiny_seen(const float* picture, int side, int cells, int stride,
                                     float* seen) {
  const int row = blockIdx.x, column = threadIdx.x;
  if (column >= cells) return;
  const int y = side / 2 + (row - cells / 2) * stride, x = side / 2 + (column - cells / 2) * stride;
  for (int c = 0; c < 3; ++c)
    seen[(c * cells + row) * cells + column] = mean(picture, side, c, y, x, 6) - 110.0f;
}

// scores: two planes of cells x cells; distances: four. One thread a cell, one block a row.
extern "C" __global__ void tiny_search(const float* picture, const float* features, int side,
                                       int cells, int stride, float* scores, float* distances) {
  const int row = blockIdx.x, column = threadIdx.x, count = cells * cells;
  if (column >= cells) return;
  const int y = side / 2 + (row - cells / 2) * stride, x = side / 2 + (column - cells / 2) * stride;
  float unlike = 0.0f;
  for (int c = 0; c < 3; ++c) {
    const float difference = mean(picture, side, c, y, x, 6) - features[c];
    unlike += difference * difference;
  }
  const int cell = row * cells + column;
  scores[cell] = 0.0f;
  scores[count + cell] = 3.0f - unlike * 0.01f;
  for (int i = 0; i < 4; ++i)
    distances[i * count + cell] = 30.75f + (float)((i + row + column) % 3) + unlike * 0.001f;
}
