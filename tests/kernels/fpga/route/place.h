// Places the blocks of a design on the sites of a fabric by timing-driven simulated annealing.
// Cooling and range of moves follow VPR (Betz and Rose, 1997; Marquardt, Betz and Rose, 2000).
#pragma once
#include <cstdio>
#include <random>

#include "design.h"
#include "fabric.h"

const float LUT_PIN_NS = .12f;  // usual delay from a slice's input to the table, by Project X-Ray
const float PIN_NS = .1f;  // the usual input lies farther than a tile's nearest
const size_t WIDE_NET = 50;  // blocks; of larger nets only the connections' delays count
const double EXPONENT = 8, LAST_EXPONENT = 12;  // of a path's share in its limit, 1 at first
const float LEAST_SHARE = .01f;
const int EIGHTHS_DRAWN = 2, LAST_EIGHTHS = 4;  // of the moves: towards connected blocks
const double COLD = 1e-13;  // no move that worsens the cost is made
const double TIMING_SHARE = .6;  // of the cost; the rest is wire length

class Placer {
public:
    std::vector<int> site, slot;  // of each block
    std::vector<float> delay;  // of each connection, estimated

    Placer(const Fabric& fabric, const Distances& distances, const Design& of, unsigned seed)
        : chip(fabric), table(distances), design(of), timing(of), random(seed) {
        site.assign(design.blocks.size(), -1), slot.assign(design.blocks.size(), 0);
        delay.resize(design.connections.size());
        holder.assign(chip.sites.size() * 4, -1);
        nets_of.resize(design.blocks.size()), connections_of.resize(design.blocks.size());
        blocks_of.resize(design.nets.size()), length.resize(design.nets.size());
        net_seen.resize(design.nets.size()), connection_seen.resize(design.connections.size());
        index_blocks();
        start();
    }

    // Returns the least period in ns. Effort is a factor on the number of moves.
    float place(double effort) {
        const long moves = long(effort * .2 * std::pow(design.blocks.size(), 4. / 3));
        update(1);
        double heat = 0, range = chip.width(), exponent = 1;
        for (int i = 0; i < 2000;)
            if (propose(range)) heat += std::abs(try_moves(NEVER)) / 1000, i++;
        for (int round = 0; round < 200; round++) {
            update(exponent);
            double share = anneal(moves, range, heat);
            if (round % 8 == 0) say("round", round, share);
            range = std::clamp(range * (.56 + share), 1., double(chip.width()));
            exponent = EXPONENT - (EXPONENT - 1) * (range - 1) / chip.width();
            heat *= share > .96 ? .5 : share > .8 ? .9 : share > .15 || range > 1.01 ? .94 : .8;
            if (range <= 1.01 && share < .08) break;
        }
        drawn = LAST_EIGHTHS;
        polish(moves);
        return period;
    }

private:
    struct Move {
        int block, site, slot;
    };
    struct Change {
        int connection;
        float ns, cost;
    };

    const Fabric& chip;
    const Distances& table;
    const Design& design;
    Timing timing;
    std::mt19937_64 random;
    float period = 0;
    std::vector<int> holder;  // block in each slot, four of each site, or -1
    std::vector<std::vector<int>> nets_of, connections_of, blocks_of;
    std::vector<Pin> sources, sinks;  // of each net and connection
    std::vector<float> length, cost;  // of each net, of each connection
    double total_length = 0, total_cost = 0, power = 1;
    std::vector<long> net_seen, connection_seen;
    long trial = 0;
    std::vector<Move> moves, before;
    std::vector<std::pair<int, float>> new_lengths;
    std::vector<Change> new_delays;
    std::vector<size_t> fan_out;  // of each net, blocks
    int drawn = EIGHTHS_DRAWN;
    std::vector<int> stack[2];
    std::vector<int> chosen;  // blocks to move; empty: all

    int number(int below) { return int(random() % unsigned(below)); }
    double fraction() { return double(random() >> 11) / 9007199254740992.; }
    void say(const char* what, int count, double share) {
        std::fprintf(stderr, "%s %d: %.2f ns, wire %.0f, accepted %.2f\n", what, count, period,
                     total_length, share);
    }

    // Row and delay of a fixed pin within DSPs and block RAMs, the same on both sides of a column.
    Pin fixed_pin(int block, const std::string& name) const {
        int type = design.blocks[block].type;
        Site any = {0, 0, 0, type == DSP_BLOCK ? DSP : BRAM, false};
        const Pin* found = type < DSP_BLOCK ? nullptr : chip.pin(any, name);
        return found ? *found : Pin{0, 0, 0};
    }

