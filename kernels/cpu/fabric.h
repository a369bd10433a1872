// The processor's work on an FPGA board. It writes the tables and pixels of a window, converts the
// words of the maps to floats, and compares the features of two targets. hp_fabric_aim and
// hp_fabric_found do all that a frame needs before and after the fabric's program. hotpath.cpp
// includes this file. The definitions are resize.py, features.py and the driver's NumPy in
// kernels/fpga, and runtime/{engines/overlay,devices/processor,geometry,presence}.py.

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

// A target's frames. kernels/fpga/frame.py fills this in, in the same order. What is not said to be
// a result stays the same from frame to frame.
struct hp_fabric_frame {
  hp_window_job window;                // with its memory; the rest is a result
  // registers of the program, PROGRAM .. BORDER: REGION2 .. LINE are results
  uint32_t registers[8];
  // addresses of the tables and of the pixels for the fabric, and the known size of a frame
  i64 fabric_tables, fabric_pixels, known_width, known_height;
  // addresses
  i64 geometry;                        // of hp_geometry
  i64 select, select_job;              // a function of select.h, and its hp_select_job
  i64 maps, map_count;                 // of hp_words
  i64 reference;                       // floats, the first frame's features; 0: none are compared
  i64 features, channels, side;        // bytes into the target's memory; cells a side
  // numbers of runtime/presence.py
  i64 watched;                         // whether the target is monitored
  double lost_below, kept, inner, stride;
  double corner;                       // what the width is less, for the box's corner: 0 or 1
  // results, which the next frame takes
  double certainty, scale[2];
  // results
  double box[4], score;
  i64 lost;
};

enum { HP_WORD = 16, HP_OUTSIDE = 0x8000, HP_MOST_ROWS = 0x7fff };
enum { HP_WINDOW_DONE, HP_LINE_TOO_LONG, HP_PIXELS_TOO_MANY, HP_OTHER_FRAME };
enum { HP_FOUND = 0, HP_NOTHING_FINITE = -1 };
// Words: PROGRAM .. BORDER, CONTROL; and among the former.
enum { HP_FIRST_REGISTER = 4, HP_REGISTERS = 8, HP_CONTROL = 2 };
enum { HP_REGION2 = 3, HP_FRAME, HP_STRIDE, HP_LINE, HP_BORDER };

// NumPy's array interface for C: what a capsule of __array_struct__ points at.
struct hp_array {
  int two, dimensions;
  char kind;
  int item_bytes, flags;
  const intptr_t *shape, *strides;
  const void* data;
};

namespace {

i64 between(i64 value, i64 low, i64 high) { return value < low ? low : value > high ? high : value; }

// First pixel of a span that is inside 0 .. limit - 1, and how many are.
i64 inside(i64 start, i64 length, i64 limit, i64* count) {
  const i64 first = between(start, 0, limit);
  const i64 end = start + length < limit ? start + length : limit;
  *count = end > first ? end - first : 0;
  return first;
}

// hp_resize_tap without calls of libm, which 32-bit ARM would make. A place is above -1 and below
// 2^22; weights are 0 .. 2048. Adding 1.5 * 2^23 rounds such a float to a whole number, half to even.
inline hp_tap quick_tap(int index, double scale) {
  const float place = (float)(hp_mul(index + 0.5, scale) - 0.5), magic = 12582912.0f;
  hp_tap tap;
  tap.first = (int)(place + 1.0f) - 1;
  tap.first -= (float)tap.first > place;  // where adding 1 rounded up
  const float part = place - (float)tap.first;
  tap.weight0 = (int)((1.0f - part) * (float)HP_WEIGHT_ONE + magic - magic);
  tap.weight1 = (int)(part * (float)HP_WEIGHT_ONE + magic - magic);
  return tap;
}

inline int within(int value, int high) { return value < -1 ? -1 : value > high ? high : value; }

inline bool is_outside(int value, int count) { return (unsigned)value >= (unsigned)count; }

// Entries of one window.
struct entries {
  int width, height, columns, rows, shift_x, shift_y;  // shift: from the window to what is fetched

  explicit entries(const hp_window_job* job)
      : width((int)job->width), height((int)job->height), columns((int)job->columns),
        rows((int)job->rows), shift_x((int)(job->x - job->x0)), shift_y((int)(job->y - job->y0)) {}

  void column(hp_column_entry* entry, hp_tap tap) const {
    tap = hp_clamp_column(tap, width);
    const int place = tap.first + shift_x;
    entry->left = (int16_t)within(place, columns);
    entry->flags = (uint8_t)(is_outside(place, columns) | is_outside(place + 1, columns) << 1);
    entry->zero = 0;
    entry->weight = (uint16_t)tap.weight0;
    entry->next = (uint16_t)tap.weight1;
  }

