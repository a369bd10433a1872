// Crop on x86 processors with AVX2; with AVX-512 a crop of 185 to 600 pixels took .92 to .95 of the
// time. A row of the horizontal pass has the channels of a column side by side, in the order of the
// result: 16-bit words, three a column.
#pragma once
#include "plan.h"

namespace {

const int FOUR = 4, BLOCK = 8;     // columns that are done at once; and that become floats
const int BYTES = 32, WORDS = 16;  // of a vector
const int AHEAD = 6;  // rows of the result that are fetched ahead: the network empties the caches

// The weights of four columns, high * 16 + low for each byte: in each 16 bytes two columns.
struct alignas(64) four_weights {
  int8_t high[BYTES], low[BYTES];
};

static_assert(sizeof(four_weights) <= FOUR * BLOCK_BYTES, "the workspace has room for all columns");

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
    // of larger windows too few of these rows are read
    const bool is_dense = !job->planes && job->height < 4 * job->out_height;
    ahead_ = is_dense ? AHEAD * job->height / job->out_height : 0;
    // no load of 8 bytes may leave the frame's row
    copied_ = job->x < 0 || end + 2 > job->frame_width;
    if (copied_) frame_edges();
    plan_weights();
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
    columns(row, out);
  }

  // A row of the result.
  HP_INLINE void blend(int row, hp_tap tap, const int16_t* top, const int16_t* bottom) const {
    const __m256i w0 = _mm256_set1_epi16((short)tap.weight0);
    const __m256i w1 = _mm256_set1_epi16((short)tap.weight1);
    const int size = 3 * count_;
    uint8_t* const out = (uint8_t*)(intptr_t)job_->out;
    uint8_t* const line = job_->side_by_side ? out + row * size : space_.line;
    if (job_->side_by_side) fetch(line + AHEAD * size, size);
    for (int at = 0; at < size; at += BYTES) {
      const __m256i packed =
          _mm256_packus_epi16(blended(top + at, bottom + at, w0, w1),
                              blended(top + at + WORDS, bottom + at + WORDS, w0, w1));
      const __m256i bytes = _mm256_permute4x64_epi64(packed, 0xD8);
      if (at + BYTES <= size || !job_->side_by_side) {
        _mm256_storeu_si256((__m256i*)(line + at), bytes);
      } else {
        uint8_t rest[BYTES];
        _mm256_storeu_si256((__m256i*)rest, bytes);
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

  // The weights of all columns, and offsets up to a multiple of four.
  void plan_weights() {
    four_weights* group = (four_weights*)space_.blocks;
    for (int i = 0; i < count_; i += FOUR, ++group) {
      memset(group, 0, sizeof(four_weights));
      for (int k = 0; k < FOUR && i + k < count_; ++k)
        for (int c = 0; c < 3; ++c) {
          const int at = k / 2 * 16 + k % 2 * 6 + 2 * c;
          split_weights(space_.weights + 2 * (i + k), group->high + at, group->low + at);
        }
    }
    for (int i = count_; i < padded(count_); ++i) space_.offsets[i] = space_.offsets[count_ - 1];
  }

  static HP_INLINE __m128i two_columns(const uint8_t* one, const uint8_t* other) {
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i*)one),
                              _mm_loadl_epi64((const __m128i*)other));
  }

  // Four columns: the two pixels of each are one load. Their products fit into 16 bits, and the low
  // ones alone have what falls away. The last words of a store are the next one's.
  HP_INLINE void columns(const uint8_t* row, int16_t* out) const {
    const four_weights* group = (const four_weights*)space_.blocks;
    const __m128i plain = _mm_setr_epi8(0, 3, 1, 4, 2, 5, 8, 11, 9, 12, 10, 13, -1, -1, -1, -1);
    const __m128i turned = _mm_setr_epi8(2, 5, 1, 4, 0, 3, 10, 13, 9, 12, 8, 11, -1, -1, -1, -1);
    const __m128i order = job_->swap ? turned : plain;
    const int32_t* at = space_.offsets;
    for (int i = 0; i < count_; i += FOUR, ++group, at += FOUR, out += 3 * FOUR) {
      const __m128i one = _mm_shuffle_epi8(two_columns(row + at[0], row + at[1]), order);
      const __m128i other = _mm_shuffle_epi8(two_columns(row + at[2], row + at[3]), order);
      const __m256i pairs = _mm256_set_m128i(other, one);
      const __m256i high = _mm256_load_si256((const __m256i*)group->high);
      const __m256i low = _mm256_load_si256((const __m256i*)group->low);
      const __m256i rest = _mm256_srli_epi16(_mm256_maddubs_epi16(pairs, low), 4);
      const __m256i words = _mm256_add_epi16(_mm256_maddubs_epi16(pairs, high), rest);
      _mm_storeu_si128((__m128i*)out, _mm256_castsi256_si128(words));
      _mm_storeu_si128((__m128i*)(out + 6), _mm256_extracti128_si256(words, 1));
    }
  }

  // hp_vertical of a vector of words.
  static HP_INLINE __m256i blended(const int16_t* top, const int16_t* bottom, __m256i w0,
                                   __m256i w1) {
    const __m256i upper = _mm256_mulhi_epi16(_mm256_loadu_si256((const __m256i*)top), w0);
    const __m256i lower = _mm256_mulhi_epi16(_mm256_loadu_si256((const __m256i*)bottom), w1);
    const __m256i sum = _mm256_add_epi16(_mm256_add_epi16(upper, lower), _mm256_set1_epi16(2));
    return _mm256_srai_epi16(sum, 2);
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

  static HP_INLINE void store(__m256i values, float mean, float scale, float* out) {
    const auto less = _mm256_sub_ps(_mm256_cvtepi32_ps(values), _mm256_set1_ps(mean));
    _mm256_storeu_ps(out, _mm256_mul_ps(less, _mm256_set1_ps(scale)));
  }

  static HP_INLINE __m256i every_third(const uint8_t* bytes) {
    const __m128i places = _mm_setr_epi32(0x80808000, 0x80808003, 0x80808006, 0x80808009);
    const __m128i low = _mm_loadu_si128((const __m128i*)bytes);
    const __m128i high = _mm_loadu_si128((const __m128i*)(bytes + 12));
    return _mm256_shuffle_epi8(_mm256_set_m128i(high, low), _mm256_broadcastsi128_si256(places));
  }

  static HP_INLINE void store(__m256i values, float, float, uint8_t* out) {
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
    _mm_storel_epi64((__m128i*)out, _mm_packus_epi16(words, words));
  }

  const hp_crop_job* job_;
  const plan* plan_;
  const workspace& space_;
  int count_;      // columns
  i64 from_, to_;  // columns of the window inside the frame
  i64 ahead_;      // rows of the frame from the one that is read to the one that is fetched
  bool copied_;    // whether a row's part inside the frame is copied between border pixels
};

}  // namespace
