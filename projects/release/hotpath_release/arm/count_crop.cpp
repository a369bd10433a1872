// Crops a number of times with the kernels of kernels/cpu: SIDE CROPS
#include "../../kernels/cpu/hotpath.cpp"

#include <stdlib.h>
#include <vector>

int main(int, char** arguments) {
  const int side = atoi(arguments[1]), crops = atoi(arguments[2]);
  const int width = 1280, height = 720, out_side = 255;
  std::vector<uint8_t> frame(width * height * 3), memory(hp_crop_workspace(out_side, width));
  std::vector<float> out(out_side * out_side * 3);
  hp_crop_job job;
  memset(&job, 0, sizeof job);
  job.frame = (i64)(intptr_t)frame.data();
  job.row_stride = width * 3;
  job.pixel_stride = 3;
  job.channel_stride = 1;
  job.frame_width = width;
  job.frame_height = height;
  job.x = job.y = 50;
  job.width = job.height = side;
  job.out = (i64)(intptr_t)out.data();
  job.out_width = job.out_height = out_side;
  job.as_float = 1;
  job.workspace = (i64)(intptr_t)memory.data();
  for (int c = 0; c < 3; ++c) job.mean[c] = 118, job.scale[c] = 1 / 58.0f;
  for (int i = 0; i < crops; ++i) hp_crop(&job);
  return out[0] > 1e9f;  // so that the crops are not left out
}
