// Decodes the part of a JPEG that a window covers, to planes: baseline, 8 bits, Huffman codes. Pixels
// equal libjpeg's. hotpath.cpp includes this file.
//
// A code can't be found without the codes before it. So blocks before and beside the window are
// skipped: only the lengths of their codes are read, several codes with one look into a table.
// Blocks below the window are not read. Rows of units where decoding can go on are remembered.

#include "jpeg_inverse.h"
#include "jpeg_tables.h"

// What to decode. kernels/cpu/jpeg.py fills it in, in the same order.
struct hp_jpeg_job {
  i64 data, segments;                // addresses: coded data without stuffing, where segments begin
  i64 left, top, right, bottom;      // units
  i64 side[3];                       // pixels of a block's side, 8, 4, 2 or 1, for each part
  i64 plane[3], stride[3];           // addresses and bytes
};

namespace {

// ---- bits ------------------------------------------------------------------------------------

struct jpeg_bits {
  const uint8_t* next;
  uint64_t window;  // the bits that come next, from the highest
  int left;         // how many of them are there
};

inline uint64_t load_big_endian(const uint8_t* from) {
  uint64_t value;
  memcpy(&value, from, 8);
  return __builtin_bswap64(value);
}

// At least 56 bits: two codes with their values.
HP_INLINE void refill(jpeg_bits* b) {
  b->window |= load_big_endian(b->next) >> b->left;
  b->next += (63 - b->left) >> 3;
  b->left |= 56;
}

HP_INLINE void drop(jpeg_bits* b, uint32_t count) {
  b->window <<= count & 63;
  b->left -= (int)(count & 63);
}

jpeg_bits bits_at(const uint8_t* data, i64 bit) {
  jpeg_bits b = {data + bit / 8, 0, 0};
  refill(&b);
  drop(&b, (uint32_t)(bit % 8));
  return b;
}

inline i64 bit_of(const jpeg_bits* b, const uint8_t* data) {
  return 8 * (b->next - data) - b->left;
}

// A code that is longer than LOOK, as an entry of `symbol`; 0: there is none.
__attribute__((noinline)) int long_code(const hp_jpeg_codes* codes, uint64_t window) {
  for (int bits = LOOK + 1; bits <= 16; ++bits) {
    const int code = (int)(window >> (64 - bits));
    if (code <= codes->last[bits]) return bits << 8 | codes->spec[codes->place[bits] + code];
  }
  return 0;
}

// The next symbol, whose code is dropped; -1 where there is none.
HP_INLINE int next_symbol(const hp_jpeg_codes* codes, jpeg_bits* b) {
  int entry = codes->symbol[b->window >> (64 - LOOK)];
  if (__builtin_expect(!entry, 0)) {
    entry = long_code(codes, b->window);
    if (!entry) return -1;
  }
  drop(b, (uint32_t)entry >> 8);
  return entry & 255;
}

// A value of `size` bits, at most 16; the upper half of them is positive.
HP_INLINE int next_value(jpeg_bits* b, int size) {
  const int value = (int)(b->window >> 1 >> (63 - size));
  const int negative = (int)(~b->window >> 63) & (size != 0);
  drop(b, (uint32_t)size);
  return value - (negative ? (1 << size) - 1 : 0);
}

// ---- blocks ----------------------------------------------------------------------------------

HP_INLINE bool next_dc(const hp_jpeg_codes* codes, jpeg_bits* b, i64* before) {
  refill(b);
  const uint32_t entry = codes->value[b->window >> (64 - LOOK)];
  if (__builtin_expect(entry != 0, 1)) {
    drop(b, entry);
    *before += (int32_t)entry >> 16;
    return true;
  }
  const int size = next_symbol(codes, b);
  if (size < 0) return false;
  *before += next_value(b, size);
  return true;
}

// Passes over the coefficients of a block but the first.
HP_INLINE bool skip_ac(const hp_jpeg_codes* codes, jpeg_bits* b) {
  uint32_t covered = 0;
  do {
    refill(b);
    for (int twice = 0; twice < 2 && covered < 63; ++twice) {
      const uint32_t entry = codes->skip[b->window >> (64 - LOOK)];
      if (__builtin_expect(!entry, 0)) {
        const int found = long_code(codes, b->window);
        if (!found) return false;
        const int run = found >> 4 & 15, size = found & 15;
        drop(b, (uint32_t)((found >> 8) + size));
        covered += size || run == 15 ? run + 1 : 64;
      } else if (__builtin_expect(covered + (entry >> 13 & 63) < 63, 1)) {
        drop(b, entry);
        covered += entry >> 6 & 127;
      } else {
        drop(b, entry >> 19);
        covered += entry >> 25;
      }
    }
  } while (covered < 63);
  return true;
}

// The coefficients of a block but the first, multiplied; returns how many there are, or -1.
HP_INLINE int next_ac(const hp_jpeg_codes* codes, jpeg_bits* b, const int32_t* quant, int32_t* to) {
  int count = 0, place = 0;
  while (place < 63) {
    refill(b);
    for (int twice = 0; twice < 2 && place < 63; ++twice) {
      const uint32_t entry = codes->value[b->window >> (64 - LOOK)];
      int value = (int32_t)entry >> 16, covered = (int)(entry >> 6 & 127);
      if (__builtin_expect(entry != 0, 1)) {
        drop(b, entry);
      } else {
        const int symbol = next_symbol(codes, b);
        if (symbol < 0) return -1;
        covered = symbol & 15 || symbol == 0xF0 ? (symbol >> 4) + 1 : 64;
        value = next_value(b, symbol & 15);
      }
      place += covered;
      if (place > 63) return covered == 64 ? count : -1;
      const int at = ZIGZAG[place];
      to[at] = value * quant[at];
      ++count;
    }
  }
  return count;
}

// A block's coefficients, multiplied.
struct jpeg_block {
  lanes rows[8];
  int count;  // of coefficients other than 0, without the first one
};

// Reads a block. Of one that becomes a single pixel, only the first coefficient.
HP_INLINE bool read_block(const hp_jpeg* j, const hp_jpeg_part* part, jpeg_bits* b, i64* before,
                          i64 side, jpeg_block* block) {
  if (!next_dc(j->dc + part->dc, b, before)) return false;
  const int32_t* quant = j->quant[part->quant];
  memset(block->rows, 0, sizeof block->rows);
  int32_t* values = (int32_t*)block->rows;
  values[0] = (int32_t)((uint32_t)*before * (uint32_t)quant[0]);
  block->count = 0;
  if (side == 1) return skip_ac(j->ac + part->ac, b);
  block->count = next_ac(j->ac + part->ac, b, quant, values);
  return block->count >= 0;
}

HP_INLINE void write_block(const jpeg_block* block, i64 side, uint8_t* out, i64 stride) {
  if (!block->count) {
    const uint8_t value = to_pixel((int32_t)(block->rows[0][0] + 4) >> 3);
    for (i64 y = 0; y < side; ++y) memset(out + y * stride, value, (size_t)side);
  } else if (side == 8) {
    inverse<8>(block->rows, out, stride);
  } else if (side == 4) {
    inverse<4>(block->rows, out, stride);
  } else {
    inverse<2>(block->rows, out, stride);
  }
}

// ---- units -----------------------------------------------------------------------------------

// `b` and `before` are copied, so that a compiler keeps them in registers.
bool skip_unit(const hp_jpeg* j, jpeg_bits* b, i64* before) {
  jpeg_bits own = *b;
  for (i64 c = 0; c < j->parts; ++c) {
    const hp_jpeg_part* part = j->part + c;
    const hp_jpeg_codes *dc = j->dc + part->dc, *ac = j->ac + part->ac;
    i64 last = before[c];
    for (i64 i = part->across * part->down; i > 0; --i)
      if (!next_dc(dc, &own, &last) || !skip_ac(ac, &own)) return false;
    before[c] = last;
  }
  *b = own;
  return true;
}

// First reads all blocks, then writes them: a processor waits where it reads a block as vectors just
// after single values were written to it.
bool decode_unit(const hp_jpeg* j, const hp_jpeg_job* job, i64 column, i64 row, jpeg_bits* b,
                 i64* before) {
  jpeg_bits own = *b;
  jpeg_block blocks[MOST_BLOCKS], *next = blocks;
  for (i64 c = 0; c < j->parts; ++c)
    for (i64 i = j->part[c].across * j->part[c].down; i > 0; --i)
      if (!read_block(j, j->part + c, &own, before + c, job->side[c], next++)) return false;
  *b = own;
  next = blocks;
  for (i64 c = 0; c < j->parts; ++c) {
    const hp_jpeg_part* part = j->part + c;
    const i64 side = job->side[c], stride = job->stride[c];
    uint8_t* plane = (uint8_t*)(intptr_t)job->plane[c];
    for (i64 y = row * part->down; y < (row + 1) * part->down; ++y)
      for (i64 x = column * part->across; x < (column + 1) * part->across; ++x)
        write_block(next++, side, plane + y * side * stride + x * side, stride);
  }
  return true;
}

// The last unit at or before the first of `row` where decoding can begin, and its state.
i64 nearest_start(const hp_jpeg* j, const hp_jpeg_job* job, i64 row, hp_jpeg_start* state) {
  i64 known = row, unit = row * j->columns, segment = 0;
  while (j->start[known].bit == UNKNOWN) --known;  // row 0 is known
  *state = j->start[known];
  if (!j->interval) return known * j->columns;
  segment = unit / j->interval;
  if (segment >= j->segments) segment = j->segments - 1;
  if (segment * j->interval <= known * j->columns) return known * j->columns;
  const hp_jpeg_start at = {8 * ((const i64*)(intptr_t)job->segments)[segment], {0, 0, 0}};
  *state = at;
  return segment * j->interval;
}

}  // namespace

