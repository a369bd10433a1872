// Gives arbitrary bytes to the native code of a processor, with the memory that Python gives it, byte
// for byte. The first byte says what the others are: a crop, the maps of a network for select, or a
// frame to learn. tests/kernels/cpu/test_fuzz.py compiles it with clang's libFuzzer,
// AddressSanitizer and UndefinedBehaviorSanitizer.
#include <stdlib.h>

#include <algorithm>
#include <vector>

#include "hotpath.cpp"

namespace {

#ifndef HP_FUZZ_SCRATCH
#define HP_FUZZ_SCRATCH(bytes) bytes
#endif

// As many bytes as were asked for, so that the sanitizer sees each that is beyond them.
struct Memory {
  explicit Memory(i64 bytes) : at((uint8_t*)calloc((size_t)std::max<i64>(bytes, 1), 1)) {}
  ~Memory() { free(at); }
  i64 address() const { return (i64)(intptr_t)at; }
  float* floats() const { return (float*)at; }
  double* doubles() const { return (double*)at; }
  uint8_t* at;
};

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
  i64 from_to(i64 low, i64 high) {
    return low + (i64)(next<uint32_t>() % (uint64_t)(high - low + 1));
  }
  int choice(int low, int high) { return (int)from_to(low, high); }
  double share() { return (double)from_to(0, 64) / 64; }
  // Fills a map from the bytes that are left, again and again: with any float32, or with usual numbers.
  void fill(float* map, i64 count, bool any) {
    const i64 length = end - at;
    for (i64 i = 0; i < count && length > 0; ++i) {
      uint8_t bytes[4];
      for (int k = 0; k < 4; ++k) bytes[k] = at[(4 * i + k) % length];
      map[i] = (int8_t)bytes[0] / 16.0f;
      if (any) memcpy(map + i, bytes, sizeof bytes);
    }
  }
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
  hp_planes planes = {luma.address(),
                      job.frame_width,
                      1,
                      u.address(),
                      v.address(),
                      half_width,
                      1,
                      1,
                      1,
                      16,
                      74,
                      129,
                      -25,
                      -52,
                      102};
  job.frame = frame.address();
  if (how & 64) job.planes = (i64)(intptr_t)&planes;
  Memory out(3 * job.out_width * job.out_height * (job.as_float ? 4 : 1));
  Memory space(HP_FUZZ_SCRATCH(hp_crop_workspace(job.out_width, job.frame_width)));
  job.out = out.address(), job.workspace = space.address();
  if (how & 128) {
    const double window[4] = {n.from_to(-far * 16, far * 16) / 16.0,
                              n.from_to(-far * 16, far * 16) / 16.0, n.from_to(1, large * 8) / 8.0,
                              n.from_to(1, large * 8) / 8.0};
    hp_warp(&job, window);
  } else {
    hp_crop(&job);
  }
}

// Select of one family, through the places that it proposes. select.py says which memory it takes.
void select(Numbers n) {
  int (*const functions[])(const hp_select_job*) = {hp_points_select, hp_anchors_select,
                                                    hp_centre_select, hp_corners_select};
  const int how = n.next<uint8_t>(), family = how & 3, flag = how >> 2 & 1;
  const int size = n.choice(1, 40), cells = size * size, kind = n.choice(0, 2),
            power = n.choice(0, 2);
  const int anchors = family == 1 ? n.choice(1, 5) : 0, boxes = cells * std::max(1, anchors);
  const int score = n.choice(family < 2 ? 0 : 1, 2);
  const hp_bounds limits = {(double)n.choice(1, 20), n.choice(0, 2), n.choice(0, 1)};
  const double rate = n.share(), influence = n.share(), share = n.share();
  const hp_points points = {8, n.share(), influence, rate, 1, limits, size, power, score, anchors};
  const hp_geometry window = {share, 2, 4, 127, 255, 0, n.choice(0, 2), kind & 1};
  const hp_centre centre = {share, rate, flag ? -1 : influence, window, limits, size, score,
                            flag,  power};
  const hp_corners corners = {share, limits, size, 255, kind, score};
  const void* const heads[] = {&points, &points, &centre, &corners};
  const bool finished = family == 3 && kind != HP_TWO_HEATS, softmax = score == HP_SOFTMAX;
  const i64 counts[][3] = {{softmax ? 2 * cells : cells, 4 * cells, 0},
                           {softmax ? 2 * boxes : boxes, 4 * boxes, 0},
                           {cells, 2 * cells, 2 * cells},
                           {finished ? 4 : cells, finished ? 1 : cells, 0}};
  Memory anchor(16 * anchors), votes(8 * cells), state(32), result(8);
  Memory space(HP_FUZZ_SCRATCH(4 * (boxes + 1)));
  hp_select_job job = {heads[family],    {},
                       votes.doubles(),  anchor.doubles(),
                       space.floats(),   state.doubles(),
                       result.doubles(), {{}, {640, 360}}};
  for (double& scale : job.view.scale) scale = n.from_to(1, 64) / 16.0;
  for (int i = 0; i < 2 * anchors; ++i) anchor.doubles()[i] = 16 + 8 * i;
  for (int i = 0; i < cells; ++i) votes.doubles()[i] = i % 16 / 16.0;
  for (int i = 0; i < 4; ++i) state.doubles()[i] = n.from_to(1, 4000) / 8.0;
  const bool cell_is_place = family == 0 || family == 2;
  const hp_proposing proposing = {n.share(), cell_is_place ? score : 0, size,
                                  cell_is_place ? n.choice(1, 7) : 1, n.choice(0, 5)};
  std::vector<Memory*> maps;
  for (int i = 0; i < 3; ++i) {
    maps.push_back(new Memory(4 * counts[family][i]));
    n.fill(maps.back()->floats(), counts[family][i], how & 8);
    job.maps[i] = maps.back()->floats();
  }
  Memory scores(16 * cells), alone(8 * cells), places(7 * sizeof(hp_place));
  hp_propose(functions[family], &job, &proposing, scores.doubles(), alone.floats(),
             (hp_place*)places.at);
  for (Memory* map : maps) delete map;
}

