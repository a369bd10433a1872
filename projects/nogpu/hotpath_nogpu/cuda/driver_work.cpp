// The fake driver's queues, streams, events and graphs: see driver.h.
#include <chrono>

#include "driver.h"

namespace fake {
namespace {

struct Graph {
  std::vector<Work> work;
};

Stream default_stream;
std::vector<Stream*> streams{&default_stream};
int failure;  // once set it stays, as on a GPU

uint64_t queued(const Stream* stream) { return stream->begun + stream->queue.size(); }

}  // namespace

Stream* stream_of(void* handle) { return handle ? (Stream*)handle : &default_stream; }

bool disturbs_capture() {
  bool any = false;
  for (Stream* stream : streams)
    if (stream->capturing && stream->capturer == std::this_thread::get_id())
      any = stream->broken = true;
  return any;
}

int submit(void* handle, Work work, bool early) {
  Stream* stream = stream_of(handle);
  if (stream->capturing) {
    stream->captured.push_back(std::move(work));
    return OK;
  }
  if (has_no_context()) return INVALID_CONTEXT;
  if (!handle)  // the legacy stream waits for the streams that wait for it
    for (Stream* other : streams) {
      if (!other->waits_for_legacy) continue;
      if (other->capturing) return other->broken = true, CAPTURE_IMPLICIT;
      finish(other, queued(other));
    }
  else if (stream->waits_for_legacy)
    finish(&default_stream, queued(&default_stream));
  if (failure) return failure;
  static const bool eager = setting("FAKE_CUDA_EAGER_COPIES", 0);
  stream->queue.push_back(std::move(work));
  return eager && early && stream->queue.size() == 1 ? finish(stream, queued(stream)) : OK;
}

int finish(Stream* stream, uint64_t position) {
  while (stream->begun < position && !stream->queue.empty()) {
    Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    ++stream->begun;
    const int result = failure ? OK : work();
    if (result) failure = result;
  }
  return failure;
}

bool is_idle() {
  for (Stream* stream : streams)
    if (!stream->queue.empty()) return false;
  return true;
}

int finish() {
  for (Stream* stream : streams) finish(stream, queued(stream));
  return failure;
}

}  // namespace fake

using namespace fake;

API cuStreamCreate(void** stream, unsigned flags) {
  if (has_no_context()) return INVALID_CONTEXT;
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  streams.push_back(new Stream());
  streams.back()->waits_for_legacy = !(flags & 1);
  *stream = streams.back();
  return OK;
}

API cuStreamDestroy_v2(void*) { return OK; }  // kept: a handle is never reused

API cuStreamSynchronize(void* stream) {
  if (stream_of(stream)->capturing) return disturbs_capture(), CAPTURE_UNSUPPORTED;
  counts["synchronisations"]++;
  return finish(stream_of(stream), queued(stream_of(stream)));
}

API cuCtxSynchronize() {
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  counts["synchronisations"]++;
  return finish();
}

API cuEventCreate(void** event, unsigned flags) {
  if (has_no_context()) return INVALID_CONTEXT;
  counts["event_flags"] = flags;
  *event = new Event();
  return OK;
}

API cuEventDestroy_v2(void*) { return OK; }  // kept: queued work may still record it

API cuEventRecord(void* handle, void* stream) {
  Event* event = (Event*)handle;
  const int result = submit(stream, [=] {
    event->nanoseconds = std::chrono::steady_clock::now().time_since_epoch().count();
    return OK;
  });
  if (stream_of(stream)->capturing) return result;
  event->stream = stream_of(stream);
  event->position = queued(event->stream);
  return result;
}

// Waits for what the event has recorded at the time of this call, not for a later recording.
API cuStreamWaitEvent(void* handle, void* event, unsigned) {
  if (stream_of(handle)->capturing) return disturbs_capture(), CAPTURE_UNSUPPORTED;
  const Event then = *(Event*)event;
  if (!then.stream) return OK;
  return submit(handle, [=] { return finish(then.stream, then.position); });
}

API cuEventSynchronize(void* event) {
  if (disturbs_capture()) return CAPTURE_UNSUPPORTED;
  counts["synchronisations"]++;
  const Event* then = (Event*)event;
  return then->stream ? finish(then->stream, then->position) : failure;
}

API cuEventElapsedTime(float* ms, void* from, void* to) {
  *ms = (float)((((Event*)to)->nanoseconds - ((Event*)from)->nanoseconds) * 1e-6);
  return OK;
}

API cuStreamBeginCapture_v2(void* handle, int) {
  if (has_no_context()) return INVALID_CONTEXT;
  if (!handle) return CAPTURE_UNSUPPORTED;
  Stream* stream = stream_of(handle);
  if (stream->capturing) return INVALID_VALUE;
  stream->capturing = true;
  stream->capturer = std::this_thread::get_id();
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

API cuLaunchHostFunc(void* stream, void (*function)(void*), void* data) {
  return submit(stream, [=] {
    function(data);
    return OK;
  });
}

API cuGraphInstantiate(void** executable, void* graph, void*, char*, size_t) {
  if (has_no_context()) return INVALID_CONTEXT;
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

// Clears a failure. On a GPU only a new process can do that.
extern "C" __attribute__((visibility("default"))) void fake_recover() {
  finish();
  fake::failure = OK;
}
