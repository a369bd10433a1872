// A libcuda.so.1 for tests: device memory is host memory, kernels are the project's own .cu files
// (shim.h). As strict as a GPU, or stricter:
//   - work waits in a queue until somebody synchronises, so what is read or overwritten too early
//     is wrong every time;
//   - new memory holds no numbers, is followed by a page that nobody may touch, and copies must lie
//     within one allocation;
//   - while a stream is captured, nothing may allocate, synchronise or load;
//   - a cubin must be one, of the device's architecture, and hold the kernel that is asked for.
// FAKE_CUDA_VERSION (12060), FAKE_CUDA_CAPABILITY (87), FAKE_CUDA_MEMORY (bytes, 1 GiB) choose the
// GPU. fake_count("launches") and so on tell what was done.
#include "driver.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <chrono>
#include <deque>
#include <fstream>
#include <iterator>
#include <memory>

#include "shim.h"

namespace fake {

std::map<std::string, long> counts;

namespace {

const size_t PAGE = 4096, ALIGNMENT = 256;
const unsigned char CANARY = 0xC9;

struct Block {
  size_t bytes, room, mapped;
  char* base;
};

struct Module {
  std::string image;
};

struct Graph {
  std::vector<Work> work;
};

Stream default_stream;
std::vector<Stream*> streams;
std::deque<Work> queue;
uint64_t begun;  // work that left the queue
int failure;     // stays, as on a GPU
std::map<uint64_t, Block> blocks;
std::map<uintptr_t, size_t> pinned;

long setting(const char* name, long otherwise) {
  const char* text = getenv(name);
  return text ? atol(text) : otherwise;
}

int capability() { return (int)setting("FAKE_CUDA_CAPABILITY", 87); }

std::string as_text(const void* image) {
  const char* bytes = (const char*)image;
  if (memcmp(bytes, "\x7f" "ELF", 4)) return std::string(bytes);
  uint64_t sections;
  uint16_t entry, count;
  memcpy(&sections, bytes + 40, 8);
  memcpy(&entry, bytes + 58, 2);
  memcpy(&count, bytes + 60, 2);
  return std::string(bytes, sections + (uint64_t)entry * count);
}

int load(void** module, std::string image) {
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  if (image.compare(0, 4, "\x7f" "ELF") == 0) {
    if (image.size() < 64) return INVALID_IMAGE;
    if ((unsigned char)image[48] != capability()) return NO_BINARY_FOR_GPU;  // e_flags
  } else if (image.find(".version") == std::string::npos) {
    return INVALID_IMAGE;
  }
  *module = new Module{image};
  counts["modules"]++;
  return OK;
}

}  // namespace

Stream* stream_of(void* handle) { return handle ? (Stream*)handle : &default_stream; }

bool disturbs_capture() {
  bool any = false;
  for (Stream* stream : streams)
    if (stream->capturing) any = stream->broken = true;
  return any;
}

int submit(void* handle, Work work) {
  Stream* stream = stream_of(handle);
  if (stream->capturing) {
    stream->captured.push_back(std::move(work));
    return OK;
  }
  if (!handle && disturbs_capture()) return CAPTURE_IMPLICIT;
  if (failure) return failure;
  queue.push_back(std::move(work));
  return OK;
}

uint64_t queued() { return begun + queue.size(); }

int finish(uint64_t position) {
  while (begun < position && !queue.empty()) {
    Work work = std::move(queue.front());
    queue.pop_front();
    ++begun;
    const int result = failure ? OK : work();
    if (result) failure = result;
  }
  return failure;
}

int finish() { return finish(queued()); }

bool in_device_memory(uint64_t address, size_t bytes) {
  auto after = blocks.upper_bound(address);
  if (after == blocks.begin()) return false;
  const auto block = std::prev(after);
  return address + bytes <= block->first + block->second.bytes;
}

bool is_pinned(const void* address, size_t bytes) {
  auto after = pinned.upper_bound((uintptr_t)address);
  if (after == pinned.begin()) return false;
  const auto block = std::prev(after);
  return (uintptr_t)address + bytes <= block->first + block->second;
}

}  // namespace fake

