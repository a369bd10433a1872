// Crop on x86 processors with AVX2 or AVX-512, for windows with at most about 3.3 or 6.4
// source pixels per pixel of the result. Columns are done in groups of two blocks. A row of the
// horizontal pass has three vectors a group: blue and green of the first block, of the second, and
// red of both. In each 16 bytes of a vector, four columns of the one are followed by four of the
// other, so that interleaving with a constant gives floats in their order.
#pragma once
#include "plan.h"

namespace {

#ifdef HP_VBMI
typedef __m512i vec;
typedef __m256i half_vec;
typedef __m512 float_vec;
const int BLOCK = 16;            // columns
const int PICKS = 3;             // tables of a group
const int LEAST_LOADS = 1;       // of a block
const int REACH = 64;            // bytes of a load
#define HP_OP(name) _mm512_##name
#define HP_BITS(name) _mm512_##name##_si512
#else
typedef __m256i vec;
typedef __m128i half_vec;
typedef __m256 float_vec;
const int BLOCK = 8;
const int PICKS = 8;
const int LEAST_LOADS = 4;
const int REACH = 16;
#define HP_OP(name) _mm256_##name
#define HP_BITS(name) _mm256_##name##_si256
#endif

const int BYTES = (int)sizeof(vec), GROUP = 2 * BLOCK, MOST_LOADS = 4;

struct alignas(BYTES) group {  // so that no load crosses a line of the cache
  uint8_t pick[PICKS][BYTES];               // left and right pixel of each column, in pairs
  int8_t high[3][BYTES], low[3][BYTES];     // their weights: high * 16 + low
  i64 base[2][MOST_LOADS];                  // first bytes of what is read
  i64 column[2];                            // first columns of the blocks
};

static_assert(sizeof(group) <= GROUP * BLOCK_BYTES, "the workspace has room for all groups");

// What one window needs.
struct group_plan {
  const group* groups;
  int count;
  int loads;    // of a block, for equal numbers of its columns
  bool copied;  // whether a row's part inside the frame is copied between border pixels
};

// Vector of 16-bit words: in each 16 bytes four words of `a`, then four of `b`.
inline vec in_turns(half_vec a, half_vec b) {
#ifdef HP_VBMI
  const __m512i order = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  return _mm512_permutex2var_epi64(_mm512_castsi256_si512(a), order, _mm512_castsi256_si512(b));
#else
  return _mm256_set_m128i(_mm_unpackhi_epi64(a, b), _mm_unpacklo_epi64(a, b));
#endif
}

inline half_vec load_half(const uint16_t* words) {
  half_vec values;
  memcpy(&values, words, sizeof values);
  return values;
}

inline half_vec moved(half_vec pick, int channel) {
#ifdef HP_VBMI
  return _mm256_add_epi8(pick, _mm256_set1_epi8((char)channel));
#else
  return _mm_add_epi8(pick, _mm_set1_epi8((char)channel));
#endif
}

inline void store(void* out, vec values) { HP_BITS(storeu)((vec*)out, values); }

// Left and right byte of each column of a block, in pairs, from the base of each `each` columns on. A
// column whose right pixel has no weight reads its left one. False if one is out of reach.
bool pair_places(const int32_t* offsets, const int16_t* weights, uint32_t origin,
                 const i64* bases, int each, uint16_t* pairs) {
  int furthest = 0;
  for (int k = 0; k < BLOCK; ++k) {
    const int left = (int)((uint32_t)offsets[k] - origin) - (int)bases[k / each];
    const int right = left + (weights[2 * k + 1] ? 3 : 0);
    furthest = right > furthest ? right : furthest;
    pairs[k] = (uint16_t)(left | right << 8);
  }
  return furthest + 2 < REACH;
}

// Plans the two blocks of a group; their columns are set. `origin`: the window's first byte in a row,
// from which its places count; `limit`: where the bytes end that may be read.
bool plan_group(const plan* p, uint32_t origin, int loads, i64 limit, group* g) {
  const int each = BLOCK / loads;  // columns of a load
  uint16_t pairs[2][BLOCK], high[2][BLOCK], low[2][BLOCK];
  for (int b = 0; b < 2; ++b) {
    const int32_t* offsets = p->space.offsets + g->column[b];
    const int16_t* weights = p->space.weights + 2 * g->column[b];
    i64* bases = g->base[b];
    for (int k = 0; k < loads; ++k) {
      const i64 first = (int)((uint32_t)offsets[k * each] - origin);
      bases[k] = first < limit - REACH ? first : limit - REACH;
    }
    if (!pair_places(offsets, weights, origin, bases, each, pairs[b])) return false;
    for (int k = 0; k < BLOCK; ++k) {
      const int w0 = weights[2 * k], w1 = weights[2 * k + 1];
      const int h0 = w0 < 2048 ? w0 >> 4 : 127, h1 = w1 < 2048 ? w1 >> 4 : 127;
      high[b][k] = (uint16_t)(h0 | h1 << 8);
      low[b][k] = (uint16_t)((w0 - 16 * h0) | (w1 - 16 * h1) << 8);
    }
  }
  for (int v = 0; v < 3; ++v) {
    const int one = v == 1, other = v > 0;
    store(g->high[v], in_turns(load_half(high[one]), load_half(high[other])));
    store(g->low[v], in_turns(load_half(low[one]), load_half(low[other])));
  }
  const half_vec first = load_half(pairs[0]), second = load_half(pairs[1]);
#ifdef HP_VBMI
  store(g->pick[0], in_turns(first, moved(first, 1)));
  store(g->pick[1], in_turns(second, moved(second, 1)));
  store(g->pick[2], in_turns(moved(first, 2), moved(second, 2)));
#else
  // a lookup reads two columns of each four; bit 7 of the other places gives zero
  const __m128i none = _mm_set1_epi8((char)0x80);
  const __m128i skip[2] = {_mm_setr_epi32(0, -1, 0, -1), _mm_setr_epi32(-1, 0, -1, 0)};
  for (int k = 0; k < 2; ++k) {
    const __m128i a = _mm_or_si128(first, _mm_and_si128(skip[k], none));
    const __m128i b = _mm_or_si128(second, _mm_and_si128(skip[k], none));
    store(g->pick[k], in_turns(a, moved(a, 1)));
    store(g->pick[2 + k], in_turns(b, moved(b, 1)));
    store(g->pick[4 + k], in_turns(moved(a, 2), none));
    store(g->pick[6 + k], in_turns(none, moved(b, 2)));
  }
#endif
  return true;
}

// Plans a window's columns; false if they do not fit into groups.
bool plan_groups(const hp_crop_job* job, const plan* p, group_plan* out) {
  const int count = (int)job->out_width;
  const i64 row_bytes = job->frame_width * 3;
  if (count < BLOCK || 3 * job->width + REACH > edge_bytes(job->out_width)) return false;
  group* const groups = (group*)p->space.blocks;
  out->groups = groups;
  out->count = (count + GROUP - 1) / GROUP;
  out->copied = job->x < 0 || job->x + job->width > job->frame_width || row_bytes < REACH;
  const i64 limit = out->copied ? edge_bytes(job->out_width) : row_bytes - 3 * job->x;
  out->loads = LEAST_LOADS;
  for (int i = 0; i < out->count; ++i) {
    group* g = groups + i;
    for (int b = 0; b < 2; ++b) {
      const int column = i * GROUP + b * BLOCK;
      g->column[b] = column < count - BLOCK ? column : count - BLOCK;
    }
    if (plan_group(p, (uint32_t)(3 * job->x), out->loads, limit, g)) continue;
    if (out->loads == MOST_LOADS) return false;
    out->loads *= 2;
    i = -1;
  }
  return true;
}

// ---- horizontal pass

// hp_horizontal of pairs of pixels: both products fit into 16 bits, and the low one alone has what
// falls away.
inline void weigh(vec pairs, const group* g, int v, int16_t* out) {
  const vec high = HP_BITS(loadu)((const vec*)g->high[v]), low = HP_BITS(loadu)((const vec*)g->low[v]);
  const vec rest = HP_OP(srli_epi16)(HP_OP(maddubs_epi16)(pairs, low), 4);
  HP_BITS(store)((vec*)out + v, HP_OP(add_epi16)(HP_OP(maddubs_epi16)(pairs, high), rest));
}

#ifdef HP_VBMI
template <int LOADS>
HP_INLINE void horizontal_group(const group* g, const uint8_t* row, int16_t* out) {
  const vec pick[3] = {_mm512_load_si512(g->pick[0]), _mm512_load_si512(g->pick[1]),
                       _mm512_load_si512(g->pick[2])};
  const __mmask64 reds = 0xFF00FF00FF00FF00ull;  // of the second block
  vec pairs[3] = {};
#pragma GCC unroll 4
  for (int k = 0; k < LOADS; ++k) {
    const vec first = _mm512_loadu_si512(row + g->base[0][k]);
    const vec second = _mm512_loadu_si512(row + g->base[1][k]);
    if (k == 0) {
      pairs[0] = _mm512_permutexvar_epi8(pick[0], first);
      pairs[1] = _mm512_permutexvar_epi8(pick[1], second);
      pairs[2] = _mm512_permutexvar_epi8(pick[2], first);
      pairs[2] = _mm512_mask_permutexvar_epi8(pairs[2], reds, pick[2], second);
      continue;
    }
    const __mmask64 own = ~0ull << 64 / LOADS * k;  // the columns of this load and those after
    pairs[0] = _mm512_mask_permutexvar_epi8(pairs[0], own, pick[0], first);
    pairs[1] = _mm512_mask_permutexvar_epi8(pairs[1], own, pick[1], second);
    pairs[2] = _mm512_mask_permutexvar_epi8(pairs[2], own & ~reds, pick[2], first);
    pairs[2] = _mm512_mask_permutexvar_epi8(pairs[2], own & reds, pick[2], second);
  }
  for (int v = 0; v < 3; ++v) weigh(pairs[v], g, v, out);
}
#else
inline vec two_loads(const uint8_t* low, const uint8_t* high) {
  return _mm256_inserti128_si256(
      _mm256_castsi128_si256(_mm_loadu_si128((const __m128i*)low)),
      _mm_loadu_si128((const __m128i*)high), 1);
}

inline vec picked(const group* g, int k, vec a, vec b) {
  return _mm256_or_si256(_mm256_shuffle_epi8(a, _mm256_loadu_si256((const vec*)g->pick[k])),
                         _mm256_shuffle_epi8(b, _mm256_loadu_si256((const vec*)g->pick[k + 1])));
}

template <int>
HP_INLINE void horizontal_group(const group* g, const uint8_t* row, int16_t* out) {
  vec from[4];  // columns 0, 1, 4, 5 and 2, 3, 6, 7 of both blocks
  for (int k = 0; k < 4; ++k) {
    const i64* base = g->base[k / 2] + k % 2;
    from[k] = two_loads(row + base[0], row + base[2]);
  }
  weigh(picked(g, 0, from[0], from[1]), g, 0, out);
  weigh(picked(g, 2, from[2], from[3]), g, 1, out);
  weigh(_mm256_or_si256(picked(g, 4, from[0], from[1]), picked(g, 6, from[2], from[3])), g, 2, out);
}
#endif

template <int LOADS>
HP_INLINE void horizontal_groups(const group_plan* p, const uint8_t* row, int16_t* out) {
  for (int i = 0; i < p->count; ++i)
    horizontal_group<LOADS>(p->groups + i, row, out + i * 3 * GROUP);
}

// ---- vertical pass

// Four times hp_vertical.
inline vec blend_group(const int16_t* top, const int16_t* bottom, int v, vec w0, vec w1) {
  const vec upper = HP_OP(mulhi_epi16)(HP_BITS(load)((const vec*)top + v), w0);
  const vec lower = HP_OP(mulhi_epi16)(HP_BITS(load)((const vec*)bottom + v), w1);
  const vec sum = HP_OP(add_epi16)(HP_OP(add_epi16)(upper, lower), HP_OP(set1_epi16)(2));
  return HP_BITS(and)(sum, HP_OP(set1_epi16)(-4));
}

// Mean and scale of a channel. Four times a value below the bits of 2^21 is the float 2^21 + value, so
// that no conversion is needed.
struct float_numbers {
  float_vec mean, scale;
  void store(float* out, vec bits) const {
    float_vec value;
    memcpy(&value, &bits, sizeof value);
    value = HP_OP(sub_ps)(value, HP_OP(set1_ps)(2097152.0f));
    HP_OP(storeu_ps)(out, HP_OP(mul_ps)(HP_OP(sub_ps)(value, mean), scale));
  }
};

// A row of the result in floats. `out` and `numbers`: of blue, green and red. A mean of 0 is taken off
// too: without that, stores wait longer than is gained (measured with AVX-512 and a side of 255).
HP_INLINE void blend_to_floats(const group_plan* p, hp_tap tap, const int16_t* top,
                               const int16_t* bottom, float* const* out,
                               const float_numbers* numbers) {
  const vec w0 = HP_OP(set1_epi16)((short)tap.weight0), w1 = HP_OP(set1_epi16)((short)tap.weight1);
  const vec exponent = HP_OP(set1_epi16)(0x4A00);
  for (int i = 0; i < p->count; ++i, top += 3 * GROUP, bottom += 3 * GROUP) {
    const i64* column = p->groups[i].column;
    for (int v = 0; v < 3; ++v) {
      const vec values = blend_group(top, bottom, v, w0, w1);
      const int c = v == 2 ? 2 : 0, d = v == 2 ? 2 : 1;  // the channels of both halves
      numbers[c].store(out[c] + column[v == 1], HP_OP(unpacklo_epi16)(values, exponent));
      numbers[d].store(out[d] + column[v > 0], HP_OP(unpackhi_epi16)(values, exponent));
    }
  }
}

// Four runs of BLOCK bytes, of the words that two vectors have.
inline void split_bytes(vec a, vec b, uint8_t* const* out) {
  const vec bytes = HP_OP(packus_epi16)(HP_OP(srli_epi16)(a, 2), HP_OP(srli_epi16)(b, 2));
#ifdef HP_VBMI
  const vec order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const vec runs = _mm512_permutexvar_epi32(order, bytes);
#else
  const vec runs = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
#endif
  uint8_t all[BYTES];
  store(all, runs);
  for (int k = 0; k < 4; ++k) memcpy(out[k], all + k * BLOCK, BLOCK);
}

// A row of the result in bytes.
HP_INLINE void blend_to_bytes(const group_plan* p, hp_tap tap, const int16_t* top,
                              const int16_t* bottom, uint8_t* const* out) {
  const vec w0 = HP_OP(set1_epi16)((short)tap.weight0), w1 = HP_OP(set1_epi16)((short)tap.weight1);
  for (int i = 0; i < p->count; ++i, top += 3 * GROUP, bottom += 3 * GROUP) {
    const i64 first = p->groups[i].column[0], second = p->groups[i].column[1];
    uint8_t* const blues[4] = {out[0] + first, out[1] + first, out[0] + second, out[1] + second};
    uint8_t* const reds[4] = {out[2] + first, out[2] + second, out[2] + first, out[2] + second};
    const vec red = blend_group(top, bottom, 2, w0, w1);
    split_bytes(blend_group(top, bottom, 0, w0, w1), blend_group(top, bottom, 1, w0, w1), blues);
    split_bytes(red, red, reds);
  }
}

// Both passes of a window whose columns fit into groups.
class Groups {
 public:
  Groups(const hp_crop_job* job, const plan* p, const group_plan& groups)
      : job_(job), plan_(p), groups_(groups) {
    for (int c = 0; c < 3; ++c) {
      const int plane = plane_[c] = job->swap ? 2 - c : c;
      numbers_[c].mean = HP_OP(set1_ps)(job->mean[plane]);
      numbers_[c].scale = HP_OP(set1_ps)(job->scale[plane]);
    }
    from_ = job->x > 0 ? job->x : 0;
    const i64 end = job->x + job->width;
    to_ = end < job->frame_width ? end : job->frame_width;
    const bool rows_outside = job->y < 0 || job->y + job->height > job->frame_height;
    if (!groups_.copied && !rows_outside) return;
    for (i64 i = 0; i < job->width; ++i)
      for (int c = 0; c < 3; ++c) p->space.edge[3 * i + c] = (uint8_t)job->border[c];
    // the row of rows outside the frame
    weigh_row(p->space.edge, p->space.rows[2]);
  }

