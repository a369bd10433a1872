// The threads of a block as fibers: see shim.h.
#include "shim.h"

#include <setjmp.h>
#include <stdlib.h>
#include <ucontext.h>

#include <algorithm>
#include <map>
#include <string>

namespace shim {

dim3 thread_index, block_index, block_size, grid_size;

namespace {

const size_t STACK_BYTES = 64 << 10;
const unsigned MAX_THREADS = 1024;
const unsigned MAX_SHARED_BYTES = 48 << 10;

struct Fiber {
  ucontext_t context;
  jmp_buf place;
  char* stack;
  unsigned thread;
  bool started, done;
};

// A barrier or shuffle: how many threads have arrived, and how often all of them have met.
struct Meeting {
  unsigned arrived, met;
};

std::vector<Fiber*> pool;
Fiber* current;
jmp_buf scheduler;
const std::function<void()>* body;
std::vector<unsigned> order;  // in which the threads start
unsigned next_thread, threads, launches;
Meeting block_meeting, warp_meetings[MAX_THREADS / 32];
uint64_t slots[MAX_THREADS];

void become(unsigned thread) {
  current->thread = thread;
  thread_index.x = thread % block_size.x;
  thread_index.y = thread / block_size.x % block_size.y;
  thread_index.z = thread / (block_size.x * block_size.y);
}

void pause() {
  if (!_setjmp(current->place)) _longjmp(scheduler, 1);
  become(current->thread);
}

// A fiber that never pauses runs all the threads that are left, one after the other.
void run_threads() {
  for (;;) {
    while (next_thread < threads) {
      become(order[next_thread++]);
      (*body)();
    }
    current->done = true;
    pause();
  }
}

void resume(Fiber* fiber) {
  current = fiber;
  if (_setjmp(scheduler)) return;
  if (fiber->started) {
    become(fiber->thread);
    _longjmp(fiber->place, 1);
  }
  fiber->started = true;
  setcontext(&fiber->context);
}

Fiber* fiber_at(size_t index) {
  if (pool.size() <= index) {
    Fiber* fiber = new Fiber();
    fiber->stack = (char*)malloc(STACK_BYTES);
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = nullptr;
    makecontext(&fiber->context, run_threads, 0);
    pool.push_back(fiber);
  }
  pool[index]->done = false;
  return pool[index];
}

void meet(Meeting* meeting, unsigned expected) {
  const unsigned before = meeting->met;
  if (++meeting->arrived == expected) {
    meeting->arrived = 0;
    ++meeting->met;
    return;
  }
  while (meeting->met == before) pause();
}

unsigned long meetings() {
  unsigned long count = block_meeting.met;
  for (const Meeting& meeting : warp_meetings) count += meeting.met;
  return count;
}

// Launches take turns: forward, backward, and shuffled in six ways.
void start_order() {
  const unsigned seed = launches++ % 8;
  order.resize(threads);
  for (unsigned i = 0; i < threads; ++i) order[i] = i;
  if (seed == 1) std::reverse(order.begin(), order.end());
  for (unsigned i = threads, state = seed; seed > 1 && i > 1; --i) {
    state = state * 1664525u + 1013904223u;
    std::swap(order[i - 1], order[(state >> 8) % i]);
  }
}

Outcome run_block() {
  next_thread = 0;
  block_meeting = Meeting();
  std::fill(std::begin(warp_meetings), std::end(warp_meetings), Meeting());
  std::vector<Fiber*> waiting;
  for (size_t i = 0; next_thread < threads; ++i) {
    Fiber* fiber = fiber_at(i);
    resume(fiber);
    if (!fiber->done) waiting.push_back(fiber);
  }
  while (!waiting.empty()) {
    const unsigned long met = meetings();
    const size_t count = waiting.size();
    for (Fiber* fiber : waiting) resume(fiber);
    waiting.erase(std::remove_if(waiting.begin(), waiting.end(), [](Fiber* f) { return f->done; }),
                  waiting.end());
    if (met == meetings() && count == waiting.size()) {  // no further thread will arrive
      for (Fiber* fiber : pool) free(fiber->stack);
      pool.clear();
      return DIVERGED;
    }
  }
  // some threads arrived where the others never did
  if (block_meeting.arrived) return DIVERGED;
  return DONE;
}

std::map<std::string, Kernel>& kernels() {
  static std::map<std::string, Kernel> table;
  return table;
}

}  // namespace

void barrier() { meet(&block_meeting, threads); }

int lane() { return (int)(current->thread & 31); }

uint64_t exchange(unsigned mask, uint64_t value, int from_lane) {
  const unsigned thread = current->thread, warp = thread >> 5;
  const unsigned lanes = (unsigned)__builtin_popcount(mask);
  slots[thread] = value;
  meet(&warp_meetings[warp], lanes);
  const unsigned source = warp * 32 + (unsigned)from_lane;
  const bool there =
      from_lane >= 0 && from_lane < 32 && (mask >> from_lane & 1) && source < threads;
  const uint64_t result = there ? slots[source] : value;
  meet(&warp_meetings[warp], lanes);
  return result;
}

Outcome launch(dim3 grid, dim3 block, unsigned shared_bytes,
               const std::function<void()>& function) {
  threads = block.x * block.y * block.z;
  if (!threads || threads > MAX_THREADS || shared_bytes > MAX_SHARED_BYTES) return BAD_LAUNCH;
  if (!grid.x || !grid.y || !grid.z || grid.y > 65535 || grid.z > 65535) return BAD_LAUNCH;
  body = &function;
  grid_size = grid;
  block_size = block;
  start_order();
  for (block_index.z = 0; block_index.z < grid.z; ++block_index.z)
    for (block_index.y = 0; block_index.y < grid.y; ++block_index.y)
      for (block_index.x = 0; block_index.x < grid.x; ++block_index.x) {
        const Outcome outcome = run_block();
        if (outcome != DONE) return outcome;
      }
  return DONE;
}

void register_kernel(const char* name, Kernel kernel) { kernels()[name] = std::move(kernel); }

const Kernel* find_kernel(const char* name) {
  const auto found = kernels().find(name);
  return found == kernels().end() ? nullptr : &found->second;
}

}  // namespace shim
