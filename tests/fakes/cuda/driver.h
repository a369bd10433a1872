// State of the fake driver, shared by its files. See driver.cpp.
#pragma once

#include <stddef.h>
#include <stdint.h>

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
};

struct Event {
  uint64_t position = 0;  // in the queue; all before it is done when the event is
  int64_t nanoseconds = 0;
};

extern std::map<std::string, long> counts;

Stream* stream_of(void* handle);

// Puts work on a stream: into the graph while it is captured, else at the end of the queue.
int submit(void* stream, Work work);

// Does all queued work, or what was queued before a position; gives what went wrong so far.
int finish();
int finish(uint64_t position);
uint64_t queued();

// Whether what is called is not allowed while any stream is captured; breaks that capture.
bool disturbs_capture();

bool in_device_memory(uint64_t address, size_t bytes);
bool is_pinned(const void* address, size_t bytes);

}  // namespace fake
