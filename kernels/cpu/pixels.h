// Crop on x86 processors with AVX2 or AVX-512. A row of the horizontal pass has the channels of a
// column side by side, in the order of the result: 16-bit words, three a column.
#pragma once
#include "plan.h"

namespace {

#ifdef HP_VBMI
typedef __m512i vec;
const int BLOCK = 16;  // columns that become floats at once
#define HP_OP(name) _mm512_##name
#define HP_BITS(name) _mm512_##name##_si512
#else
typedef __m256i vec;
const int BLOCK = 8;
#define HP_OP(name) _mm256_##name
#define HP_BITS(name) _mm256_##name##_si256
#endif

const int BYTES = (int)sizeof(vec), WORDS = BYTES / 2;
const int AHEAD = 6;  // rows of the result: what they need is fetched, as the network empties the caches
const int MOST_LOADS = 4, FOUR = 4;  // of the words of a vector; columns that are done at once

// What the words of a vector are made from, where few loads reach all of its pixels.
struct alignas(64) few_loads {
  uint8_t place[64];          // left and right byte of each word, in pairs
  int8_t high[64], low[64];   // their weights: high * 16 + low
  i64 base[MOST_LOADS];       // first byte of each load
};

// The weights of four columns, of which each has a load of its own: in each 16 bytes two columns.
struct alignas(64) own_loads {
  int8_t high[32], low[32];
};

static_assert(sizeof(few_loads) <= 32 / 3 * BLOCK_BYTES, "the workspace has room for all words");
static_assert(sizeof(own_loads) <= FOUR * BLOCK_BYTES, "the workspace has room for all columns");

// Weights 0 .. 2048 as two bytes with a sign each.
inline void split_weights(const int16_t* weights, int8_t* high, int8_t* low) {
  for (int k = 0; k < 2; ++k) {
    const int part = weights[k] < 2048 ? weights[k] >> 4 : 127;
    high[k] = (int8_t)part;
    low[k] = (int8_t)(weights[k] - 16 * part);
  }
}

// Both passes of a window.
class Pixels {
 public:
  Pixels(const hp_crop_job* job, const plan* p) : job_(job), plan_(p), space_(p->space) {
    count_ = (int)job->out_width;
    from_ = job->x > 0 ? job->x : 0;
    const i64 end = job->x + job->width;
    to_ = end < job->frame_width ? end : job->frame_width;
    to_ = to_ > from_ ? to_ : from_;
    // no load may leave the frame's row
    // of larger windows too few of these rows are read
    const bool is_dense = !job->planes && job->height < 4 * job->out_height;
    ahead_ = is_dense ? AHEAD * job->height / job->out_height : 0;
    copied_ = job->x < 0 || end + 2 > job->frame_width || 3 * job->frame_width < 64;
    if (copied_) frame_edges();
    plan_loads(copied_ ? 3 * (to_ - from_) + SLACK / 2 : 3 * job->frame_width);
    if (job->y >= 0 && job->y + job->height <= job->frame_height) return;
    for (int i = 0; i < 3 * count_; ++i) {  // the row of rows outside the frame
      const int value = (int)job->border[job->swap ? 2 - i % 3 : i % 3];
      const int16_t* weights = space_.weights + i / 3 * 2;
      space_.rows[2][i] = (int16_t)hp_horizontal(value, value, weights[0], weights[1]);
    }
  }

  static bool direct(int, hp_tap) { return false; }

  // The horizontal pass of a row of the frame.
  HP_INLINE void pass(i64 y, int16_t* out) const {
    const uint8_t* row = packed_row(job_, plan_, y);
    if (ahead_ && y + ahead_ < job_->frame_height)
      for (i64 at = 3 * from_; at < 3 * to_; at += 64)
        __builtin_prefetch(row + ahead_ * job_->row_stride + at);
    if (copied_) {
      memcpy(space_.edge + 6, row + 3 * from_, (size_t)(3 * (to_ - from_)));
      row = space_.edge;
    }
#ifdef HP_VBMI
    if (loads_ == 1) return words<1>(row, out);
    if (loads_ == 2) return words<2>(row, out);
    if (loads_ == 4) return words<4>(row, out);
#endif
    columns(row, out);
  }

  // A row of the result.
  HP_INLINE void blend(int row, hp_tap tap, const int16_t* top, const int16_t* bottom) const {
    const vec w0 = HP_OP(set1_epi16)((short)tap.weight0), w1 = HP_OP(set1_epi16)((short)tap.weight1);
    const int size = 3 * count_;
    uint8_t* const out = (uint8_t*)(intptr_t)job_->out;
    uint8_t* const line = job_->side_by_side ? out + row * size : space_.line;
    if (job_->side_by_side) fetch(line + AHEAD * size, size);
    for (int at = 0; at < size; at += BYTES) {
      const vec bytes = in_bytes(blended(top + at, bottom + at, w0, w1),
                                 blended(top + at + WORDS, bottom + at + WORDS, w0, w1));
      if (at + BYTES <= size || !job_->side_by_side) {
        HP_BITS(storeu)((vec*)(line + at), bytes);
      } else {
        uint8_t rest[BYTES];
        HP_BITS(storeu)((vec*)rest, bytes);
        memcpy(line + at, rest, (size_t)(size - at));
      }
    }
    if (!job_->side_by_side)
      for (int c = 0; c < 3; ++c) {
        const i64 first = c * job_->out_height * job_->out_width + row * job_->out_width;
        if (job_->as_float)
          in_plane(line + c, c, (float*)out + first);
        else
          in_plane(line + c, c, out + first);
      }
  }

