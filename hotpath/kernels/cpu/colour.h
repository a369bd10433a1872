// Colours of a picture, sorted into bins of hue and brightness. online.py calls it. The
// definition is runtime/frames/colour.py, over OpenCV's BGR2HSV of bytes.
#pragma once
#include "platform.h"

struct hp_colours {
  i64 total;              // bins
  i64 grey;               // saturation below which a pixel has no hue
  const int32_t* hues;    // (256,): the first bin of each hue
  const int32_t* levels;  // (256,): what is added to it for each value of brightness
  const int32_t* greys;   // (256,): the bin of a grey pixel of each value of brightness
};

namespace {

const int HSV_SHIFT = 12;

// OpenCV's tables of quotients with 12 fractional bits.
struct quotients {
  int saturation[256], hue[256];

  quotients() {
    saturation[0] = hue[0] = 0;
    for (int i = 1; i < 256; ++i) {
      saturation[i] = (int)nearbyint((255 << HSV_SHIFT) / (1.0 * i));
      hue[i] = (int)nearbyint((180 << HSV_SHIFT) / (6.0 * i));
    }
  }
};

const quotients QUOTIENTS;

HP_INLINE int bin_of(const hp_colours* colours, int b, int g, int r) {
  int value = b > g ? b : g, least = b < g ? b : g;
  value = value > r ? value : r, least = least < r ? least : r;
  const int range = value - least, half = 1 << (HSV_SHIFT - 1);
  int hue = value == r ? g - b : value == g ? b - r + 2 * range : r - g + 4 * range;
  hue = (hue * QUOTIENTS.hue[range] + half) >> HSV_SHIFT;
  hue = hue < 0 ? hue + 180 : hue;
  const int coloured = colours->hues[hue] + colours->levels[value], grey = colours->greys[value];
  const int saturation = (range * QUOTIENTS.saturation[value] + half) >> HSV_SHIFT;
  return saturation < colours->grey ? grey : coloured;
}

const i64 RUN = 64;  // pixels whose bins are computed at once

// The bins of a row of pixels. The row `next` bytes further is fetched meanwhile.
void bins_of_row(const hp_colours* colours, const uint8_t* pixel, i64 step, i64 channel, i64 width,
                 i64 next, uint8_t* bins) {
  for (i64 x = 0; x < width; x += RUN) {
    const i64 count = width - x < RUN ? width - x : RUN;
    int32_t blue[RUN], green[RUN], red[RUN], found[RUN];
    for (i64 i = 0; i < count; ++i, pixel += step) {
      blue[i] = pixel[0], green[i] = pixel[channel], red[i] = pixel[2 * channel];
      __builtin_prefetch(pixel + next);
    }
    for (i64 i = 0; i < count; ++i) found[i] = bin_of(colours, blue[i], green[i], red[i]);
    for (i64 i = 0; i < count; ++i) *bins++ = (uint8_t)found[i];
  }
}

}  // namespace

extern "C" {

// How much of the target each pixel tells (back-projection): `alike` is (height, width).
// Strides are bytes, of BGR pixels. `target`: (total,), its histogram. `bins`: (height, width).
void hp_colour_project(const hp_colours* colours, const uint8_t* pixels, const i64* strides,
                       i64 height, i64 width, const double* target, uint8_t* bins, float* alike) {
  i64 counts[2][256] = {{0}};  // of every second pixel: equal neighbours do not wait
  float shares[256];
  const i64 count = height * width;
  for (i64 y = 0; y < height; ++y)
    bins_of_row(colours, pixels + y * strides[0], strides[1], strides[2], width,
                y + 1 < height ? strides[0] : 0, bins + y * width);
  for (i64 i = 0; i < count; ++i) ++counts[i & 1][bins[i]];
  for (i64 bin = 0; bin < colours->total; ++bin) {
    const double all = target[bin] + (double)(counts[0][bin] + counts[1][bin]) / (double)count;
    shares[bin] = (float)(target[bin] / (all > 1e-9 ? all : 1e-9));
  }
  for (i64 i = 0; i < count; ++i) alike[i] = shares[bins[i]];
}

// The weight of the pixels in each bin as a share of all. `weights`: (height, width).
void hp_colour_histogram(const hp_colours* colours, const uint8_t* pixels, const i64* strides,
                         i64 height, i64 width, const double* weights, double* shares) {
  memset(shares, 0, (size_t)colours->total * sizeof(double));
  double sum = 0;
  uint8_t bins[RUN];
  for (i64 y = 0; y < height; ++y)
    for (i64 x = 0; x < width; x += RUN) {
      const i64 count = width - x < RUN ? width - x : RUN;
      const uint8_t* pixel = pixels + y * strides[0] + x * strides[1];
      bins_of_row(colours, pixel, strides[1], strides[2], count, 0, bins);
      for (i64 i = 0; i < count; ++i, ++weights) {
        shares[bins[i]] += *weights;
        sum += *weights;
      }
    }
  for (i64 i = 0; i < colours->total; ++i) shares[i] /= sum;
}

}  // extern "C"
