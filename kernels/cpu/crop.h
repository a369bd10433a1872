// Crop on a processor. It does the horizontal pass of every source row once, in int16, and blends two
// such rows into a row of the result. hotpath.cpp includes this file; binding.py calls it.
// groups.h and avx.h have the instructions of x86, neon.h those of ARM.

// One crop, filled in by kernels/cpu/binding.py: same order there.
struct hp_crop_job {
  i64 frame, row_stride, pixel_stride, channel_stride;  // address and bytes
  i64 frame_width, frame_height;
  i64 x, y, width, height;  // window, frame pixels
  i64 border[3];            // outside the frame, B G R
  i64 out, out_width, out_height;
  i64 as_float, plain, swap;  // plain: mean 0, scale 1
  i64 side_by_side;         // whether the channels of a pixel are; else they lie in planes. Bytes only
  i64 workspace;
  i64 planes;               // address of an hp_planes that is read instead of frame; else 0
  float mean[3], scale[3];  // per channel of the result
};

namespace {

const int LANES = 32;  // planes are padded to this many values

i64 padded(i64 count) { return (count + LANES - 1) / LANES * LANES; }

#if defined(HP_NEON)
const int BLOCK = 8;
// A block of 8 columns that lies within 64 bytes of a row: see neon.h.
struct block {
  uint8_t pick[16];   // of every column, its left pixel's first byte, from base; then the right ones'
  int16_t weights[8]; // of the right pixels, times -16
  i64 column, base;   // first column, and its first byte in the row
};
i64 blocks_bytes(i64 lanes) { return (lanes / BLOCK + 1) * (i64)sizeof(block); }
#elif defined(HP_AVX2)
struct group;
i64 blocks_bytes(i64 lanes);
#else
i64 blocks_bytes(i64) { return 0; }
#endif

struct workspace {
  int16_t* rows[3];   // horizontal pass: two source rows, and the border's
  int16_t* weights;   // of the columns, in pairs
  int32_t* offsets;   // of the columns: bytes from the row's first pixel, only where inside
  hp_tap* columns;
  uint8_t* packed;    // a source row, pixels gathered from a strided frame
  uint8_t* edge;      // the window's part of a source row between border pixels
  void* blocks;       // of columns: what neon.h and groups.h plan
  uint8_t* line;      // a row of the result in planes, before its channels are put side by side
};

const i64 SLACK = 256;
const i64 SPARSE = 12;  // source pixels per pixel of the result from which single ones are converted

// Bytes of `edge`: enough for 7 source pixels per pixel of the result.
i64 edge_bytes(i64 out_width) { return padded(out_width) * 21 + SLACK; }

i64 carve(workspace* space, char* memory, i64 out_width, i64 frame_width) {
  const i64 lanes = padded(out_width);
  const i64 sizes[10] = {lanes * 6, lanes * 6, lanes * 6, lanes * 4, lanes * 4,
                         lanes * (i64)sizeof(hp_tap), frame_width * 3 + SLACK,
                         edge_bytes(out_width), blocks_bytes(lanes), lanes * 3};
  char* parts[10];
  i64 used = 0;
  for (int i = 0; i < 10; ++i) {
    parts[i] = memory + used;
    used += (sizes[i] + 63) / 64 * 64;
  }
  if (space) {
    for (int i = 0; i < 3; ++i) space->rows[i] = (int16_t*)parts[i];
    space->weights = (int16_t*)parts[3];
    space->offsets = (int32_t*)parts[4];
    space->columns = (hp_tap*)parts[5];
    space->packed = (uint8_t*)parts[6];
    space->edge = (uint8_t*)parts[7];
    space->blocks = parts[8];
    space->line = (uint8_t*)parts[9];
  }
  return used;
}

// What the horizontal pass of every row shares.
struct plan {
  workspace space;
  i64 lanes;        // int16 values from one plane to the next
  i64 plane;        // values of the result from one channel to the next
  int first, last;  // columns of the result whose two pixels lie inside the frame
  int blocks;       // BLOCK columns each that cover first..last, 0 where they do not fit
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
    taps[i] = WARP ? warp_tap(lines[0], i, job->x)
                   : hp_clamp_column(hp_resize_tap(i, scale), source);

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

// Columns at the frame's edge, where one of the two pixels may lie outside.
void horizontal_edge(const hp_crop_job* job, const plan* p, const uint8_t* row, int from, int to,
                     int16_t* out) {
  for (int i = from; i < to; ++i) {
    const hp_tap tap = p->space.columns[i];
    const i64 left = job->x + tap.first;
    const i64 right = job->x + hp_clamp_row(tap.first + 1, (int)job->width);
    const bool has_left = left >= 0 && left < job->frame_width;
    const bool has_right = right >= 0 && right < job->frame_width;
    if (!has_left && !has_right) continue;  // keeps the border
    for (int c = 0; c < 3; ++c) {
      const int a = has_left ? row[left * 3 + c] : (int)job->border[c];
      const int b = has_right ? row[right * 3 + c] : (int)job->border[c];
      out[c * p->lanes + i] = (int16_t)hp_horizontal(a, b, tap.weight0, tap.weight1);
    }
  }
}

// Columns inside the frame, one by one. A column whose right pixel has no weight reads its left one.
HP_INLINE void horizontal_inside(const plan* p, const uint8_t* row, int from, int to,
                                 int16_t* out) {
  for (int i = from; i < to; ++i) {
    const int w0 = p->space.weights[2 * i], w1 = p->space.weights[2 * i + 1];
    const uint8_t* left = row + p->space.offsets[i];
    const uint8_t* right = left + (w1 ? 3 : 0);
    for (int c = 0; c < 3; ++c)
      out[c * p->lanes + i] = (int16_t)hp_horizontal(left[c], right[c], w0, w1);
  }
}

#ifdef HP_AVX2
#include "avx.h"
#endif

#ifdef HP_NEON
#include "neon.h"
#endif

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

HP_INLINE void horizontal(const hp_crop_job* job, const plan* p, i64 y, int16_t* out) {
  const uint8_t* row = packed_row(job, p, y);
  if (p->bordered) {
    horizontal_edge(job, p, row, 0, p->first, out);
    horizontal_edge(job, p, row, p->last, (int)job->out_width, out);
  }
  int done = p->first;
#ifdef HP_NEON
  if (p->blocks) {
    horizontal_blocks(p, row, out);
    return;
  }
#endif
#ifdef HP_AVX2
  done = horizontal_avx2(p, row, job->frame_width * 3, done, p->last, out);
#endif
  horizontal_inside(p, row, done, p->last, out);
}

// Blends two rows of the horizontal pass in whole blocks, which a compiler turns into a few vector
// instructions. The last block overlaps the one before it if the count is no multiple of LANES.
template <class Out, class Finish>
inline void blend(const int16_t* __restrict top, const int16_t* __restrict bottom, int16_t w0,
                  int16_t w1, int count, Out* __restrict out, Finish finish) {
  if (count < LANES) {
    for (int i = 0; i < count; ++i) out[i] = finish(hp_vertical(top[i], bottom[i], w0, w1));
    return;
  }
  for (int from = 0; from < count; from += LANES) {
    if (from > count - LANES) from = count - LANES;
    for (int i = from; i < from + LANES; ++i)
      out[i] = finish(hp_vertical(top[i], bottom[i], w0, w1));
  }
}

HP_INLINE void vertical(const hp_crop_job* job, const plan* p, int row, hp_tap tap,
                        const int16_t* top, const int16_t* bottom) {
  const int count = (int)job->out_width;
#if defined(HP_NEON) || defined(HP_AVX2)
  if (count >= LANES) {
    vertical_rows(job, p, row, tap, top, bottom);
    return;
  }
#endif
  const int16_t w0 = (int16_t)tap.weight0, w1 = (int16_t)tap.weight1;
  for (int c = 0; c < 3; ++c) {
    const int16_t* upper = top + (job->swap ? 2 - c : c) * p->lanes;
    const int16_t* lower = bottom + (job->swap ? 2 - c : c) * p->lanes;
    const i64 at = c * p->plane + row * job->out_width;
    if (!job->as_float) {
      blend(upper, lower, w0, w1, count, (uint8_t*)(intptr_t)job->out + at,
            [](int value) { return (uint8_t)value; });
      continue;
    }
    float* out = (float*)(intptr_t)job->out + at;
    const float mean = job->mean[c], scale = job->scale[c];
    if (job->plain)
      blend(upper, lower, w0, w1, count, out, [](int value) { return (float)value; });
    else
      blend(upper, lower, w0, w1, count, out,
            [mean, scale](int value) { return hp_normalise(value, mean, scale); });
  }
}

// Both passes of a window, with the channels of a row in planes.
class Planes {
 public:
  Planes(const hp_crop_job* job, plan* p) : job_(job), plan_(p) {
#ifdef HP_NEON
    plan_blocks(job, p);
    is_direct_ = is_direct(job, p);
#endif
    const bool rows_outside = job->y < 0 || job->y + job->height > job->frame_height;
    if (p->bordered || rows_outside) fill_border(job, p);
  }