  void row(hp_row_entry* entry, hp_tap tap) const {
    const int top = hp_clamp_row(tap.first, height) + shift_y;
    const int bottom = hp_clamp_row(tap.first + 1, height) + shift_y;
    entry->top = (int16_t)within(top, rows);
    entry->bottom = (int16_t)within(bottom, rows);
    entry->weight = (uint16_t)(tap.weight0 | (is_outside(top, rows) ? HP_OUTSIDE : 0));
    entry->next = (uint16_t)(tap.weight1 | (is_outside(bottom, rows) ? HP_OUTSIDE : 0));
  }
};

void write_tables(const hp_window_job* job) {
  hp_column_entry* column = (hp_column_entry*)job->tables;
  hp_row_entry* row = (hp_row_entry*)(job->tables + job->rows_at);
  const entries to(job);
  const int side = (int)job->side;
  const double across = hp_resize_scale(to.width, side), down = hp_resize_scale(to.height, side);
  for (int i = 0; i < side; ++i) {
    const hp_tap tap = quick_tap(i, across);
    to.column(column + i, tap);
    to.row(row + i, to.width == to.height ? tap : quick_tap(i, down));
  }
}

// A row of pixels. memcpy of Debian's 32-bit ARM takes three times as many instructions.
inline void copy_bytes(uint8_t* to, const uint8_t* from, size_t count) {
#if defined(__arm__) && defined(__ARM_NEON)
  if (count >= 64) {
    const uint8_t *last_from = from + count - 64, *last_to = to + count - 64;
    size_t blocks = count / 64;
    __asm__ volatile(
        "1: vld1.8 {d16-d19}, [%[from]]!\n"
        "vld1.8 {d20-d23}, [%[from]]!\n"
        "subs %[blocks], %[blocks], #1\n"
        "vst1.8 {d16-d19}, [%[to]]!\n"
        "vst1.8 {d20-d23}, [%[to]]!\n"
        "bne 1b\n"
        "vld1.8 {d16-d19}, [%[last_from]]!\n"  // the last 64 bytes, part of them once more
        "vld1.8 {d20-d23}, [%[last_from]]\n"
        "vst1.8 {d16-d19}, [%[last_to]]!\n"
        "vst1.8 {d20-d23}, [%[last_to]]\n"
        : [from] "+r"(from), [to] "+r"(to), [blocks] "+r"(blocks), [last_from] "+r"(last_from),
          [last_to] "+r"(last_to)
        :
        : "d16", "d17", "d18", "d19", "d20", "d21", "d22", "d23", "cc", "memory");
    return;
  }
#endif
  memcpy(to, from, count);
}

// `count` pixels; `step`: bytes from pixel to pixel, `channel`: from channel to channel.
void copy_row(uint8_t* to, const uint8_t* from, i64 step, i64 channel, i64 count) {
  if (step == 3 && channel == 1) return copy_bytes(to, from, (size_t)(count * 3));
  for (i64 x = 0; x < count; ++x)
    for (int c = 0; c < 3; ++c) to[3 * x + c] = from[x * step + c * channel];
}

void copy_pixels(const hp_window_job* job) {
  const uint8_t* from = (const uint8_t*)job->frame + job->y0 * job->row_stride +
                        job->x0 * job->pixel_stride;
  uint8_t* to = (uint8_t*)job->pixels;
  for (i64 y = 0; y < job->rows; ++y, from += job->row_stride, to += job->columns * 3)
    copy_row(to, from, job->pixel_stride, job->channel_stride, job->columns);
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

// Does for int8 what hp_cosine_similarity does. Features are blocks of side x side words of 16 channels.
double hp_fabric_cosine(const int8_t* words, int channels, int side, int row, int row_end,
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

namespace {

// Cells within half a length of a centre: first and end; runtime/presence.py, _span.
void cells_within(double centre, double length, int side, int* first, int* end) {
  const double half = hp_max(length / 2.0, 0.5), middle = side / 2;
  const double low = ceil(centre - half + middle), high = floor(centre + half + middle) + 1.0;
  *first = low > 0.0 ? low < side - 1 ? (int)low : side - 1 : 0;
  *end = high < side ? high > *first + 1 ? (int)high : *first + 1 : side;
}

// Judges what was found in a frame; as LossMonitor.watch.
void watch(hp_fabric_frame* frame, double* state, const double* before, double now,
           const uint8_t* memory) {
  if (frame->reference) {
    const double x = hp_mul(state[0] - before[0], frame->scale[0]);
    const double y = hp_mul(state[1] - before[1], frame->scale[1]);
    const double cell = frame->stride;
    const int side = (int)frame->side;
    int column, column_end, row, row_end;
    cells_within(x / cell, hp_mul(hp_mul(state[2], frame->scale[0]), frame->inner) / cell, side,
                 &column, &column_end);
    cells_within(y / cell, hp_mul(hp_mul(state[3], frame->scale[1]), frame->inner) / cell, side,
                 &row, &row_end);
    const double alike = hp_fabric_cosine(
        (const int8_t*)(memory + frame->features), (int)frame->channels, side, row, row_end, column,
        column_end, (const float*)frame->reference, 0);
    now = hp_mul(now, alike > 0.0 ? alike : 0.0);
  }
  frame->certainty += hp_mul(now - frame->certainty, 1.0 - frame->kept);
  frame->lost = frame->certainty < frame->lost_below;
}

// Whether an array is a BGR uint8 frame of the size that the target's frames have.
bool is_known_size(const hp_fabric_frame* frame, const hp_array* array) {
  return array->dimensions == 3 && array->kind == 'u' && array->item_bytes == 1 &&
         array->shape[0] == frame->known_height && array->shape[1] == frame->known_width &&
         array->shape[2] == 3;
}

}  // namespace

extern "C" {

// Copies a frame of packed BGR; whether it is one, with rows of any distance.
int hp_fabric_copy(const hp_array* from, uint8_t* to) {
  if (from->dimensions != 3 || from->kind != 'u' || from->item_bytes != 1) return 0;
  if (from->shape[2] != 3 || from->strides[2] != 1 || from->strides[1] != 3) return 0;
  i64 rows = from->shape[0], bytes = from->shape[1] * 3;
  if (from->strides[0] == bytes) bytes *= rows, rows = 1;
  for (i64 y = 0; y < rows; ++y)
    copy_bytes(to + y * bytes, (const uint8_t*)from->data + y * from->strides[0], (size_t)bytes);
  return 1;
}

// Finds the window to search from the target's state.
void hp_fabric_place(hp_fabric_frame* frame) {
  const hp_select_job* job = (const hp_select_job*)frame->select_job;
  hp_window_job* to = &frame->window;
  to->frame_width = frame->known_width;
  to->frame_height = frame->known_height;
  const hp_window window = hp_search_window((const hp_geometry*)frame->geometry, job->state,
                                            1.0, frame->scale);
  to->x = (i64)window.x;
  to->y = (i64)window.y;
  to->width = (i64)window.width;
  to->height = (i64)window.height;
}

// Finds the window to search in a frame, writes its tables, copies its pixels, and prepares the
// registers. A frame that is no uint8 array of the known size is HP_OTHER_FRAME.
int hp_fabric_aim(hp_fabric_frame* frame, const hp_array* array) {
  hp_window_job* to = &frame->window;
  if (!is_known_size(frame, array)) return HP_OTHER_FRAME;
  to->frame = (i64)(intptr_t)array->data;
  to->row_stride = array->strides[0];
  to->pixel_stride = array->strides[1];
  to->channel_stride = array->strides[2];
  hp_fabric_place(frame);
  to->columns = to->rows = 0;
  if ((to->frame_height < to->height ? to->frame_height : to->height) > HP_MOST_ROWS)
    return HP_LINE_TOO_LONG;
  const int done = hp_fabric_window(to);
  if (done != HP_WINDOW_DONE) return done;
  frame->registers[HP_REGION2] = (uint32_t)frame->fabric_tables;
  frame->registers[HP_FRAME] = (uint32_t)frame->fabric_pixels;
  frame->registers[HP_STRIDE] = frame->registers[HP_LINE] = (uint32_t)(to->columns * 3);
  return done;
}

// Reads the maps, moves the target to the winning cell, judges whether it is lost, and gives its box.
// On HP_NOTHING_FINITE the target stays where it was.
int hp_fabric_found(hp_fabric_frame* frame, const uint8_t* memory) {
  hp_select_job* job = (hp_select_job*)frame->select_job;
  double* state = job->state;
  const double before[4] = {state[0], state[1], state[2], state[3]};
  hp_fabric_maps(memory, (const hp_words*)frame->maps, (int)frame->map_count);
  job->view.scale[0] = frame->scale[0];
  job->view.scale[1] = frame->scale[1];
  job->view.frame[0] = (double)frame->window.frame_width;
  job->view.frame[1] = (double)frame->window.frame_height;
  if (((int (*)(const hp_select_job*))frame->select)(job) < 0) return HP_NOTHING_FINITE;
  if (frame->watched) watch(frame, state, before, *job->score, memory);
  const double x = state[0] - (state[2] - frame->corner) / 2.0;
  const double y = state[1] - (state[3] - frame->corner) / 2.0;
  if (!isfinite(x + y + state[2] + state[3] + *job->score)) {
    memcpy(state, before, sizeof before);
    return HP_NOTHING_FINITE;
  }
  frame->box[0] = x;
  frame->box[1] = y;
  frame->box[2] = state[2];
  frame->box[3] = state[3];
  frame->score = *job->score;
  return HP_FOUND;
}

// Writes the registers PROGRAM .. BORDER and starts the program.
void hp_fabric_start(volatile uint32_t* registers, const uint32_t* values, uint32_t start) {
  for (int i = 0; i < HP_REGISTERS; ++i) registers[HP_FIRST_REGISTER + i] = values[i];
  __sync_synchronize();
  registers[HP_CONTROL] = start;
}

}  // extern "C"
