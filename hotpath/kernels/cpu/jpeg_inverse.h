// The inverse transform of a JPEG's blocks, at the full size and at a half and a quarter of it.
// It equals libjpeg's accurate one (Loeffler, Ligtenberg, Moschytz). jpeg.h includes this file.

namespace {

// Eight columns or rows at a time. Unsigned: damaged files overflow.
typedef uint32_t lanes __attribute__((vector_size(32)));
typedef int32_t signed_lanes __attribute__((vector_size(32)));

template <int BITS>
HP_INLINE lanes rounded(lanes value) {
  return (lanes)((signed_lanes)(value + (1u << (BITS - 1))) >> BITS);
}

template <int SHIFT>
HP_INLINE void inverse_8(const lanes* c, lanes* out) {
  lanes shared = (c[2] + c[6]) * 4433u;
  const lanes low = shared + c[2] * 6270u, high = shared - c[6] * 15137u;
  const lanes both = (c[0] + c[4]) << 13, difference = (c[0] - c[4]) << 13;
  const lanes even[4] = {both + low, difference + high, difference - high, both - low};
  shared = (c[7] + c[3] + c[5] + c[1]) * 9633u;
  const lanes a = (c[7] + c[1]) * 7373u, b = (c[5] + c[3]) * 20995u;
  const lanes third = shared - (c[7] + c[3]) * 16069u, fourth = shared - (c[5] + c[1]) * 3196u;
  const lanes odd[4] = {c[1] * 12299u - a + fourth, c[3] * 25172u - b + third,
                        c[5] * 16819u - b + fourth, c[7] * 2446u - a + third};
  for (int i = 0; i < 4; ++i) {
    out[i] = rounded<SHIFT>(even[i] + odd[i]);
    out[7 - i] = rounded<SHIFT>(even[i] - odd[i]);
  }
}

template <int SHIFT>
HP_INLINE void inverse_4(const lanes* c, lanes* out) {
  const lanes middle = c[0] << 14, slope = c[2] * 15137u - c[6] * 6270u;
  const lanes inner = c[1] * 8697u - c[3] * 17799u + c[5] * 11893u - c[7] * 1730u;
  const lanes outer = c[1] * 20995u + c[3] * 7373u - c[5] * 4926u - c[7] * 4176u;
  out[0] = rounded<SHIFT>(middle + slope + outer);
  out[1] = rounded<SHIFT>(middle - slope + inner);
  out[2] = rounded<SHIFT>(middle - slope - inner);
  out[3] = rounded<SHIFT>(middle + slope - outer);
}

template <int SHIFT>
HP_INLINE void inverse_2(const lanes* c, lanes* out) {
  const lanes middle = c[0] << 15;
  const lanes slope = c[1] * 29692u - c[3] * 10426u + c[5] * 6967u - c[7] * 5906u;
  out[0] = rounded<SHIFT>(middle + slope);
  out[1] = rounded<SHIFT>(middle - slope);
}

HP_INLINE void transpose(const lanes* from, lanes* to) {
#ifdef HP_AVX2
  __m256i a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_epi32((__m256i)from[i], (__m256i)from[i + 1]);
    a[i + 1] = _mm256_unpackhi_epi32((__m256i)from[i], (__m256i)from[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int k = 0; k < 2; ++k) {
      b[i + 2 * k] = _mm256_unpacklo_epi64(a[i + k], a[i + k + 2]);
      b[i + 2 * k + 1] = _mm256_unpackhi_epi64(a[i + k], a[i + k + 2]);
    }
  for (int i = 0; i < 4; ++i) {
    to[i] = (lanes)_mm256_permute2x128_si256(b[i], b[i + 4], 0x20);
    to[i + 4] = (lanes)_mm256_permute2x128_si256(b[i], b[i + 4], 0x31);
  }
#else
  for (int i = 0; i < 8; ++i)
    for (int k = 0; k < 8; ++k) to[i][k] = from[k][i];
#endif
}

inline uint8_t to_pixel(int value) {
  value += 128;
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

// Writes columns of values as rows of pixels.
template <int SIDE>
HP_INLINE void write_pixels(const lanes* columns, uint8_t* out, i64 stride) {
#ifdef HP_AVX2
  const __m256i turn = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  __m256i four[2];  // columns; the lower half has rows 0-3, the upper one rows 4-7
  for (int i = 0; i < (SIDE == 8 ? 2 : 1); ++i) {
    const __m256i* from = (const __m256i*)columns + 4 * i;
    const __m256i a = _mm256_packs_epi32(from[0], from[1]);
    const __m256i b = _mm256_packs_epi32(from[2], from[3]), middle = _mm256_set1_epi16(128);
    four[i] = _mm256_packus_epi16(_mm256_adds_epi16(a, middle), _mm256_adds_epi16(b, middle));
    four[i] = _mm256_shuffle_epi8(four[i], turn);
  }
  uint64_t rows[8];
  if (SIDE == 8) {
    const __m256i low = _mm256_unpacklo_epi32(four[0], four[1]);
    const __m256i high = _mm256_unpackhi_epi32(four[0], four[1]);
    _mm256_storeu_si256((__m256i*)rows, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((__m256i*)rows + 1, _mm256_permute2x128_si256(low, high, 0x31));
    for (int y = 0; y < 8; ++y) memcpy(out + y * stride, rows + y, 8);
  } else {
    _mm256_storeu_si256((__m256i*)rows, four[0]);
    for (int y = 0; y < SIDE; ++y) memcpy(out + y * stride, (const uint8_t*)rows + 4 * y, SIDE);
  }
#else
  lanes rows[8];
  transpose(columns, rows);
  for (int y = 0; y < SIDE; ++y) {
    int32_t row[8];
    memcpy(row, rows + y, sizeof row);
    for (int x = 0; x < SIDE; ++x) out[y * stride + x] = to_pixel(row[x]);
  }
#endif
}

// Writes a block of SIDE x SIDE pixels.
template <int SIDE>
HP_INLINE void inverse(const lanes* block, uint8_t* out, i64 stride) {
  lanes kept[8] = {}, turned[8], pixels[8] = {};
  if (SIDE == 8) inverse_8<11>(block, kept);
  if (SIDE == 4) inverse_4<12>(block, kept);
  if (SIDE == 2) inverse_2<13>(block, kept);
  transpose(kept, turned);
  if (SIDE == 8) inverse_8<18>(turned, pixels);
  if (SIDE == 4) inverse_4<19>(turned, pixels);
  if (SIDE == 2) inverse_2<20>(turned, pixels);
  write_pixels<SIDE>(pixels, out, stride);
}

}  // namespace
