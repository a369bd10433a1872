// Crop: windows of a frame, resized and laid out as the network takes them. A thread writes a few rows
// of one column, so that it can use a row of the frame for two rows of the output. golden.crop and
// golden.pack define every bit. Beside it: what brings each window the features of its target, and what
// gives the processor some pixels of a frame.
#include "frame.h"

namespace {

const int ROWS = 8;                                 // of the output that one thread writes
const int MOST_COLUMNS = 32, MOST_ROWS = 8 * ROWS;  // of the output that one block writes
const int NO_ROW = -2147483647;                     // no window reaches it

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

// A pixel of a frame's part, as one number like the border.
__device__ unsigned pixel_of(const hp_frame* frame, int row, int column) {
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

// Any pixel, from the part's first one.
__device__ unsigned pixel_at(const job* own, int row, int column) {
  const hp_frame* frame = own->frame;
  if ((unsigned)row >= (unsigned)frame->height || (unsigned)column >= (unsigned)frame->width)
    return own->border;
  return pixel_of(frame, row, column);
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
    sums.value[c] = hp_horizontal(a >> 8 * c & 255, b >> 8 * c & 255, own->weight0, own->weight1);
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

// What one row or column of the output reads: two rows or columns of the frame, and their weights.
// Aligned so that one load instruction gets it.
struct __align__(16) plan_line {
  int first, second;
  int weight0, weight1;
};

// One axis of a window: in whole pixels, or with fractions of them.
struct axis {
  int from, length;
  hp_scale scale;  // frame pixels per pixel of the output
  hp_line line;    // where the window has fractions
};

// What the threads of a block share.
struct plan {
  axis across, down;
  plan_line columns[MOST_COLUMNS], rows[MOST_ROWS];
};

__device__ axis axis_of(double from, double length, const hp_input* input) {
  axis made;
  if (input->warp) {
    made.line = hp_warp_line(from, length, input->side);
    return made;
  }
  made.from = (int)from;
  made.length = (int)length;
  made.scale = hp_split_scale(hp_resize_scale(made.length, input->side));
  return made;
}

__device__ plan_line line_of(const axis* own, int index, bool is_column, int warp) {
  if (warp) {
    const hp_tap tap = hp_warp_tap(own->line, index);
    const plan_line line = {tap.first, tap.first + 1, tap.weight0, tap.weight1};
    return line;
  }
  hp_tap tap = hp_resize_tap_whole(index, own->scale);
  if (is_column) tap = hp_clamp_column(tap, own->length);
  const int first = own->from + hp_clamp_row(tap.first, own->length);
  const int second = own->from + hp_clamp_row(tap.first + 1, own->length);
  const plan_line line = {first, second, tap.weight0, tap.weight1};
  return line;
}

// Plans the part of a window that a block writes. By the whole block, which meets afterwards.
__device__ void plan_block(const hp_input* input, const hp_window_request* look, plan* all) {
  const int thread = threadIdx.y * blockDim.x + threadIdx.x;
  const int column = blockIdx.x * blockDim.x, row = blockIdx.y * blockDim.y * ROWS;
  if (thread < 2)
    (thread ? all->down : all->across) =
        axis_of(look->window[thread], look->window[thread + 2], input);
  __syncthreads();
  const int columns = blockDim.x, rows = blockDim.y * ROWS;
  for (int i = thread; i < columns + rows; i += blockDim.x * blockDim.y) {
    if (i < columns && column + i < input->side)
      all->columns[i] = line_of(&all->across, column + i, true, input->warp);
    if (i >= columns && row + i - columns < input->side)
      all->rows[i - columns] = line_of(&all->down, row + i - columns, false, input->warp);
  }
  __syncthreads();
}

}  // namespace

// Writes 3 planes of side x side for each window; the first planes of two windows are `apart` numbers
// apart. Grid: blocks of at most MOST_COLUMNS columns and MOST_ROWS rows that cover the side both ways;
// gridDim.z is the number of windows.
extern "C" __global__ void __launch_bounds__(256, 4)
    hp_crop(const hp_frame* __restrict__ frame, const hp_window_request* __restrict__ looks,
            const hp_input* __restrict__ input, int apart, void* __restrict__ out) {
  __shared__ plan all;
  const hp_window_request* look = looks + blockIdx.z;
  plan_block(input, look, &all);
  const int side = input->side;
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= side) return;
  const plan_line across = all.columns[threadIdx.x];
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
  own.border = look->border[0] | look->border[1] << 8 | look->border[2] << 16;

  lane channels[3];  // of B, G, R
#pragma unroll
  for (int c = 0; c < 3; ++c) {
    const int to = input->swap ? 2 - c : c;
    channels[c].mean = input->mean[to];
    channels[c].scale = input->scale[to];
    channels[c].plane = blockIdx.z * apart + to * side * side;
  }

  const int begin = (blockIdx.y * blockDim.y + threadIdx.y) * ROWS;
  const int end = begin + ROWS < side ? begin + ROWS : side;
  hp_bgr upper = {}, lower = {};      // the horizontal pass of two rows of the frame
  int top = NO_ROW, bottom = NO_ROW;  // which rows these are
  int index = begin * side + column;
#pragma unroll 1
  for (int row = begin; row < end; ++row, index += side) {
    const plan_line down = all.rows[row - blockIdx.y * blockDim.y * ROWS];
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
      const int value = hp_vertical(upper.value[c], lower.value[c], down.weight0, down.weight1);
      store(input, &channels[c], value, out, index);
    }
  }
}

