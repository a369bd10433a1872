// Crop: the window of a frame, resized and laid out as the network takes it. One thread a pixel.
// Held bit for bit to golden.crop and golden.pack.
#include "frame.h"

namespace {

__device__ hp_bgr fetch(const hp_frame* frame, int row, int column, const int* border) {
  const int y = row - frame->y, x = column - frame->x;
  hp_bgr pixel;
  if (x < 0 || y < 0 || x >= frame->width || y >= frame->height) {
    for (int c = 0; c < 3; ++c) pixel.value[c] = border[c];
    return pixel;
  }
  const unsigned char* line =
      (const unsigned char*)frame->plane + (long long)y * frame->row_stride;
  if (frame->format == HP_FRAME_NV12) {
    const unsigned char* uv = (const unsigned char*)frame->chroma +
                              (long long)(y >> 1) * frame->chroma_stride + (x & ~1);
    return hp_from_yuv(line[x], uv[0], uv[1]);
  }
  line += x * frame->pixel_stride;
  for (int c = 0; c < 3; ++c) pixel.value[c] = line[c];
  return pixel;
}

__device__ void store(const hp_input* input, int channel, int value, void* out, int index) {
  if (input->format == HP_INPUT_UINT8) {
    ((unsigned char*)out)[index] = (unsigned char)value;
    return;
  }
  const float number = hp_normalise(value, input->mean[channel], input->scale[channel]);
  if (input->format == HP_INPUT_FLOAT)
    ((float*)out)[index] = number;
  else if (input->format == HP_INPUT_HALF)
    ((unsigned short*)out)[index] = hp_half(number);
  else
    ((signed char*)out)[index] = hp_quantise(number, input->step);
}

}  // namespace

// Writes 3 planes of side x side. Grid: blocks that cover the side both ways.
extern "C" __global__ void __launch_bounds__(256)
    hp_crop(const hp_frame* __restrict__ frame, const hp_site* __restrict__ plan,
            const hp_input* __restrict__ input, void* __restrict__ out) {
  const int side = input->side;
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  const int row = blockIdx.y * blockDim.y + threadIdx.y;
  if (column >= side || row >= side) return;

  const hp_site down = plan[row];
  hp_site site = plan[column];
  site.row_weight0 = down.row_weight0;
  site.row_weight1 = down.row_weight1;
  const hp_bgr top_left = fetch(frame, down.row0, site.column0, input->border);
  const hp_bgr top_right = fetch(frame, down.row0, site.column1, input->border);
  const hp_bgr bottom_left = fetch(frame, down.row1, site.column0, input->border);
  const hp_bgr bottom_right = fetch(frame, down.row1, site.column1, input->border);

#pragma unroll
  for (int c = 0; c < 3; ++c) {
    const int value = hp_crop_value(&site, top_left.value[c], top_right.value[c],
                                    bottom_left.value[c], bottom_right.value[c]);
    const int channel = input->swap ? 2 - c : c;
    store(input, channel, value, out, (channel * side + row) * side + column);
  }
}
