// Crop on 64-bit ARM processors. Compilers leave the horizontal pass scalar,
// since its columns lie anywhere in the row: 33 instructions a column with its three channels. With
// table lookups it takes 5, and the vertical pass 6 instead of 10.
#pragma once
#include <arm_neon.h>

#include "plan.h"

namespace {

const int BLOCK = 8;

// A block of 8 columns that lies within 64 bytes of a row.
struct block {
  uint8_t
      pick[16];  // of every column, its left pixel's first byte, from base; then the right ones'
  int16_t weights[8];  // of the right pixels, times -16
  i64 column, base;    // first column, and its first byte in the row
};
static_assert(sizeof(block) <= BLOCK * BLOCK_BYTES, "the workspace has room for all blocks");

// Blocks of 8 columns, each within 64 bytes of the row: up to 2.4 source pixels per result pixel.
void plan_blocks(const hp_crop_job* job, plan* p) {
  const i64 row_bytes = job->frame_width * 3;
  p->blocks = 0;
  int count = 0;
  if (p->last - p->first < 8 || row_bytes < 64) return;
  for (int i = p->first; i < p->last; i += 8) {
    if (i > p->last - 8) i = p->last - 8;
    block* b = (block*)p->space.blocks + count++;
    b->column = i;
    b->base = p->space.offsets[i] < row_bytes - 64 ? p->space.offsets[i] : row_bytes - 64;
    for (int k = 0; k < 8; ++k) {
      const i64 at = p->space.offsets[i + k] - b->base;
      const int w0 = p->space.weights[2 * (i + k)], w1 = p->space.weights[2 * (i + k) + 1];
      // horizontal_blocks takes the left weight as what the right one leaves of the whole
      if (at + (w1 ? 5 : 2) > 63 || w0 + w1 != HP_WEIGHT_ONE) return;
      b->pick[k] = (uint8_t)at;
      b->pick[k + 8] = (uint8_t)(w1 ? at + 3 : at);
      b->weights[k] = (int16_t)(-16 * w1);
    }
  }
  p->blocks = count;
}

// 64 bytes; compilers before GCC 10 do not know the one instruction for it.
inline uint8x16x4_t load_64(const uint8_t* from) {
#if defined(__clang__) || __GNUC__ >= 10
  return vld1q_u8_x4(from);
#else
  uint8x16x4_t bytes;
  for (int i = 0; i < 4; ++i) bytes.val[i] = vld1q_u8(from + 16 * i);
  return bytes;
#endif
}

// hp_horizontal in 16 bits: left * 128 + ((right - left) * weight1 >> 4). The second part is the
// doubled upper half of (left - right) * 128 times -16 * weight1, which is at least -32768.
inline int16x8_t horizontal_8(uint8x16x4_t bytes, uint8x16_t pick, int16x8_t weights) {
  const uint8x16_t pixels = vqtbl4q_u8(bytes, pick);
  const int16x8_t left = vreinterpretq_s16_u16(vshll_n_u8(vget_low_u8(pixels), 7));
  const int16x8_t right = vreinterpretq_s16_u16(vshll_high_n_u8(pixels, 7));
  return vaddq_s16(left, vqdmulhq_s16(vsubq_s16(left, right), weights));
}

// What a block's columns take from a row: loaded before anything is stored, which might alias it.
struct columns {
  uint8x16_t pick;
  int16x8_t weights;
  explicit columns(const block* b) : pick(vld1q_u8(b->pick)), weights(vld1q_s16(b->weights)) {}
  int16x8_t of(uint8x16x4_t bytes, int channel) const {
    return horizontal_8(bytes, vaddq_u8(pick, vdupq_n_u8((uint8_t)channel)), weights);
  }
};

HP_INLINE void horizontal_block(const block* b, const uint8_t* row, int16_t* blue, i64 lanes) {
  const columns eight(b);
  const uint8x16x4_t bytes = load_64(row + b->base);
  int16_t *const green = blue + lanes, *const red = green + lanes;
  vst1q_s16(blue, eight.of(bytes, 0));
  vst1q_s16(green, eight.of(bytes, 1));
  vst1q_s16(red, eight.of(bytes, 2));
}

// All blocks but the last one follow each other without a gap, so pointers need no index.
HP_INLINE void horizontal_blocks(const plan* p, const uint8_t* row, int16_t* out) {
  const block* b = (const block*)p->space.blocks;
  const block* const last = b + p->blocks - 1;
  const i64 lanes = p->lanes;
  for (int16_t* blue = out + p->first; b < last; ++b, blue += BLOCK)
    horizontal_block(b, row, blue, lanes);
  horizontal_block(last, row, out + last->column, lanes);
}

// hp_vertical of eight values.
inline int16x8_t vertical_8(int16x8_t top, int16x8_t bottom, int16x8_t w0, int16x8_t w1) {
  const int16x8_t upper = vqdmulhq_s16(top, w0);  // twice what is wanted
  const int16x8_t lower = vqdmulhq_s16(bottom, w1);
  return vrshrq_n_s16(vsraq_n_s16(vshrq_n_s16(upper, 1), lower, 1), 2);
}

// How eight values of the result are written: as bytes, or by hp_normalise.
struct as_bytes {
  typedef uint8_t type;
  as_bytes(float, float) {}
  void operator()(int16x8_t values, uint8_t* out) const {
    vst1_u8(out, vmovn_u16(vreinterpretq_u16_s16(values)));
  }
};

struct as_floats {
  typedef float type;
  float32x4_t mean, scale;
  as_floats(float m, float s) : mean(vdupq_n_f32(m)), scale(vdupq_n_f32(s)) {}
  void operator()(int16x8_t values, float* out) const {
    const float32x4_t low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(values)));
    const float32x4_t high = vcvtq_f32_s32(vmovl_high_s16(values));
    vst1q_f32(out, vmulq_f32(vsubq_f32(low, mean), scale));
    vst1q_f32(out + 4, vmulq_f32(vsubq_f32(high, mean), scale));
  }
};

