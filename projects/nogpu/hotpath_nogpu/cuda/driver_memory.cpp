// The fake driver's memory and copies: see driver.h.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <iterator>
#include <memory>
#include <set>

#include "driver.h"

namespace fake {
namespace {

const size_t PAGE = 4096, ALIGNMENT = 256;
const unsigned char CANARY = 0xC9;

struct Block {
  size_t bytes, room, mapped;
  char* base;
};

std::map<uint64_t, Block> blocks;
std::map<uint64_t, Block> freed;  // unmapped when no work waits that might use it
std::map<uintptr_t, size_t> pinned;
std::multiset<uintptr_t> being_read;  // pinned addresses of uploads that wait in a queue

size_t used_bytes() {
  size_t used = 0;
  for (const auto& block : blocks) used += block.second.bytes;
  return used;
}

bool in_device_memory(uint64_t address, size_t bytes) {
  auto after = blocks.upper_bound(address);
  if (after == blocks.begin()) return false;
  const auto block = std::prev(after);
  return address + bytes <= block->first + block->second.bytes;
}

long overrun(const std::pair<const uint64_t, Block>& block) {
  long wrong = 0;
  for (size_t i = block.second.bytes; i < block.second.room; ++i)
    wrong += ((unsigned char*)block.first)[i] != CANARY;
  return wrong;
}

// Gives freed memory back once nothing can use it; a change of it since then is an overrun.
void unmap_freed() {
  if (!is_idle()) return;
  for (const auto& block : freed) {
    for (size_t i = 0; i < block.second.bytes; ++i)
      if (((unsigned char*)block.first)[i] != 0xff) {
        counts["overruns"]++;
        break;
      }
    munmap(block.second.base, block.second.mapped);
  }
  freed.clear();
}

bool is_pinned(const void* address, size_t bytes) {
  auto after = pinned.upper_bound((uintptr_t)address);
  if (after == pinned.begin()) return false;
  const auto block = std::prev(after);
  return (uintptr_t)address + bytes <= block->first + block->second;
}

}  // namespace
}  // namespace fake

using namespace fake;

API cuStreamSynchronize(void* stream);

API cuMemAlloc_v2(uint64_t* address, size_t bytes) {
  if (has_no_context()) return INVALID_CONTEXT;
  unmap_freed();
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  if (!bytes) return INVALID_VALUE;
  if (used_bytes() + bytes > (size_t)setting("FAKE_CUDA_MEMORY", 1l << 30)) return OUT_OF_MEMORY;
  Block block;
  block.bytes = bytes;
  block.room = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  block.mapped = (block.room + PAGE - 1) / PAGE * PAGE + PAGE;
  block.base = (char*)mmap(nullptr, block.mapped, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block.base == MAP_FAILED) return OUT_OF_MEMORY;
  char* end = block.base + block.mapped - PAGE;
  mprotect(end, PAGE, PROT_NONE);
  char* start = end - block.room;
  memset(start, 0xff, bytes);
  memset(start + bytes, CANARY, block.room - bytes);
  *address = (uint64_t)start;
  blocks[*address] = block;
  counts["allocations"]++;
  return OK;
}

API cuMemFree_v2(uint64_t address) {
  if (has_no_context()) return INVALID_CONTEXT;
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  const auto found = blocks.find(address);
  if (found == blocks.end()) return INVALID_VALUE;
  counts["overruns"] += overrun(*found);
  memset((void*)address, 0xff, found->second.bytes);
  freed.insert(*found);
  blocks.erase(found);
  counts["frees"]++;
  unmap_freed();
  return OK;
}

API cuMemHostAlloc(void** address, size_t bytes, unsigned flags) {
  if (has_no_context()) return INVALID_CONTEXT;
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  *address = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
  if (!*address) return OUT_OF_MEMORY;
  memset(*address, 0xff, bytes);
  pinned[(uintptr_t)*address] = bytes;
  counts["pinned_allocations"]++;
  if (flags & 4) counts["write_combined"]++;
  return OK;
}