using namespace fake;

// ---- memory

API cuMemAlloc_v2(uint64_t* address, size_t bytes) {
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  size_t used = 0;
  for (const auto& block : blocks) used += block.second.bytes;
  if (!bytes) return INVALID_VALUE;
  if (used + bytes > (size_t)setting("FAKE_CUDA_MEMORY", 1l << 30)) return OUT_OF_MEMORY;
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
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  const auto found = blocks.find(address);
  if (found == blocks.end()) return INVALID_VALUE;
  finish();
  const Block block = found->second;
  for (size_t i = block.bytes; i < block.room; ++i)
    if (((unsigned char*)address)[i] != CANARY) counts["overruns"]++;
  munmap(block.base, block.mapped);
  blocks.erase(found);
  counts["frees"]++;
  return failure;
}

API cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  *address = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
  if (!*address) return OUT_OF_MEMORY;
  memset(*address, 0xff, bytes);
  pinned[(uintptr_t)*address] = bytes;
  counts["pinned_allocations"]++;
  return OK;
}

API cuMemFreeHost(void* address) {
  if (!pinned.erase((uintptr_t)address)) return INVALID_VALUE;
  finish();
  free(address);
  return OK;
}

API cuMemGetInfo_v2(size_t* available, size_t* total) {
  size_t used = 0;
  for (const auto& block : blocks) used += block.second.bytes;
  *total = (size_t)setting("FAKE_CUDA_MEMORY", 1l << 30);
  *available = *total - used;
  return OK;
}

API cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
  if (!in_device_memory(to, bytes)) return INVALID_VALUE;
  if (is_pinned(from, bytes))
    return submit(stream, [=] {
      memcpy((void*)to, from, bytes);
      counts["uploads"]++;
      counts["upload_bytes"] += (long)bytes;
      return OK;
    });
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
  counts["synchronisations"]++;  // into pageable memory the copy is not asynchronous
  return finish();
}

API cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) {
  if (disturbs_capture()) return CAPTURE_IMPLICIT;
  const int result = cuMemcpyHtoDAsync_v2(to, from, bytes, nullptr);
  counts["synchronisations"]++;
  return result ? result : finish();
}

API cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
  if (disturbs_capture()) return CAPTURE_IMPLICIT;
  const int result = cuMemcpyDtoHAsync_v2(to, from, bytes, nullptr);
  if (result || !is_pinned(to, bytes)) return result;
  counts["synchronisations"]++;
  return finish();
}

// ---- modules and launches

API cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
  return load(module, as_text(image));
}

API cuModuleLoadData(void** module, const void* image) { return load(module, as_text(image)); }

API cuModuleLoad(void** module, const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return FILE_NOT_FOUND;
  return load(module, std::string(std::istreambuf_iterator<char>(file), {}));
}

API cuModuleUnload(void* module) {
  delete (Module*)module;
  return OK;
}

API cuModuleGetFunction(void** function, void* module, const char* name) {
  const std::string& image = ((Module*)module)->image;
  const bool binary = image[0] == '\x7f';
  const std::string wanted = binary ? std::string(".text.") + name + '\0' : std::string(".entry ") + name;
  const shim::Kernel* kernel = shim::find_kernel(name);
  if (!kernel || image.find(wanted) == std::string::npos) return NOT_FOUND;
  *function = (void*)kernel;
  return OK;
}

API cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void* stream, void** parameters, void** extra) {
  const shim::Kernel* kernel = (const shim::Kernel*)function;
  if (!kernel || (uint64_t)bx * by * bz > 1024 || shared > 48u << 10) return INVALID_VALUE;
  std::vector<std::string> arguments;
  if (extra) {  // one packed buffer, which must have the length of the kernel's parameters
    if (extra[0] != (void*)1 || extra[2] != (void*)2 || extra[4]) return INVALID_VALUE;
    const char* buffer = (const char*)extra[1];
    const size_t bytes = *(size_t*)extra[3];
    size_t place = 0;
    for (size_t size : kernel->sizes) {
      place = (place + size - 1) / size * size;
      if (place + size > bytes) return INVALID_VALUE;
      arguments.emplace_back(buffer + place, size);
      place += size;
    }
    if (place != bytes) return INVALID_VALUE;
  } else {
    for (size_t i = 0; i < kernel->sizes.size(); ++i)
      arguments.emplace_back((const char*)parameters[i], kernel->sizes[i]);
  }
  return submit(stream, [=]() mutable {
    std::vector<char*> places;
    for (std::string& argument : arguments) places.push_back(&argument[0]);
    counts["launches"]++;
    const shim::Outcome outcome = shim::launch({gx, gy, gz}, {bx, by, bz}, shared,
                                               [&] { kernel->call(places.data()); });
    return outcome == shim::DONE ? OK : LAUNCH_FAILED;
  });
}

// ---- streams, events, graphs

API cuStreamCreate(void** stream, unsigned) {
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  streams.push_back(new Stream());
  *stream = streams.back();
  return OK;
}

API cuStreamDestroy_v2(void*) { return finish(); }  // kept: a handle is never reused

API cuStreamSynchronize(void* stream) {
  if (stream_of(stream)->capturing) return disturbs_capture(), CAPTURE_UNSUPPORTED;
  counts["synchronisations"]++;
  return finish();
}

API cuCtxSynchronize() {
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  counts["synchronisations"]++;
  return finish();
}

API cuStreamQuery(void*) { return failure ? failure : queue.empty() ? OK : 600; }

API cuEventCreate(void** event, unsigned) {
  *event = new Event();
  return OK;
}

API cuEventDestroy_v2(void* event) {
  finish();
  delete (Event*)event;
  return OK;
}

API cuEventRecord(void* handle, void* stream) {
  Event* event = (Event*)handle;
  const int result = submit(stream, [=] {
    event->nanoseconds = std::chrono::steady_clock::now().time_since_epoch().count();
    return OK;
  });
  if (!stream_of(stream)->capturing) event->position = queued();
  return result;
}

API cuEventSynchronize(void* event) {
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  counts["synchronisations"]++;
  return finish(((Event*)event)->position);
}

API cuEventQuery(void* event) { return ((Event*)event)->position <= begun ? OK : 600; }

API cuEventElapsedTime(float* ms, void* from, void* to) {
  *ms = (float)((((Event*)to)->nanoseconds - ((Event*)from)->nanoseconds) * 1e-6);
  return OK;
}

API cuStreamBeginCapture_v2(void* handle, int) {
  if (!handle) return CAPTURE_UNSUPPORTED;
  Stream* stream = stream_of(handle);
  if (stream->capturing) return INVALID_VALUE;
  stream->capturing = true;
  stream->broken = false;
  stream->captured.clear();
  return OK;
}

API cuStreamEndCapture(void* handle, void** graph) {
  Stream* stream = stream_of(handle);
  if (!stream->capturing) return INVALID_VALUE;
  stream->capturing = false;
  *graph = nullptr;
  if (stream->broken) return CAPTURE_INVALIDATED;
  *graph = new Graph{std::move(stream->captured)};
  stream->captured.clear();
  return OK;
}

API cuGraphInstantiate(void** executable, void* graph, void*, char*, size_t) {
  *executable = new Graph(*(Graph*)graph);
  counts["graphs"]++;
  return OK;
}

API cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  return cuGraphInstantiate(executable, graph, nullptr, nullptr, 0);
}

API cuGraphLaunch(void* executable, void* stream) {
  for (const Work& work : ((Graph*)executable)->work) {
    const int result = submit(stream, work);
    if (result) return result;
  }
  counts["graph_launches"]++;
  return OK;
}

API cuGraphDestroy(void* graph) {
  delete (Graph*)graph;
  return OK;
}

API cuGraphExecDestroy(void* executable) {
  finish();
  delete (Graph*)executable;
  return OK;
}

// ---- the device and its context

static std::vector<void*> contexts;
static int the_context;

API cuInit(unsigned) { return OK; }