  // Does a row of the result without the two passes, where that is faster.
#ifdef HP_NEON
  HP_INLINE bool direct(int row, hp_tap tap) const {
    return is_direct_ && direct_row(job_, plan_, row, tap);
  }
#else
  HP_INLINE bool direct(int, hp_tap) const { return false; }
#endif

  // The horizontal pass of a row of the frame.
  HP_INLINE void pass(i64 y, int16_t* out) const { horizontal(job_, plan_, y, out); }

  // A row of the result.
  HP_INLINE void blend(int row, hp_tap tap, const int16_t* top, const int16_t* bottom) const {
    vertical(job_, plan_, row, tap, top, bottom);
  }

 private:
  const hp_crop_job* job_;
  plan* plan_;
#ifdef HP_NEON
  bool is_direct_;
#endif
};

#ifdef HP_AVX2
#include "groups.h"
#endif

#include "side_by_side.h"

// The rows of a window. WARP: it has fractions of pixels; `line` is that of its rows. Way: Planes, or
// another class with its methods.
template <bool WARP, class Way>
HP_INLINE void crop_rows(const hp_crop_job* job, const hp_line* line, int16_t* const* rows,
                         const Way& way) {
  i64 held[2] = {-1, -1};  // the frame's row that each of the two row buffers holds
  const double scale = hp_resize_scale((int)job->height, (int)job->out_height);
  for (int row = 0; row < job->out_height; ++row) {
    const hp_tap tap = WARP ? warp_tap(*line, row, job->y) : hp_resize_tap(row, scale);
    if (way.direct(row, tap)) continue;
    const int16_t* source[2];
    int keep = -1;  // the buffer that the first of the two rows is in
    for (int i = 0; i < 2; ++i) {
      const i64 y = job->y + hp_clamp_row(tap.first + i, (int)job->height);
      if (y < 0 || y >= job->frame_height) {
        source[i] = rows[2];
        continue;
      }
      int slot = held[0] == y ? 0 : held[1] == y ? 1 : -1;
      if (slot < 0) {
        // the older row goes, but never the one that this row of the result also needs
        slot = keep >= 0 ? 1 - keep : held[0] <= held[1] ? 0 : 1;
        if (keep < 0) {
          const i64 next = job->y + hp_clamp_row(tap.first + 1, (int)job->height);
          if (held[slot] == next) slot = 1 - slot;
        }
        way.pass(y, rows[slot]);
        held[slot] = y;
      }
      keep = slot;
      source[i] = rows[slot];
    }
    way.blend(row, tap, source[0], source[1]);
  }
}

// All rows of a window in one way.
template <bool WARP, class Way>
HP_INLINE void crop_all(const hp_crop_job* job, const hp_line* line, const plan* p,
                        const Way& way) {
  if (job->side_by_side)
    crop_rows<WARP>(job, line, p->space.rows, SideBySide<Way>(job, p, way));
  else
    crop_rows<WARP>(job, line, p->space.rows, way);
}

// Crops one window. `lines`: with WARP, of its columns and rows.
template <bool WARP>
HP_INLINE void crop_window(const hp_crop_job* job, const hp_line* lines) {
  plan p;
  carve(&p.space, (char*)(((intptr_t)job->workspace + 63) / 64 * 64), job->out_width,
        job->frame_width);
  p.lanes = padded(job->out_width);
  p.plane = (job->side_by_side ? 1 : job->out_height) * job->out_width;
  plan_columns<WARP>(job, lines, &p);
  const hp_line* line = WARP ? lines + 1 : lines;
  hp_crop_job written = *job;
  if (job->side_by_side) written.out = (i64)(intptr_t)p.space.line;
#ifdef HP_AVX2
  group_plan groups;
  if (plan_groups(job, &p, &groups)) {
    crop_all<WARP>(job, line, &p, Groups(&written, &p, groups));
    return;
  }
#endif
  crop_all<WARP>(job, line, &p, Planes(&written, &p));
}

}  // namespace

extern "C" {

// Bytes of scratch memory that a crop needs.
i64 hp_crop_workspace(i64 out_width, i64 frame_width) {
  return carve(0, 0, out_width, frame_width) + 64;
}

void hp_crop(const hp_crop_job* job) { crop_window<false>(job, 0); }

// Crops several windows, each to its place in `out`. `windows`: x, y, width, height of each. With
// `warp` they have fractions of pixels, and reach from the first place of the result to the last.
void hp_crop_several(const hp_crop_job* job, i64 count, const double* windows, i64 warp) {
  hp_crop_job one = *job;
  const int columns = (int)job->out_width, rows = (int)job->out_height;
  for (i64 i = 0; i < count; ++i, windows += 4) {
    if (warp) {
      const hp_line lines[2] = {hp_warp_line(windows[0], windows[2], columns),
                                hp_warp_line(windows[1], windows[3], rows)};
      // the pixels that the taps read; none of them is clamped
      one.x = hp_warp_tap(lines[0], 0).first;
      one.y = hp_warp_tap(lines[1], 0).first;
      one.width = hp_warp_tap(lines[0], columns - 1).first + 2 - one.x;
      one.height = hp_warp_tap(lines[1], rows - 1).first + 2 - one.y;
      crop_window<true>(&one, lines);
    } else {
      one.x = (i64)windows[0];
      one.y = (i64)windows[1];
      one.width = (i64)windows[2];
      one.height = (i64)windows[3];
      hp_crop(&one);
    }
    one.out += 3 * job->out_width * job->out_height * (i64)(job->as_float ? sizeof(float) : 1);
  }
}

}  // extern "C"