    void index_blocks() {
        fan_out.assign(design.nets.size(), 1);
        for (const Net& net : design.nets) sources.push_back(fixed_pin(net.block, net.pin));
        for (size_t i = 0; i < design.connections.size(); i++) {
            const Connection& one = design.connections[i];
            int source = design.nets[one.net].block;
            sinks.push_back(fixed_pin(one.block, one.pin.substr(1)));
            connections_of[one.block].push_back(int(i));
            if (source == one.block) continue;
            connections_of[source].push_back(int(i));
            blocks_of[one.net].push_back(one.block);
        }
        for (size_t i = 0; i < blocks_of.size(); i++) {
            auto& blocks = blocks_of[i];
            if (blocks.empty()) continue;
            blocks.push_back(design.nets[i].block);
            std::sort(blocks.begin(), blocks.end());
            blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
            fan_out[i] = blocks.size() - 1;
            if (blocks.size() > WIDE_NET) blocks.clear();
            for (int block : blocks) nets_of[block].push_back(int(i));
        }
    }

    // A legal start: long chains, whole slices and big blocks, then registers by control set.
    void start() {
        std::vector<std::vector<int>> groups = design.chains;
        std::vector<int> singles[2];
        for (size_t i = 0; i < design.blocks.size(); i++) {
            const Block& block = design.blocks[i];
            if (block.width == 1) singles[block.type].push_back(int(i));
            if (block.width != 1 && block.chain < 0) groups.push_back({int(i)});
        }
        std::stable_sort(groups.begin(), groups.end(), [&](auto& a, auto& b) {
            bool first = a.size() == b.size() && design.blocks[a[0]].type == MEMORY_SLICE;
            return a.size() > b.size() || (first && design.blocks[b[0]].type != MEMORY_SLICE);
        });
        std::vector<int> free(chip.sites.size());
        for (size_t i = 0; i < free.size(); i++) free[i] = int(i);
        std::shuffle(free.begin(), free.end(), random);
        // Sites with LUT memory come last, so that they remain for the blocks that need them.
        std::stable_partition(free.begin(), free.end(),
                              [&](int i) { return !chip.sites[i].memory; });
        for (auto& group : groups) start_group(group, free);
        start_singles(singles[MEMORY_SLICE], free);
        start_singles(singles[SLICE], free);
    }

    bool fits(int block, int at) const {
        const Site& one = chip.sites[at];
        int type = design.blocks[block].type;
        if (type == MEMORY_SLICE) return one.memory;
        return one.kind == (type == SLICE ? CLB : type == DSP_BLOCK ? DSP : BRAM);
    }

    void put(int block, int at, int in) {
        site[block] = at, slot[block] = in;
        for (int i = 0; i < 4; i++)
            if (design.blocks[block].width != 1 || i == in) holder[at * 4 + i] = block;
    }

    void start_group(const std::vector<int>& group, const std::vector<int>& free) {
        for (int first : free) {
            size_t good = 0;
            for (int at = first; good < group.size() && at >= 0; at = chip.above(at), good++)
                if (!fits(group[good], at) || holder[at * 4] >= 0) break;
            if (good < group.size()) continue;
            for (size_t i = 0; i < good; i++, first = chip.above(first)) put(group[i], first, 0);
            return;
        }
        throw std::runtime_error("the design does not fit: no place for a block or a chain");
    }

    void start_singles(std::vector<int>& singles, const std::vector<int>& free) {
        std::stable_sort(singles.begin(), singles.end(), [&](int a, int b) {
            return design.blocks[a].control < design.blocks[b].control;
        });
        size_t next = 0;
        for (int block : singles) {
            int in = -1;
            for (; next < free.size(); next++) {
                const int* held = &holder[free[next] * 4];
                in = int(std::find(held, held + 4, -1) - held);
                if (in == 4 || !fits(block, free[next])) continue;
                if (control_agrees(block, free[next], -1)) break;
            }
            if (next == free.size()) throw std::runtime_error("the design does not fit: slices");
            put(block, free[next], in);
        }
    }

    float estimate(const Connection& one) const {
        const Site& from = chip.sites[site[design.nets[one.net].block]];
        const Site& to = chip.sites[site[one.block]];
        const Pin &out = sources[one.net], &in = sinks[&one - design.connections.data()];
        float pins = PIN_NS + out.delay_ns + (one.lut() ? LUT_PIN_NS : in.delay_ns);
        int rows = to.y + in.row - from.y - out.row;
        return pins + table.usual(chip.columns[from.x].side, to.x - from.x, rows);
    }

