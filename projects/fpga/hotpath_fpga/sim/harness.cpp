// The engine under simulation: its clock, a driver's register accesses, and a memory that is not ideal.
//
// Memory answers in order, a burst's first beat `latency` cycles after its address; of the bus's
// beats it delivers `share`, reads and writes together; on top every channel may stall at random, of
// the memory and of the driver. Then data may come before their address is accepted, which AXI allows.
// The engine's side of AXI is checked on every cycle. Called through ctypes (rtl.py).
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "Vengine.h"
#include "Vengine___024root.h"
#include "verilated.h"

namespace {

const uint64_t BASE = 0x10000000;  // physical address of the memory's first byte
const int UNITS = 4;
enum Fault { NONE, READ, WRITE, HANG };
enum Response { OKAY = 0, SLVERR = 2, DECERR = 3 };

struct Burst {
  uint64_t address;
  int beats;
  uint64_t ready;  // cycle of the first beat, or of the answer
  int response;
};

// One command, as rtl.py reads it.
struct Step {
  uint64_t unit, number, start, end, busy;
};

struct Random {
  uint64_t state;
  uint32_t next() {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return uint32_t(state >> 32);
  }
  bool chance(int percent) { return percent && int(next() % 100) < percent; }
};

struct Rtl {
  VerilatedContext context;
  Vengine* top;
  uint8_t* memory;
  uint64_t bytes;
  int latency, stalls;
  size_t bursts;  // most that the memory accepts in each direction before it answers
  double share;
  Random random;

  uint64_t cycles = 0;
  double credit = 0;  // beats that memory may deliver now
  bool write_turn = false;
  std::deque<Burst> reads, writes, answers;
  int read_beat = 0, write_beat = 0, write_response = OKAY;
  bool r_held = false;
  bool aw_early =
      false;  // the last of `writes` or `answers` is a burst with an address not accepted
  Fault fault = NONE;
  uint64_t fault_address = 0;
  bool fault_anywhere = false;
  bool frozen = false;  // memory does not answer

  bool ar_held = false, aw_held = false, w_held = false;
  uint64_t ar_before = 0, aw_before = 0;
  uint8_t w_before[BUS_BYTES + 1];
  std::string problem;  // what the engine did against AXI

  std::vector<Step> trace;
  std::deque<size_t> running[UNITS];

  Rtl(uint8_t* memory, uint64_t bytes, int latency, double share, int stalls, int bursts,
      uint64_t seed)
      : memory(memory),
        bytes(bytes),
        latency(latency),
        stalls(stalls),
        bursts(bursts),
        share(share) {
    random.state = seed * 0x9E3779B97F4A7C15ull + 0x1234567ull;
    context.randReset(2);  // what no reset sets starts with anything
    context.randSeed(int(seed % 0x7FFFFFFF) + 1);
    top = new Vengine{&context};
    top->clk = 0;
    top->s_axil_awvalid = top->s_axil_wvalid = top->s_axil_arvalid = 0;
    top->s_axil_awprot = top->s_axil_arprot = 0;
    top->s_axil_bready = top->s_axil_rready = 1;
    reset();
  }

  ~Rtl() {
    Verilated::threadContextp(&context);  // else the one used last, which may be gone
    top->final();
    delete top;
    Verilated::threadContextp(Verilated::defaultContextp());
  }

  // As loading the overlay again: the engine and what was in flight are gone, memory stays.
  void reset() {
    reads.clear(), writes.clear(), answers.clear();
    read_beat = write_beat = 0;
    r_held = ar_held = aw_held = w_held = aw_early = false;
    for (auto& queue : running) queue.clear();
    top->rst = 1;
    for (int i = 0; i < 8; i++) cycle(true);
    top->rst = 0;
    cycle();
  }

  void wrong(const char* what, uint64_t address) {
    if (!problem.empty()) return;
    char text[160];
    snprintf(text, sizeof text, "%s (address 0x%llx, cycle %llu)", what,
             (unsigned long long)address, (unsigned long long)cycles);
    problem = text;
  }

  bool inside(uint64_t address) const {
    return address >= BASE && address - BASE + BUS_BYTES <= bytes;
  }

  bool hit(Fault kind, uint64_t address, uint64_t count) {
    if (fault != kind) return false;
    return fault_anywhere || (fault_address >= address && fault_address < address + count);
  }

  void check_burst(const char* name, uint64_t address, int len, int size, int kind) {
    std::string which(name);
    if (len > 15) wrong((which + ": more than 16 beats").c_str(), address);
    if (1 << size != BUS_BYTES || kind != 1) wrong((which + ": size or kind").c_str(), address);
    if (address % BUS_BYTES) wrong((which + ": unaligned").c_str(), address);
    if ((address & 4095) + (len + 1) * BUS_BYTES > 4096)
      wrong((which + ": crosses 4 KiB").c_str(), address);
  }

