// The hot path on a processor: loops over the arithmetic of ../hotpath.h, called through ctypes. crop.h
// has the crop, select.h the select of every family.
#include "crop.h"
#include "online.h"
#include "select.h"

// The cosine of a reference and averages that are added channel by channel. Both pointers may be 0.
struct hp_cosine {
  const float* reference;
  float* pooled;
  double product, own, other;

  void add(int channel, double mean) {
    if (pooled) pooled[channel] = (float)mean;
    if (!reference) return;
    product += mean * reference[channel];
    own += mean * mean;
    other += (double)reference[channel] * reference[channel];
  }

  double value() const {
    const double lengths = sqrt(own * other);
    return lengths > 0 ? product / lengths : 0;
  }
};

extern "C" {

// Converts a picture in planes to rows of BGR without gaps. `space`: 3 * width + 256 bytes.
void hp_planes_to_bgr(const hp_planes* planes, i64 width, i64 height, uint8_t* out,
                      uint8_t* space) {
  for (i64 y = 0; y < height; ++y, out += 3 * width) {
    convert_row(planes, y, 0, width, space);
    memcpy(out, space, (size_t)(3 * width));
  }
}

// Cosine of a reference and the features averaged over a box of cells: the definition
// is in golden.py. `features` are channels of side x side cells; `reference` and `pooled` may be 0.
double hp_cosine_similarity(const float* features, int channels, int side, int row, int row_end,
                            int column, int column_end, const float* reference, float* pooled) {
  const double share = 1.0 / ((double)(row_end - row) * (column_end - column));
  hp_cosine cosine = {reference, pooled, 0, 0, 0};
  for (int c = 0; c < channels; ++c, features += side * side) {
    double sum = 0;
    for (int y = row; y < row_end; ++y)
      for (int x = column; x < column_end; ++x) sum += features[y * side + x];
    cosine.add(c, sum * share);
  }
  return cosine.value();
}

}  // extern "C"

#include "jpeg.h"
#include "colour.h"
#include "fabric.h"
#include "sizes.h"
