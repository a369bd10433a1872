// Gives arbitrary bytes to the native code of a processor, with the memory that Python gives it, byte
// for byte. The first byte says what the others are: a JPEG file, or a crop. tests/kernels/cpu/test_fuzz.py
// compiles it with clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer.
#include <stdlib.h>

#include <algorithm>
#include <vector>

#include "hotpath.cpp"
#include "standard_tables.h"  // of kernels/cpu/jpeg.py; test_fuzz.py writes it

namespace {

#ifndef HP_FUZZ_PAD
#define HP_FUZZ_PAD PAD
#endif
const i64 MOST_PIXELS = 1 << 20;  // of a file; more takes time and finds nothing

// As many bytes as were asked for, so that the sanitizer sees each that is beyond them.
struct Memory {
  explicit Memory(i64 bytes) : at((uint8_t*)malloc((size_t)std::max<i64>(bytes, 1))) {}
  ~Memory() { free(at); }
  i64 address() const { return (i64)(intptr_t)at; }
  uint8_t* at;
};

void decode(uint8_t how, const uint8_t* file, i64 length) {
  static hp_jpeg* j = (hp_jpeg*)calloc(1, sizeof(hp_jpeg));  // kept, as between frames
  Memory data(length);
  memcpy(data.at, file, (size_t)length);
  if (!hp_jpeg_open(j, STANDARD, sizeof STANDARD, data.at, length)) return;
  if (j->width * j->height > MOST_PIXELS) return;
  Memory clean(length + HP_FUZZ_PAD);
  const i64 room = j->interval ? j->columns * j->rows / j->interval + 2 : 1;
  Memory segments(8 * room);
  hp_jpeg_unstuff(j, data.at, length, clean.at, (i64*)segments.at, room);
  const i64 scale = 1 << (how & 3);
  const i64 colour = scale > 1 && j->across * j->down == 4 ? scale / 2 : scale;
  hp_jpeg_job job = {};
  job.data = clean.address(), job.segments = segments.address();
  std::vector<Memory*> planes;
  for (i64 i = 0; i < j->parts; ++i) {
    job.side[i] = 8 / (i ? colour : scale);
    job.stride[i] = j->columns * (i ? 1 : j->across) * job.side[i];
    planes.push_back(new Memory(job.stride[i] * j->rows * (i ? 1 : j->down) * job.side[i]));
    job.plane[i] = planes.back()->address();
  }
  const i64 across = (how >> 2 & 7) * j->columns / 8, down = (how >> 5) * j->rows / 8;
  const i64 windows[3][4] = {{across, down, std::min(across + 2, j->columns), std::min(down + 2, j->rows)},
                             {0, 0, j->columns, j->rows},
                             {across, 0, j->columns, std::min(down + 1, j->rows)}};
  for (const auto& window : windows) {
    job.left = window[0], job.top = window[1], job.right = window[2], job.bottom = window[3];
    hp_jpeg_window(j, &job);
  }
  for (Memory* plane : planes) delete plane;
}

struct Numbers {
  const uint8_t* at;
  const uint8_t* end;
  template <class Number>
  Number next() {
    Number value = 0;
    const size_t count = std::min(sizeof value, (size_t)(end - at));
    memcpy(&value, at, count);
    at += count;
    return value;
  }
  i64 from_to(i64 low, i64 high) { return low + (i64)(next<uint32_t>() % (uint64_t)(high - low + 1)); }
};

void crop(Numbers n) {
  hp_crop_job job = {};
  const int how = n.next<uint8_t>();
  job.frame_width = n.from_to(1, 200), job.frame_height = n.from_to(1, 120);
  job.out_width = n.from_to(1, 80), job.out_height = n.from_to(1, 80);
  const i64 far = how & 1 ? 1 << 20 : 300, large = how & 2 ? 1 << 24 : 400;
  job.x = n.from_to(-far, far), job.y = n.from_to(-far, far);
  job.width = n.from_to(1, large), job.height = n.from_to(1, large);
  for (i64& value : job.border) value = n.from_to(0, 255);
  job.as_float = how >> 2 & 1, job.swap = how >> 3 & 1;
  job.side_by_side = !job.as_float && how & 16;
  for (int i = 0; i < 3; ++i) job.mean[i] = 100.0f, job.scale[i] = 0.017f;
  job.pixel_stride = how & 32 ? 4 : 3, job.channel_stride = 1;
  job.row_stride = job.pixel_stride * job.frame_width;
  const i64 pixels = job.frame_width * job.frame_height;
  Memory frame(job.row_stride * job.frame_height - (job.pixel_stride - 3));
  memset(frame.at, 77, (size_t)(job.row_stride * job.frame_height - (job.pixel_stride - 3)));
  Memory luma(pixels);
  const i64 half_width = (job.frame_width + 1) / 2, half_height = (job.frame_height + 1) / 2;
  Memory u(half_width * half_height), v(half_width * half_height);
  memset(luma.at, 99, (size_t)pixels);
  memset(u.at, 130, (size_t)(half_width * half_height));
  memset(v.at, 110, (size_t)(half_width * half_height));
  hp_planes planes = {luma.address(), job.frame_width, 1,  u.address(), v.address(), half_width, 1,
                      1,              1,               16, 74,          129,         -25,        -52, 102};
  job.frame = frame.address();
  if (how & 64) job.planes = (i64)(intptr_t)&planes;
  Memory out(3 * job.out_width * job.out_height * (job.as_float ? 4 : 1));
  Memory space(hp_crop_workspace(job.out_width, job.frame_width));
  job.out = out.address(), job.workspace = space.address();
  if (how & 128) {
    const double window[4] = {n.from_to(-far * 16, far * 16) / 16.0, n.from_to(-far * 16, far * 16) / 16.0,
                              n.from_to(1, large * 8) / 8.0, n.from_to(1, large * 8) / 8.0};
    hp_warp(&job, window);
  } else {
    hp_crop(&job);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  if (data[0] & 1)
    decode(data[1], data + 2, (i64)size - 2);
  else
    crop({data + 1, data + size});
  return 0;
}
