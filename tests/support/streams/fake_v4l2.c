/* A V4L2 capture device for programs that reach it through libc: preload this library.
 *
 * FAKE_V4L2_DEVICE   the path it answers to, e.g. /dev/video7
 * FAKE_V4L2_STATE    a file whose first letter is the state: p(lugged), u(nplugged), f(rozen)
 * FAKE_V4L2_PICTURES a file of pictures, shown in a loop by the clock, 30 a second
 * FAKE_V4L2_SIZE     their size, e.g. 320x240
 * FAKE_V4L2_FORMAT   four letters, e.g. YUYV or MJPG
 * FAKE_V4L2_BYTES    bytes of each picture in the file
 *
 * The device is a memory file, so mmap works on it natively. A memory file is always ready to read.
 * So VIDIOC_DQBUF waits for the next picture, and select only knows the state "frozen".
 * One opener at a time, as long as it lives.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

enum { MAX_BUFFERS = 16, FPS = 30, PAGE = 4096 };

static struct {
  int fd;               /* -1: closed */
  pid_t process;        /* that opened it */
  int streaming;
  unsigned width, height, picture_bytes, format;
  unsigned slot_bytes;  /* one picture in memory: whole pages, for mmap */
  unsigned buffers;     /* asked for by REQBUFS */
  unsigned queue[MAX_BUFFERS], queued;
  unsigned sequence;
  long long last_tick;
  unsigned char* memory; /* MAX_BUFFERS pictures, shared with the program */
  int pictures;          /* file of the pictures to show */
  long long picture_count;
} camera = {.fd = -1, .pictures = -1};

static void* real(const char* name) { return dlsym(RTLD_NEXT, name); }

static long long now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void sleep_ns(long long ns) {
  if (ns <= 0) return;
  struct timespec time = {ns / 1000000000LL, ns % 1000000000LL};
  nanosleep(&time, NULL);
}

static int real_open(const char* path, int flags) {
  int (*function)(const char*, int, ...) = (int (*)(const char*, int, ...))real("open");
  return function(path, flags, 0);
}

static int real_close(int fd) {
  int (*function)(int) = (int (*)(int))real("close");
  return function(fd);
}

static char state(void) {
  char letter = 'p';
  const char* path = getenv("FAKE_V4L2_STATE");
  int file = path ? real_open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file >= 0) {
    if (read(file, &letter, 1) != 1) letter = 'p'; /* the file is just being rewritten */
    real_close(file);
  }
  return letter;
}

static int is_ours(const char* path) {
  const char* device = getenv("FAKE_V4L2_DEVICE");
  return path && device && !strcmp(path, device);
}

static int open_camera(void) {
  if (state() == 'u') return errno = ENOENT, -1;
  if (camera.fd >= 0) return errno = EBUSY, -1;
  const char* size = getenv("FAKE_V4L2_SIZE");
  const char* pictures = getenv("FAKE_V4L2_PICTURES");
  if (!size || !pictures || sscanf(size, "%ux%u", &camera.width, &camera.height) != 2)
    return errno = EIO, -1;
  const char* letters = getenv("FAKE_V4L2_FORMAT");
  const char* bytes_each = getenv("FAKE_V4L2_BYTES");
  if (!letters || strlen(letters) != 4 || !bytes_each) return errno = EIO, -1;
  camera.format = v4l2_fourcc(letters[0], letters[1], letters[2], letters[3]);
  camera.picture_bytes = (unsigned)atoi(bytes_each);
  camera.slot_bytes = (camera.picture_bytes + PAGE - 1) / PAGE * PAGE;
  camera.pictures = real_open(pictures, O_RDONLY | O_CLOEXEC);
  if (camera.pictures < 0) return -1;
  camera.picture_count = lseek(camera.pictures, 0, SEEK_END) / camera.picture_bytes;
  size_t bytes = (size_t)camera.slot_bytes * MAX_BUFFERS;
  int fd = memfd_create("camera", MFD_CLOEXEC);
  if (fd < 0 || camera.picture_count < 1 || ftruncate(fd, bytes)) return errno = EIO, -1;
  camera.memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  camera.streaming = camera.buffers = camera.queued = 0;
  camera.process = getpid();
  return camera.fd = fd;
}