API cuMemFreeHost(void* address) {
  const auto block = pinned.find((uintptr_t)address);
  if (block == pinned.end()) return INVALID_VALUE;
  // A memory pool could reuse this memory at once, so overwrite it.
  const auto reader = being_read.lower_bound(block->first);
  if (reader != being_read.end() && *reader < block->first + block->second)
    memset(address, 0xdd, block->second);
  pinned.erase(block);
  return OK;  // kept mapped: queued work may still use it
}

API cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
  if (!in_device_memory(to, bytes)) return INVALID_VALUE;
  if (is_pinned(from, bytes)) {
    being_read.insert((uintptr_t)from);
    return submit(
        stream,
        [=] {
          memcpy((void*)to, from, bytes);
          const auto reader = being_read.find((uintptr_t)from);
          if (reader != being_read.end()) being_read.erase(reader);
          counts["uploads"]++;
          counts["upload_bytes"] += (long)bytes;
          return OK;
        },
        true);
  }
  if (stream_of(stream)->capturing) return disturbs_capture(), CAPTURE_UNSUPPORTED;
  // pageable memory is staged before the call returns
  auto staged = std::make_shared<std::string>((const char*)from, bytes);
  return submit(stream, [=] {
    memcpy((void*)to, staged->data(), bytes);
    counts["uploads"]++;
    counts["upload_bytes"] += (long)bytes;
    return OK;
  });
}

API cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* stream) {
  if (!in_device_memory(from, bytes)) return INVALID_VALUE;
  const bool waits = !is_pinned(to, bytes);
  if (waits && stream_of(stream)->capturing) return disturbs_capture(), CAPTURE_UNSUPPORTED;
  const int result = submit(stream, [=] {
    memcpy(to, (void*)from, bytes);
    counts["downloads"]++;
    counts["download_bytes"] += (long)bytes;
    return OK;
  });
  if (result || !waits) return result;
  counts["synchronisations"]++;  // a copy into pageable memory waits for its stream
  return cuStreamSynchronize(stream);
}

// CUDA_MEMCPY2D, and only from device memory to the host's.
struct copy_2d {
  size_t from_x, from_y;
  unsigned from_kind;
  uint64_t from_host, from_device, from_array;
  size_t from_pitch, to_x, to_y;
  unsigned to_kind;
  uint64_t to_host, to_device, to_array;
  size_t to_pitch, width, height;
};

API cuMemcpy2DAsync_v2(const copy_2d* given, void* stream) {
  const copy_2d copy = *given;
  if (copy.from_kind != 2 || copy.to_kind != 1 || !copy.height) return INVALID_VALUE;
  const size_t bytes = copy.from_pitch * (copy.height - 1) + copy.width;
  if (copy.from_pitch < copy.width || !in_device_memory(copy.from_device, bytes))
    return INVALID_VALUE;
  if (stream_of(stream)->capturing) return disturbs_capture(), CAPTURE_UNSUPPORTED;
  return submit(stream, [=] {
    for (size_t row = 0; row < copy.height; ++row)
      memcpy((char*)copy.to_host + row * copy.to_pitch,
             (const char*)copy.from_device + row * copy.from_pitch, copy.width);
    counts["downloads"]++;
    counts["download_bytes"] += (long)(copy.width * copy.height);
    return OK;
  });
}

API cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
  if (disturbs_capture()) return CAPTURE_IMPLICIT;
  const int result = cuMemcpyDtoHAsync_v2(to, from, bytes, nullptr);
  if (result || !is_pinned(to, bytes)) return result;
  return cuStreamSynchronize(nullptr);
}

// The number of canary bytes that were overwritten, in memory that is still in use.
extern "C" __attribute__((visibility("default"))) long fake_overruns() {
  unmap_freed();
  long wrong = counts["overruns"];
  for (const auto& block : blocks) wrong += overrun(block);
  return wrong;
}
