// Kernels with the mistakes that the stand-in for a GPU must find.

// Only some threads reach the barrier: a GPU would hang.
extern "C" __global__ void bad_barrier(int* out) {
  if (threadIdx.x < 7) __syncthreads();
  out[threadIdx.x] = 1;
}

// Only half of a warp takes part in a shuffle of the whole warp.
extern "C" __global__ void bad_shuffle(int* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_down_sync(0xffffffffu, (int)threadIdx.x, 1);
}

// Reads what another thread may not have written yet.
extern "C" __global__ void bad_race(int* out) {
  __shared__ int values[64];
  values[threadIdx.x] = (int)threadIdx.x + 1;
  out[threadIdx.x] = values[63 - threadIdx.x];
  values[threadIdx.x] = 0;
}
