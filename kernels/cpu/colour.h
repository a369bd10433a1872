// Colours of a picture, sorted into bins of hue and brightness. hotpath.cpp includes this file;
// colour.py calls it. The definition is runtime/recovery/colour.py, over OpenCV's BGR2HSV of bytes.

struct hp_colours {
  i64 total;                // bins
  i64 hues, levels;         // bins of hue, and of brightness for each
  i64 hue_width;            // hues in a bin, of 180
  i64 level_width, grey_width;  // values of brightness in a bin, of 256; the same of greys
  i64 grey;                 // saturation below which a pixel has no hue
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
  if (((range * QUOTIENTS.saturation[value] + half) >> HSV_SHIFT) < colours->grey)
    return (int)(colours->hues * colours->levels + value / colours->grey_width);
  int hue = value == r ? g - b : value == g ? b - r + 2 * range : r - g + 4 * range;
  hue = (hue * QUOTIENTS.hue[range] + half) >> HSV_SHIFT;
  hue = (hue < 0 ? hue + 180 : hue) / (int)colours->hue_width;
  hue = hue < colours->hues ? hue : (int)colours->hues - 1;
  return hue * (int)colours->levels + value / (int)colours->level_width;
}

}  // namespace

extern "C" {

// The bin of each pixel: `bins` is (height, width). Strides are bytes, of BGR pixels.
void hp_colour_bins(const hp_colours* colours, const uint8_t* pixels, const i64* strides,
                    i64 height, i64 width, uint8_t* bins) {
  for (i64 y = 0; y < height; ++y)
    for (i64 x = 0; x < width; ++x) {
      const uint8_t* pixel = pixels + y * strides[0] + x * strides[1];
      *bins++ = (uint8_t)bin_of(colours, pixel[0], pixel[strides[2]], pixel[2 * strides[2]]);
    }
}

// The weight of the pixels in each bin as a share of all. `weights`: (height, width).
void hp_colour_histogram(const hp_colours* colours, const uint8_t* pixels, const i64* strides,
                         i64 height, i64 width, const double* weights, double* shares) {
  memset(shares, 0, (size_t)colours->total * sizeof(double));
  double sum = 0;
  for (i64 y = 0; y < height; ++y)
    for (i64 x = 0; x < width; ++x, ++weights) {
      const uint8_t* pixel = pixels + y * strides[0] + x * strides[1];
      shares[bin_of(colours, pixel[0], pixel[strides[2]], pixel[2 * strides[2]])] += *weights;
      sum += *weights;
    }
  for (i64 i = 0; i < colours->total; ++i) shares[i] /= sum;
}

}  // extern "C"