// Where the mean is a whole number: a value below the bits of 2^23 is the float 2^23 + value, and what
// is left when 2^23 + mean is taken off has no rounding.
struct as_floats_whole {
  typedef float type;
  int16x8_t exponent;
  float32x4_t mean, scale;
  as_floats_whole(float m, float s)
      : exponent(vdupq_n_s16(0x4B00)), mean(vdupq_n_f32(8388608.0f + m)), scale(vdupq_n_f32(s)) {}
  static bool fits(float mean) { return mean >= 0 && mean < 65536 && mean == (float)(int)mean; }
  void operator()(int16x8_t values, float* out) const {
    const float32x4_t low = vreinterpretq_f32_s16(vzip1q_s16(values, exponent));
    const float32x4_t high = vreinterpretq_f32_s16(vzip2q_s16(values, exponent));
    vst1q_f32(out, vmulq_f32(vsubq_f32(low, mean), scale));
    vst1q_f32(out + 4, vmulq_f32(vsubq_f32(high, mean), scale));
  }
};

template <class Finish>
HP_INLINE void blend_32(const int16_t* top, const int16_t* bottom, int16x8_t w0, int16x8_t w1,
                        typename Finish::type* out, const Finish& finish) {
  // all sums before all results: a processor that executes in order would wait for each
  int16x8_t values[LANES / 8];
  for (int i = 0; i < LANES / 8; ++i)
    values[i] = vertical_8(vld1q_s16(top + 8 * i), vld1q_s16(bottom + 8 * i), w0, w1);
  for (int i = 0; i < LANES / 8; ++i) finish(values[i], out + 8 * i);
}

// A row of the result, of at least LANES columns, from two rows of the horizontal pass. The second
// LANES columns may overlap the first ones, so that all others follow without a rest.
template <class Finish>
HP_INLINE void blend_rows(const hp_crop_job* job, const plan* p, int row, hp_tap tap,
                          const int16_t* top, const int16_t* bottom) {
  typedef typename Finish::type Out;
  const i64 count = job->out_width;
  const int16x8_t w0 = vdupq_n_s16((int16_t)tap.weight0), w1 = vdupq_n_s16((int16_t)tap.weight1);
  for (int c = 0; c < 3; ++c) {
    const i64 plane = (job->swap ? 2 - c : c) * p->lanes;
    const int16_t *upper = top + plane, *lower = bottom + plane;
    const int16_t* const last = upper + count - LANES;
    Out* out = (Out*)(intptr_t)job->out + c * p->plane + row * count;
    const Finish finish(job->mean[c], job->scale[c]);
    for (i64 step = (count - 1) % LANES + 1;; step = LANES) {
      blend_32(upper, lower, w0, w1, out, finish);
      if (upper == last) break;
      upper += step;
      lower += step;
      out += step;
    }
  }
}