#define HOOK_OPEN(name)                                                              \
  int name(const char* path, int flags, ...) {                                       \
    va_list more;                                                                    \
    va_start(more, flags);                                                           \
    int mode = va_arg(more, int);                                                    \
    va_end(more);                                                                    \
    if (is_ours(path)) return open_camera();                                         \
    int (*next)(const char*, int, ...) = (int (*)(const char*, int, ...))real(#name); \
    return next(path, flags, mode);                                                  \
  }
HOOK_OPEN(open)
HOOK_OPEN(open64)

/* A child of vfork, which Python starts programs with, closes its files in our memory. */
int close(int fd) {
  if (fd >= 0 && fd == camera.fd && getpid() == camera.process) {
    munmap(camera.memory, (size_t)camera.slot_bytes * MAX_BUFFERS);
    real_close(camera.pictures);
    camera.fd = camera.pictures = -1;
  }
  return real_close(fd);
}

int select(int count, fd_set* readers, fd_set* writers, fd_set* others, struct timeval* limit) {
  if (camera.fd >= 0 && camera.fd < count && readers && FD_ISSET(camera.fd, readers) && limit) {
    long long end = now_ns() + limit->tv_sec * 1000000000LL + limit->tv_usec * 1000LL;
    while (state() == 'f' && now_ns() < end) sleep_ns(10000000);
    if (state() == 'f') {
      FD_ZERO(readers);
      return 0;
    }
  }
  int (*next)(int, fd_set*, fd_set*, fd_set*, struct timeval*) =
      (int (*)(int, fd_set*, fd_set*, fd_set*, struct timeval*))real("select");
  return next(count, readers, writers, others, limit);
}

static int dequeue(struct v4l2_buffer* buffer) {
  if (!camera.streaming || !camera.queued || state() == 'f') return errno = EAGAIN, -1;
  long long frame_ns = 1000000000LL / FPS, tick = now_ns() / frame_ns;
  if (tick <= camera.last_tick) {
    tick = camera.last_tick + 1;
    sleep_ns(tick * frame_ns - now_ns());
  }
  camera.last_tick = tick;
  unsigned index = camera.queue[0];
  camera.queued--;
  memmove(camera.queue, camera.queue + 1, camera.queued * sizeof camera.queue[0]);
  long long from = tick % camera.picture_count * camera.picture_bytes;
  unsigned char* to = camera.memory + (size_t)index * camera.slot_bytes;
  if (pread(camera.pictures, to, camera.picture_bytes, from) != (ssize_t)camera.picture_bytes)
    return errno = EIO, -1;
  long long time = now_ns();
  buffer->index = index;
  buffer->bytesused = buffer->length = camera.picture_bytes;
  buffer->m.offset = index * camera.slot_bytes;
  buffer->sequence = camera.sequence++;
  buffer->timestamp.tv_sec = time / 1000000000LL;
  buffer->timestamp.tv_usec = time / 1000 % 1000000;
  buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
  return 0;
}

static int describe(struct v4l2_capability* capability) {
  memset(capability, 0, sizeof *capability);
  strcpy((char*)capability->driver, "fake");
  strcpy((char*)capability->card, "Fake camera");
  capability->version = 0x60000;
  capability->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
  capability->capabilities = capability->device_caps | V4L2_CAP_DEVICE_CAPS;
  return 0;
}

static int set_format(struct v4l2_format* format) {
  if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return errno = EINVAL, -1;
  struct v4l2_pix_format* picture = &format->fmt.pix;
  picture->width = camera.width;
  picture->height = camera.height;
  picture->pixelformat = camera.format;
  picture->field = V4L2_FIELD_NONE;
  picture->bytesperline = camera.format == V4L2_PIX_FMT_MJPEG ? 0 : camera.picture_bytes / camera.height;
  picture->sizeimage = camera.picture_bytes;
  picture->colorspace = V4L2_COLORSPACE_SRGB;
  return 0;
}

static int set_rate(struct v4l2_streamparm* parameters) {
  parameters->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
  parameters->parm.capture.timeperframe.numerator = 1;
  parameters->parm.capture.timeperframe.denominator = FPS;
  return 0;
}

static int request(struct v4l2_requestbuffers* wanted) {
  if (wanted->memory != V4L2_MEMORY_MMAP) return errno = EINVAL, -1;
  if (wanted->count > MAX_BUFFERS) wanted->count = MAX_BUFFERS;
  camera.buffers = wanted->count;
  camera.queued = 0;
  return 0;
}

static int query(struct v4l2_buffer* buffer) {
  if (buffer->index >= camera.buffers) return errno = EINVAL, -1;
  buffer->length = camera.picture_bytes;
  buffer->m.offset = buffer->index * camera.slot_bytes;
  return 0;
}

static int queue(struct v4l2_buffer* buffer) {
  if (buffer->index >= camera.buffers || camera.queued >= MAX_BUFFERS) return errno = EINVAL, -1;
  camera.queue[camera.queued++] = buffer->index;
  return 0;
}

static int answer(unsigned request_code, void* data) {
  if (state() == 'u') return errno = ENODEV, -1;
  switch (request_code) {
    case VIDIOC_QUERYCAP: return describe(data);
    case VIDIOC_ENUM_FMT:
      if (((struct v4l2_fmtdesc*)data)->index) break;
      ((struct v4l2_fmtdesc*)data)->pixelformat = camera.format;
      return 0;
    case VIDIOC_G_FMT:
    case VIDIOC_S_FMT:
    case VIDIOC_TRY_FMT: return set_format(data);
    case VIDIOC_ENUMINPUT:
      if (((struct v4l2_input*)data)->index) break;
      ((struct v4l2_input*)data)->type = V4L2_INPUT_TYPE_CAMERA;
      return 0;
    case VIDIOC_G_INPUT: return *(int*)data = 0;
    case VIDIOC_S_INPUT: return 0;
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: return set_rate(data);
    case VIDIOC_REQBUFS: return request(data);
    case VIDIOC_QUERYBUF: return query(data);
    case VIDIOC_QBUF: return queue(data);
    case VIDIOC_DQBUF: return dequeue(data);
    case VIDIOC_STREAMON: return camera.streaming = 1, 0;
    case VIDIOC_STREAMOFF: return camera.streaming = camera.queued = 0;
  }
  return errno = EINVAL, -1;
}

int ioctl(int fd, unsigned long request_code, ...) {
  va_list more;
  va_start(more, request_code);
  void* data = va_arg(more, void*);
  va_end(more);
  if (fd >= 0 && fd == camera.fd) return answer((unsigned)request_code, data);
  int (*next)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))real("ioctl");
  return next(fd, request_code, data);
}
