// Structures in device memory that the kernels of a frame share. frame_structures.py declares the
// same ones, and compares the numbers of hp_layout with its own when the kernels are loaded.
#ifndef HOTPATH_CUDA_FRAME_H
#define HOTPATH_CUDA_FRAME_H

#include "../families.h"
#include "maps.h"

enum { HP_FRAME_BGR = 0, HP_FRAME_NV12 = 1 };

// A frame, or the part of it that was uploaded.
struct hp_frame {
  unsigned long long plane, chroma;  // addresses: pixels or luma; interleaved U and V
  int row_stride, chroma_stride;     // bytes
  int pixel_stride;                  // bytes: 3, or 4 for BGRx
  int format;                        // HP_FRAME_BGR ..
  int x, y, width, height;           // of the part, in frame pixels; even for NV12
  int frame_width, frame_height;
};

// How the network takes a picture.
struct hp_input {
  float mean[3], scale[3];  // one value for each channel of the input
  int side;                 // pixels
  int half;                 // whether it takes half precision
  int swap;                 // RGB instead of BGR
  int warp;                 // whether windows have fractions of pixels
};

enum { HP_MOST_FEATURES = 8 };  // tensors that the exemplar leaves for the frames

enum { HP_MOST_PLACES = 7 };  // that a window proposes
enum { HP_PARTS = 2 };        // of a box along each side, whose features are pooled
enum { HP_MOST_CELLS = 64 };  // of the features, a side

// A window of a frame, whose it is, and the places that it proposes: settings.Prior.
struct hp_window_request {
  double around[4];  // cx, cy, w, h in frame pixels: the target's state before the frame
  double window[4];  // x, y, width, height in frame pixels
  double scale[2];   // search pixels per frame pixel, x and y
  double size_lr, influence, share;
  unsigned long long features[HP_MOST_FEATURES];  // addresses of the target's features
  int border[3];                                  // B, G, R outside the frame
  int most, apart, unused;
};

// The places of a window, the best cell first. `count` is 0 where nothing finite was found.
struct hp_window_result {
  double state[HP_MOST_PLACES][4];  // cx, cy, w, h in frame pixels
  double score[HP_MOST_PLACES];
  int cell[HP_MOST_PLACES];
  int count;
};

#endif  // HOTPATH_CUDA_FRAME_H