API cuDriverGetVersion(int* version) {
  *version = (int)setting("FAKE_CUDA_VERSION", 12060);
  return OK;
}

API cuDeviceGetCount(int* count) {
  *count = 1;
  return OK;
}

API cuDeviceGet(int* device, int index) {
  *device = index;
  return index ? INVALID_DEVICE : OK;
}

API cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75 ? capability() / 10 : attribute == 76 ? capability() % 10 : 0;
  return OK;
}

API cuDeviceComputeCapability(int* major, int* minor, int) {
  *major = capability() / 10;
  *minor = capability() % 10;
  return OK;
}

API cuDeviceGetName(char* name, int bytes, int) {
  strncpy(name, "processor in the place of a GPU", (size_t)bytes);
  return OK;
}

API cuDeviceTotalMem_v2(size_t* bytes, int) {
  *bytes = (size_t)setting("FAKE_CUDA_MEMORY", 1l << 30);
  return OK;
}

static int push(void** context) {
  *context = &the_context;
  contexts.push_back(*context);
  return OK;
}

API cuCtxCreate_v2(void** context, unsigned, int) { return push(context); }

API cuDevicePrimaryCtxRetain(void** context, int) {
  *context = &the_context;
  return OK;
}

API cuDevicePrimaryCtxRelease_v2(int) { return OK; }
API cuDevicePrimaryCtxRelease(int) { return OK; }

API cuCtxPushCurrent_v2(void* context) { return push(&context); }

API cuCtxPopCurrent_v2(void** context) {
  if (contexts.empty()) return INVALID_CONTEXT;
  if (context) *context = contexts.back();
  contexts.pop_back();
  return OK;
}

API cuCtxAttach(void** context, unsigned) {
  if (contexts.empty()) return INVALID_CONTEXT;
  *context = contexts.back();
  return OK;
}

API cuCtxDetach(void*) { return cuCtxPopCurrent_v2(nullptr); }
API cuCtxDestroy_v2(void*) { return contexts.empty() ? OK : cuCtxPopCurrent_v2(nullptr); }

API cuCtxGetCurrent(void** context) {
  *context = contexts.empty() ? nullptr : contexts.back();
  return OK;
}

API cuCtxGetDevice(int* device) {
  *device = 0;
  return contexts.empty() ? INVALID_CONTEXT : OK;
}

API cuFuncSetBlockShape(void*, int, int, int) { return OK; }
API cuFuncSetSharedSize(void*, unsigned) { return OK; }

API cuGetErrorString(int error, const char** text) {
  switch (error) {
    case OUT_OF_MEMORY: *text = "out of memory"; break;
    case NO_BINARY_FOR_GPU: *text = "no kernel image is available for execution on the device"; break;
    case NOT_FOUND: *text = "named symbol not found"; break;
    case LAUNCH_FAILED: *text = "unspecified launch failure"; break;
    case CAPTURE_UNSUPPORTED: *text = "operation not permitted when stream is capturing"; break;
    case CAPTURE_INVALIDATED: *text = "operation failed due to a previous error during capture"; break;
    case NOT_SUPPORTED: *text = "operation not supported"; break;
    default: *text = error == INVALID_VALUE ? "invalid argument" : "an error of the fake driver";
  }
  return OK;
}

API cuGetErrorName(int, const char** text) {
  *text = "CUDA_ERROR_OF_THE_FAKE";
  return OK;
}

extern "C" __attribute__((visibility("default"))) long fake_count(const char* name) {
  return counts[name];
}

// Forgets a failure, which on a GPU only a new process does.
extern "C" __attribute__((visibility("default"))) void fake_recover() {
  finish();
  fake::failure = OK;
}

// The sum of canary bytes that somebody wrote over, in memory that is still in use.
extern "C" __attribute__((visibility("default"))) long fake_overruns() {
  long wrong = counts["overruns"];
  for (const auto& block : blocks)
    for (size_t i = block.second.bytes; i < block.second.room; ++i)
      wrong += ((unsigned char*)block.first)[i] != CANARY;
  return wrong;
}
