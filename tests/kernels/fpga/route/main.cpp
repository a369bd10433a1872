// Places and routes a packed netlist on a Xilinx 7-series fabric, and reports its clock as JSON.
//
//     main FABRIC DESIGN SEED [EFFORT]
//
// Both files are text, written by kernels/fpga/design/layout: sections that begin with a letter
// and a count, tokens with blanks between. Times are in ns, resistances in ohm, capacitances in fF.
//
// FABRIC
//   T INT_L n, n wire names, then P n, n x (from, to, delay, ohm): wires and switches of a tile
//     of interconnect; the same for INT_R. Wires are numbered within the tile.
//   C VL n, n x (wire, wire): a wire of an INT_L tile and the one below that it is joined with.
//     VR: the same for INT_R; HLR: INT_L with the INT_R to its right; HRL: INT_R with the INT_L.
//   S tile site n, n x (pin, row, wire, delay): where a site's pins are, in rows above its own.
//   G columns rows, for each column from the left: kind (clb, dsp, bram, none), side (0: INT_L,
//     1: INT_R), whether slice X0 has LUT memory, rows with switches, rows with sites, then fF and
//     ohm of a wire that crosses to the next column, and of a long wire (LH...).
//   H n fF ohm, n x row: a clock row lies below, and a wire that crosses it has this load.
//   V fF ohm: load of a long wire (LV...) for each row.
// DESIGN
//   B n, n x (type, width, control): type 0 slice, 1 slice with LUT memory, 2 DSP, 3 block RAM;
//     width 1 LUT and register, 4 slice, 0 others; control: which set of clock, enable and reset,
//     or -1. Blocks of width 1 share a slice where their sets agree.
//   M n, n x (length, blocks): chains, each block's site on top of the one before.
//   N n, n x (block, pin, name): nets and their drivers. @ in a pin stands for the slot's letter.
//   C n, n x (net, block, pin): connections. L0..L3: any input of that LUT, L@: of the own slot's;
//     F0..F3: any of the first five, as both outputs are in use; =PIN: that pin.
//   E n, n x (net, connection, net, delay): logic; connection -1: inside of a block.
//   X n, n x (net, connection, setup, clock, name): ends of paths; clock 1 is the fast one.
//   S n, n x (net, clock to output, clock): starts of paths.
//
// Not in the model: skew and jitter of the clocks, hold times, constants, the chip's own ports.
#include <chrono>
#include <cstdio>
#include <exception>
#include <set>

#include "design.h"
#include "fabric.h"
#include "place.h"
#include "route.h"

namespace {

const size_t LISTED = 20;  // paths in the report
const int ROUNDS = 60;  // of the router at most

double seconds() {
    auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

std::string without_digits(const std::string& text) {
    std::string out;
    for (char c : text)
        if (c < '0' || c > '9') out += c;
    return out;
}

// The longest paths, one of each bus: names that differ in digits alone count once.
void print_paths(const Design& design, const Timing& timing) {
    std::vector<Path> paths = timing.paths();
    auto period = [](const Path& path) { return path.half ? 2 * path.delay_ns : path.delay_ns; };
    std::stable_sort(paths.begin(), paths.end(),
                     [&](const Path& a, const Path& b) { return period(a) > period(b); });
    std::set<std::string> seen;
    for (const Path& path : paths) {
        const std::string& start = design.nets[timing.start_of(path)].name;
        const std::string& end = design.ends[path.end].name;
        if (!seen.insert(without_digits(start) + " " + without_digits(end)).second) continue;
        std::printf("%s\n  {\"start\": %s, \"end\": %s, \"ns\": %.3f, \"limit\": \"%s\"}",
                    seen.size() > 1 ? "," : "", quoted(start).c_str(), quoted(end).c_str(),
                    path.delay_ns, path.half ? "half" : "period");
        if (seen.size() == LISTED) break;
    }
}

void run(const std::string& fabric_path, const std::string& design_path, unsigned seed,
         double effort) {
    Fabric fabric(fabric_path);
    Design design(design_path);
    Distances distances(fabric);
    double start = seconds();
    Placer placer(fabric, distances, design, seed);
    float placed = placer.place(effort);
    double between = seconds();
    Router router(fabric, distances, design, placer);
    float routed = router.route(ROUNDS);
    std::printf("{\"seed\": %u, \"placed_ns\": %.3f, \"routed_ns\": %.3f,", seed, placed, routed);
    std::printf(" \"half_ns\": %.3f,\n", router.timing.half_ns);
    std::printf(" \"shared_wires\": %d, \"wires\": %ld, \"unrouted\": %d,\n", router.shared,
                router.wires, router.unrouted);
    std::printf(" \"place_s\": %.1f, \"route_s\": %.1f,\n \"paths\": [", between - start,
                seconds() - between);
    print_paths(design, router.timing);
    std::printf("]}\n");
}

}  // namespace

int main(int count, char** words) {
    if (count < 4) {
        std::fprintf(stderr, "main FABRIC DESIGN SEED [EFFORT]\n");
        return 1;
    }
    try {
        run(words[1], words[2], unsigned(std::atoi(words[3])), count > 4 ? std::atof(words[4]) : 1);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
