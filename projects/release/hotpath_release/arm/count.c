// A plugin of QEMU (API version 1) that counts the instructions that a program executes. A program
// may mark places: the call getpriority(MARK, label) writes the label and the count so far. Debian
// has no header of that API, so the few functions are declared here.
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
typedef void (*translated_function)(plugin_id, struct qemu_plugin_tb*);
typedef void (*ended_function)(plugin_id, void*);
typedef void (*called_function)(plugin_id, unsigned processor, int64_t call, uint64_t, uint64_t,
                                uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translated_function);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb*, int operation,
                                                     void* to, uint64_t value);
extern void qemu_plugin_register_atexit_cb(plugin_id, ended_function, void*);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, called_function);
extern void qemu_plugin_outs(const char*);

int qemu_plugin_version = 1;

enum { MARK = 0x4850 };  // an argument that no other call has

static uint64_t count;

// A block of instructions adds its length to the count whenever it is executed.
static void translated(plugin_id id, struct qemu_plugin_tb* block) {
  qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &count, qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned processor, int64_t call, uint64_t first, uint64_t label,
                   uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
  char text[64];
  if (first != MARK) return;
  snprintf(text, sizeof text, "mark %" PRIu64 " %" PRIu64 "\n", label, count);
  qemu_plugin_outs(text);
}

static void ended(plugin_id id, void* unused) {
  char text[64];
  snprintf(text, sizeof text, "instructions %" PRIu64 "\n", count);
  qemu_plugin_outs(text);
}

int qemu_plugin_install(plugin_id id, const void* info, int count_of_arguments, char** arguments) {
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  qemu_plugin_register_atexit_cb(id, ended, 0);
  return 0;
}