 private:
  // A prefetch never fails: it may reach beyond the result.
  static HP_INLINE void fetch(const void* from, int bytes) {
    for (int at = 0; at < bytes; at += 64) __builtin_prefetch((const uint8_t*)from + at, 1);
  }

  // Border pixels beside what is copied of each row. Columns further outside read the outermost two.
  void frame_edges() {
    const i64 width = to_ - from_;
    for (int c = 0; c < 12; ++c)
      space_.edge[c < 6 ? c : 3 * width + c] = (uint8_t)job_->border[c % 3];
    for (int i = 0; i < count_; ++i) {
      i64 left = job_->x + space_.columns[i].first - from_ + 2;
      left = left > 0 ? left : 0;
      space_.offsets[i] = (int32_t)(3 * (left < width + 2 ? left : width + 2));
    }
  }

  // Plans the horizontal pass of rows of `limit` bytes that may be read.
  void plan_loads(i64 limit) {
#ifdef HP_VBMI
    for (loads_ = 1; loads_ <= MOST_LOADS; loads_ *= 2)
      if (plan_words(limit)) return;
#endif
    loads_ = 0;
    own_loads* group = (own_loads*)space_.blocks;
    for (int i = 0; i < count_; i += FOUR, ++group) {
      memset(group, 0, sizeof(own_loads));
      for (int k = 0; k < FOUR && i + k < count_; ++k)
        for (int c = 0; c < 3; ++c) {
          const int at = k / 2 * 16 + k % 2 * 6 + 2 * c;
          split_weights(space_.weights + 2 * (i + k), group->high + at, group->low + at);
        }
    }
    for (int i = count_; i < padded(count_); ++i) space_.offsets[i] = space_.offsets[count_ - 1];
  }

  // The products of pairs of pixels: both fit into 16 bits, and the low one alone has what falls away.
  template <class Loads>
  static HP_INLINE vec weighed(vec pairs, const Loads* loads) {
    const vec high = HP_BITS(load)((const vec*)loads->high);
    const vec low = HP_BITS(load)((const vec*)loads->low);
    const vec rest = HP_OP(srli_epi16)(HP_OP(maddubs_epi16)(pairs, low), 4);
    return HP_OP(add_epi16)(HP_OP(maddubs_epi16)(pairs, high), rest);
  }

#ifdef HP_VBMI
  // False if one pixel is out of reach. A column whose right pixel has no weight reads its left one.
  bool plan_words(i64 limit) {
    few_loads* group = (few_loads*)space_.blocks;
    const int each = WORDS / loads_;
    int column = 0, channel = 0;
    for (int done = 0; done < 3 * count_; done += WORDS, ++group)
      for (int i = 0; i < WORDS; ++i) {
        const i64 left = space_.offsets[column];
        i64* base = group->base + i / each;
        if (i % each == 0) *base = left < limit - BYTES ? left : limit - BYTES;
        const int16_t* weights = space_.weights + 2 * column;
        const int first = (int)(left - *base) + (job_->swap ? 2 - channel : channel);
        const int second = first + (weights[1] ? 3 : 0);
        if (second >= BYTES) return false;
        group->place[2 * i] = (uint8_t)first, group->place[2 * i + 1] = (uint8_t)second;
        split_weights(weights, group->high + 2 * i, group->low + 2 * i);
        if (++channel == 3) channel = 0, column += column + 1 < count_;
      }
    return true;
  }

  template <int LOADS>
  HP_INLINE void words(const uint8_t* row, int16_t* out) const {
    const few_loads* group = (const few_loads*)space_.blocks;
    for (int done = 0; done < 3 * count_; done += WORDS, ++group) {
      const vec place = _mm512_load_si512(group->place);
      vec pairs = _mm512_permutexvar_epi8(place, _mm512_loadu_si512(row + group->base[0]));
      for (int k = 1; k < LOADS; ++k)  // the words of this load and those after
        pairs = _mm512_mask_permutexvar_epi8(pairs, ~0ull << 64 / LOADS * k, place,
                                             _mm512_loadu_si512(row + group->base[k]));
      _mm512_store_si512(out + done, weighed(pairs, group));
    }
  }

  static HP_INLINE vec in_bytes(vec low, vec high) {
    const vec order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    return _mm512_permutexvar_epi64(order, _mm512_packus_epi16(low, high));
  }
#else
  static HP_INLINE vec in_bytes(vec low, vec high) {
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(low, high), 0xD8);
  }
#endif

