// The part of CUDA C++ that kernels/cuda uses, for a CPU. The .cu files are compiled unchanged, with
// this header before them. The threads of a block are fibers of one operating system thread.
//
// It finds wrong results, and a barrier or shuffle that some threads do not reach: a GPU would hang.
// Each launch starts its threads in another order, which reveals a missing barrier. It does not find
// wrong alignment, low occupancy or low speed.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <functional>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define __shared__ \
  thread_local  // of static duration inside a function, and one block runs at a time

struct dim3 {
  unsigned x, y, z;
};

namespace shim {

extern dim3 thread_index, block_index, block_size, grid_size;

enum Outcome { DONE = 0, DIVERGED = 1, BAD_LAUNCH = 2 };

void barrier();

// Gives every lane's 8 bytes to the others of its warp.
uint64_t exchange(unsigned mask, uint64_t value, int from_lane);
int lane();

template <class T>
T shuffle(unsigned mask, T value, int from_lane) {
  static_assert(sizeof(T) <= 8, "a shuffle moves 4 or 8 bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof value);
  bits = exchange(mask, bits, from_lane);
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Runs a kernel's body for every thread of a grid.
Outcome launch(dim3 grid, dim3 block, unsigned shared_bytes, const std::function<void()>& body);

// ---- kernels by name, with the sizes of their parameters

struct Kernel {
  std::vector<size_t> sizes;
  std::function<void(char* const* arguments)> call;
};

void register_kernel(const char* name, Kernel kernel);
const Kernel* find_kernel(const char* name);

template <class... A, size_t... I>
void call(void (*function)(A...), char* const* arguments, std::index_sequence<I...>) {
  function(*(typename std::decay<A>::type*)arguments[I]...);
}

struct Registration {
  template <class... A>
  Registration(const char* name, void (*function)(A...)) {
    register_kernel(
        name, Kernel{{sizeof(typename std::decay<A>::type)...}, [function](char* const* arguments) {
                       call(function, arguments, std::index_sequence_for<A...>{});
                     }});
  }
};

}  // namespace shim

#define threadIdx shim::thread_index
#define blockIdx shim::block_index
#define blockDim shim::block_size
#define gridDim shim::grid_size
#define __syncthreads() shim::barrier()
#define __shfl_down_sync(mask, value, distance) \
  shim::shuffle(mask, value, shim::lane() + (int)(distance))
#define __align__(bytes) __attribute__((aligned(bytes)))

inline float __int_as_float(int bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

inline long long __double_as_longlong(double value) {
  long long bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
