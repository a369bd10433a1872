// The host's hot path, run once under callgrind: ./counted crop-float | crop-border | crop-bytes |
// select-softmax | select-sigmoid. Only the one call is counted. Data are made here by arithmetic
// that is the same everywhere.
#include <stdio.h>
#include <stdlib.h>
#include <valgrind/callgrind.h>

#include <vector>

#include "../../kernels/cpu/hotpath.cpp"

static uint32_t state = 7;

static uint32_t next_number() { return (state = state * 1664525u + 1013904223u) >> 8; }

static void crop(i64 x, i64 y, i64 side, bool as_float) {
  const i64 width = 1280, height = 720, out_side = 255;
  std::vector<uint8_t> frame(width * height * 3);
  for (uint8_t& value : frame) value = (uint8_t)next_number();
  std::vector<float> out(3 * out_side * out_side);
  std::vector<char> scratch(hp_crop_workspace(out_side, width));
  hp_crop_job job;
  memset(&job, 0, sizeof job);
  job.frame = (i64)(intptr_t)frame.data();
  job.row_stride = width * 3;
  job.pixel_stride = 3;
  job.channel_stride = 1;
  job.frame_width = width;
  job.frame_height = height;
  job.x = x;
  job.y = y;
  job.width = job.height = side;
  for (i64& value : job.border) value = 110;
  job.out = (i64)(intptr_t)out.data();
  job.out_width = job.out_height = out_side;
  job.as_float = as_float;
  job.workspace = (i64)(intptr_t)scratch.data();
  for (int i = 0; i < 3; ++i) job.scale[i] = 1;
  CALLGRIND_TOGGLE_COLLECT;
  hp_crop(&job);
  CALLGRIND_TOGGLE_COLLECT;
  printf("%g\n", as_float ? out[out_side + 7] : (double)((uint8_t*)out.data())[out_side + 7]);
}

static void select(int kind) {
  const int size = 16, count = size * size;
  const hp_bounds bounds = {10, HP_CLIP_CENTRE, HP_EXACT};
  const hp_points points = {16, 0.15, 0.45, 0.35, 0, bounds, size, kind, 1};
  std::vector<float> scores(2 * count), distances(4 * count);
  std::vector<double> window(count, 0.25);
  for (float& value : scores) value = (float)(next_number() % 4000) / 1000 - 2;
  for (float& value : distances) value = 20 + (float)(next_number() % 4000) / 100;
  double target[4] = {640, 360, 80, 60}, score = 0;
  std::vector<float> space(count);
  const hp_select_job job = {&points, {scores.data(), distances.data(), 0}, window.data(), 0,
                             space.data(), target, &score, {{1.4, 1.4}, {1280, 720}}};
  CALLGRIND_TOGGLE_COLLECT;
  const int best = hp_points_select(&job);
  CALLGRIND_TOGGLE_COLLECT;
  printf("%d %g\n", best, score);
}

int main(int count, char** words) {
  const char* what = count > 1 ? words[1] : "";
  if (!strcmp(what, "crop-float")) crop(400, 200, 180, true);
  else if (!strcmp(what, "crop-border")) crop(-60, 600, 180, true);
  else if (!strcmp(what, "crop-bytes")) crop(400, 200, 180, false);
  else if (!strcmp(what, "select-softmax")) select(HP_SOFTMAX);
  else if (!strcmp(what, "select-sigmoid")) select(HP_SIGMOID);
  else return 2;
  return 0;
}