extern "C" {

i64 hp_jpeg_bytes(void) { return (i64)sizeof(hp_jpeg); }

// Copies the coded data without its stuffing to `clean` (the file's length and 2048 bytes), and
// where restarts begin to `segments` (`room` of them).
void hp_jpeg_unstuff(hp_jpeg* j, const uint8_t* data, i64 length, uint8_t* clean, i64* segments,
                     i64 room) {
  const uint8_t *from = data + j->begin, *end = data + length;
  i64 used = 0;
  segments[0] = 0;
  j->segments = 1;
  while (from < end) {
    const uint8_t* mark = (const uint8_t*)memchr(from, 0xFF, (size_t)(end - from));
    const i64 plain = (mark ? mark : end) - from;
    memcpy(clean + used, from, (size_t)plain);
    used += plain;
    if (!mark || mark + 1 >= end) break;
    const int next = mark[1];
    from = mark + (next == 0xFF ? 1 : 2);
    if (next == 0)
      clean[used++] = 0xFF;
    else if (next >= 0xD0 && next <= 0xD7 && j->segments < room)
      segments[j->segments++] = used;
    else if (next != 0xFF)
      break;
  }
  memset(clean + used, 0, PAD);
  j->length = used;
  for (i64 i = 0; i <= j->rows; ++i) j->start[i].bit = UNKNOWN;
  memset(j->start, 0, sizeof j->start[0]);
}

// Decodes the units left..right - 1 of the rows top..bottom - 1. Returns 0 where the data is
// damaged.
i64 hp_jpeg_window(hp_jpeg* j, const hp_jpeg_job* job) {
  const uint8_t* data = (const uint8_t*)(intptr_t)job->data;
  const uint8_t* end = data + j->length + 8;  // refill reads up to 8 bytes ahead
  hp_jpeg_start state;
  i64 unit = nearest_start(j, job, job->top, &state);
  i64 column = unit % j->columns, row = unit / j->columns;
  jpeg_bits b = bits_at(data, state.bit);
  const i64 last = (job->bottom - 1) * j->columns + job->right;
  for (i64 until = j->interval ? j->interval - unit % j->interval : last; unit < last; ++unit) {
    if (until == 0) {  // a restart
      const i64 segment = unit / j->interval;
      if (segment >= j->segments) return 0;
      b = bits_at(data, 8 * ((const i64*)(intptr_t)job->segments)[segment]);
      memset(state.before, 0, sizeof state.before);
      until = j->interval;
    }
    --until;
    if (column == 0) {
      state.bit = bit_of(&b, data);
      j->start[row] = state;
    }
    const bool wanted = row >= job->top && column >= job->left && column < job->right;
    if (!(wanted ? decode_unit(j, job, column, row, &b, state.before)
                 : skip_unit(j, &b, state.before)))
      return 0;
    if (b.next > end) return 0;
    if (++column == j->columns) column = 0, ++row;
  }
  return 1;
}

}  // extern "C"
