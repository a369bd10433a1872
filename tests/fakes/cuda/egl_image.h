// An EGLImage of the stand-in for NVMM (tests/fakes/nvmm/surface.c), as the fake driver reads it.
#pragma once

#include <stdint.h>

typedef struct {
  uint64_t planes[3];
  uint32_t width, height, depth, pitch, plane_count, channels;
  int frame_type, colour_format, sample_format;
} EglFrame;  // CUeglFrame of cudaEGL.h

typedef struct {
  EglFrame frame;
  int registered;
  int fails;  // 1: registering, 2: mapping
} EglImage;
