// Pictures in planes, as cameras and decoders give them, converted to BGR row by row. The
// definition is bgr_at in kernels/golden.py; hotpath.h has its arithmetic.
#pragma once
#include "platform.h"

// A picture. kernels/cpu/binding.py fills it in, in the same order.
struct hp_planes {
  i64 luma, luma_row, luma_step;      // address; bytes from row to row and pixel to pixel
  i64 u, v, colour_row, colour_step;  // of both colours; u is 0 where there is none
  i64 shift_x, shift_y;               // from a pixel's place to its colour's
  i64 black, grey, u_blue, u_green, v_green, v_red;  // hp_matrix
};

namespace {

const int BATCH = 64;  // pixels that are converted at a time

inline hp_matrix matrix_of(const hp_planes* p) {
  const hp_matrix matrix = {(int)p->black,   (int)p->grey,    (int)p->u_blue,
                            (int)p->u_green, (int)p->v_green, (int)p->v_red};
  return matrix;
}

#if defined(HP_VBMI)
// COUNT samples that lie STEP bytes apart, in the order of `from`. No byte after the last is read.
template <int STEP, int COUNT>
HP_INLINE void gather_vectors(const uint8_t* from, uint8_t* to) {
  const int last = STEP * (COUNT - 1) + 1, second = last > 64 ? last - 64 : 0;
  uint8_t place[64];
  for (int i = 0; i < 64; ++i) place[i] = (uint8_t)(STEP * i);
  const __m512i order = _mm512_loadu_si512(place);
  const __mmask64 whole = last < 64 ? ((__mmask64)1 << last) - 1 : ~(__mmask64)0;
  const __m512i low = _mm512_maskz_loadu_epi8(whole, from);
  const __m512i high =
      _mm512_maskz_loadu_epi8(second ? ((__mmask64)1 << second) - 1 : 0, from + 64);
  const __m512i samples = _mm512_permutex2var_epi8(low, order, high);
  if (COUNT == 64)
    _mm512_storeu_si512(to, samples);
  else
    _mm256_storeu_si256((__m256i*)to, _mm512_castsi512_si256(samples));
}
#else
template <int STEP, int COUNT>
HP_INLINE void gather_vectors(const uint8_t* from, uint8_t* to) {
  for (int i = 0; i < COUNT; ++i) to[i] = from[STEP * i];
}
#endif

// Samples that lie `step` bytes apart, without gaps: where they are, or copied to `to`. The steps
// that occur are written out, so that each becomes vector instructions.
inline const uint8_t* gather(const uint8_t* from, i64 step, int count, uint8_t* to, int whole) {
  if (step == 1 && count == whole) return from;
  if (step == 1) {
    memcpy(to, from, (size_t)count);
  } else if (step == 2 && count == BATCH) {
    gather_vectors<2, BATCH>(from, to);
  } else if (step == 2 && count == BATCH / 2) {
    gather_vectors<2, BATCH / 2>(from, to);
  } else if (step == 4 && count == BATCH / 2) {
    gather_vectors<4, BATCH / 2>(from, to);
  } else {
    for (int i = 0; i < count; ++i) to[i] = from[i * step];
  }
  return to;
}

#if defined(HP_VBMI)
// Where pixel i of 64 lies after two packing instructions.
inline int packed_place(int i) { return i % 16 / 4 * 16 + i / 16 * 4 + i % 4; }

// Byte k of 64 packed pixels: first of blue and green, then of these and red. The pixels of a channel
// lie as two packing instructions leave them.
struct pick_table {
  uint8_t two[3][64], all[3][64];
  pick_table() {
    for (int i = 0; i < 192; ++i) {
      const int place = packed_place(i / 3);
      two[i / 64][i % 64] = (uint8_t)(place + (i % 3 == 1 ? 64 : 0));
      all[i / 64][i % 64] = (uint8_t)(i % 3 == 2 ? 64 + place : i % 64);
    }
  }
};

// Writes 64 pixels as packed BGR; each register has the values of a channel.
inline void interleave_vectors(const __m512i* channel, uint8_t* out) {
  static const pick_table table;
  for (int part = 0; part < 3; ++part) {
    const __m512i two =
        _mm512_permutex2var_epi8(channel[0], _mm512_loadu_si512(table.two[part]), channel[1]);
    const __m512i all =
        _mm512_permutex2var_epi8(two, _mm512_loadu_si512(table.all[part]), channel[2]);
    _mm512_storeu_si512(out + 64 * part, all);
  }
}
#else
const int INTERLEAVED = 16;  // pixels that are packed at once

#ifdef HP_AVX2
// Byte k of 16 packed pixels, from each channel; 128 where another channel has it.
struct shuffle_table {
  uint8_t at[3][3][16];
  shuffle_table() {
    for (int i = 0; i < 48; ++i)
      for (int c = 0; c < 3; ++c) at[i / 16][c][i % 16] = (uint8_t)(i % 3 == c ? i / 3 : 128);
  }
};
#endif

// Writes INTERLEAVED pixels as packed BGR.
inline void interleave(const uint8_t* const* channel, uint8_t* out) {
#ifdef HP_AVX2
  static const shuffle_table table;
  for (int part = 0; part < 3; ++part) {
    __m128i all = _mm_setzero_si128();
    for (int c = 0; c < 3; ++c)
      all = _mm_or_si128(all, _mm_shuffle_epi8(_mm_loadu_si128((const __m128i*)channel[c]),
                                               _mm_loadu_si128((const __m128i*)table.at[part][c])));
    _mm_storeu_si128((__m128i*)(out + 16 * part), all);
  }
#else
  for (int i = 0; i < INTERLEAVED; ++i)
    for (int c = 0; c < 3; ++c) out[3 * i + c] = channel[c][i];
#endif
}
#endif

#ifdef HP_VBMI
// What 16 samples of U and V give to B, G and R, one half for rounding included.
inline void colours(hp_matrix m, const uint8_t* u, const uint8_t* v, __m512i* colour) {
  const __m512i a = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)u));
  const __m512i b = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)v));
  const int half = 1 << 19, green = m.u_green + m.v_green;
  colour[0] = _mm512_add_epi32(_mm512_mullo_epi32(a, _mm512_set1_epi32(m.u_blue)),
                               _mm512_set1_epi32(half - 128 * m.u_blue));
  colour[1] =
      _mm512_add_epi32(_mm512_add_epi32(_mm512_mullo_epi32(a, _mm512_set1_epi32(m.u_green)),
                                        _mm512_mullo_epi32(b, _mm512_set1_epi32(m.v_green))),
                       _mm512_set1_epi32(half - 128 * green));
  colour[2] = _mm512_add_epi32(_mm512_mullo_epi32(b, _mm512_set1_epi32(m.v_red)),
                               _mm512_set1_epi32(half - 128 * m.v_red));
}

