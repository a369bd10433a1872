// Resize taps in doubles and in integers. A test checks that both are the same.
#include "../../../../kernels/hotpath.h"

// doubles, whole: three numbers for each output index. One thread an index.
extern "C" __global__ void resize_taps(int source, int target, int* doubles, int* whole) {
  const int index = threadIdx.x + blockIdx.x * blockDim.x;
  if (index >= target) return;
  const double scale = hp_resize_scale(source, target);
  const hp_tap taps[2] = {hp_resize_tap(index, scale),
                          hp_resize_tap_whole(index, hp_split_scale(scale))};
  for (int i = 0; i < 2; ++i) {
    int* out = (i ? whole : doubles) + 3 * index;
    out[0] = taps[i].first;
    out[1] = taps[i].weight0;
    out[2] = taps[i].weight1;
  }
}
