// Routes the nets of a placed design: negotiation as in PathFinder (McMurchie and Ebeling, 1995),
// A* search with the least delays by distance.
#pragma once
#include <cstdio>
#include <stdexcept>

#include "design.h"
#include "fabric.h"
#include "place.h"

const float DEARER = 1.4f;  // growth of the price of a shared wire, each round
const float CALM = .3f, URGENT = .97f;  // least and greatest share of delay in a wire's cost
const float GRUDGE = .35f;  // growth of a shared wire's price for ever, each round
const int REFINED = 18;  // rounds in which the longest paths are routed again
// Factor on the least delay of what is left: nearly the best way, sooner. CALM_GREED is for what
// a wire costs beyond its delay.
const float GREED = 1.2f, CALM_GREED = .5f;
const float LITTLE_SLACK = .07f;  // share of the period; such paths are routed again
const float WIRE_NS = .06f;  // cost of a wire beyond its delay, so that short ways win
// Tiles around source and pin where a way is looked for first, and rounds that add one to them.
const int MARGIN = 3, MARGIN_ROWS = 5, ROUNDS_WIDER = 3;
const float DRIVER_OHM = 1450;  // of a site's output, as of a usual switch

class Router {
public:
    int shared = 0, unrouted = 0;  // wires with more than one net; connections without a way
    long wires = 0;
    Timing timing;

    Router(const Fabric& fabric, const Distances& distances, const Design& of, const Placer& placer)
        : timing(of), chip(fabric), table(distances), design(of), places(placer) {
        timing.delay = placer.delay;
        trees.resize(design.nets.size()), sinks.resize(design.nets.size());
        targets.resize(design.connections.size()), source_ns.resize(design.nets.size());
        wire.resize(chip.nodes());
        for (size_t i = 0; i < design.connections.size(); i++) find_pins(int(i));
    }

    // Returns the least period in ns. Nets give way to others until no wire is shared. Paths are
    // judged by the least period so far: by a longer one, all would be let grow as long.
    float route(int rounds) {
        float period = timing.period(), goal = period, best_period = NEVER;
        int best_shared = chip.nodes() + 1;
        std::vector<float> best_delay;
        for (round = 0; round < rounds && (best_shared || round < REFINED); round++) {
            long again = 0;
            timing.judge(goal = std::min(goal, period));
            for (auto& [relaxed, net] : by_urgency()) {
                if (!round || is_longest(relaxed) || is_shared(net)) route_net(net), again++;
            }
            measure();
            period = timing.period();
            std::fprintf(stderr, "route %d: %ld nets, %d shared, %.2f ns\n", round, again, shared,
                         period);
            price = std::min(60.f, price * DEARER);
            if (std::pair(shared, period) >= std::pair(best_shared, best_period)) continue;
            best_shared = shared, best_period = period, best_delay = timing.delay;
            best_unrouted = unrouted, best_wires = wires;
        }
        shared = best_shared, unrouted = best_unrouted, wires = best_wires;
        timing.delay = best_delay;
        return timing.period();
    }

private:
    struct Branch {  // a wire of a net's tree, and the switch that drives it
        int node, parent, tile, number;
        float delay_ns;
    };
    struct Reached {  // what the search knows of a wire
        float cost = NEVER, rest = 0, delay_ns = 0;  // rest: guess of what is left
        int before = -1, tile = 0, number = 0;
    };
    struct Wire {
        Reached best;
        float history = 0;  // how often it was shared
        int uses = 0;  // nets on it
        int branch = -1;  // its number in the tree of the net in hand
    };
    struct Target {
        int node, row;
        float delay_ns;
    };

    const Fabric& chip;
    const Distances& table;
    const Design& design;
    const Placer& places;
    std::vector<std::vector<Branch>> trees;
    std::vector<std::vector<int>> sinks;  // connections of each net that need wires
    std::vector<std::vector<Target>> targets;
    std::vector<float> source_ns;  // of each net's output pin
    std::vector<Wire> wire;  // of each node
    std::vector<int> touched;
    int round = 0, left = 0, right = 0, bottom = 0, top = 0;  // the box of the connection in hand
    int best_unrouted = 0;
    long best_wires = 0;
    float price = .5f;  // of a wire that another net has

    const Site& site_of(int block) const { return chip.sites[places.site[block]]; }

    // A pin of a block, and its node.
    Target find(int block, std::string name) const {
        if (name[0] == '@') name[0] = "ABCD"[places.slot[block]];
        const Site& site = site_of(block);
        const Pin* pin = chip.pin(site, name);
        int node = pin ? chip.node_at(site.x, site.y + pin->row, pin->wire) : -1;
        if (node < 0)
            throw std::runtime_error("block " + std::to_string(block) + " has no pin " + name);
        return {node, site.y + pin->row, pin->delay_ns};
    }

