// Crop: the window of a frame, resized and laid out as the network takes it. A thread writes a few
// rows of one column, so that it can use a row of the frame for two rows of the output. golden.crop
// and golden.pack define every bit.
#include "frame.h"

namespace {

const int ROWS = 8;  // of the output that one thread writes
const int NO_ROW = -2147483647;  // no window reaches it

// What the rows of a thread share.
struct job {
  const hp_frame* frame;
  const unsigned char* left;  // first column of the part's first row
  int y, height, row_stride;  // the part's
  int next;                   // bytes from the first column to the second
  int first, second;          // columns, from the part's first
  int weight0, weight1;
  bool plain;       // both columns lie inside the part, which is BGR or BGRx
  unsigned border;  // blue, green << 8, red << 16
};

// Any pixel of a frame, as one number like the border.
__device__ unsigned pixel_at(const job* own, int row, int column) {
  const hp_frame* frame = own->frame;
  if ((unsigned)row >= (unsigned)frame->height || (unsigned)column >= (unsigned)frame->width)
    return own->border;
  const unsigned char* line = (const unsigned char*)frame->plane + row * frame->row_stride;
  if (frame->format == HP_FRAME_BGR) {
    line += column * frame->pixel_stride;
    return line[0] | line[1] << 8 | line[2] << 16;
  }
  const unsigned char* uv =
      (const unsigned char*)frame->chroma + (row >> 1) * frame->chroma_stride + (column & ~1);
  const hp_bgr pixel = hp_from_yuv(line[column], uv[0], uv[1]);
  return pixel.value[0] | pixel.value[1] << 8 | pixel.value[2] << 16;
}

// The horizontal pass of a row of the frame.
__device__ hp_bgr blend(const job* own, int row) {
  hp_bgr sums;
  row -= own->y;
  if (own->plain && (unsigned)row < (unsigned)own->height) {
    const unsigned char* pixel = own->left + row * own->row_stride;
#pragma unroll
    for (int c = 0; c < 3; ++c)
      sums.value[c] = hp_horizontal(pixel[c], pixel[own->next + c], own->weight0, own->weight1);
    return sums;
  }
  const unsigned a = pixel_at(own, row, own->first), b = pixel_at(own, row, own->second);
#pragma unroll
  for (int c = 0; c < 3; ++c)
    sums.value[c] =
        hp_horizontal(a >> 8 * c & 255, b >> 8 * c & 255, own->weight0, own->weight1);
  return sums;
}

// Where the values of one channel go, and how.
struct lane {
  float mean, scale;
  int plane;  // first element in the output
};

__device__ void store(const hp_input* input, const lane* channel, int value, void* out, int index) {
  index += channel->plane;
  const float number = hp_normalise(value, channel->mean, channel->scale);
  if (input->half)
    ((unsigned short*)out)[index] = hp_half(number);
  else
    ((float*)out)[index] = number;
}

}  // namespace

// Writes 3 planes of side x side for each window. plan: the lines of one window after those of another,
// first its rows, then its columns. input: one for each window. Grid: blocks of blockDim.x columns and
// ROWS * blockDim.y rows that cover the side both ways; gridDim.z is the number of windows.
extern "C" __global__ void __launch_bounds__(256, 4)
    hp_crop(const hp_frame* __restrict__ frame, const hp_plan_line* __restrict__ plan,
            const hp_input* __restrict__ input, void* __restrict__ out) {
  input += blockIdx.z;
  const int side = input->side;
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= side) return;
  plan += blockIdx.z * 2 * side;
  const hp_plan_line across = plan[side + column];
  job own;
  own.frame = frame;
  own.y = frame->y;
  own.height = frame->height;
  own.row_stride = frame->row_stride;
  own.first = across.first - frame->x;
  own.second = across.second - frame->x;
  own.weight0 = across.weight0;
  own.weight1 = across.weight1;
  own.plain = frame->format == HP_FRAME_BGR && (unsigned)own.first < (unsigned)frame->width &&
              (unsigned)own.second < (unsigned)frame->width;
  own.left = (const unsigned char*)frame->plane + own.first * frame->pixel_stride;
  own.next = (own.second - own.first) * frame->pixel_stride;
  own.border = input->border[0] | input->border[1] << 8 | input->border[2] << 16;

  lane channels[3];  // of B, G, R
#pragma unroll
  for (int c = 0; c < 3; ++c) {
    const int to = input->swap ? 2 - c : c;
    channels[c].mean = input->mean[to];
    channels[c].scale = input->scale[to];
    channels[c].plane = (3 * blockIdx.z + to) * side * side;
  }

  const int begin = (blockIdx.y * blockDim.y + threadIdx.y) * ROWS;
  const int end = begin + ROWS < side ? begin + ROWS : side;
  hp_bgr upper = {}, lower = {};  // the horizontal pass of two rows of the frame
  int top = NO_ROW, bottom = NO_ROW;  // which rows these are
  int index = begin * side + column;
#pragma unroll 1
  for (int row = begin; row < end; ++row, index += side) {
    const hp_plan_line down = plan[row];
    if (down.first != top) {
      upper = lower;
      if (down.first != bottom) upper = blend(&own, down.first);
      top = down.first;
    }
    if (down.second != bottom) {
      lower = blend(&own, down.second);
      bottom = down.second;
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) {
      const int value =
          hp_vertical(upper.value[c], lower.value[c], down.weight0, down.weight1);
      store(input, &channels[c], value, out, index);
    }
  }
}