    float measure(int net) const {
        int left = chip.width(), right = 0, bottom = chip.rows, top = 0;
        for (int block : blocks_of[net]) {
            const Site& one = chip.sites[site[block]];
            left = std::min(left, one.x), right = std::max(right, one.x);
            bottom = std::min(bottom, one.y), top = std::max(top, one.y);
        }
        float pins = float(blocks_of[net].size());
        return (1 + .02f * pins) * (float(right - left) + .7f * float(top - bottom));
    }

    // Of a delay: its longest path's share in the limit, to a power, were the rest as it is.
    float cost_of(int connection, float ns) const {
        float later = ns - timing.delay[connection];
        float share = timing.criticality[connection] + later / timing.limit_ns[connection];
        return float(std::pow(std::max(LEAST_SHARE, share), power));
    }

    // Timing of the placement, and the costs that follow from it.
    void update(double exponent) {
        for (size_t i = 0; i < delay.size(); i++) delay[i] = estimate(design.connections[i]);
        timing.delay = delay;
        period = timing.period();
        timing.judge(period);
        power = exponent;
        cost.resize(delay.size());
        total_length = total_cost = 0;
        for (size_t i = 0; i < delay.size(); i++) {
            cost[i] = cost_of(int(i), delay[i]);
            total_cost += cost[i];
        }
        for (size_t i = 0; i < length.size(); i++) {
            length[i] = blocks_of[i].empty() ? 0 : measure(int(i));
            total_length += length[i];
        }
    }

    double anneal(long count, double range, double heat) {
        long tried = 0, made = 0;
        for (long i = 0; i < count; i++)
            if (propose(range)) tried++, made += try_moves(heat) < NEVER;
        return double(made) / double(std::max(1L, tried));
    }

    // Returns the change of the cost where the proposed moves were made, else NEVER.
    double try_moves(double heat) {
        before.clear(), new_lengths.clear(), new_delays.clear();
        trial++;
        for (const Move& move : moves) {
            before.push_back({move.block, site[move.block], slot[move.block]});
            site[move.block] = move.site, slot[move.block] = move.slot;
        }
        double longer = 0, later = 0;
        for (const Move& move : moves) {
            for (int net : nets_of[move.block]) {
                if (net_seen[net] == trial) continue;
                net_seen[net] = trial;
                new_lengths.push_back({net, measure(net)});
                longer += new_lengths.back().second - length[net];
            }
            for (int one : connections_of[move.block]) {
                if (connection_seen[one] == trial) continue;
                connection_seen[one] = trial;
                float ns = estimate(design.connections[one]);
                if (ns == delay[one]) continue;
                new_delays.push_back({one, ns, cost_of(one, ns)});
                later += new_delays.back().cost - cost[one];
            }
        }
        double change = TIMING_SHARE * later / total_cost +
                        (1 - TIMING_SHARE) * longer / std::max(1., total_length);
        if (change > 0 && fraction() >= std::exp(-change / heat)) {
            for (const Move& old : before) site[old.block] = old.site, slot[old.block] = old.slot;
            return NEVER;
        }
        for (const Move& old : before)
            for (int i = 0; i < 4; i++)
                if (holder[old.site * 4 + i] == old.block) holder[old.site * 4 + i] = -1;
        for (const Move& move : moves) put(move.block, move.site, move.slot);
        for (auto& one : new_lengths) length[one.first] = one.second;
        for (const Change& one : new_delays)
            delay[one.connection] = one.ns, cost[one.connection] = one.cost;
        return change;
    }

    // The mean place of some blocks that a chain's are connected with, by their costs.
    bool find_middle(const std::vector<int>& chain, int& x, int& y) {
        float sum = 0, sum_x = 0, sum_y = 0;
        for (int i = 0; i < 12; i++) {
            int block = chain[number(int(chain.size()))];
            const auto& list = connections_of[block];
            if (list.empty()) continue;
            int at = list[number(int(list.size()))];
            const Connection& link = design.connections[at];
            bool is_sink = link.block == block;
            int other = is_sink ? design.nets[link.net].block : link.block;
            if (std::count(chain.begin(), chain.end(), other)) continue;
            float much = cost[at] + .03f;
            if (!is_sink) much *= .1f + 1 / float(fan_out[link.net]);
            sum += much, sum_x += much * float(chip.sites[site[other]].x);
            sum_y += much * float(chip.sites[site[other]].y);
        }
        if (sum > 0) x = int(sum_x / sum + .5f), y = int(sum_y / sum + .5f);
        return sum > 0;
    }

