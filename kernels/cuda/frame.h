// Structures in device memory that the kernels of a frame share, and what several of them compute.
// layout.py has the same structures.
#ifndef HOTPATH_CUDA_FRAME_H
#define HOTPATH_CUDA_FRAME_H

#include "../families.h"
#include "maps.h"

enum { HP_FRAME_BGR = 0, HP_FRAME_NV12 = 1 };

// A frame, or the part of it that was uploaded. 64 bytes, uploaded right before the pixels.
struct hp_frame {
  unsigned long long plane, chroma;  // addresses: pixels or luma; interleaved U and V
  int row_stride, chroma_stride;     // bytes
  int pixel_stride;                  // bytes: 3, or 4 for BGRx
  int format;                        // HP_FRAME_BGR ..
  int x, y, width, height;           // of the part, in frame pixels; even for NV12
  int frame_width, frame_height;
  int sequence, unused;
};

// How the network takes a crop. Arrays of three have one value for each channel of the input.
struct hp_input {
  float mean[3], scale[3];
  int side;       // pixels
  int half;       // whether it takes half precision
  int swap;       // RGB instead of BGR
  int border[3];  // B, G, R outside the frame
};

// Where the tracker looks.
struct hp_view {
  hp_geometry geometry;
  int half;  // whether the maps and the features are of half precision
  int unused;
};

enum {
  HP_NO_SCORE = 1,      // error: no cell has a finite vote
  HP_NOT_FINITE = 2,    // error: the winning box is not finite
  HP_NOT_UPLOADED = 4,  // error: the search region reaches beyond the part that was uploaded
  HP_LOST = 8           // the target is not in that box
};

// The target. These 64 bytes are all that a frame downloads. After an error the state is the last
// frame's.
struct hp_pose {
  double state[4];          // cx, cy, w, h in frame pixels
  float score, certainty;   // rounded; hp_monitor has the exact certainty
  int cell;
  int x, y, width, height;  // of the next frame, what its window covers
  short flags;
  short sequence;   // low bits of the frame's number
};

// When a target is lost; runtime/presence.py is the definition.
struct hp_limits {
  double lost_below, kept;
  double inner;        // share of the box that is looked at, in cells a search pixel
  double cells;        // of the features, a search pixel
  int channels, side;  // of the search region's features; cells
};

// The loss monitor's memory of a target. `widened`: how many times as wide as usual its search
// region is, which a search for it sets.
struct hp_monitor {
  double certainty, widened;
};

// What one row or column of a crop reads: two rows or columns of the frame, and their weights.
// Aligned so that one load instruction gets it.
struct
#ifdef __CUDACC__
    __align__(16)
#endif
    hp_plan_line {
  int first, second;
  int weight0, weight1;
};

#endif  // HOTPATH_CUDA_FRAME_H
