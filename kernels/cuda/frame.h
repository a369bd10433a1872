// What the kernels of one frame share in device memory. layout.py has the same structures.
#ifndef HOTPATH_CUDA_FRAME_H
#define HOTPATH_CUDA_FRAME_H

#include "../hotpath.h"

enum { HP_FRAME_BGR = 0, HP_FRAME_NV12 = 1 };

// A frame, or the part of it that was uploaded; 64 bytes, uploaded right before its pixels.
struct hp_frame {
  unsigned long long plane, chroma;   // addresses: pixels or luma; interleaved U and V
  int row_stride, chroma_stride;      // bytes
  int pixel_stride;                   // bytes: 3, or 4 for BGRx
  int format;                         // HP_FRAME_BGR ..
  int x, y, width, height;            // the part, frame pixels; even for NV12
  int frame_width, frame_height;
  int sequence, unused;
};

enum { HP_INPUT_FLOAT = 0, HP_INPUT_HALF = 1, HP_INPUT_INT8 = 2, HP_INPUT_UINT8 = 3 };

// How the network takes a crop; per channel of the result where there are three.
struct hp_input {
  float mean[3], scale[3];
  float step;     // of int8
  int side;       // pixels
  int format;     // HP_INPUT_FLOAT ..
  int swap;       // RGB
  int border[3];  // outside the frame, B G R
};

// Where the tracker looks; see runtime/geometry.py.
struct hp_view {
  double context;
  int exemplar, search;  // sides, pixels
  int corner, rounding;
};

enum {
  HP_NO_SCORE = 1,     // no cell had a finite vote
  HP_NOT_FINITE = 2,   // the box that won is not finite
  HP_NOT_UPLOADED = 4,  // the search region reaches pixels of the frame that are not in the picture
  HP_LOST = 8,          // no error: the target is not in that box (watch.cu)
  HP_HELD = 16          // no error: so the last certain box was kept
};

// The target: 64 bytes, all that comes back of a frame. With an error's flag set the state is the
// last one.
struct hp_pose {
  double state[4];  // cx, cy, w, h, frame pixels
  double score;
  int cell;
  float certainty;  // rounded; what is reckoned with is in hp_monitor
  int x, y, side;   // window of the next frame
  short flags;
  short sequence;   // of the picture that it was found in, its lower bits
};

// When a target is lost, and what is done then; see runtime/loss.py.
struct hp_limits {
  double lost_below, hold_below, hold_widen, hold_limit;
  double kept, inner;
  double stride;       // search pixels a cell
  int channels, side;  // of the search region's features; cells
};

// What is known of a target that is watched; of another one `widened` alone is used, and is 1.
struct hp_monitor {
  double certainty, widened;
  double held[4];    // the state when it was last certain
  double before[4];  // the state around which the next frame is searched
};

// Where a window begins, and how large it is; then what each of its output rows and columns reads.
static __device__ void hp_aim_window(const hp_view* view, const hp_monitor* monitor, hp_pose* pose,
                                     int exemplar) {
  double side = hp_context_side(pose->state[2], pose->state[3], view->context);
  if (!exemplar) side = hp_mul(hp_mul(side, view->search) / view->exemplar, monitor->widened);
  pose->side = hp_whole_side(side);
  pose->x = hp_first_pixel(pose->state[0], pose->side, view->corner, view->rounding);
  pose->y = hp_first_pixel(pose->state[1], pose->side, view->corner, view->rounding);
}

// plan[i] holds what output row i and output column i read.
static __device__ void hp_plan_crop(const hp_pose* pose, int out_side, hp_site* plan) {
  const double scale = hp_resize_scale(pose->side, out_side);
  for (int i = threadIdx.x; i < out_side; i += blockDim.x)
    plan[i] = hp_crop_site(i, i, pose->x, pose->y, pose->side, pose->side, scale, scale);
}

#endif  // HOTPATH_CUDA_FRAME_H
