// The fake driver's device, context, modules and launches: see driver.h.
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fstream>
#include <iterator>

#include "shim.h"

namespace fake {

std::map<std::string, long> counts;

long setting(const char* name, long otherwise) {
  const char* text = getenv(name);
  return text ? atol(text) : otherwise;
}

namespace {

int capability() { return (int)setting("FAKE_CUDA_CAPABILITY", 87); }

struct Module {
  std::string image;
};

// The newest PTX that a driver reads, by the version of its CUDA: PTX ISA, "Release Notes".
const int PTX_OF_CUDA[][2] = {{10020, 65}, {11000, 70}, {11010, 71}, {11020, 72}, {11030, 73},
                              {11040, 74}, {11050, 75}, {11060, 76}, {11070, 77}, {11080, 78},
                              {12000, 80}, {12010, 81}, {12020, 82}, {12030, 83}, {12040, 84},
                              {12050, 85}, {12070, 86}, {12080, 87}, {12090, 88}, {13000, 90},
                              {13010, 91}, {13020, 92}};

int newest_ptx() {
  int newest = 0;
  for (const auto& each : PTX_OF_CUDA)
    if (each[0] <= setting("FAKE_CUDA_VERSION", 12060)) newest = each[1];
  return newest;
}

int check_ptx(const std::string& image) {
  const size_t version = image.find(".version"), target = image.find(".target sm_");
  if (version == std::string::npos) return INVALID_IMAGE;
  int major = 0, minor = 0;
  if (sscanf(image.c_str() + version, ".version %d.%d", &major, &minor) == 2 &&
      10 * major + minor > newest_ptx())
    return UNSUPPORTED_PTX_VERSION;
  if (target != std::string::npos && atoi(image.c_str() + target + 11) > capability())
    return INVALID_PTX;
  return OK;
}

int load(void** module, std::string image) {
  if (has_no_context()) return INVALID_CONTEXT;
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  if (image.compare(0, 4,
                    "\x7f"
                    "ELF") == 0) {
    if (image.size() < 64) return INVALID_IMAGE;
    if ((unsigned char)image[48] != capability()) return NO_BINARY_FOR_GPU;  // e_flags
  } else if (const int wrong = check_ptx(image)) {
    return wrong;
  }
  *module = new Module{image};
  counts["modules"]++;
  return OK;
}

}  // namespace
}  // namespace fake

using namespace fake;

API cuModuleLoadData(void** module, const void* image) { return load(module, (const char*)image); }

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
  const std::string wanted =
      binary ? std::string(".text.") + name + '\0' : std::string(".entry ") + name;
  const shim::Kernel* kernel = shim::find_kernel(name);
  if (!kernel || image.find(wanted) == std::string::npos) return NOT_FOUND;
  *function = (void*)kernel;
  return OK;
}

API cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void* stream, void** parameters, void** extra) {
  const shim::Kernel* kernel = (const shim::Kernel*)function;
  if (has_no_context()) return INVALID_CONTEXT;
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
    const shim::Outcome outcome =
        shim::launch({gx, gy, gz}, {bx, by, bz}, shared, [&] { kernel->call(places.data()); });
    return outcome == shim::DONE ? OK : LAUNCH_FAILED;
  });
}

// ---- the device and its context

static thread_local std::vector<void*> contexts;
static int the_context;

bool fake::has_no_context() { return contexts.empty(); }

API cuInit(unsigned) { return OK; }

API cuDriverGetVersion(int* version) {
  *version = (int)setting("FAKE_CUDA_VERSION", 12060);
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

static int push(void** context) {
  *context = &the_context;
  contexts.push_back(*context);
  return OK;
}

API cuDevicePrimaryCtxRetain(void** context, int) {
  *context = &the_context;
  return OK;
}

API cuDevicePrimaryCtxSetFlags_v2(int, unsigned flags) {
  counts["context_flags"] = flags;
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

API cuCtxDetach(void*) { return cuCtxPopCurrent_v2(nullptr); }
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
    case OUT_OF_MEMORY:
      *text = "out of memory";
      break;
    case NO_BINARY_FOR_GPU:
      *text = "no kernel image is available for execution on the device";
      break;
    case INVALID_CONTEXT:
      *text = "invalid device context";
      break;
    case UNSUPPORTED_PTX_VERSION:
      *text = "the provided PTX was compiled with an unsupported toolchain.";
      break;
    case NOT_FOUND:
      *text = "named symbol not found";
      break;
    case LAUNCH_FAILED:
      *text = "unspecified launch failure";
      break;
    case CAPTURE_UNSUPPORTED:
      *text = "operation not permitted when stream is capturing";
      break;
    case CAPTURE_INVALIDATED:
      *text = "operation failed due to a previous error during capture";
      break;
    case NOT_SUPPORTED:
      *text = "operation not supported";
      break;
    default:
      *text = error == INVALID_VALUE ? "invalid argument" : "an error of the fake driver";
  }
  return OK;
}

extern "C" __attribute__((visibility("default"))) long fake_count(const char* name) {
  return counts[name];
}
