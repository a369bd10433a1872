// Sizes of the structures that Python code fills in too.
#include "../../../kernels/cuda/frame.h"

extern "C" __global__ void structure_sizes(int* out) {
  out[0] = sizeof(hp_frame);
  out[1] = sizeof(hp_input);
  out[2] = sizeof(hp_view);
  out[3] = sizeof(hp_pose);
  out[4] = sizeof(hp_points);
  out[5] = sizeof(hp_line);
  out[6] = sizeof(hp_limits);
  out[7] = sizeof(hp_monitor);
  out[8] = sizeof(hp_geometry);
  out[9] = sizeof(hp_centre);
  out[10] = sizeof(hp_corners);
  out[11] = sizeof(hp_response);
}
