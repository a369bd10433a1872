// What a JPEG's headers say: size, sampling, tables of quantisation and of Huffman codes. jpeg.h
// includes this file.

namespace {

const int LOOK = 11;           // bits of a code that a table is asked with
const int PAD = 2048;          // bytes of zeros after the coded data; a unit takes 1300 at most
const i64 JPEG_SIDE = 16384;   // most pixels of a side
const i64 UNKNOWN = -1;
const int MOST_BLOCKS = 6;       // of a unit

const uint8_t ZIGZAG[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

}  // namespace

// One Huffman table. A code's symbol is a size (DC), or a run of zeros and a size (AC); that many
// bits of the value follow the code.
struct hp_jpeg_codes {
  uint8_t spec[16 + 256];     // how many codes each length has, and the symbols
  i64 known;                  // bytes of spec; 0: not read yet
  uint16_t symbol[1 << LOOK]; // length of the code * 256 + symbol; 0: the code is longer, or none
  uint32_t skip[1 << LOOK];   // AC: see fill_skip
  uint32_t value[1 << LOOK];  // see fill_values
  int32_t last[17];           // largest code of each length; -1: none
  int32_t place[17];          // place of a length's symbols in spec, less their first code
};

struct hp_jpeg_part {
  i64 across, down;  // blocks in a unit
  i64 quant, dc, ac; // tables
};

// Where the coded data of a row of units begins.
struct hp_jpeg_start {
  i64 bit;  // in the data without stuffing; or UNKNOWN
  i64 before[3];  // first coefficients of the last blocks
};

// A picture, and what is known of it. kernels/cpu/jpeg.py reads the fields up to `interval`.
struct hp_jpeg {
  i64 width, height, parts;
  i64 across, down;           // a unit's blocks of the first part
  i64 columns, rows;          // of units
  i64 interval;               // units between restarts; 0: none
  i64 begin;                  // of the coded data, in the file
  i64 length, segments;       // of the data without stuffing; parts between restarts
  i64 given;                  // tables of codes that the file has: bits 0-3 DC, 4-7 AC
  hp_jpeg_part part[3];
  int32_t quant[4][64];       // in the order of a block's rows; 0 first: not there
  hp_jpeg_codes dc[4], ac[4];
  hp_jpeg_start start[JPEG_SIDE / 8 + 1];
};

namespace {

// What several short codes take: bits 0-5 their length with the values, 6-12 coefficients that they
// cover, 13-18 coefficients before the last one; 19-24 and 25-31 length and coefficients of the first
// one alone. The end of a block covers 64. A length stands lowest because a shift reads six bits.
void fill_skip(hp_jpeg_codes* codes) {
  for (uint32_t index = 0; index < 1u << LOOK; ++index) {
    int used = 0, covered = 0, before = 0;
    uint32_t first = 0;
    while (used < LOOK && covered < 63) {
      const int entry = codes->symbol[(index << used) & ((1 << LOOK) - 1)];
      const int length = entry >> 8, size = entry & 15, run = entry >> 4 & 15;
      if (!length || length > LOOK - used) break;
      before = covered;
      covered += size || run == 15 ? run + 1 : 64;
      used += length + size;
      if (!first) first = (uint32_t)used << 19 | (uint32_t)covered << 25;
    }
    codes->skip[index] =
        first ? first | (uint32_t)used | (uint32_t)covered << 6 | (uint32_t)before << 13 : 0;
  }
}

// A short code and its value, where both fit: bits 0-5 their length, 6-12 coefficients that they
// cover (AC), 16-31 the value. Else 0.
void fill_values(hp_jpeg_codes* codes) {
  for (uint32_t index = 0; index < 1u << LOOK; ++index) {
    const int entry = codes->symbol[index], size = entry & 15, run = entry >> 4 & 15;
    const int length = (entry >> 8) + size;
    codes->value[index] = 0;
    if (!entry || length > LOOK) continue;
    const int bits = (int)(index >> (LOOK - length)) & ((1 << size) - 1);
    const int value = size && !(bits >> (size - 1)) ? bits - (1 << size) + 1 : bits;
    const int covered = size || run == 15 ? run + 1 : 64;
    codes->value[index] = (uint32_t)length | (uint32_t)covered << 6 | (uint32_t)value << 16;
  }
}

// Reads one table of a segment DHT; returns its bytes, or 0 where it is none of baseline.
i64 read_codes(hp_jpeg_codes* codes, bool ac, const uint8_t* spec, i64 length) {
  i64 count = 0;
  for (int i = 0; i < 16 && length >= 16; ++i) count += spec[i];
  if (length < 16 + count || count < 1 || count > 256) return 0;
  if (codes->known == 16 + count && !memcmp(codes->spec, spec, (size_t)(16 + count)))
    return codes->known;
  codes->known = 0;
  memcpy(codes->spec, spec, (size_t)(16 + count));
  memset(codes->symbol, 0, sizeof codes->symbol);
  int32_t code = 0, place = 16;
  for (int bits = 1; bits <= 16; ++bits, code *= 2) {
    codes->place[bits] = place - code;
    for (int i = 0; i < spec[bits - 1]; ++i, ++code, ++place) {
      const int symbol = spec[place];
      if (code >> bits || (ac ? (symbol & 15) > 10 : symbol > 11)) return 0;
      if (bits > LOOK) continue;
      for (int32_t rest = 0; rest < 1 << (LOOK - bits); ++rest)
        codes->symbol[(code << (LOOK - bits)) + rest] = (uint16_t)(bits << 8 | symbol);
    }
    codes->last[bits] = spec[bits - 1] ? code - 1 : -1;
  }
  fill_values(codes);
  if (ac) fill_skip(codes);
  return codes->known = 16 + count;
}

bool read_all_codes(hp_jpeg* j, const uint8_t* body, i64 length) {
  while (length > 0) {
    const int id = body[0];
    if (id & 0xEC) return false;  // more than four tables, or neither DC nor AC
    hp_jpeg_codes* codes = (id & 16 ? j->ac : j->dc) + (id & 3);
    const i64 taken = read_codes(codes, id & 16, body + 1, length - 1);
    if (!taken) return false;
    j->given |= 1 << ((id & 3) + (id & 16 ? 4 : 0));
    body += 1 + taken;
    length -= 1 + taken;
  }
  return true;
}

bool read_quants(hp_jpeg* j, const uint8_t* body, i64 length) {
  for (; length >= 65; body += 65, length -= 65) {
    if (body[0] > 3) return false;
    for (int i = 0; i < 64; ++i) {
      if (!body[1 + i]) return false;
      j->quant[body[0]][ZIGZAG[i]] = body[1 + i];
    }
  }
  return length == 0;
}

bool read_frame(hp_jpeg* j, const uint8_t* body, i64 length) {
  if (j->width || length < 6 || body[0] != 8 || (body[5] != 1 && body[5] != 3)) return false;
  j->height = body[1] << 8 | body[2];
  j->width = body[3] << 8 | body[4];
  j->parts = body[5];
  if (!j->width || !j->height || j->width > JPEG_SIDE || j->height > JPEG_SIDE) return false;
  if (length != 6 + 3 * j->parts) return false;
  for (i64 i = 0; i < j->parts; ++i) {
    const uint8_t* own = body + 6 + 3 * i;
    const bool one = j->parts == 1;
    if (own[2] > 3 || (!one && own[0] == "RGB"[i])) return false;
    const hp_jpeg_part part = {one ? 1 : own[1] >> 4, one ? 1 : own[1] & 15, own[2], 0, 0};
    if (i && (part.across != 1 || part.down != 1)) return false;
    j->part[i] = part;
  }
  j->across = j->part[0].across;
  j->down = j->part[0].down;
  if (j->across < 1 || j->across > 2 || j->down < 1 || j->down > j->across) return false;
  j->columns = (j->width + 8 * j->across - 1) / (8 * j->across);
  j->rows = (j->height + 8 * j->down - 1) / (8 * j->down);
  return true;
}

// The parts of the scan must be those of the frame, all with tables.
bool read_scan(hp_jpeg* j, const uint8_t* frame_ids, const uint8_t* body, i64 length) {
  if (!j->width || length != 4 + 2 * j->parts || body[0] != j->parts) return false;
  for (i64 i = 0; i < j->parts; ++i) {
    const uint8_t* own = body + 1 + 2 * i;
    if (own[0] != frame_ids[3 * i] || own[1] & 0xCC) return false;
    j->part[i].dc = own[1] >> 4;
    j->part[i].ac = own[1] & 15;
    if (!j->quant[j->part[i].quant][0]) return false;
    if (!(j->given >> j->part[i].dc & 1) || !(j->given >> (4 + j->part[i].ac) & 1)) return false;
  }
  return true;
}

}  // namespace

extern "C" {

// Reads the headers of a file. Tables of codes that the last file had too are not built again.
// `standard`: the tables of files that have none. Returns 0 where it can't be decoded here.
i64 hp_jpeg_open(hp_jpeg* j, const uint8_t* standard, i64 standard_length, const uint8_t* data,
                 i64 length) {
  j->width = j->interval = j->begin = j->given = 0;
  memset(j->quant, 0, sizeof j->quant);
  const uint8_t* frame_ids = 0;
  i64 at = 2;
  while (at + 4 <= length && data[at] == 0xFF) {
    const int marker = data[at + 1];
    const uint8_t* body = data + at + 4;
    const i64 size = (data[at + 2] << 8 | data[at + 3]) - 2;
    at += 4 + size;
    if (size < 0 || at > length) return 0;
    if (marker == 0xDB && !read_quants(j, body, size)) return 0;
    if (marker == 0xC4 && !read_all_codes(j, body, size)) return 0;
    if (marker == 0xDD) j->interval = size == 2 ? body[0] << 8 | body[1] : 0;
    if (marker == 0xEE && size >= 12 && !memcmp(body, "Adobe", 5) && body[11] != 1) return 0;
    if (marker == 0xC0 || marker == 0xC1) {
      if (!read_frame(j, body, size)) return 0;
      frame_ids = body + 6;
    } else if (marker >= 0xC2 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8) {
      return 0;
    }
    if (marker != 0xDA) continue;
    if (!j->given && !read_all_codes(j, standard, standard_length)) return 0;
    j->begin = at;
    return frame_ids && read_scan(j, frame_ids, body, size);
  }
  return 0;
}

}  // extern "C"