    bool propose(double range) {
        moves.clear();
        int block = chosen.empty() ? number(int(site.size())) : chosen[number(int(chosen.size()))];
        const Block& one = design.blocks[block];
        const auto& chain = one.chain < 0 ? std::vector<int>{block} : design.chains[one.chain];
        const Site& from = chip.sites[site[chain[0]]];
        int columns = int(range), rows = std::max(2, 2 * columns), x = from.x, y = from.y;
        if (number(8) < drawn && find_middle(chain, x, y)) {
            columns = rows = 1 + number(4);
            y -= int(chain.size()) / 2;
        }
        if (one.type >= DSP_BLOCK) columns = std::max(columns, 9), rows = std::max(rows, 10);
        for (int attempt = 0; attempt < (one.type >= DSP_BLOCK ? 40 : 1); attempt++) {
            int to_x = x + number(2 * columns + 1) - columns;
            int to_y = y + number(2 * rows + 1) - rows;
            int to = chip.site_at(to_x, one.type >= DSP_BLOCK ? to_y / 5 * 5 : to_y, number(2));
            if (to < 0 || to == site[block] || chip.sites[to].kind != from.kind) continue;
            if (one.width == 1 && number(8)) return propose_slot(block, to);
            return propose_stacks(site[chain[0]], to, int(chain.size()));
        }
        return false;
    }

    bool control_agrees(int block, int at, int without) const {
        int control = design.blocks[block].control;
        for (int i = 0; i < 4 && control >= 0; i++) {
            int other = holder[at * 4 + i];
            if (other < 0 || other == without || design.blocks[other].control < 0) continue;
            if (design.blocks[other].control != control) return false;
        }
        return true;
    }

    bool propose_slot(int block, int to) {
        if (!fits(block, to)) return false;
        for (int i = 0, first = number(4); i < 4; i++) {
            int into = (first + i) % 4, other = holder[to * 4 + into];
            if (other >= 0 && design.blocks[other].width != 1) return false;
            if (!control_agrees(block, to, other)) continue;
            if (other >= 0 && !fits(other, site[block])) continue;
            if (other >= 0 && !control_agrees(other, site[block], block)) continue;
            moves.push_back({block, to, into});
            if (other >= 0) moves.push_back({other, site[block], slot[block]});
            return true;
        }
        return false;
    }

    // Two stacks of sites change places with all that is in them.
    bool propose_stacks(int one, int other, int count) {
        stack[0].clear(), stack[1].clear();
        for (int i = 0; i < count; i++, one = chip.above(one), other = chip.above(other)) {
            if (other < 0) return false;
            stack[0].push_back(one), stack[1].push_back(other);
        }
        for (int at : stack[0])
            if (std::count(stack[1].begin(), stack[1].end(), at)) return false;
        for (int i = 0; i < count; i++)
            if (!take(stack[0], stack[1][i], i) || !take(stack[1], stack[0][i], i)) return false;
        return true;
    }

    // A chain moves only as a whole.
    bool take(const std::vector<int>& from, int to, int level) {
        auto inside = [&](int block) { return std::count(from.begin(), from.end(), site[block]); };
        for (int i = 0; i < 4; i++) {
            int block = holder[from[level] * 4 + i];
            if (block < 0 || (design.blocks[block].width != 1 && i)) continue;
            if (!fits(block, to)) return false;
            if (design.blocks[block].chain >= 0) {
                const auto& chain = design.chains[design.blocks[block].chain];
                if (!inside(chain.front()) || !inside(chain.back())) return false;
            }
            moves.push_back({block, to, i});
        }
        return true;
    }

    // Moves that worsen nothing; most of them move the blocks of the longest paths.
    void polish(long count) {
        const double ranges[] = {30, 10, 3};
        std::vector<int> best_site, best_slot;
        float best = NEVER;
        for (int round = 0; round <= 40; round++) {
            update(LAST_EXPONENT);
            if (period < best) best = period, best_site = site, best_slot = slot;
            if (round % 8 == 0) say("polish", round, 0);
            choose(round % 10 == 9 ? 0 : 80);
            if (chosen.empty())
                anneal(count / 2, 2, COLD);
            else
                anneal(std::min(count / 2, long(chosen.size()) * 2000), ranges[round % 3], COLD);
        }
        site = best_site, slot = best_slot;
        update(1);
    }

    // The blocks of the longest paths, at least so many where there are; none: all.
    void choose(size_t least) {
        chosen.clear();
        for (float share = .98f; chosen.size() < least && share > 0; share -= .02f) {
            chosen.clear();
            for (size_t i = 0; i < delay.size(); i++) {
                if (timing.criticality[i] <= share) continue;
                chosen.push_back(design.connections[i].block);
                chosen.push_back(design.nets[design.connections[i].net].block);
            }
            std::sort(chosen.begin(), chosen.end());
            chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
        }
    }
};
