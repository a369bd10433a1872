// A libcuda.so.1 for tests. Device memory is host memory, and the kernels are the project's own .cu
// files (shim.h). It is at least as strict as a GPU:
//   - Work waits in its stream's queue until the program synchronises with that stream, or with one
//     that waits for it. So memory that is read or overwritten too early is wrong every time.
//   - With FAKE_CUDA_EAGER_COPIES=1 an upload to an idle stream is done at once. So memory that is
//     overwritten while other work still reads it is wrong every time.
//   - A stream that was not created as non-blocking waits for the legacy stream, and the other way
//     round. Nothing else waits for the legacy stream.
//   - New memory holds NaN. A protected page follows it. A copy must lie within one allocation.
//   - Freeing memory waits for no work. The memory holds NaN from then on, as if a pool had given it
//     to somebody else. Work that still uses it is counted as an overrun.
//   - Pinned memory that is freed before a copy has read it is overwritten.
//   - While a stream is being captured, its thread must not allocate, synchronise or load. No thread
//     may use the legacy stream if the stream that is captured waits for it.
//   - A cubin must be valid, have the device's architecture, and contain the requested kernel. PTX
//     must not be newer than the driver, nor of an architecture above the device's.
//   - Every call that works on the device needs a current context in its thread.
// FAKE_CUDA_VERSION (12060), FAKE_CUDA_CAPABILITY (87) and FAKE_CUDA_MEMORY (bytes, 1 GiB) describe
// the GPU. fake_count("launches") and the like return how often something was done.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#define API extern "C" __attribute__((visibility("default"))) int

// the values of CUresult that this driver returns
enum {
  OK = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  INVALID_PTX = 218,
  UNSUPPORTED_PTX_VERSION = 222,
  FILE_NOT_FOUND = 301,
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
  bool waits_for_legacy = true;  // created without CU_STREAM_NON_BLOCKING
  std::thread::id capturer;      // only its calls disturb the capture
  std::vector<Work> captured;
  std::deque<Work> queue;
  uint64_t begun = 0;  // how many items of work left the queue
};

struct Event {
  Stream* stream = nullptr;  // nullptr: never recorded
  uint64_t position = 0;     // in its queue; the event is done when all work before it is done
  int64_t nanoseconds = 0;
};

extern std::map<std::string, long> counts;

Stream* stream_of(void* handle);

// Adds work to a stream: to the graph during a capture, else to the end of its queue. `early` marks
// an upload, see above.
int submit(void* stream, Work work, bool early = false);

// Runs all queued work, or a stream's work before a position. Returns the error that has occurred.
int finish();
int finish(Stream* stream, uint64_t position);

// Whether no work waits in any queue.
bool is_idle();

// Whether this thread has no current context.
bool has_no_context();

// Whether this thread captures a stream, so that the call is not allowed. Breaks the capture.
bool disturbs_capture();

// A number from the environment.
long setting(const char* name, long otherwise);

}  // namespace fake