// Converts BATCH pixels to packed BGR; with SHIFT 1, U and V have half as many samples. Values fit
// into 16 bits before they are limited to 0 .. 255.
template <int SHIFT>
inline void convert_batch(hp_matrix m, const uint8_t* luma, const uint8_t* u, const uint8_t* v,
                          uint8_t* out) {
  const __m512i first = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  const __m512i factor = _mm512_set1_epi32(m.grey);
  const __m128i black = _mm_set1_epi8((char)m.black);
  __m512i value[3][4], colour[3];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    if (SHIFT == 0 || i % 2 == 0) colours(m, u + (16 * i >> SHIFT), v + (16 * i >> SHIFT), colour);
    const __m128i y = _mm_subs_epu8(_mm_loadu_si128((const __m128i*)(luma + 16 * i)), black);
    const __m512i grey = _mm512_mullo_epi32(_mm512_cvtepu8_epi32(y), factor);
    for (int c = 0; c < 3; ++c) {
      const __m512i own =
          SHIFT ? _mm512_permutexvar_epi32(i % 2 ? second : first, colour[c]) : colour[c];
      value[c][i] = _mm512_srai_epi32(_mm512_add_epi32(grey, own), 20);
    }
  }
  __m512i channel[3];
  for (int c = 0; c < 3; ++c)
    channel[c] = _mm512_packus_epi16(_mm512_packs_epi32(value[c][0], value[c][1]),
                                     _mm512_packs_epi32(value[c][2], value[c][3]));
  interleave_vectors(channel, out);
}
#else
// Converts BATCH pixels to packed BGR; with SHIFT 1, U and V have half as many samples.
template <int SHIFT>
inline void convert_batch(hp_matrix m, const uint8_t* luma, const uint8_t* u, const uint8_t* v,
                          uint8_t* out) {
  const int samples = BATCH >> SHIFT, each = 1 << SHIFT;
  int colour[3][BATCH];
  for (int i = 0; i < samples; ++i) {
    const int a = u[i] - 128, b = v[i] - 128;
    for (int k = 0; k < each; ++k) {
      colour[0][each * i + k] = m.u_blue * a;
      colour[1][each * i + k] = m.u_green * a + m.v_green * b;
      colour[2][each * i + k] = m.v_red * b;
    }
  }
  int grey[BATCH];
  for (int i = 0; i < BATCH; ++i)
    grey[i] = (luma[i] < m.black ? 0 : luma[i] - m.black) * m.grey + (1 << 19);
  uint8_t channel[3][BATCH];
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < BATCH; ++i)
      channel[c][i] = (uint8_t)hp_saturate((grey[i] + colour[c][i]) >> 20);
  for (int i = 0; i < BATCH; i += INTERLEAVED) {
    const uint8_t* const from[3] = {channel[0] + i, channel[1] + i, channel[2] + i};
    interleave(from, out + 3 * i);
  }
}
#endif