// A block of the result from two rows of the frame; `out` has a place for each of its channels.
template <class Finish>
HP_INLINE void direct_block(const block* b, const uint8_t* top, const uint8_t* bottom, int16x8_t w0,
                            int16x8_t w1, typename Finish::type* const (&out)[3],
                            const Finish (&finish)[3]) {
  const columns eight(b);
  const uint8x16x4_t upper = load_64(top + b->base), lower = load_64(bottom + b->base);
  for (int c = 0; c < 3; ++c)
    finish[c](vertical_8(eight.of(upper, c), eight.of(lower, c), w0, w1), out[c]);
}

// A row of the result from two rows of the frame: nothing is kept between the passes.
template <class Finish>
HP_INLINE void direct_rows(const hp_crop_job* job, const plan* p, int row, hp_tap tap,
                           const uint8_t* top, const uint8_t* bottom) {
  typedef typename Finish::type Out;
  const int16x8_t w0 = vdupq_n_s16((int16_t)tap.weight0), w1 = vdupq_n_s16((int16_t)tap.weight1);
  const int blue = job->swap ? 2 : 0, red = 2 - blue;  // planes of the result
  const i64 plane = p->plane;
  Out* const first = (Out*)(intptr_t)job->out + row * job->out_width;
  Out* out[3] = {first + blue * plane, first + plane, first + red * plane};
  const Finish finish[3] = {Finish(job->mean[blue], job->scale[blue]),
                            Finish(job->mean[1], job->scale[1]),
                            Finish(job->mean[red], job->scale[red])};
  const block* b = (const block*)p->space.blocks;
  const block* const last = b + p->blocks - 1;
  for (; b < last; ++b) {
    direct_block(b, top, bottom, w0, w1, out, finish);
    for (Out*& place : out) place += BLOCK;
  }
  Out* const ends[3] = {first + blue * plane + last->column, first + plane + last->column,
                        first + red * plane + last->column};
  direct_block(last, top, bottom, w0, w1, ends, finish);
}

enum { BYTES, FLOATS, FLOATS_WHOLE };

int kind_of(const hp_crop_job* job) {
  if (!job->as_float) return BYTES;
  for (int c = 0; c < 3; ++c)
    if (!as_floats_whole::fits(job->mean[c])) return FLOATS;
  return FLOATS_WHOLE;
}

HP_INLINE void vertical_rows(const hp_crop_job* job, const plan* p, int row, hp_tap tap,
                             const int16_t* top, const int16_t* bottom) {
  switch (kind_of(job)) {
    case BYTES:
      return blend_rows<as_bytes>(job, p, row, tap, top, bottom);
    case FLOATS:
      return blend_rows<as_floats>(job, p, row, tap, top, bottom);
    default:
      return blend_rows<as_floats_whole>(job, p, row, tap, top, bottom);
  }
}

// Whether both passes of a row may be one: where few rows of the frame are used twice, all columns lie
// inside it, and its pixels are packed. From 1.5 rows of the frame per row on, that is faster on a
// Cortex-A53; it has fewer instructions from 1.2 on, but table lookups take a Cortex-A57 longer than
// loads do (llvm-mca), up to 1.9.
bool is_direct(const hp_crop_job* job, const plan* p) {
  return p->blocks && !p->bordered && !job->planes && job->pixel_stride == 3 &&
         job->channel_stride == 1 && 2 * job->height >= 3 * job->out_height;
}

// Does a row of the result that way. False where one of its two rows lies outside the frame.
HP_INLINE bool direct_row(const hp_crop_job* job, const plan* p, int row, hp_tap tap) {
  const i64 y0 = job->y + hp_clamp_row(tap.first, (int)job->height);
  const i64 y1 = job->y + hp_clamp_row(tap.first + 1, (int)job->height);
  if (y0 < 0 || y1 >= job->frame_height) return false;
  const uint8_t* const top = (const uint8_t*)(intptr_t)job->frame + y0 * job->row_stride;
  const uint8_t* const bottom = (const uint8_t*)(intptr_t)job->frame + y1 * job->row_stride;
  switch (kind_of(job)) {
    case BYTES:
      direct_rows<as_bytes>(job, p, row, tap, top, bottom);
      break;
    case FLOATS:
      direct_rows<as_floats>(job, p, row, tap, top, bottom);
      break;
    default:
      direct_rows<as_floats_whole>(job, p, row, tap, top, bottom);
  }
  return true;
}

}  // namespace