  static HP_INLINE __m128i two_columns(const uint8_t* one, const uint8_t* other) {
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i*)one),
                              _mm_loadl_epi64((const __m128i*)other));
  }

  // Four columns: the two pixels of each are one load. The last words of a store are the next one's.
  HP_INLINE void columns(const uint8_t* row, int16_t* out) const {
    const own_loads* group = (const own_loads*)space_.blocks;
    const __m128i plain = _mm_setr_epi8(0, 3, 1, 4, 2, 5, 8, 11, 9, 12, 10, 13, -1, -1, -1, -1);
    const __m128i turned = _mm_setr_epi8(2, 5, 1, 4, 0, 3, 10, 13, 9, 12, 8, 11, -1, -1, -1, -1);
    const __m128i order = job_->swap ? turned : plain;
    const int32_t* at = space_.offsets;
    for (int i = 0; i < count_; i += FOUR, ++group, at += FOUR, out += 3 * FOUR) {
      const __m128i low = _mm_shuffle_epi8(two_columns(row + at[0], row + at[1]), order);
      const __m128i high = _mm_shuffle_epi8(two_columns(row + at[2], row + at[3]), order);
      const __m256i pairs = _mm256_set_m128i(high, low);
      const __m256i rest = _mm256_srli_epi16(
          _mm256_maddubs_epi16(pairs, _mm256_load_si256((const __m256i*)group->low)), 4);
      const __m256i words = _mm256_add_epi16(
          _mm256_maddubs_epi16(pairs, _mm256_load_si256((const __m256i*)group->high)), rest);
      _mm_storeu_si128((__m128i*)out, _mm256_castsi256_si128(words));
      _mm_storeu_si128((__m128i*)(out + 6), _mm256_extracti128_si256(words, 1));
    }
  }

  // hp_vertical of a vector of words.
  static HP_INLINE vec blended(const int16_t* top, const int16_t* bottom, vec w0, vec w1) {
    const vec upper = HP_OP(mulhi_epi16)(HP_BITS(loadu)((const vec*)top), w0);
    const vec lower = HP_OP(mulhi_epi16)(HP_BITS(loadu)((const vec*)bottom), w1);
    const vec sum = HP_OP(add_epi16)(HP_OP(add_epi16)(upper, lower), HP_OP(set1_epi16)(2));
    return HP_OP(srai_epi16)(sum, 2);
  }

  // A channel of a row, which begins at `line`.
  template <class Out>
  HP_INLINE void in_plane(const uint8_t* line, int channel, Out* out) const {
    const float mean = job_->mean[channel], scale = job_->scale[channel];
    fetch(out + AHEAD * count_, count_ * (int)sizeof(Out));
    int i = 0;
    for (; i + BLOCK <= count_; i += BLOCK) store(every_third(line + 3 * i), mean, scale, out + i);
    for (; i < count_; ++i) store(line[3 * i], mean, scale, out + i);
  }

  static HP_INLINE void store(int value, float, float, uint8_t* out) { *out = (uint8_t)value; }

  static HP_INLINE void store(int value, float mean, float scale, float* out) {
    *out = hp_normalise(value, mean, scale);
  }

  static HP_INLINE void store(vec values, float mean, float scale, float* out) {
    const auto less = HP_OP(sub_ps)(HP_OP(cvtepi32_ps)(values), HP_OP(set1_ps)(mean));
    HP_OP(storeu_ps)(out, HP_OP(mul_ps)(less, HP_OP(set1_ps)(scale)));
  }

#ifdef HP_VBMI
  static HP_INLINE vec every_third(const uint8_t* bytes) {
    const vec places = _mm512_setr_epi32(0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45);
    return _mm512_maskz_permutexvar_epi8(0x1111111111111111ull, places, _mm512_loadu_si512(bytes));
  }

  static HP_INLINE void store(vec values, float, float, uint8_t* out) {
    _mm_storeu_si128((__m128i*)out, _mm512_cvtepi32_epi8(values));
  }
#else
  static HP_INLINE vec every_third(const uint8_t* bytes) {
    const __m128i places = _mm_setr_epi32(0x80808000, 0x80808003, 0x80808006, 0x80808009);
    const __m128i low = _mm_loadu_si128((const __m128i*)bytes);
    const __m128i high = _mm_loadu_si128((const __m128i*)(bytes + 12));
    return _mm256_shuffle_epi8(_mm256_set_m128i(high, low), _mm256_broadcastsi128_si256(places));
  }

  static HP_INLINE void store(vec values, float, float, uint8_t* out) {
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(values),
                                           _mm256_extracti128_si256(values, 1));
    _mm_storel_epi64((__m128i*)out, _mm_packus_epi16(words, words));
  }
#endif

  const hp_crop_job* job_;
  const plan* plan_;
  const workspace& space_;
  int count_, loads_;  // columns; loads of a vector of words, 0 where each column has its own
  i64 from_, to_;      // columns of the window inside the frame
  i64 ahead_;          // rows of the frame from the one that is read to the one that is fetched
  bool copied_;        // whether a row's part inside the frame is copied between border pixels
};

}  // namespace