// Converts the pixels from..to of a row to row[3 * from] and on. It starts at an even pixel and
// writes up to BATCH pixels beyond `to`.
void convert_row(const hp_planes* p, i64 y, i64 from, i64 to, uint8_t* row) {
  const hp_matrix m = matrix_of(p);
  const uint8_t* luma = (const uint8_t*)(intptr_t)p->luma + y * p->luma_row;
  const i64 at = (y >> p->shift_y) * p->colour_row;
  const uint8_t* u = (const uint8_t*)(intptr_t)p->u + at;
  const uint8_t* v = (const uint8_t*)(intptr_t)p->v + at;
  uint8_t y_of[BATCH], u_of[BATCH], v_of[BATCH];
  memset(y_of, 0, sizeof y_of);
  memset(u_of, 128, sizeof u_of);
  memset(v_of, 128, sizeof v_of);
  for (i64 x = from & ~(i64)1; x < to; x += BATCH) {
    const int count = to - x < BATCH ? (int)(to - x) : BATCH;
    const uint8_t* here = gather(luma + x * p->luma_step, p->luma_step, count, y_of, BATCH);
    const uint8_t *blue = u_of, *red = v_of;
    if (p->u) {
      const i64 first = x >> p->shift_x;
      const int samples = (int)(((x + count - 1) >> p->shift_x) - first + 1);
      const int whole = BATCH >> p->shift_x;
      blue = gather(u + first * p->colour_step, p->colour_step, samples, u_of, whole);
      red = gather(v + first * p->colour_step, p->colour_step, samples, v_of, whole);
    }
    if (p->shift_x)
      convert_batch<1>(m, here, blue, red, row + 3 * x);
    else
      convert_batch<0>(m, here, blue, red, row + 3 * x);
  }
}

// Converts one pixel of a row to row[3 * x].
inline void convert_pixel(const hp_planes* p, i64 y, i64 x, uint8_t* row) {
  const uint8_t* luma = (const uint8_t*)(intptr_t)p->luma + y * p->luma_row;
  const i64 at = (y >> p->shift_y) * p->colour_row + (x >> p->shift_x) * p->colour_step;
  const int u = p->u ? ((const uint8_t*)(intptr_t)p->u)[at] : 128;
  const int v = p->u ? ((const uint8_t*)(intptr_t)p->v)[at] : 128;
  const hp_bgr pixel = hp_from_planes(matrix_of(p), luma[x * p->luma_step], u, v);
  for (int c = 0; c < 3; ++c) row[3 * x + c] = (uint8_t)pixel.value[c];
}

}  // namespace
