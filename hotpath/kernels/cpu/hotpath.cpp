// The hot path on a processor: loops over the arithmetic of ../hotpath.h, called through ctypes. crop.h
// has the crop, select.h the select of every family.
#include "crop.h"
#include "online.h"
#include "select.h"

extern "C" {

// Converts a picture in planes to rows of BGR without gaps. `space`: 3 * width + 256 bytes.
void hp_planes_to_bgr(const hp_planes* planes, i64 width, i64 height, uint8_t* out,
                      uint8_t* space) {
  for (i64 y = 0; y < height; ++y, out += 3 * width) {
    convert_row(planes, y, 0, width, space);
    memcpy(out, space, (size_t)(3 * width));
  }
}

}  // extern "C"

#include "fabric.h"
#include "sizes.h"
