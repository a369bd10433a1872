// What the processor of an FPGA board prepares of a target's next frame while the fabric computes, and
// the one call that needs the fabric's results. hotpath.cpp includes this file after fabric.h.
// kernels/fpga/next_frame.py fills in the structures.
//
// hp_fabric_gather copies the pixels around the target into the fabric's memory, more than the window
// will need, and writes tables for the sizes that the window may have. Outside the frame it writes the
// border's colour, so that the tables of a window depend on its size alone. hp_fabric_hand_on selects
// in the results, finds the next window, and starts its program where all of it was prepared.

// Tables in the fabric's memory, of a window that lies inside of what was copied.
struct hp_kept_tables {
  i64 host, address;  // as the processor and as the fabric sees them
  i64 used;           // number of the call that used them last; 0: they hold nothing yet
  i64 width, height;  // of the window
};

// The tables of one engine.
struct hp_table_store {
  i64 calls, count;
  hp_kept_tables tables[1];  // `count` of them
};

// A target's next frame.
struct hp_fabric_next {
  i64 frame, store;               // addresses of hp_fabric_frame and hp_table_store
  i64 pixels, address, capacity;  // memory for pixels, for processor and fabric; bytes
  i64 x, y, columns, rows;        // result: the part that lies there, frame pixels
  i64 written;                    // result: a bit for each of the store's tables that was written
};

enum { HP_SIZES_AHEAD = 4, HP_TABLES_AT_ONCE = 3, HP_MARGIN = 8 };  // margin: part of the window
enum { HP_MOST_GATHERED = 4 << 20 };  // bytes; a larger window is copied when it is known
enum { HP_NOT_PREPARED = 0, HP_PREPARED = 1, HP_STARTED = 2 };

namespace {

// The tables of a window. Those that were not used for longest are written where none fit.
hp_kept_tables* tables_of(hp_fabric_next* next, hp_window_job window) {
  hp_table_store* store = (hp_table_store*)next->store;
  hp_kept_tables* oldest = store->tables;
  store->calls++;
  for (i64 i = 0; i < store->count; ++i) {
    hp_kept_tables* held = store->tables + i;
    if (held->used && held->width == window.width && held->height == window.height) {
      held->used = store->calls;
      return held;
    }
    if (held->used < oldest->used) oldest = held;
  }
  window.x = window.y = window.x0 = window.y0 = 0;
  window.columns = window.width;
  window.rows = window.height;
  window.tables = oldest->host;
  write_tables(&window);
  next->written |= (i64)1 << (oldest - store->tables);
  oldest->used = store->calls;
  oldest->width = window.width;
  oldest->height = window.height;
  return oldest;
}

// Writes tables for windows of nearly this size, a few in each call.
void write_sizes_ahead(hp_fabric_next* next, hp_window_job window) {
  int written = 0;
  const i64 width = window.width, height = window.height;
  for (int i = 0; i <= 2 * HP_SIZES_AHEAD && written < HP_TABLES_AT_ONCE; ++i) {
    const int more = i % 2 ? (i + 1) / 2 : -i / 2;  // 0, 1, -1, 2, -2 ..
    if (width + more < 1 || height + more < 1) continue;
    window.width = width + more;
    window.height = height + more;
    const i64 before = next->written;
    tables_of(next, window);
    written += next->written != before;
  }
}

// Writes `count` pixels of one colour, blue in the lowest byte.
void fill(uint8_t* to, i64 count, uint32_t colour) {
  for (; count > 0; --count, to += 3)
    for (int c = 0; c < 3; ++c) to[c] = (uint8_t)(colour >> 8 * c);
}

// Copies the part of a frame that was chosen, with the border's colour outside the frame.
void copy_part(const hp_fabric_next* next, const hp_array* array, uint32_t colour) {
  i64 columns, rows;
  const i64 x0 = inside(next->x, next->columns, array->shape[1], &columns);
  const i64 y0 = inside(next->y, next->rows, array->shape[0], &rows);
  const i64 pitch = next->columns * 3, left = columns ? x0 - next->x : next->columns;
  uint8_t* to = (uint8_t*)next->pixels;
  const uint8_t* outside = 0;  // a row of the border
  for (i64 y = next->y; y < next->y + next->rows; ++y, to += pitch) {
    if (y < y0 || y >= y0 + rows) {
      if (outside)
        copy_bytes(to, outside, (size_t)pitch);
      else
        fill(to, next->columns, colour);
      outside = to;
      continue;
    }
    fill(to, left, colour);
    const uint8_t* from = (const uint8_t*)array->data + y * array->strides[0] +
                          x0 * array->strides[1];
    copy_row(to + left * 3, from, array->strides[1], array->strides[2], columns);
    fill(to + (left + columns) * 3, next->columns - left - columns, colour);
  }
}

}  // namespace

