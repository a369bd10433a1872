// Crop on x86 processors, for windows too wide for groups.h: the horizontal pass of
// the columns inside the frame with AVX2, and the vertical pass.
#pragma once
#include "plan.h"

namespace {

// Eight columns: the two pixels of each as 8 bytes, sorted into channels, one multiply-add each.
inline void horizontal_8(const uint8_t* row, const int32_t* at, const int16_t* weights, i64 lanes,
                         int16_t* out) {
  const __m128i order = _mm_setr_epi8(0, 3, 8, 11, 1, 4, 9, 12, 2, 5, 10, 13, -1, -1, -1, -1);
  __m128i pair[4];
  for (int i = 0; i < 4; ++i) {
    i64 a, b;
    memcpy(&a, row + at[2 * i], 8);
    memcpy(&b, row + at[2 * i + 1], 8);
    pair[i] = _mm_shuffle_epi8(_mm_set_epi64x(b, a), order);  // B B B B G G G G R R R R of 2 columns
  }
  const __m128i low01 = _mm_unpacklo_epi32(pair[0], pair[1]);
  const __m128i low23 = _mm_unpacklo_epi32(pair[2], pair[3]);
  const __m128i high01 = _mm_unpackhi_epi32(pair[0], pair[1]);
  const __m128i high23 = _mm_unpackhi_epi32(pair[2], pair[3]);
  const __m256i w = _mm256_loadu_si256((const __m256i*)weights);
  const __m256i b = _mm256_cvtepu8_epi16(_mm_unpacklo_epi64(low01, low23));
  const __m256i g = _mm256_cvtepu8_epi16(_mm_unpackhi_epi64(low01, low23));
  const __m256i r = _mm256_cvtepu8_epi16(_mm_unpacklo_epi64(high01, high23));
  const __m256i b32 = _mm256_srai_epi32(_mm256_madd_epi16(b, w), 4);
  const __m256i g32 = _mm256_srai_epi32(_mm256_madd_epi16(g, w), 4);
  const __m256i r32 = _mm256_srai_epi32(_mm256_madd_epi16(r, w), 4);
  const __m256i bg = _mm256_permute4x64_epi64(_mm256_packs_epi32(b32, g32), 0xD8);
  const __m256i rr = _mm256_permute4x64_epi64(_mm256_packs_epi32(r32, r32), 0xD8);
  _mm_storeu_si128((__m128i*)out, _mm256_castsi256_si128(bg));
  _mm_storeu_si128((__m128i*)(out + lanes), _mm256_extracti128_si256(bg, 1));
  _mm_storeu_si128((__m128i*)(out + 2 * lanes), _mm256_castsi256_si128(rr));
}

// The first columns of from..to, as many as 8-byte loads can reach; returns where it stopped.
HP_INLINE int horizontal_avx2(const plan* p, const uint8_t* row, i64 row_bytes, int from,
                              int to, int16_t* out) {
  int end = to;
  while (end > from && p->space.offsets[end - 1] + 8 > row_bytes) --end;
  if (end - from < 8) return from;
  for (int i = from; i < end; i += 8) {
    if (i > end - 8) i = end - 8;  // the last eight may overlap the ones before
    horizontal_8(row, p->space.offsets + i, p->space.weights + 2 * i, p->lanes, out + i);
  }
  return end;
}

// The vertical pass of 16 values. Compilers make the products 32 bits wide; their upper halves are
// enough.
inline __m256i vertical_16(const int16_t* top, const int16_t* bottom, __m256i w0, __m256i w1) {
  const __m256i upper = _mm256_mulhi_epi16(_mm256_loadu_si256((const __m256i*)top), w0);
  const __m256i lower = _mm256_mulhi_epi16(_mm256_loadu_si256((const __m256i*)bottom), w1);
  const __m256i sum = _mm256_add_epi16(_mm256_add_epi16(upper, lower), _mm256_set1_epi16(2));
  return _mm256_srai_epi16(sum, 2);
}

inline void finish_16(__m256i values, uint8_t* out, __m256, __m256) {
  const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(values, values), 0xD8);
  _mm_storeu_si128((__m128i*)out, _mm256_castsi256_si128(bytes));
}

// hp_normalise; with mean 0 and scale 1 the values themselves.
inline void finish_16(__m256i values, float* out, __m256 mean, __m256 scale) {
  const __m256i low = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(values));
  const __m256i high = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(values, 1));
  _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_sub_ps(_mm256_cvtepi32_ps(low), mean), scale));
  _mm256_storeu_ps(out + 8, _mm256_mul_ps(_mm256_sub_ps(_mm256_cvtepi32_ps(high), mean), scale));
}

// A row of the result, of at least LANES columns; the last ones may overlap those before.
template <class Out>
HP_INLINE void blend_rows(const int16_t* top, const int16_t* bottom, int16_t w0, int16_t w1,
                          int count, Out* out, float mean, float scale) {
  const __m256i weight0 = _mm256_set1_epi16(w0), weight1 = _mm256_set1_epi16(w1);
  const __m256 means = _mm256_set1_ps(mean), scales = _mm256_set1_ps(scale);
  for (int from = 0; from < count; from += 16) {
    if (from > count - 16) from = count - 16;
    finish_16(vertical_16(top + from, bottom + from, weight0, weight1), out + from, means, scales);
  }
}

// A row of the result in its three planes.
HP_INLINE void vertical_rows(const hp_crop_job* job, const plan* p, int row, hp_tap tap,
                             const int16_t* top, const int16_t* bottom) {
  const int count = (int)job->out_width;
  const int16_t w0 = (int16_t)tap.weight0, w1 = (int16_t)tap.weight1;
  for (int c = 0; c < 3; ++c) {
    const i64 from = (job->swap ? 2 - c : c) * p->lanes;
    const i64 at = c * p->plane + row * job->out_width;
    if (job->as_float)
      blend_rows(top + from, bottom + from, w0, w1, count, (float*)(intptr_t)job->out + at,
                 job->mean[c], job->scale[c]);
    else
      blend_rows(top + from, bottom + from, w0, w1, count, (uint8_t*)(intptr_t)job->out + at, 0, 0);
  }
}

}  // namespace
