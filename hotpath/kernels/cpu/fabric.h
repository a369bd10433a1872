// The processor's work on an FPGA board. It writes the tables and pixels of a window into the fabric's
// memory, and converts the words of its maps to floats. hotpath.cpp includes this file. The definitions
// are kernels/fpga/resize.py and kernels/fpga/words.py.

// A window for the fabric.
struct hp_window_job {
  i64 frame, row_stride, pixel_stride, channel_stride;  // address and bytes
  i64 frame_width, frame_height;
  i64 x, y, width, height, side;  // window, frame pixels; crop
  i64 tables, rows_at;            // address of COLUMNS, bytes from there to ROWS
  i64 pixels, capacity;           // where the window's pixels go, bytes
  i64 line;                       // most bytes that the fabric takes of a row
  i64 x0, y0, columns, rows;      // result: what lies inside the frame
};

// A map in the fabric's words.
struct hp_words_job {
  i64 offset, cells, lane, channels;  // bytes into memory; first lane in its first block
  i64 values, out;                    // 256 floats by the byte's bits; channels x cells floats
};

enum { HP_WORD = 16, HP_OUTSIDE = 0x8000 };
enum { HP_WINDOW_DONE, HP_LINE_TOO_LONG, HP_PIXELS_TOO_MANY };

namespace {

struct hp_column_entry {  // kernels/fpga/tables.toml, target COLUMNS
  int16_t left;
  uint8_t flags, zero;
  uint16_t weight, next;
};

struct hp_row_entry {  // target ROWS
  int16_t top, bottom;
  uint16_t weight, next;
};

// First pixel of a span that is inside 0 .. limit - 1, and how many are.
i64 inside(i64 start, i64 length, i64 limit, i64* count) {
  const i64 first = start < 0 ? 0 : start > limit ? limit : start;
  const i64 end = start + length < limit ? start + length : limit;
  *count = end > first ? end - first : 0;
  return first;
}

inline int within(i64 value, i64 high) {
  return (int)(value < -1 ? -1 : value > high ? high : value);
}

inline int is_outside(i64 value, i64 count) { return value < 0 || value >= count; }

void write_tables(const hp_window_job* job) {
  hp_column_entry* column = (hp_column_entry*)job->tables;
  hp_row_entry* row = (hp_row_entry*)(job->tables + job->rows_at);
  const int width = (int)job->width, height = (int)job->height, side = (int)job->side;
  const double across = hp_resize_scale(width, side), down = hp_resize_scale(height, side);
  for (int i = 0; i < side; ++i, ++column, ++row) {
    const hp_tap tap = hp_resize_tap(i, across), beside = hp_clamp_column(tap, width);
    const i64 left = beside.first + job->x - job->x0;
    column->left = (int16_t)within(left, job->columns);
    column->flags =
        (uint8_t)(is_outside(left, job->columns) | is_outside(left + 1, job->columns) << 1);
    column->zero = 0;
    column->weight = (uint16_t)beside.weight0;
    column->next = (uint16_t)beside.weight1;

    const hp_tap below = width == height ? tap : hp_resize_tap(i, down);
    const i64 top = hp_clamp_row(below.first, height) + job->y - job->y0;
    const i64 bottom = hp_clamp_row(below.first + 1, height) + job->y - job->y0;
    row->top = (int16_t)within(top, job->rows);
    row->bottom = (int16_t)within(bottom, job->rows);
    row->weight = (uint16_t)(below.weight0 | (is_outside(top, job->rows) ? HP_OUTSIDE : 0));
    row->next = (uint16_t)(below.weight1 | (is_outside(bottom, job->rows) ? HP_OUTSIDE : 0));
  }
}

void copy_pixels(const hp_window_job* job) {
  const uint8_t* from =
      (const uint8_t*)job->frame + job->y0 * job->row_stride + job->x0 * job->pixel_stride;
  uint8_t* to = (uint8_t*)job->pixels;
  const i64 pixel = job->pixel_stride, channel = job->channel_stride, bytes = job->columns * 3;
  for (i64 y = 0; y < job->rows; ++y, from += job->row_stride, to += bytes) {
    if (pixel == 3 && channel == 1) {
      memcpy(to, from, (size_t)bytes);
      continue;
    }
    for (i64 x = 0; x < job->columns; ++x)
      for (int c = 0; c < 3; ++c) to[3 * x + c] = from[x * pixel + c * channel];
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
    if (job->columns * 3 * job->rows > job->capacity) return HP_PIXELS_TOO_MANY;
  }
  write_tables(job);
  if (!job->columns || !job->rows) job->x0 = job->y0 = job->columns = job->rows = 0;
  copy_pixels(job);
  return HP_WINDOW_DONE;
}

// Converts maps to floats; their words are in the memory of a target.
void hp_fabric_floats(const uint8_t* memory, const hp_words_job* maps, int count) {
  for (; count; --count, ++maps) {
    const float* values = (const float*)maps->values;
    for (i64 c = 0; c < maps->channels; ++c) {
      const i64 place = maps->lane + c;
      const uint8_t* word =
          memory + maps->offset + place / HP_WORD * maps->cells * HP_WORD + place % HP_WORD;
      float* out = (float*)maps->out + c * maps->cells;
      for (i64 i = 0; i < maps->cells; ++i) out[i] = values[word[i * HP_WORD]];
    }
  }
}

}  // extern "C"