    void find_pins(int number) {
        const Connection& one = design.connections[number];
        std::string name = one.pin.substr(1);
        if (one.lut() && name != "@") name = "ABCD"[name[0] & 3];
        for (int i = 1; i <= (one.pin[0] == 'F' ? 5 : 6) && one.lut(); i++)
            targets[number].push_back(find(one.block, name + std::to_string(i)));
        if (!one.lut()) targets[number].push_back(find(one.block, name));
        const Net& net = design.nets[one.net];
        Target source = find(net.block, net.pin);
        sinks[one.net].push_back(number);
        trees[one.net] = {{source.node, -1, chip.members[source.node][0].tile, 0, source.delay_ns}};
        source_ns[one.net] = source.delay_ns;
        wire[source.node].uses = 1;
    }

    // Each net after those with longer paths: 1 - its greatest criticality, its number.
    std::vector<std::pair<float, int>> by_urgency() const {
        std::vector<std::pair<float, int>> order;
        for (size_t i = 0; i < design.nets.size(); i++) order.push_back({1, int(i)});
        for (size_t i = 0; i < targets.size(); i++) {
            float& relaxed = order[design.connections[i].net].first;
            relaxed = std::min(relaxed, 1 - timing.criticality[i]);
        }
        std::sort(order.begin(), order.end());
        return order;
    }

    bool is_shared(int net) const {
        for (const Branch& branch : trees[net])
            if (wire[branch.node].uses > 1) return true;
        return false;
    }

    // Ways keep their wires, but those that are shared and those of the longest paths.
    void route_net(int net) {
        auto& tree = trees[net];
        if (tree.empty()) return;
        std::vector<int> list = prune(net);
        size_t kept = tree.size();
        std::stable_sort(list.begin(), list.end(), [&](int a, int b) {
            return timing.criticality[a] > timing.criticality[b];
        });
        for (int connection : list)
            if (!search(net, connection, round / ROUNDS_WIDER))
                search(net, connection, chip.width() + chip.rows);
        for (size_t i = kept; i < tree.size(); i++) wire[tree[i].node].uses++;
        for (const Branch& branch : tree) wire[branch.node].branch = -1;
    }

    bool is_longest(float relaxed) const { return round < REFINED && relaxed < LITTLE_SLACK; }

    // Takes the wires from a net that no way of it keeps; returns the connections without a way.
    std::vector<int> prune(int net) {
        auto& tree = trees[net];
        std::vector<int> open, moved(tree.size(), -1);  // moved: where a branch goes; -1: away
        for (size_t i = 0; i < tree.size(); i++) wire[tree[i].node].branch = int(i);
        for (int connection : sinks[net]) {
            int last = -1;
            for (const Target& end : targets[connection])
                last = std::max(last, wire[end.node].branch);
            bool keeps = last >= 0 && !is_longest(1 - timing.criticality[connection]);
            for (int i = last; i > 0 && keeps; i = tree[i].parent)
                keeps = wire[tree[i].node].uses == 1;
            if (!keeps) open.push_back(connection);
            for (int i = last; i > 0 && keeps && moved[i] < 0; i = tree[i].parent) moved[i] = 0;
        }
        size_t count = 0;
        for (size_t i = 0; i < tree.size(); i++) {
            Wire& there = wire[tree[i].node];
            if (i && moved[i] < 0) {
                there.uses--, there.branch = -1;
                continue;
            }
            moved[i] = there.branch = int(count);
            if (i) tree[i].parent = moved[tree[i].parent];
            tree[count++] = tree[i];
        }
        tree.resize(count);
        return open;
    }

    Reached& touch(int node) {
        if (wire[node].best.before == -1) touched.push_back(node);
        return wire[node].best;
    }

    // Adds the cheapest way from a net's tree to a connection's pin, inside a box that is `more`
    // tiles wider than usual; returns whether there is one.
    bool search(int net, int connection, int more) {
        auto& tree = trees[net];
        const auto& ends = targets[connection];
        int x = site_of(design.connections[connection].block).x, y = ends[0].row;
        float urgency = std::clamp(timing.criticality[connection], CALM, URGENT);
        set_box(tree[0].tile, x, y, more);
        Heap heap;
        for (size_t i = 0; i < tree.size(); i++) {
            const Branch& branch = tree[i];
            if (!is_inside(branch.tile)) continue;
            float cost = urgency * branch.delay_ns;
            float rest = greed(urgency) * table.bound(branch.node, x, y);
            touch(branch.node) = {cost, rest, branch.delay_ns, -2 - int(i)};
            heap.push({cost + rest, branch.node});
        }
        int found = -1;
        while (!heap.empty() && found < 0) {
            auto [guess, node] = heap.top();
            heap.pop();
            for (const Target& end : ends)
                if (end.node == node) found = node;
            if (found < 0) spread(node, guess, urgency, x, y, ends, heap);
        }
        if (found >= 0) add_way(net, found);
        for (int node : touched) wire[node].best = Reached();
        touched.clear();
        return found >= 0;
    }

