// Crop on 64-bit ARM processors, included by crop.h. Compilers leave the horizontal pass scalar,
// since its columns lie anywhere in the row: 33 instructions a column with its three channels. With
// table lookups it takes 5, and the vertical pass 6 instead of 10 (python -m tests.arm.count).
#include <arm_neon.h>

// Blocks of 8 columns, each within 64 bytes of the row: up to 2.4 source pixels per result pixel.
void plan_blocks(const hp_crop_job* job, plan* p) {
  const i64 row_bytes = job->frame_width * 3;
  p->blocks = 0;
  int count = 0;
  if (p->last - p->first < 8 || row_bytes < 64) return;
  for (int i = p->first; i < p->last; i += 8) {
    if (i > p->last - 8) i = p->last - 8;
    block* b = p->space.blocks + count++;
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

HP_INLINE void horizontal_blocks(const plan* p, const uint8_t* row, int16_t* out) {
  const block* const end = p->space.blocks + p->blocks;
  int16_t* const green = out + p->lanes;
  int16_t* const red = green + p->lanes;
  for (const block* b = p->space.blocks; b < end; ++b) {
    const uint8x16x4_t bytes = load_64(row + b->base);
    const uint8x16_t pick = vld1q_u8(b->pick);
    const int16x8_t weights = vld1q_s16(b->weights);
    const i64 at = b->column;
    vst1q_s16(out + at, horizontal_8(bytes, pick, weights));
    vst1q_s16(green + at, horizontal_8(bytes, vaddq_u8(pick, vdupq_n_u8(1)), weights));
    vst1q_s16(red + at, horizontal_8(bytes, vaddq_u8(pick, vdupq_n_u8(2)), weights));
  }
}

// hp_vertical of eight values.
inline int16x8_t vertical_8(const int16_t* top, const int16_t* bottom, int16x8_t w0,
                            int16x8_t w1) {
  const int16x8_t upper = vqdmulhq_s16(vld1q_s16(top), w0);  // twice what is wanted
  const int16x8_t lower = vqdmulhq_s16(vld1q_s16(bottom), w1);
  return vrshrq_n_s16(vsraq_n_s16(vshrq_n_s16(upper, 1), lower, 1), 2);
}

inline void finish_8(int16x8_t values, uint8_t* out, float32x4_t, float32x4_t) {
  vst1_u8(out, vmovn_u16(vreinterpretq_u16_s16(values)));
}

// hp_normalise; with mean 0 and scale 1 the values themselves.
inline void finish_8(int16x8_t values, float* out, float32x4_t mean, float32x4_t scale) {
  const float32x4_t low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(values)));
  const float32x4_t high = vcvtq_f32_s32(vmovl_high_s16(values));
  vst1q_f32(out, vmulq_f32(vsubq_f32(low, mean), scale));
  vst1q_f32(out + 4, vmulq_f32(vsubq_f32(high, mean), scale));
}

// A row of the result, of at least LANES columns; the last ones may overlap those before.
template <class Out>
HP_INLINE void blend_rows(const int16_t* top, const int16_t* bottom, int16_t w0, int16_t w1,
                          int count, Out* out, float mean, float scale) {
  const int16x8_t weight0 = vdupq_n_s16(w0), weight1 = vdupq_n_s16(w1);
  const float32x4_t means = vdupq_n_f32(mean), scales = vdupq_n_f32(scale);
  const int16_t* const last = top + count - LANES;
  for (;;) {
    for (int i = 0; i < LANES; i += 8)
      finish_8(vertical_8(top + i, bottom + i, weight0, weight1), out + i, means, scales);
    if (top == last) return;
    const i64 step = last - top < LANES ? last - top : LANES;
    top += step;
    bottom += step;
    out += step;
  }
}
