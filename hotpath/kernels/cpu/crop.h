// Crop on a processor. It does the horizontal pass of every source row once, in int16, and blends two
// such rows into a row of the result. pixels.h has the instructions of x86, neon.h those of ARM.
// hotpath.cpp includes this file; binding.py calls it.
#pragma once
#include "plan.h"
#ifdef HP_AVX2
#include "pixels.h"
#endif
#ifdef HP_NEON
#include "neon.h"
#endif

namespace {

#ifndef HP_AVX2
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

HP_INLINE void horizontal(const hp_crop_job* job, const plan* p, i64 y, int16_t* out) {
  const uint8_t* row = packed_row(job, p, y);
  if (p->bordered) {
    horizontal_edge(job, p, row, 0, p->first, out);
    horizontal_edge(job, p, row, p->last, (int)job->out_width, out);
  }
#ifdef HP_NEON
  if (p->blocks) {
    horizontal_blocks(p, row, out);
    return;
  }
#endif
  horizontal_inside(p, row, p->first, p->last, out);
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
#ifdef HP_NEON
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
    blend(upper, lower, w0, w1, count, out,
          [mean, scale](int value) { return hp_normalise(value, mean, scale); });
  }
}

// Puts the channels of a row side by side: `planes` has `count` bytes of each.
inline void put_side_by_side(const uint8_t* planes, i64 count, uint8_t* out) {
  i64 done = 0;
  for (; done < count && count >= INTERLEAVED; done += INTERLEAVED) {
    if (done > count - INTERLEAVED) done = count - INTERLEAVED;  // the last ones overlap
    const uint8_t* const from[3] = {planes + done, planes + count + done,
                                    planes + 2 * count + done};
    interleave(from, out + 3 * done);
  }
  for (; done < count; ++done)
    for (int c = 0; c < 3; ++c) out[3 * done + c] = planes[c * count + done];
}

// Both passes of a window, with the channels of a row in planes. Where they are to lie side by side, a
// row is written to a line of the workspace first.
class Pixels {
 public:
  Pixels(const hp_crop_job* job, plan* p) : job_(*job), plan_(p), out_(job->out) {
    if (job->side_by_side) job_.out = (i64)(intptr_t)p->space.line;
#ifdef HP_NEON
    plan_blocks(job, p);
    is_direct_ = is_direct(job, p);
#endif
    const bool rows_outside = job->y < 0 || job->y + job->height > job->frame_height;
    if (p->bordered || rows_outside) fill_border(job, p);
  }

  // Does a row of the result without the two passes, where that is faster.
  HP_INLINE bool direct(int row, hp_tap tap) const {
#ifdef HP_NEON
    if (is_direct_ && direct_row(&job_, plan_, job_.side_by_side ? 0 : row, tap)) {
      finish(row);
      return true;
    }
#endif
    return false;
  }

  // The horizontal pass of a row of the frame.
  HP_INLINE void pass(i64 y, int16_t* out) const { horizontal(&job_, plan_, y, out); }

  // A row of the result.
  HP_INLINE void blend(int row, hp_tap tap, const int16_t* top, const int16_t* bottom) const {
    vertical(&job_, plan_, job_.side_by_side ? 0 : row, tap, top, bottom);
    finish(row);
  }

 private:
  HP_INLINE void finish(int row) const {
    if (!job_.side_by_side) return;
    uint8_t* out = (uint8_t*)(intptr_t)out_ + 3 * row * job_.out_width;
    put_side_by_side(plan_->space.line, job_.out_width, out);
  }

  hp_crop_job job_;
  plan* plan_;
  i64 out_;  // address of the result
#ifdef HP_NEON
  bool is_direct_;
#endif
};
#endif

// The rows of a window. WARP: it has fractions of pixels; `line` is that of its rows.
template <bool WARP>
HP_INLINE void crop_rows(const hp_crop_job* job, const hp_line* line, int16_t* const* rows,
                         const Pixels& way) {
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

// Crops one window. `lines`: with WARP, of its columns and rows.
template <bool WARP>
HP_INLINE void crop_window(const hp_crop_job* job, const hp_line* lines) {
  plan p;
  p.space.lay_out((job->workspace + 63) / 64 * 64, job->out_width, job->frame_width);
  p.lanes = padded(job->out_width);
  p.plane = (job->side_by_side ? 1 : job->out_height) * job->out_width;
  plan_columns<WARP>(job, lines, &p);
  crop_rows<WARP>(job, WARP ? lines + 1 : lines, p.space.rows, Pixels(job, &p));
}

const double MOST_SIDE = 1 << 24;  // MAX_SIDE of arguments.py

// Where a window begins, so near that its taps are whole numbers of 32 bits. There is no frame there.
inline double near(double start) {
  const double most = 1 << 30;
  return start > most ? most : start < -most ? -most : start;
}

}  // namespace

extern "C" {

// Bytes of scratch memory that a crop needs.
i64 hp_crop_workspace(i64 out_width, i64 frame_width) {
  workspace space;
  return space.lay_out(0, out_width, frame_width) + 64;
}

void hp_crop(const hp_crop_job* job) { crop_window<false>(job, 0); }

// Crops a window with fractions of pixels: x, y, width and height, from the first place of the result
// to the last.
void hp_warp(const hp_crop_job* job, const double* window) {
  const int columns = (int)job->out_width, rows = (int)job->out_height;
  const hp_line lines[2] = {hp_warp_line(near(window[0]), window[2], columns),
                            hp_warp_line(near(window[1]), window[3], rows)};
  hp_crop_job one = *job;
  // the pixels that the taps read; none of them is clamped
  one.x = hp_warp_tap(lines[0], 0).first;
  one.y = hp_warp_tap(lines[1], 0).first;
  one.width = hp_warp_tap(lines[0], columns - 1).first + 2 - one.x;
  one.height = hp_warp_tap(lines[1], rows - 1).first + 2 - one.y;
  crop_window<true>(&one, lines);
}

// Crops the window around a target, `sides` times as large as usual; the job's own is not read.
// `scale` becomes that of hp_search_window. Returns 0 where the window has no place, no pixels, or too
// many.
int hp_crop_around(const hp_crop_job* job, const hp_geometry* geometry, const double* state,
                   double sides, double* scale) {
  const hp_window window = hp_search_window(geometry, state, sides, scale);
  const double least = window.width < window.height ? window.width : window.height;
  const double most = window.width + window.height - least;
  const double far = fabs(window.x) + fabs(window.y);  // it is no number where the state is none
  if (!(least > 0 && most <= MOST_SIDE && far < 1e15)) return 0;
  if (geometry->warp) {
    hp_warp(job, &window.x);
    return 1;
  }
  hp_crop_job one = *job;
  one.x = (i64)window.x, one.y = (i64)window.y;
  one.width = (i64)window.width, one.height = (i64)window.height;
  hp_crop(&one);
  return 1;
}

}  // extern "C"
