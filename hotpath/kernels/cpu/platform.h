// What all files here need: the instructions that there are, and the arithmetic of ../families.h.
// HP_PORTABLE leaves the instructions of one kind of processor out; the bits are equal.
#pragma once
#include <string.h>

#include "../families.h"

#if !defined(HP_PORTABLE) && defined(__AVX2__)
#define HP_AVX2 1
#include <immintrin.h>
#if defined(__AVX512VBMI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define HP_VBMI 1
#endif
#endif

#if !defined(HP_PORTABLE) && defined(__aarch64__) && defined(__ARM_NEON)
#define HP_NEON 1
#endif

#define HP_INLINE \
  inline __attribute__((always_inline))  // in the rows' loop, where a call costs 5 %

// A wheel takes the exp of every C library since manylinux2014. It computes the same bits as the
// newer symbol, which differs in errno.
#if defined(HP_WHEEL) && defined(__x86_64__)
__asm__(".symver exp,exp@GLIBC_2.2.5");
#elif defined(HP_WHEEL) && defined(__aarch64__)
__asm__(".symver exp,exp@GLIBC_2.17");
#endif

typedef int64_t i64;
