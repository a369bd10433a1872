// The processor's work on an FPGA board. It writes the tables and pixels of a window, converts the
// words of the maps to floats, and compares the features of two targets. hotpath.cpp includes this
// file. The definitions are resize.py, likeness.py and the driver's NumPy in kernels/fpga, and
// runtime/engines/overlay.py.

// A window for the fabric. kernels/fpga/native.py fills it in, in the same order.
struct hp_window_job {
  i64 frame, row_stride, pixel_stride, channel_stride;  // address and bytes
  i64 frame_width, frame_height;
  i64 x, y, width, height, side;  // window, frame pixels; crop
  i64 tables, rows_at;            // address of COLUMNS, bytes from there to ROWS
  i64 pixels, capacity;           // where the window's pixels go, bytes; 0 leaves them where they are
  i64 line;                       // most bytes that the fabric takes of a row
  i64 x0, y0, columns, rows;      // result: what lies inside the frame
};

struct hp_column_entry {  // kernels/fpga/tables.toml, target COLUMNS
  int16_t left;
  uint8_t flags, zero;
  uint16_t weight, next;
};

struct hp_row_entry {  // target ROWS
  int16_t top, bottom;
  uint16_t weight, next;
};

// A map in the fabric's words.
struct hp_words {
  i64 offset, cells, lane, channels;  // bytes into memory; first lane in its first block
  i64 values, out;                    // 256 floats by the byte's bits; channels x cells floats
};

enum { HP_WORD = 16, HP_OUTSIDE = 0x8000 };
enum { HP_WINDOW_DONE, HP_LINE_TOO_LONG, HP_PIXELS_TOO_MANY };

namespace {

i64 between(i64 value, i64 low, i64 high) { return value < low ? low : value > high ? high : value; }

// First pixel of a span that is inside 0 .. limit - 1, and how many are.
i64 inside(i64 start, i64 length, i64 limit, i64* count) {
  const i64 first = between(start, 0, limit);
  const i64 end = start + length < limit ? start + length : limit;
  *count = end > first ? end - first : 0;
  return first;
}

void write_tables(const hp_window_job* job) {
  const int side = (int)job->side;
  hp_column_entry* column = (hp_column_entry*)job->tables;
  double scale = hp_resize_scale((int)job->width, side);
  for (int i = 0; i < side; ++i) {
    const hp_tap tap = hp_clamp_column(hp_resize_tap(i, scale), (int)job->width);
    const i64 place = tap.first + job->x - job->x0;
    column[i].left = (int16_t)between(place, -1, job->columns);
    column[i].flags = (uint8_t)((place < 0 || place >= job->columns) |
                                (place + 1 < 0 || place + 1 >= job->columns) << 1);
    column[i].zero = 0;
    column[i].weight = (uint16_t)tap.weight0;
    column[i].next = (uint16_t)tap.weight1;
  }
  hp_row_entry* row = (hp_row_entry*)(job->tables + job->rows_at);
  scale = hp_resize_scale((int)job->height, side);
  for (int i = 0; i < side; ++i) {
    const hp_tap tap = hp_resize_tap(i, scale);
    const i64 top = hp_clamp_row(tap.first, (int)job->height) + job->y - job->y0;
    const i64 bottom = hp_clamp_row(tap.first + 1, (int)job->height) + job->y - job->y0;
    row[i].top = (int16_t)between(top, -1, job->rows);
    row[i].bottom = (int16_t)between(bottom, -1, job->rows);
    row[i].weight = (uint16_t)(tap.weight0 | (top < 0 || top >= job->rows ? HP_OUTSIDE : 0));
    row[i].next = (uint16_t)(tap.weight1 | (bottom < 0 || bottom >= job->rows ? HP_OUTSIDE : 0));
  }
}

void copy_pixels(const hp_window_job* job) {
  const uint8_t* from = (const uint8_t*)job->frame + job->y0 * job->row_stride +
                        job->x0 * job->pixel_stride;
  uint8_t* to = (uint8_t*)job->pixels;
  for (i64 y = 0; y < job->rows; ++y, from += job->row_stride, to += job->columns * 3) {
    if (job->pixel_stride == 3 && job->channel_stride == 1) {
      memcpy(to, from, (size_t)(job->columns * 3));
      continue;
    }
    for (i64 x = 0; x < job->columns; ++x)
      for (int c = 0; c < 3; ++c)
        to[3 * x + c] = from[x * job->pixel_stride + c * job->channel_stride];
  }
}

}  // namespace

extern "C" {

// Writes the tables of a window and copies its pixels into the fabric's memory, row after row. On
// failure it returns the reason and writes columns and rows only.
int hp_fabric_window(hp_window_job* job) {
  job->x0 = inside(job->x, job->width, job->frame_width, &job->columns);
  job->y0 = inside(job->y, job->height, job->frame_height, &job->rows);
  if (job->columns && job->rows) {
    if (job->columns * 3 > job->line) return HP_LINE_TOO_LONG;
    if (job->pixels && job->columns * 3 * job->rows > job->capacity) return HP_PIXELS_TOO_MANY;
  }
  write_tables(job);
  if (!job->columns || !job->rows) {
    job->x0 = job->y0 = job->columns = job->rows = 0;
  } else if (job->pixels) {
    copy_pixels(job);
  }
  return HP_WINDOW_DONE;
}

// Converts maps to floats; their words are in the memory of a target.
void hp_fabric_maps(const uint8_t* memory, const hp_words* maps, int count) {
  for (; count; --count, ++maps) {
    const float* values = (const float*)maps->values;
    for (i64 c = 0; c < maps->channels; ++c) {
      const i64 place = maps->lane + c;
      const uint8_t* word = memory + maps->offset + place / HP_WORD * maps->cells * HP_WORD +
                            place % HP_WORD;
      float* out = (float*)maps->out + c * maps->cells;
      for (i64 i = 0; i < maps->cells; ++i) out[i] = values[word[i * HP_WORD]];
    }
  }
}

// Does for int8 what hp_likeness does. Features are blocks of side x side words of 16 channels.
double hp_fabric_likeness(const int8_t* words, int channels, int side, int row, int row_end,
                          int column, int column_end, const float* reference, float* pooled) {
  const double share = 1.0 / ((double)(row_end - row) * (column_end - column));
  hp_cosine cosine = {reference, pooled, 0, 0, 0};
  for (int first = 0; first < channels; first += HP_WORD, words += (i64)side * side * HP_WORD) {
    int32_t sum[HP_WORD] = {0};
    for (int y = row; y < row_end; ++y)
      for (int x = column; x < column_end; ++x)
        for (int lane = 0; lane < HP_WORD; ++lane) sum[lane] += words[(y * side + x) * HP_WORD + lane];
    for (int c = first; c < channels && c < first + HP_WORD; ++c)
      cosine.add(c, sum[c - first] * share);
  }
  return cosine.value();
}

}  // extern "C"