  // What memory drives in this cycle.
  void drive() {
    credit = credit + share < 2 ? credit + share : 2;
    top->m_axi_arready = reads.size() < bursts && !random.chance(stalls);
    top->m_axi_awready =
        writes.size() + answers.size() - aw_early < bursts && !random.chance(stalls);
    top->s_axil_bready = !random.chance(stalls);

    bool read = !frozen && !reads.empty() && reads.front().ready <= cycles;
    bool write = !frozen && !writes.empty() && top->m_axi_wvalid;
    if (!r_held) {
      top->m_axi_rvalid = 0;
      if (read && credit >= 1 && !(write && write_turn) && !random.chance(stalls)) {
        present();
        credit -= 1;
        r_held = true;
      }
    }
    top->m_axi_wready = 0;
    if (!frozen && !writes.empty() && credit >= 1 && !random.chance(stalls)) top->m_axi_wready = 1;
    write_turn = !write_turn;

    bool accepted = !aw_early || writes.size() + answers.size() > 1;
    if (!top->m_axi_bvalid && !frozen && !answers.empty() && answers.front().ready <= cycles &&
        accepted && !random.chance(stalls)) {
      top->m_axi_bvalid = 1;
      top->m_axi_bresp = answers.front().response;
    }
  }

  void present() {
    Burst& burst = reads.front();
    uint64_t address = burst.address + uint64_t(read_beat) * BUS_BYTES;
    top->m_axi_rvalid = 1;
    top->m_axi_rlast = read_beat + 1 == burst.beats;
    top->m_axi_rresp = OKAY;
    if (inside(address)) {
      memcpy(&top->m_axi_rdata, memory + (address - BASE), BUS_BYTES);
    } else {
      memset(&top->m_axi_rdata, 0xAD, BUS_BYTES);
      top->m_axi_rresp = DECERR;
    }
    if (hit(READ, address, BUS_BYTES)) top->m_axi_rresp = SLVERR;
  }

  // What was agreed on in this cycle, seen before the clock's edge.
  void take() {
    uint64_t ar = uint64_t(top->m_axi_araddr) << 8 | top->m_axi_arlen;
    uint64_t aw = uint64_t(top->m_axi_awaddr) << 8 | top->m_axi_awlen;
    if (ar_held && (!top->m_axi_arvalid || ar != ar_before)) wrong("AR changed", ar >> 8);
    if (aw_held && (!top->m_axi_awvalid || aw != aw_before)) wrong("AW changed", aw >> 8);
    ar_held = top->m_axi_arvalid && !top->m_axi_arready, ar_before = ar;
    aw_held = top->m_axi_awvalid && !top->m_axi_awready, aw_before = aw;
    uint8_t w[BUS_BYTES + 1];
    memcpy(w, &top->m_axi_wdata, BUS_BYTES);
    w[BUS_BYTES] = top->m_axi_wlast;
    if (w_held && (!top->m_axi_wvalid || memcmp(w, w_before, sizeof w))) wrong("W changed", 0);
    w_held = top->m_axi_wvalid && !top->m_axi_wready;
    memcpy(w_before, w, sizeof w);

    if (top->m_axi_arvalid && top->m_axi_arready) {
      check_burst("AR", top->m_axi_araddr, top->m_axi_arlen, top->m_axi_arsize, top->m_axi_arburst);
      reads.push_back({top->m_axi_araddr, top->m_axi_arlen + 1, cycles + latency, OKAY});
    }
    if (top->m_axi_rvalid && top->m_axi_rready) {
      r_held = false;
      if (++read_beat == reads.front().beats) reads.pop_front(), read_beat = 0;
    }
    if (top->m_axi_wvalid && top->m_axi_wready) take_word();
    if (top->m_axi_awvalid && (top->m_axi_awready || stalls)) {
      if (!aw_early) {
        check_burst("AW", top->m_axi_awaddr, top->m_axi_awlen, top->m_axi_awsize,
                    top->m_axi_awburst);
        writes.push_back({top->m_axi_awaddr, top->m_axi_awlen + 1, 0, OKAY});
      }
      aw_early = !top->m_axi_awready;
    }
    if (top->m_axi_bvalid && top->m_axi_bready) answers.pop_front();
  }

  void take_word() {
    Burst& burst = writes.front();
    uint64_t address = burst.address + uint64_t(write_beat) * BUS_BYTES;
    credit -= 1;
    const uint8_t* data = reinterpret_cast<const uint8_t*>(&top->m_axi_wdata);
    if (hit(WRITE, address, BUS_BYTES)) {
      burst.response = SLVERR;
    } else if (!inside(address)) {
      burst.response = DECERR;
    } else {
      for (int i = 0; i < BUS_BYTES; i++)
        if (top->m_axi_wstrb >> i & 1) memory[address - BASE + i] = data[i];
    }
    bool last = ++write_beat == burst.beats;
    if (last != bool(top->m_axi_wlast)) wrong("WLAST", address);
    if (last) {
      answers.push_back({burst.address, burst.beats, cycles + latency, burst.response});
      writes.pop_front();
      write_beat = 0;
    }
  }

