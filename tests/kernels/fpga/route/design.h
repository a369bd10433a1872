// The packed netlist from the design text, and its static timing.
#pragma once
#include "fabric.h"

enum BlockType { SLICE, MEMORY_SLICE, DSP_BLOCK, RAM_BLOCK };

struct Block {
    int type, width, control;  // width 1: a LUT and its register, 4: a slice, 0: DSP or block RAM
    int chain = -1;
};

struct Net {
    int block;
    std::string pin, name;
};

struct Connection {
    int net, block;
    std::string pin;
    bool lut() const { return pin[0] == 'L' || pin[0] == 'F'; }
};

struct Edge {  // logic between two nets, through a connection or, with -1, inside of a block
    int from, connection, to;
    float delay_ns;
};

struct End {
    int net, connection;
    float setup_ns;
    bool fast;
    std::string name;
};

struct Start {
    int net;
    float delay_ns;
    bool fast;
};

struct Design {
    std::vector<Block> blocks;
    std::vector<std::vector<int>> chains;  // bottom to top
    std::vector<Net> nets;
    std::vector<Connection> connections;
    std::vector<Edge> edges;
    std::vector<End> ends;
    std::vector<Start> starts;

    explicit Design(const std::string& path) {
        read_sections(path, [&](auto& file, auto& section) { read(file, section); });
        if (blocks.empty() || ends.empty()) throw std::runtime_error(path + ": no design");
        for (size_t i = 0; i < chains.size(); i++)
            for (int block : chains[i]) blocks.at(block).chain = int(i);
    }

private:
    void read(std::istream& file, const std::string& section) {
        if (section == "B")
            read_list(file, blocks,
                      [&](Block& one) { file >> one.type >> one.width >> one.control; });
        else if (section == "M")
            read_list(file, chains, [&](std::vector<int>& chain) {
                read_list(file, chain, [&](int& block) { file >> block; });
            });
        else if (section == "N")
            read_list(file, nets, [&](Net& one) { file >> one.block >> one.pin >> one.name; });
        else if (section == "C")
            read_list(file, connections,
                      [&](Connection& one) { file >> one.net >> one.block >> one.pin; });
        else if (section == "E")
            read_list(file, edges, [&](Edge& one) {
                file >> one.from >> one.connection >> one.to >> one.delay_ns;
            });
        else if (section == "X")
            read_list(file, ends, [&](End& one) {
                file >> one.net >> one.connection >> one.setup_ns >> one.fast >> one.name;
            });
        else if (section == "S")
            read_list(file, starts,
                      [&](Start& one) { file >> one.net >> one.delay_ns >> one.fast; });
        else
            file.setstate(std::ios::failbit);
    }
};

struct Path {
    int end;
    bool fast, half;  // whether it starts at the fast clock, whether half a period is its limit
    float delay_ns;
};

// Longest paths. Those that begin or end at the fast clock have half a period.
class Timing {
public:
    std::vector<float> delay;  // of each connection, ns
    std::vector<float> criticality;  // of each connection: 1 on a path without slack
    std::vector<float> limit_ns;  // of that path
    float half_ns = 0;  // longest path with half a period

    explicit Timing(const Design& of)
        : delay(of.connections.size()), criticality(of.connections.size()), design(of),
          leaving(of.nets.size()) {
        std::vector<int> waiting(design.nets.size());
        for (size_t i = 0; i < design.edges.size(); i++) {
            leaving[design.edges[i].from].push_back(int(i));
            waiting[design.edges[i].to]++;
        }
        for (size_t i = 0; i < waiting.size(); i++)
            if (!waiting[i]) order.push_back(int(i));
        for (size_t i = 0; i < order.size(); i++)
            for (int edge : leaving[order[i]])
                if (!--waiting[design.edges[edge].to]) order.push_back(design.edges[edge].to);
        if (order.size() < waiting.size()) throw std::runtime_error("the logic has a loop");
    }

    // Sets the arrivals and returns the least period in ns.
    float period() {
        for (bool fast : {false, true}) {
            auto& at = arrival[fast];
            at.assign(design.nets.size(), -NEVER);
            cause[fast].assign(design.nets.size(), -1);
            for (const Start& start : design.starts)
                if (start.fast == fast) at[start.net] = std::max(at[start.net], start.delay_ns);
            for (int net : order)
                for (int number : leaving[net]) {
                    const Edge& edge = design.edges[number];
                    float time = at[net] + through(edge);
                    if (time <= at[edge.to] || time < 0) continue;
                    at[edge.to] = time;
                    cause[fast][edge.to] = number;
                }
        }
        float least = half_ns = 0;
        for (const Path& path : paths()) {
            least = std::max(least, path.half ? 2 * path.delay_ns : path.delay_ns);
            if (path.half) half_ns = std::max(half_ns, path.delay_ns);
        }
        return least;
    }

    // Sets criticalities and limits for a period; period() comes first.
    void judge(float period_ns) {
        criticality.assign(delay.size(), 0), limit_ns.assign(delay.size(), period_ns);
        for (bool fast : {false, true}) {
            auto& at = arrival[fast];
            // latest time at each net, and the limit of the end that asks for it
            std::vector<float> latest(design.nets.size(), NEVER), limits(design.nets.size());
            auto consider = [&](int net, int connection, float time, float limit) {
                if (time < latest[net]) latest[net] = time, limits[net] = limit;
                if (connection < 0 || at[net] < 0) return;
                float share = 1 - (time - at[net]) / limit;
                if (share <= criticality[connection]) return;
                criticality[connection] = share, limit_ns[connection] = limit;
            };
            for (const End& end : design.ends) {
                float limit = fast || end.fast ? period_ns / 2 : period_ns;
                consider(end.net, end.connection, limit - through(end), limit);
            }
            for (size_t i = order.size(); i--;)
                for (int number : leaving[order[i]]) {
                    const Edge& edge = design.edges[number];
                    if (latest[edge.to] < NEVER)
                        consider(edge.from, edge.connection, latest[edge.to] - through(edge),
                                 limits[edge.to]);
                }
        }
    }

    std::vector<Path> paths() const {
        std::vector<Path> all;
        for (size_t i = 0; i < design.ends.size(); i++)
            for (bool fast : {false, true}) {
                const End& end = design.ends[i];
                float at = arrival[fast][end.net];
                if (at >= 0) all.push_back({int(i), fast, fast || end.fast, at + through(end)});
            }
        return all;
    }

    int start_of(const Path& path) const {
        int net = design.ends[path.end].net;
        while (cause[path.fast][net] >= 0) net = design.edges[cause[path.fast][net]].from;
        return net;
    }

private:
    const Design& design;
    std::vector<std::vector<int>> leaving;
    std::vector<int> order;  // of the nets, from starts to ends
    std::vector<float> arrival[2];
    std::vector<int> cause[2];

    float through(const Edge& one) const {
        return one.delay_ns + (one.connection < 0 ? 0 : delay[one.connection]);
    }
    float through(const End& one) const {
        return one.setup_ns + (one.connection < 0 ? 0 : delay[one.connection]);
    }
};
