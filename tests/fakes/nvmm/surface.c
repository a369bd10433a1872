// libnvbufsurface.so and libnvbuf_utils.so of L4T, for tests. The structures are those of
// nvbufsurface.h (DeepStream 4 to 7, L4T R34 to R36) on a 64-bit computer. An EGLImage is the struct
// of egl_image.h. When a buffer comes back, the camera writes over its picture.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "egl_image.h"

#define PUBLIC __attribute__((visibility("default")))
#define STRUCTURE_PADDING 4
#define PLANES 4

typedef struct {
  uint32_t num_planes, width[PLANES], height[PLANES], pitch[PLANES], offset[PLANES], psize[PLANES];
  uint32_t bytes_per_pixel[PLANES];
  void* reserved[STRUCTURE_PADDING * PLANES];
} PlaneParams;

typedef struct {
  void* addr[PLANES];
  void* egl_image;
  void* reserved[STRUCTURE_PADDING];
} MappedAddr;

typedef struct {
  uint32_t width, height, pitch;
  int colour_format, layout;
  uint64_t descriptor;
  uint32_t data_size;
  void* data;
  PlaneParams planes;
  MappedAddr mapped;
  void* more;
  void* reserved[STRUCTURE_PADDING - 1];
} SurfaceParams;

typedef struct {
  uint32_t gpu, batch, filled;
  bool is_contiguous;
  int memory_type;
  SurfaceParams* pictures;
  void* reserved[STRUCTURE_PADDING];
} Surface;

_Static_assert(sizeof(PlaneParams) == 232 && sizeof(MappedAddr) == 72, "layout");
_Static_assert(sizeof(SurfaceParams) == 384 && sizeof(Surface) == 64, "layout");

// what nvmm_structs.py must agree with
PUBLIC const size_t layout[] = {
    sizeof(Surface), offsetof(Surface, filled), offsetof(Surface, pictures),
    sizeof(SurfaceParams), offsetof(SurfaceParams, planes.pitch),
    offsetof(SurfaceParams, mapped.egl_image), sizeof(EglFrame), offsetof(EglFrame, pitch),
    offsetof(EglFrame, frame_type), offsetof(EglFrame, sample_format)};

static long mapped, wrong;

typedef struct {
  Surface surface;
  char rest[1008 - sizeof(Surface)];  // a buffer of R32 is longer
  EglFrame frame;
  int fails;
} Buffer;

// A buffer that shows a picture; R32's has `descriptor` instead of a surface list.
PUBLIC Buffer* fake_buffer(const EglFrame* frame, uint32_t chroma_pitch, int fails) {
  Buffer* buffer = calloc(1, sizeof(Buffer));
  buffer->frame = *frame;
  buffer->fails = fails;
  buffer->surface.batch = buffer->surface.filled = 1;
  buffer->surface.pictures = calloc(1, sizeof(SurfaceParams));
  SurfaceParams* picture = buffer->surface.pictures;
  picture->planes.pitch[0] = picture->pitch = frame->pitch;
  picture->planes.pitch[1] = chroma_pitch;
  picture->data = buffer;
  return buffer;
}

PUBLIC long fake_mapped(void) { return wrong ? -wrong : mapped; }

static void* map(Buffer* buffer) {
  if (buffer->fails == 3) return NULL;
  EglImage* image = calloc(1, sizeof(EglImage));
  image->frame = buffer->frame;
  image->fails = buffer->fails;
  mapped++;
  return image;
}

static int unmap(EglImage* image) {
  if (!image || image->registered) return wrong++, -1;
  const EglFrame* frame = &image->frame;
  if (frame->plane_count == 2 && frame->frame_type == 1)
    for (int plane = 0; plane < 2; ++plane)
      memset((void*)frame->planes[plane], 0x55, (size_t)frame->pitch * (frame->height >> plane));
  free(image);
  mapped--;
  return 0;
}

PUBLIC int NvBufSurfaceMapEglImage(Surface* surface, int index) {
  void** image = &surface->pictures[index].mapped.egl_image;
  *image = map(surface->pictures[index].data);
  return *image ? 0 : -1;
}

PUBLIC int NvBufSurfaceUnMapEglImage(Surface* surface, int index) {
  void* image = surface->pictures[index].mapped.egl_image;
  surface->pictures[index].mapped.egl_image = NULL;
  return unmap(image);
}

// R32: nvbuf_utils.h. A descriptor is an index of the buffers that were asked for.
static Buffer* known[4096];

PUBLIC int ExtractFdFromNvBuffer(void* data, int* descriptor) {
  Surface* surface = data;
  for (*descriptor = 1; *descriptor < 4096; ++*descriptor)
    if (!known[*descriptor]) {
      known[*descriptor] = surface->pictures->data;
      return 0;
    }
  return -1;
}

PUBLIC void* NvEGLImageFromFd(void* display, int descriptor) {
  return display ? NULL : map(known[descriptor]);
}

PUBLIC int NvDestroyEGLImage(void* display, void* image) { return display ? -1 : unmap(image); }