  static bool direct(int, hp_tap) { return false; }

  HP_INLINE void pass(i64 y, int16_t* out) const {
    const uint8_t* row = packed_row(job_, plan_, y);
    if (groups_.copied) {
      uint8_t* edge = plan_->space.edge;
      const i64 bytes = 3 * (to_ - from_);
      if (bytes > 0) memcpy(edge + 3 * (from_ - job_->x), row + 3 * from_, (size_t)bytes);
      row = edge;
    } else {
      row += 3 * job_->x;
    }
    weigh_row(row, out);
  }

  HP_INLINE void blend(int row, hp_tap tap, const int16_t* top, const int16_t* bottom) const {
    if (job_->as_float) {
      float* const out[3] = {place<float>(0, row), place<float>(1, row), place<float>(2, row)};
      blend_to_floats(&groups_, tap, top, bottom, out, numbers_);
    } else {
      uint8_t* const out[3] = {place<uint8_t>(0, row), place<uint8_t>(1, row),
                               place<uint8_t>(2, row)};
      blend_to_bytes(&groups_, tap, top, bottom, out);
    }
  }

 private:
  HP_INLINE void weigh_row(const uint8_t* row, int16_t* out) const {
    switch (groups_.loads) {
      case 1: return horizontal_groups<1>(&groups_, row, out);
      case 2: return horizontal_groups<2>(&groups_, row, out);
      default: return horizontal_groups<4>(&groups_, row, out);
    }
  }

  // Where a row of a channel of the frame goes.
  template <class Out>
  Out* place(int channel, int row) const {
    return (Out*)(intptr_t)job_->out +
           plane_[channel] * plan_->plane + row * job_->out_width;
  }

  const hp_crop_job* job_;
  const plan* plan_;
  group_plan groups_;
  float_numbers numbers_[3];  // of blue, green and red
  i64 plane_[3];              // of the result
  i64 from_, to_;             // columns of the window inside the frame
};

}  // namespace
