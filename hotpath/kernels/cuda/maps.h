// The values that a network gives: its maps, and the search region's features. They are float32, or
// half precision where the network's outputs are.
#ifndef HOTPATH_CUDA_MAPS_H
#define HOTPATH_CUDA_MAPS_H

// The value of a half-precision number's bits.
static __device__ float hp_from_half(unsigned short half) {
#ifdef __CUDA_ARCH__
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
  return value;
#else
  union {
    unsigned bits;
    float value;
  } number;
  number.bits = (half & 0x7fffu) << 13;
  number.value *= 5.192296858534828e33f;  // 2^112, the difference of the exponents' biases
  if ((half & 0x7c00u) == 0x7c00u) number.bits |= 0x7f800000u;
  number.bits |= (half & 0x8000u) << 16;
  return number.value;
#endif
}

// Read like an array of floats.
struct hp_map {
  const void* values;  // 0: the network gives none
  int half;            // whether they are of half precision

  __device__ float operator[](int index) const {
    return half ? hp_from_half(((const unsigned short*)values)[index])
                : ((const float*)values)[index];
  }

  __device__ hp_map operator+(int count) const {
    const hp_map later = {(const char*)values + (half ? 2 * count : 4 * count), half};
    return later;
  }
};

static __device__ hp_map hp_map_of(const void* values, int half) {
  const hp_map map = {values, half};
  return map;
}

#endif  // HOTPATH_CUDA_MAPS_H