    float greed(float urgency) const { return GREED + CALM_GREED * (1 - urgency); }

    void set_box(int tile, int x, int y, int more) {
        int column = tile / chip.rows, row = tile % chip.rows;
        left = std::min(column, x) - MARGIN - more, right = std::max(column, x) + MARGIN + more;
        bottom = std::min(row, y) - MARGIN_ROWS - more, top = std::max(row, y) + MARGIN_ROWS + more;
    }

    bool is_inside(int tile) const {
        int x = tile / chip.rows, y = tile % chip.rows;
        return left <= x && x <= right && bottom <= y && y <= top;
    }

    void spread(int node, float guess, float urgency, int x, int y,
                const std::vector<Target>& ends, Heap& heap) {
        const Reached from = wire[node].best;
        if (guess > from.cost + from.rest + 1e-4f) return;  // a dearer, older entry
        for (const Member& member : chip.members[node]) {
            if (!is_inside(member.tile)) continue;
            const TileType& type = chip.type(member.tile);
            for (int number : type.out[member.wire]) {
                const Switch& one = type.switches[number];
                int next = chip.node[member.tile * chip.wires + one.to];
                const Wire& there = wire[next];
                float delay = chip.delay(one, next);
                float paid = (WIRE_NS + delay) * (1 + there.history);
                if (there.uses) paid *= 1 + price * float(there.uses);
                float cost = from.cost + urgency * delay + (1 - urgency) * paid;
                if (cost >= there.best.cost || there.branch >= 0) continue;
                float rest = there.best.cost < NEVER ? there.best.rest : NEVER;
                for (const Target& end : ends)
                    if (end.node == next) rest = 0, cost += urgency * end.delay_ns;
                if (rest >= NEVER) rest = greed(urgency) * table.bound(next, x, y);
                if (rest >= NEVER || cost >= there.best.cost) continue;
                touch(next) = {cost, rest, from.delay_ns + delay, node, member.tile, number};
                heap.push({cost + rest, next});
            }
        }
    }

    void add_way(int net, int found) {
        auto& tree = trees[net];
        std::vector<int> way;
        int node = found;
        for (; wire[node].best.before >= 0; node = wire[node].best.before) way.push_back(node);
        int parent = -2 - wire[node].best.before;
        for (size_t i = way.size(); i--;) {
            const Reached& one = wire[way[i]].best;
            tree.push_back({way[i], parent, one.tile, one.number, one.delay_ns});
            parent = int(tree.size()) - 1;
            wire[way[i]].branch = parent;
        }
    }

    // Delays of all trees with the load of every branch (Elmore), and the wires that nets share.
    void measure() {
        std::vector<float> at(chip.nodes(), -1);  // of the net in hand
        wires = shared = unrouted = 0;
        for (size_t net = 0; net < trees.size(); net++) {
            auto& tree = trees[net];
            wires += long(tree.size());
            std::vector<int> branches(tree.size());
            for (size_t i = 1; i < tree.size(); i++) branches[tree[i].parent]++;
            for (size_t i = 0; i < tree.size(); i++) {
                Branch& one = tree[i];
                float load = SWITCH_FF * float(std::max(1, branches[i]));
                one.delay_ns = source_ns[net] + 1e-6f * DRIVER_OHM * load;
                if (i) {
                    const Switch& through = chip.type(one.tile).switches[one.number];
                    one.delay_ns = tree[one.parent].delay_ns + chip.delay(through, one.node, load);
                }
                at[one.node] = one.delay_ns;
            }
            for (int connection : sinks[net]) {
                bool reached = false;
                for (const Target& end : targets[connection]) {
                    if (at[end.node] < 0) continue;
                    timing.delay[connection] = at[end.node] + end.delay_ns;
                    reached = true;
                }
                unrouted += !reached;
            }
            for (const Branch& one : tree) at[one.node] = -1;
        }
        for (int node = 0; node < chip.nodes(); node++) {
            shared += wire[node].uses > 1;
            if (wire[node].uses > 1) wire[node].history += GRUDGE * float(wire[node].uses - 1);
        }
    }
};
