// A libcuda.so.1 for tests: device memory is host memory, kernels are the project's own .cu files
// (shim.h). As strict as a GPU, or stricter:
//   - work waits in its stream's queue until somebody synchronises with that stream, or another that
//     waits for it, so what is read or overwritten too early is wrong every time; with
//     FAKE_CUDA_EAGER_COPIES=1 an upload to a stream with nothing to do is done at once, so what is
//     overwritten while others still read it is wrong every time;
//   - new memory holds no numbers, is followed by a page that nobody may touch, and copies must lie
//     within one allocation;
//   - pinned memory that is freed before a copy has read it is overwritten;
//   - while a stream is captured, nothing may allocate, synchronise or load;
//   - a cubin must be one, of the device's architecture, and hold the kernel that is asked for.
// FAKE_CUDA_VERSION (12060), FAKE_CUDA_CAPABILITY (87), FAKE_CUDA_MEMORY (bytes, 1 GiB) choose the
// GPU. fake_count("launches") and so on tell what was done.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default"))) int

// CUresult, those that are given back here
enum {
  OK = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  FILE_NOT_FOUND = 301,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  LAUNCH_FAILED = 719,
  NOT_SUPPORTED = 801,
  CAPTURE_UNSUPPORTED = 900,
  CAPTURE_INVALIDATED = 901,
  CAPTURE_IMPLICIT = 906
};

namespace fake {

typedef std::function<int()> Work;

struct Stream {
  bool capturing = false, broken = false;
  std::vector<Work> captured;
  std::deque<Work> queue;
  uint64_t begun = 0;  // work that left the queue
};

struct Event {
  Stream* stream = nullptr;  // nullptr: never recorded
  uint64_t position = 0;     // in its queue; all before it is done when the event is
  int64_t nanoseconds = 0;
};

extern std::map<std::string, long> counts;

Stream* stream_of(void* handle);

// Puts work on a stream: into the graph while it is captured, else at the end of its queue. `early`
// work is an upload, see above.
int submit(void* stream, Work work, bool early = false);

// Does all queued work, or what a stream was given before a position; gives what went wrong so far.
int finish();
int finish(Stream* stream, uint64_t position);

// Whether what is called is not allowed while any stream is captured; breaks that capture.
bool disturbs_capture();

// A number from the environment.
long setting(const char* name, long otherwise);

}  // namespace fake