extern "C" {

// Copies the pixels around a target from its next frame, and writes tables ahead; the target's state
// is that of the frame before the one that the fabric computes. Nothing is done for a frame that is no
// uint8 array of the known size (HP_OTHER_FRAME) and for large windows (HP_LINE_TOO_LONG). With
// HP_PIXELS_TOO_MANY columns and rows are known and no more.
int hp_fabric_gather(hp_fabric_next* next, const hp_array* array) {
  const hp_fabric_frame* frame = (const hp_fabric_frame*)next->frame;
  next->columns = next->rows = next->written = 0;
  if (!is_known_size(frame, array)) return HP_OTHER_FRAME;
  const double* state = ((const hp_select_job*)frame->select_job)->state;
  double scale[2];
  const hp_window window = hp_search_window((const hp_geometry*)frame->geometry, state,
                                            1.0, scale);
  hp_window_job part = frame->window;
  part.width = (i64)window.width;
  part.height = (i64)window.height;
  if (part.width * 3 > part.line || part.height > part.line) return HP_LINE_TOO_LONG;
  const i64 aside = part.width / HP_MARGIN + 1, above = part.height / HP_MARGIN + 1;
  const i64 columns = part.width + 2 * aside, rows = part.height + 2 * above;
  if (columns * 3 * rows > HP_MOST_GATHERED) return HP_LINE_TOO_LONG;
  next->x = (i64)window.x - aside;
  next->y = (i64)window.y - above;
  next->columns = columns;
  next->rows = rows;
  if (columns * 3 * rows > next->capacity) return HP_PIXELS_TOO_MANY;
  write_sizes_ahead(next, part);
  copy_part(next, array, frame->registers[HP_BORDER]);
  return HP_WINDOW_DONE;
}

// Selects in a finished program's results as hp_fabric_found, and prepares the registers for the frame
// that hp_fabric_gather was given. Where all is in memory, it starts the program too.
//
// HP_NOT_PREPARED: the window has pixels that were not copied. HP_PREPARED: the tables that `written`
// tells must be flushed before the start, or there are no `registers` here.
int hp_fabric_hand_on(hp_fabric_next* next, const uint8_t* memory, volatile uint32_t* registers,
                      uint32_t start) {
  hp_fabric_frame* frame = (hp_fabric_frame*)next->frame;
  const int found = hp_fabric_found(frame, memory);
  if (found != HP_FOUND) return found;
  hp_fabric_place(frame);
  const hp_window_job* to = &frame->window;
  const i64 x = to->x - next->x, y = to->y - next->y, row = next->columns * 3;
  if (to->width * 3 > to->line || x < 0 || x + to->width > next->columns || y < 0 ||
      y + to->height > next->rows)
    return HP_NOT_PREPARED;
  next->written = 0;
  frame->registers[HP_REGION2] = (uint32_t)tables_of(next, *to)->address;
  frame->registers[HP_FRAME] = (uint32_t)(next->address + y * row + x * 3);
  frame->registers[HP_STRIDE] = (uint32_t)row;
  frame->registers[HP_LINE] = (uint32_t)(to->width * 3);
  if (next->written || !registers) return HP_PREPARED;
  hp_fabric_start(registers, frame->registers, start);
  return HP_STARTED;
}

}  // extern "C"