// Copies the features of each window's target to where the network reads them: of tensor `index`,
// `bytes` for each window, which are even, `apart` bytes apart. Grid: blocks that cover half as many
// threads; gridDim.y is the number of windows.
extern "C" __global__ void __launch_bounds__(256)
    hp_gather(const hp_window_request* __restrict__ looks, int index, int bytes, int apart,
              char* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned short* from = (const unsigned short*)looks[blockIdx.y].features[index];
  if (i < bytes / 2) ((unsigned short*)(out + (long long)blockIdx.y * apart))[i] = from[i];
}

// Writes what frame_structures.py's ``layout`` gives: of each structure its size, then where each
// field begins.
extern "C" __global__ void hp_layout(int* out) {
#define HP_AT(kind, field) ((int)(size_t)&((kind*)0)->field)
  const int numbers[] = {sizeof(hp_frame),
                         HP_AT(hp_frame, plane),
                         HP_AT(hp_frame, chroma),
                         HP_AT(hp_frame, row_stride),
                         HP_AT(hp_frame, chroma_stride),
                         HP_AT(hp_frame, pixel_stride),
                         HP_AT(hp_frame, format),
                         HP_AT(hp_frame, x),
                         HP_AT(hp_frame, y),
                         HP_AT(hp_frame, width),
                         HP_AT(hp_frame, height),
                         HP_AT(hp_frame, frame_width),
                         HP_AT(hp_frame, frame_height),
                         sizeof(hp_input),
                         HP_AT(hp_input, mean),
                         HP_AT(hp_input, scale),
                         HP_AT(hp_input, side),
                         HP_AT(hp_input, half),
                         HP_AT(hp_input, swap),
                         HP_AT(hp_input, warp),
                         sizeof(hp_window_request),
                         HP_AT(hp_window_request, around),
                         HP_AT(hp_window_request, window),
                         HP_AT(hp_window_request, scale),
                         HP_AT(hp_window_request, size_lr),
                         HP_AT(hp_window_request, influence),
                         HP_AT(hp_window_request, share),
                         HP_AT(hp_window_request, features),
                         HP_AT(hp_window_request, border),
                         HP_AT(hp_window_request, most),
                         HP_AT(hp_window_request, apart),
                         HP_AT(hp_window_request, unused),
                         sizeof(hp_window_result),
                         HP_AT(hp_window_result, state),
                         HP_AT(hp_window_result, score),
                         HP_AT(hp_window_result, cell),
                         HP_AT(hp_window_result, count)};
#undef HP_AT
  for (int i = 0; i < (int)(sizeof numbers / sizeof numbers[0]); ++i) out[i] = numbers[i];
}
