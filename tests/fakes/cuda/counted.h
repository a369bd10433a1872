// A double that counts its operations. The .cu files are compiled with it instead of double. So tests
// count the operations that a kernel runs on a GPU's units for doubles.
//
// Additions, multiplications, comparisons, roundings and conversions count 1. A division, root or
// exponential counts the instructions on doubles that ptxas emits for it (fast path, sm_87).
#pragma once

#include <math.h>
#include <string.h>

#include "shim.h"

namespace shim {

enum { DIVISION = 9, ROOT = 9, EXPONENTIAL = 18 };

void count_doubles(long operations);  // of the thread that runs now

struct Counted {
  double value;

  Counted() = default;
  Counted(double number) : value(number) {}
  Counted(int number) : value(number) { count_doubles(1); }
  Counted(float number) : value(number) { count_doubles(1); }
  explicit operator float() const { return count_doubles(1), (float)value; }
  explicit operator int() const { return count_doubles(1), (int)value; }
  explicit operator long long() const { return count_doubles(1), (long long)value; }

  Counted operator-() const { return -value; }
  Counted& operator+=(Counted other) { return *this = *this + other; }
  Counted& operator-=(Counted other) { return *this = *this - other; }

  friend Counted operator+(Counted a, Counted b) { return count_doubles(1), a.value + b.value; }
  friend Counted operator-(Counted a, Counted b) { return count_doubles(1), a.value - b.value; }
  friend Counted operator*(Counted a, Counted b) { return count_doubles(1), a.value * b.value; }
  friend Counted operator/(Counted a, Counted b) {
    return count_doubles(DIVISION), a.value / b.value;
  }
  friend bool operator<(Counted a, Counted b) { return count_doubles(1), a.value < b.value; }
  friend bool operator>(Counted a, Counted b) { return count_doubles(1), a.value > b.value; }
  friend bool operator>=(Counted a, Counted b) { return count_doubles(1), a.value >= b.value; }
  friend bool operator<=(Counted a, Counted b) { return count_doubles(1), a.value <= b.value; }
  friend bool operator==(Counted a, Counted b) { return count_doubles(1), a.value == b.value; }
};

}  // namespace shim

inline shim::Counted sqrt(shim::Counted x) { return shim::count_doubles(shim::ROOT), sqrt(x.value); }
inline shim::Counted exp(shim::Counted x) {
  return shim::count_doubles(shim::EXPONENTIAL), exp(x.value);
}
inline shim::Counted rint(shim::Counted x) { return shim::count_doubles(1), rint(x.value); }
inline shim::Counted floor(shim::Counted x) { return shim::count_doubles(1), floor(x.value); }
inline shim::Counted trunc(shim::Counted x) { return shim::count_doubles(1), trunc(x.value); }
inline shim::Counted ceil(shim::Counted x) { return shim::count_doubles(1), ceil(x.value); }
inline long long __double_as_longlong(shim::Counted x) { return __double_as_longlong(x.value); }

namespace shim {
inline Counted shuffle(unsigned mask, Counted value, int from_lane) {
  return shuffle(mask, value.value, from_lane);
}
}  // namespace shim

#define double shim::Counted
