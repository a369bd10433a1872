// A plugin of QEMU (API version 1) that counts the instructions that a program executes. Debian has
// no header of that API, so the few functions are declared here.
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
typedef void (*translated_function)(plugin_id, struct qemu_plugin_tb*);
typedef void (*ended_function)(plugin_id, void*);

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translated_function);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb*, int operation,
                                                     void* to, uint64_t value);
extern void qemu_plugin_register_atexit_cb(plugin_id, ended_function, void*);
extern void qemu_plugin_outs(const char*);

int qemu_plugin_version = 1;

static uint64_t count;

// A block of instructions adds its length to the count whenever it is executed.
static void translated(plugin_id id, struct qemu_plugin_tb* block) {
  qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &count, qemu_plugin_tb_n_insns(block));
}

static void ended(plugin_id id, void* unused) {
  char text[64];
  snprintf(text, sizeof text, "instructions %" PRIu64 "\n", count);
  qemu_plugin_outs(text);
}

int qemu_plugin_install(plugin_id id, const void* info, int count_of_arguments, char** arguments) {
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, ended, 0);
  return 0;
}
