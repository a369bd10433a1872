// What a crop on a processor is asked for, and what all rows of it share: scratch memory, the columns'
// taps, and the rows of a frame as packed pixels. crop.h has the passes.
#pragma once
#include "planes.h"

// One crop, filled in by binding.py: same order there.
struct hp_crop_job {
  i64 frame, row_stride, pixel_stride, channel_stride;  // address and bytes
  i64 frame_width, frame_height;
  i64 x, y, width, height;  // window, frame pixels
  i64 border[3];            // outside the frame, B G R
  i64 out, out_width, out_height;
  i64 as_float, swap;
  i64 side_by_side;  // whether the channels of a pixel are; else they lie in planes. Bytes only
  i64 workspace;
  i64 planes;               // address of an hp_planes that is read instead of frame; else 0
  float mean[3], scale[3];  // per channel of the result
};

namespace {

const int LANES = 32;        // planes are padded to this many values
const int BLOCK_BYTES = 48;  // a column, of what neon.h and pixels.h plan
const i64 SLACK = 256;
const i64 SPARSE =
    12;  // source pixels per pixel of the result from which single ones are converted

i64 padded(i64 count) { return (count + LANES - 1) / LANES * LANES; }

struct workspace {
  int16_t* rows[3];  // horizontal pass: two source rows, and the border's
  int16_t* weights;  // of the columns, in pairs
  int32_t* offsets;  // of the columns: bytes from the row's first pixel, only where inside
  hp_tap* columns;
  uint8_t* packed;  // a source row, pixels gathered from a strided frame
  uint8_t* edge;    // the window's part of a source row between border pixels
  uint8_t* blocks;  // of columns: what neon.h and pixels.h plan
  uint8_t* line;    // a row of the result, before its channels are put side by side or in planes

  // Divides memory from `at` on, which is aligned to 64 bytes; returns where it ends.
  i64 lay_out(i64 at, i64 out_width, i64 frame_width) {
    const i64 lanes = padded(out_width);
    for (int16_t*& row : rows) take(&row, lanes * 6 + SLACK, &at);
    take(&weights, lanes * 4, &at);
    take(&offsets, lanes * 4, &at);
    take(&columns, lanes * (i64)sizeof(hp_tap), &at);
    take(&packed, frame_width * 3 + SLACK, &at);
    take(&edge, frame_width * 3 + SLACK, &at);
    take(&blocks, (lanes + 8) * BLOCK_BYTES, &at);
    take(&line, lanes * 3 + SLACK, &at);
    return at;
  }

 private:
  template <class Part>
  static void take(Part** part, i64 bytes, i64* at) {
    *part = (Part*)(intptr_t)*at;
    *at += (bytes + 63) / 64 * 64;
  }
};

// What the horizontal pass of every row shares.
struct plan {
  workspace space;
  i64 lanes;        // int16 values from one plane to the next
  i64 plane;        // values of the result from one channel to the next
  int first, last;  // columns of the result whose two pixels lie inside the frame
  int blocks;       // of neon.h, which cover first..last; 0 where they do not fit
  bool bordered;    // whether any column is not inside
};

// Tap of a column or row, from the window's first pixel.
hp_tap warp_tap(hp_line line, int index, i64 origin) {
  hp_tap tap = hp_warp_tap(line, index);
  tap.first -= (int)origin;
  return tap;
}

template <bool WARP>
void plan_columns(const hp_crop_job* job, const hp_line* lines, plan* p) {
  const int count = (int)job->out_width, source = (int)job->width;
  const double scale = hp_resize_scale(source, count);
  hp_tap* taps = p->space.columns;
  for (int i = 0; i < count; ++i)
    taps[i] =
        WARP ? warp_tap(lines[0], i, job->x) : hp_clamp_column(hp_resize_tap(i, scale), source);

  p->first = count;
  p->last = 0;
  for (int i = 0; i < count; ++i) {
    const i64 left = job->x + taps[i].first;
    const i64 right = job->x + hp_clamp_row(taps[i].first + 1, source);
    p->space.weights[2 * i] = (int16_t)taps[i].weight0;
    p->space.weights[2 * i + 1] = (int16_t)taps[i].weight1;
    p->space.offsets[i] = (int32_t)(left * 3);
    if (left < 0 || right >= job->frame_width) continue;
    if (p->first == count) p->first = i;
    p->last = i + 1;
  }
  if (p->first > p->last) p->first = p->last;
  p->bordered = p->last - p->first < count;
}

// The horizontal pass of a row outside the frame. Rows inside the frame keep its values in the
// columns outside.
void fill_border(const hp_crop_job* job, plan* p) {
  for (int c = 0; c < 3; ++c) {
    int16_t* plane = p->space.rows[2] + c * p->lanes;
    const int value = (int)job->border[c];
    for (int i = 0; i < job->out_width; ++i)
      plane[i] = (int16_t)hp_horizontal(value, value, p->space.columns[i].weight0,
                                        p->space.columns[i].weight1);
  }
  if (!p->bordered) return;
  memcpy(p->space.rows[0], p->space.rows[2], (size_t)p->lanes * 6);
  memcpy(p->space.rows[1], p->space.rows[2], (size_t)p->lanes * 6);
}

// The columns of a row that the window covers, converted. Of a window that is far larger than the
// result, only the pixels that the horizontal pass reads.
const uint8_t* row_from_planes(const hp_crop_job* job, const plan* p, i64 y) {
  const hp_planes* planes = (const hp_planes*)(intptr_t)job->planes;
  uint8_t* packed = p->space.packed;
  const i64 from = job->x > 0 ? job->x : 0;
  i64 to = job->x + job->width;
  if (to > job->frame_width) to = job->frame_width;
  if (job->width < SPARSE * job->out_width) {
    if (from < to) convert_row(planes, y, from, to, packed);
    return packed;
  }
  for (i64 i = 0; i < job->out_width; ++i) {
    const i64 left = job->x + p->space.columns[i].first;
    for (i64 x = left < from ? from : left; x < to && x < left + 2; ++x)
      convert_pixel(planes, y, x, packed);
  }
  return packed;
}

// A row of the frame as packed pixels, copied only when the frame is strided or in planes.
const uint8_t* packed_row(const hp_crop_job* job, const plan* p, i64 y) {
  if (job->planes) return row_from_planes(job, p, y);
  const uint8_t* row = (const uint8_t*)(intptr_t)job->frame + y * job->row_stride;
  if (job->pixel_stride == 3 && job->channel_stride == 1) return row;
  const i64 from = job->x > 0 ? job->x : 0;
  i64 to = job->x + job->width;
  if (to > job->frame_width) to = job->frame_width;
  uint8_t* packed = p->space.packed;
  for (i64 i = from; i < to; ++i)
    for (int c = 0; c < 3; ++c)
      packed[i * 3 + c] = row[i * job->pixel_stride + c * job->channel_stride];
  return packed;
}

}  // namespace