  // Commands that start and end, and what the array does.
  void watch() {
    auto* root = top->rootp;
    int starts = root->hp_engine__DOT__cmd_valid & root->hp_engine__DOT__cmd_ready;
    int ends = root->hp_engine__DOT__ended;
    if (!running[2].empty()) trace[running[2].front()].busy += root->hp_engine__DOT__array_busy;
    if (!(starts | ends)) return;
    for (int unit = 0; unit < UNITS; unit++) {
      if (ends >> unit & 1 && !running[unit].empty()) {
        trace[running[unit].front()].end = cycles;
        running[unit].pop_front();
      }
      if (starts >> unit & 1) {
        running[unit].push_back(trace.size());
        uint64_t number = root->hp_engine__DOT__cmd_number >> (16 * unit) & 0xFFFF;
        trace.push_back({uint64_t(unit), number, cycles, 0, 0});
      }
    }
  }

  // To the second half of a cycle, where the clock is low. Where the engine is there already, only its
  // inputs are new.
  void second_half() {
    top->clk = 0;
    top->eval();
  }

  void cycle(bool resetting = false) {
    drive();
    second_half();
    if (!resetting) {
      take();
      watch();
    }
    bool answered = top->m_axi_bvalid && top->m_axi_bready;
    top->clk = 1;
    top->eval();
    if (answered || resetting) top->m_axi_bvalid = 0;
    if (resetting) top->m_axi_rvalid = 0, r_held = false;
    cycles++;
  }

  void write(uint32_t offset, uint32_t value, uint32_t strobes) {
    top->s_axil_awaddr = offset;
    top->s_axil_wdata = value;
    top->s_axil_wstrb = strobes;
    const int address_at = stalls ? random.next() % 4 : 0, data_at = stalls ? random.next() % 4 : 0;
    bool address = false, data = false;
    for (int i = 0; i < 64 && !(address && data); i++) {
      top->s_axil_awvalid = !address && i >= address_at;
      top->s_axil_wvalid = !data && i >= data_at;
      second_half();
      address |= top->s_axil_awvalid && top->s_axil_awready;
      data |= top->s_axil_wvalid && top->s_axil_wready;
      cycle();
    }
    top->s_axil_awvalid = top->s_axil_wvalid = 0;
    if (!address || !data) wrong("register write not taken", offset);
    for (int i = 0; i < 3; i++) cycle();  // the answer, and what a start needs to be seen
  }

  uint32_t read(uint32_t offset) {
    top->s_axil_araddr = offset;
    top->s_axil_arvalid = 1;
    uint32_t value = 0;
    bool got = false;
    for (int i = 0; i < 64 && !got; i++) {
      top->s_axil_rready = !random.chance(stalls);
      second_half();
      bool a = top->s_axil_arvalid && top->s_axil_arready;
      if (top->s_axil_rvalid && top->s_axil_rready) got = true, value = top->s_axil_rdata;
      cycle();
      if (a) top->s_axil_arvalid = 0;
    }
    if (!got) wrong("register read not answered", offset);
    return value;
  }

  bool run(uint64_t limit) {
    for (uint64_t i = 0; i < limit; i++) {
      if (!top->rootp->hp_engine__DOT__busy) return true;
      cycle();
    }
    return !top->rootp->hp_engine__DOT__busy;
  }
};

}  // namespace

extern "C" {
void* rtl_new(uint8_t* memory, uint64_t bytes, int latency, double share, int stalls, int bursts,
              uint64_t seed) {
  return new Rtl(memory, bytes, latency, share, stalls, bursts, seed);
}
void rtl_free(void* rtl) { delete static_cast<Rtl*>(rtl); }
void rtl_reset(void* rtl) { static_cast<Rtl*>(rtl)->reset(); }
void rtl_write(void* rtl, uint32_t offset, uint32_t value, uint32_t strobes) {
  static_cast<Rtl*>(rtl)->write(offset, value, strobes);
}
uint32_t rtl_read(void* rtl, uint32_t offset) { return static_cast<Rtl*>(rtl)->read(offset); }
int rtl_run(void* rtl, uint64_t limit) { return static_cast<Rtl*>(rtl)->run(limit); }
uint64_t rtl_cycles(void* rtl) { return static_cast<Rtl*>(rtl)->cycles; }
const char* rtl_problem(void* rtl) { return static_cast<Rtl*>(rtl)->problem.c_str(); }
void rtl_fault(void* rtl, int kind, uint64_t address, int anywhere) {
  Rtl* self = static_cast<Rtl*>(rtl);
  self->frozen = kind == HANG;
  self->fault = static_cast<Fault>(kind);
  self->fault_address = address;
  self->fault_anywhere = anywhere;
}
uint64_t rtl_trace(void* rtl, const uint64_t** steps) {
  Rtl* self = static_cast<Rtl*>(rtl);
  *steps = reinterpret_cast<const uint64_t*>(self->trace.data());
  return self->trace.size();
}
void rtl_forget(void* rtl) {
  Rtl* self = static_cast<Rtl*>(rtl);
  self->trace.clear();
  for (auto& queue : self->running) queue.clear();
}
}
