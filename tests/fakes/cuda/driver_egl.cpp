// The fake driver's EGLImages: see driver.h. Threads may call it at any time.
#include <atomic>

#include "driver.h"
#include "egl_image.h"

static std::atomic<long> registered{0}, wrong{0};

API cuGraphicsEGLRegisterImage(void** resource, EglImage* image, unsigned flags) {
  if (flags != 1 || image->fails == 1) return INVALID_VALUE;
  image->registered++;
  registered++;
  *resource = image;
  return OK;
}

API cuGraphicsResourceGetMappedEglFrame(EglFrame* frame, EglImage* image, unsigned, unsigned) {
  if (!image->registered || image->fails == 2) return INVALID_HANDLE;
  *frame = image->frame;
  return OK;
}

API cuGraphicsUnregisterResource(EglImage* image) {
  if (!image->registered) return wrong++, INVALID_HANDLE;
  image->registered--;
  registered--;
  return OK;
}

// How many images are registered; less than 0 once one was given back that was not.
extern "C" __attribute__((visibility("default"))) long fake_registered() {
  return wrong ? -wrong : registered.load();
}
