// The arithmetic of one output element of the crop: one place of resize, one pixel. geometry.h has
// the windows and the limits of boxes, families.h the select of every family. The loops over outputs
// and the memory are in cpu/ and cuda/. C++14 with libm alone. Every target gives the same bits: where
// a compiler might fuse or reorder, the rounding is written out. Definition: golden.py.
#ifndef HOTPATH_H
#define HOTPATH_H

#ifndef __CUDACC_RTC__  // NVRTC has no headers, and declares these functions itself
#include <math.h>
#include <stdint.h>
#endif

#ifdef __CUDACC__
#define HP_FN __host__ __device__ inline
#else
#define HP_FN static inline
#endif

// ---- rounding --------------------------------------------------------------------------------

// A product, rounded before anything is added to it. On the host the build says -ffp-contract=off.
HP_FN double hp_mul(double a, double b) {
#ifdef __CUDA_ARCH__
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

// Quotients, roots and exponentials. A GPU's own take up to a thousand cycles where one thread waits
// for them. These, for numbers that are neither tiny nor huge, take a third. They start from
// 20 bits and differ in the last digits: the quotient and the root by 2^-52, the exponential by 1e-11.
// Inverses, and quotients of whole numbers below 2^20, are rounded as a division rounds them.

#ifdef __CUDA_ARCH__
// Whether a double's exponent lies within -500 .. 499.
HP_FN bool hp_usual(double value) { return (__double2hiint(value) >> 20 & 0x7ff) - 523u < 1000u; }
#endif

HP_FN double hp_div(double a, double b) {
#ifdef __CUDA_ARCH__
  if (hp_usual(a) && hp_usual(b)) {
    double inverse;
    asm("rcp.approx.ftz.f64 %0, %1;" : "=d"(inverse) : "d"(b));
    const double rough = a * inverse, wrong = fma(-b, inverse, 1.0);
    return fma(rough, fma(wrong, fma(wrong, wrong, wrong), wrong), rough);
  }
#endif
  return a / b;
}

HP_FN double hp_root(double value) {
#ifdef __CUDA_ARCH__
  if (hp_usual(value) && value > 0) {
    double inverse;
    asm("rsqrt.approx.ftz.f64 %0, %1;" : "=d"(inverse) : "d"(value));
    const double rough = value * inverse, wrong = fma(-rough, inverse, 1.0);
    return fma(rough * wrong, fma(wrong, 0.375, 0.5), rough);
  }
#endif
  return sqrt(value);
}

HP_FN double hp_exp(double value) {
#ifdef __CUDA_ARCH__
  // 2^power * e^x, |x| < .35; adding 1.5 * 2^52 rounds to a whole number in the lower bits
  const double place = fma(value, 1.4426950408889634, 6755399441055744.0);
  const double power = place - 6755399441055744.0;
  const double x = fma(-power, 1.9082149292705877e-10, fma(-power, 0.6931471803691238, value));
  const double x2 = x * x, x4 = x2 * x2;
  const double low = fma(fma(x, 1.0 / 6, 0.5), x2, x + 1.0);
  const double middle = fma(fma(x, 1.0 / 5040, 1.0 / 720), x2, fma(x, 1.0 / 120, 1.0 / 24));
  const double high = fma(x, 1.0 / 362880, 1.0 / 40320);
  const double part = fma(fma(high, x4, middle), x4, low);
  const double result = __hiloint2double(__double2hiint(part) + __double2loint(place) * (1 << 20),
                                         __double2loint(part));
  if (value > 700.0) return value * 1e308;  // infinite
  if (value < -700.0) return 0.0;
  return value == value ? result : value;
#else
  return exp(value);
#endif
}

// ---- crop ------------------------------------------------------------------------------------

enum { HP_WEIGHT_ONE = 2048 };  // resize weights have 11 fractional bits

// The source pixels of one output index: `first` and the next one, with their weights.
struct hp_tap {
  int first;
  int weight0, weight1;
};

// Source pixels per output pixel. OpenCV inverts twice; the rounding of that must be kept.
HP_FN double hp_resize_scale(int source, int target) {
  return hp_div(1.0, hp_div((double)target, (double)source));
}

// Tap at a place in the source, before any clamping; weights are rounded half to even.
HP_FN hp_tap hp_tap_at(float place) {
  const float whole = floorf(place);
  const float part = place - whole;
  hp_tap tap;
  tap.first = (int)whole;
  tap.weight0 = (int)rintf((1.0f - part) * (float)HP_WEIGHT_ONE);  // a power of two: exact
  tap.weight1 = (int)rintf(part * (float)HP_WEIGHT_ONE);
  return tap;
}

// Tap of an output index.
HP_FN hp_tap hp_resize_tap(int index, double scale) {
  return hp_tap_at((float)(hp_mul(index + 0.5, scale) - 0.5));
}

// The same in whole numbers, for GPUs with few units for doubles: the same bits as hp_resize_tap.

enum { HP_MOST_OUTPUTS = 1024 };  // output pixels a side, so that the product has at most 64 bits

// A positive double as mantissa * 2^exponent; the mantissa has 53 bits.
struct hp_scale {
  unsigned long long mantissa;
  int exponent;
};

HP_FN hp_scale hp_split_scale(double value) {
  union {
    double value;
    unsigned long long bits;
  } number;
  number.value = value;
  hp_scale scale;
  scale.mantissa = (number.bits & 0xfffffffffffffull) | 0x10000000000000ull;
  scale.exponent = (int)(number.bits >> 52 & 0x7ff) - 1075;
  return scale;
}

// Rounds a whole number to at most `bits` bits, ties to even: value * 2^shift.
struct hp_rounded {
  unsigned long long value;
  int shift;
};

HP_FN hp_rounded hp_round_to_bits(unsigned long long value, int bits) {
  hp_rounded result = {value, 0};
  if (value >> bits == 0) return result;
#ifdef __CUDA_ARCH__
  result.shift = 64 - bits - __clzll((long long)value);
#else
  result.shift = 64 - bits - __builtin_clzll(value);
#endif
  const unsigned long long even = value >> result.shift & 1;
  const unsigned long long half = 1ull << (result.shift - 1);
  // A carry out of 64 bits can't happen: values here have at most 64 bits with a zero below.
  result.value = (value >> result.shift) + ((value & (2 * half - 1)) + even > half ? 1 : 0);
  return result;
}

// Tap of an output index below HP_MOST_OUTPUTS. Each of the three roundings of hp_resize_tap is done
// here: of the product, of the difference, and to float.
HP_FN hp_tap hp_resize_tap_whole(int index, hp_scale scale) {
  const hp_rounded product =
      hp_round_to_bits(scale.mantissa * (unsigned long long)(2 * index + 1), 53);
  int exponent = scale.exponent - 1 + product.shift;
  // half a pixel in units of 2^exponent
  const long long difference = (long long)product.value - (1ll << (-1 - exponent));
  const hp_rounded magnitude =
      hp_round_to_bits((unsigned long long)(difference < 0 ? -difference : difference), 53);
  const hp_rounded single = hp_round_to_bits(magnitude.value, 24);
  exponent += magnitude.shift + single.shift;
  union {
    unsigned bits;
    float value;
  } power;
  power.bits = (unsigned)(exponent + 127) << 23;
  const float place = (float)(int)single.value * power.value;
  return hp_tap_at(difference < 0 ? -place : place);
}

// ---- windows with fractions of pixels

// Places along one side of a window, in units of 2^-32 source pixels: the first one, and the step.
struct hp_line {
  long long first, step;
};

// The first of `count` places lies at `start`, the last one `length` further.
HP_FN hp_line hp_warp_line(double start, double length, int count) {
  hp_line line;
  line.first = (long long)rint(start * 4294967296.0);
  line.step = count > 1 ? (long long)rint(length / (count - 1) * 4294967296.0) : 0;
  return line;
}

// Tap of an output index. Pixels outside the window count too.
HP_FN hp_tap hp_warp_tap(hp_line line, int index) {
  const long long place = line.first + line.step * index + (1 << 20);  // rounded to 11 bits
  hp_tap tap;
  tap.first = (int)(place >> 32);
  tap.weight1 = (int)(place >> 21 & (HP_WEIGHT_ONE - 1));
  tap.weight0 = HP_WEIGHT_ONE - tap.weight1;
  return tap;
}

// ---- windows of whole pixels

// Columns: outside the outermost centres of the window's `source` columns, one column counts alone.
HP_FN hp_tap hp_clamp_column(hp_tap tap, int source) {
  const int inside = tap.first >= 0 && tap.first < source - 1;
  if (tap.first < 0) tap.first = 0;
  if (tap.first > source - 1) tap.first = source - 1;
  tap.weight0 = inside ? tap.weight0 : HP_WEIGHT_ONE;
  tap.weight1 = inside ? tap.weight1 : 0;
  return tap;
}

// Rows: an index beyond the window means its outermost row, the weights stay.
HP_FN int hp_clamp_row(int index, int source) {
  return index < 0 ? 0 : index > source - 1 ? source - 1 : index;
}

// Horizontal pass of one channel: 0 .. 32655, 7 fractional bits.
HP_FN int hp_horizontal(int left, int right, int weight0, int weight1) {
  return (left * weight0 + right * weight1) >> 4;
}

// Vertical pass over two values of the horizontal pass: 0 .. 255.
HP_FN int hp_vertical(int top, int bottom, int weight0, int weight1) {
  return (((top * weight0) >> 16) + ((bottom * weight1) >> 16) + 2) >> 2;
}

// A value as a network takes it in float32.
HP_FN float hp_normalise(int value, float mean, float scale) {
  return ((float)value - mean) * scale;
}

// Bits of the half-precision number nearest to a value, ties to even; infinite if it is too large.
HP_FN unsigned short hp_half(float value) {
#ifdef __CUDA_ARCH__
  unsigned short half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
  return half;
#else
  union {
    float value;
    unsigned bits;
  } number;
  number.value = value;
  const unsigned sign = number.bits >> 16 & 0x8000u, rest = number.bits & 0x7fffffffu;
  if (rest > 0x7f800000u) return (unsigned short)(sign | 0x7e00u);   // not a number
  if (rest >= 0x477ff000u) return (unsigned short)(sign | 0x7c00u);  // 65520 and above
  if (rest < 0x38800000u) {  // below 2^-14: multiples of 2^-24, as adding one half rounds them
    number.bits = rest;
    number.value = number.value + 0.5f;
    return (unsigned short)(sign | (number.bits - 0x3f000000u));
  }
  const unsigned even = rest >> 13 & 1u;
  return (unsigned short)(sign | ((rest - 0x38000000u + 0xfffu + even) >> 13));
#endif
}

// One pixel: blue, green, red.
struct hp_bgr {
  int value[3];
};

HP_FN int hp_saturate(int value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

// What Y, U and V give to blue, green and red, in units of 2^-20. kernels/planes.py has the numbers.
struct hp_matrix {
  int black;  // the Y of black
  int grey, u_blue, u_green, v_green, v_red;
};

// A camera's pixel as BGR.
HP_FN hp_bgr hp_from_planes(hp_matrix m, int luma, int u, int v) {
  const int grey = (luma < m.black ? 0 : luma - m.black) * m.grey, half = 1 << 19;
  hp_bgr pixel;
  u -= 128;
  v -= 128;
  pixel.value[0] = hp_saturate((grey + half + m.u_blue * u) >> 20);
  pixel.value[1] = hp_saturate((grey + half + m.u_green * u + m.v_green * v) >> 20);
  pixel.value[2] = hp_saturate((grey + half + m.v_red * v) >> 20);
  return pixel;
}

// The same for ITU-R BT.601, luma 16 .. 235, in OpenCV's fixed-point numbers.
HP_FN hp_bgr hp_from_yuv(int luma, int u, int v) {
  const hp_matrix bt601 = {16, 1220542, 2116026, -409993, -852492, 1673527};
  return hp_from_planes(bt601, luma, u, v);
}

#endif  // HOTPATH_H