// A frame to learn, its moments, the regression and what it says. online.py says which memory they take.
void learn(Numbers n) {
  const bool any = n.next<uint8_t>() & 1;
  const i64 side = n.from_to(1, 12), channels = n.from_to(1, 70), parts = n.from_to(1, 2);
  const i64 width = (channels + 15) / 16 * 16, size = channels * parts * parts + 1;
  const i64 blocks = (size + 15) / 16, padded = 16 * blocks, count = n.from_to(0, 11),
            most = n.from_to(1, 2);
  const i64 boxes = count + (2 * most + 1) * (2 * most + 1) + 1;
  Memory mean(4 * width), cells(4 * side * side * width), ready(side), shares(16 * parts * side);
  Memory ranges(32 * parts), sums(4 * width), under(HP_FUZZ_SCRATCH(16 * side * side));
  const hp_pooling pooling = {side,
                              channels,
                              parts,
                              (double)n.from_to(1, 32),
                              n.share(),
                              mean.floats(),
                              cells.floats(),
                              ready.at,
                              shares.doubles(),
                              (i64*)ranges.at,
                              sums.floats(),
                              (hp_cell_share*)under.at};
  Memory square(4 * block_at(blocks)), b(8 * padded), weights(8 * padded), space(24 * padded);
  Memory batch(8 * LARGEST_BATCH * padded);
  const hp_regression model = {size,
                               blocks,
                               n.share(),
                               n.share() - 0.1,
                               square.floats(),
                               b.doubles(),
                               weights.doubles(),
                               space.doubles(),
                               batch.floats()};
  Memory moves(24 * count);
  for (i64 i = 0; i < 3 * count; ++i)
    moves.doubles()[i] = i % 3 == 2 ? n.share() + 0.1 : n.share() - 0.5;
  const hp_samples samples = {n.share(), n.share(), n.share(), most, count, moves.doubles()};
  double state[4], view[4];
  for (double& value : state) value = n.from_to(1, 4000) / 8.0;
  for (double& value : view) value = n.from_to(1, 4000) / 8.0;
  Memory features(4 * channels * side * side), places(16 * (2 * most + 1)), at(32 * boxes);
  Memory described(4 * boxes * size), hard(8 * boxes);
  Memory class_mean(8 * padded), class_square(4 * block_at(blocks));
  n.fill(features.floats(), channels * side * side, any);
  n.fill(mean.floats(), channels, false);
  i64 total = 0;
  hp_samples_of_frame(&samples, &pooling, &model, features.floats(), state, view, n.from_to(1, 200),
                      2, places.doubles(), at.doubles(), described.floats(), hard.doubles(),
                      &total);
  hp_moments_add(&model, described.floats(), hard.doubles(), total, n.share(), class_mean.doubles(),
                 class_square.floats());
  const float* const squares[] = {class_square.floats()};
  const double* const means[] = {class_mean.doubles()};
  const double one = 1;
  hp_regression_weigh(&model, squares, &one, 1, means, &one);
  hp_regression_solve(&model, 3);
  hp_regression_judge(&model, described.floats(), total, hard.doubles());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Numbers numbers = {data + 1, data + size};
  switch (data[0] & 3) {
    case 0:
      crop(numbers);
      break;
    case 2:
      select(numbers);
      break;
    case 3:
      learn(numbers);
      break;
  }
  return 0;
}
