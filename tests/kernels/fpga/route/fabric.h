// The chip: wires and switches from the fabric text, sites, and the delays between tiles.
#pragma once
#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <queue>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

const float NEVER = 1e9f;
const float COLUMN_NS = .055f, ROW_NS = .04f;  // usual delay of a long way, for each
const float SWITCH_FF = 9;  // input of one switch; Project X-Ray gives 7.6 to 13.5 fF

using Heap = std::priority_queue<std::pair<float, int>, std::vector<std::pair<float, int>>,
                                 std::greater<std::pair<float, int>>>;

enum Kind { CLB, DSP, BRAM, NONE };

struct Switch {
    int from, to;  // wires of one tile
    float delay_ns, ohm;
};

struct TileType {
    std::vector<std::string> wires;
    std::vector<Switch> switches;
    std::vector<std::vector<int>> out, in;  // switches of each wire
};

struct Column {
    Kind kind;
    int side;  // 0: INT_L, 1: INT_R
    bool memory;
    int wired, sited;  // rows with switches, and with sites
    float ff, ohm, long_ff, long_ohm;  // of a wire that crosses to the next column
};

struct Site {
    int x, y, half;
    Kind kind;
    bool memory;
};

struct Pin {
    int row, wire;
    float delay_ns;
};

struct Member {  // a node's wire in one tile
    int tile, wire;
};

// Reads a count, and so many elements.
template <class Element, class Read>
void read_list(std::istream& file, std::vector<Element>& list, Read read) {
    size_t count = 0;
    file >> count;
    list.resize(count);
    for (Element& one : list) read(one);
}

// Reads a file whose sections each begin with a name.
template <class Read>
void read_sections(const std::string& path, Read read) {
    std::ifstream file(path);
    for (std::string section; file >> section;) {
        read(file, section);
        if (!file) throw std::runtime_error(path + ": section " + section + " is broken");
    }
}

class Fabric {
public:
    TileType types[2];
    std::map<std::string, std::map<std::string, Pin>> pins;  // by tile type and site, by name
    std::vector<Column> columns;
    int rows = 0, wires = 0;  // of the chip, of a tile at most
    std::vector<int> node;  // of each tile's wires, or -1
    std::vector<float> ff, ohm;  // of each node
    std::vector<std::vector<Member>> members;
    std::vector<Site> sites;

    explicit Fabric(const std::string& path) {
        read_sections(path, [&](auto& file, auto& section) { read(file, section); });
        if (columns.empty()) throw std::runtime_error(path + ": no fabric");
        join_wires();
        add_sites();
    }

    int width() const { return int(columns.size()); }
    int nodes() const { return int(members.size()); }
    bool wired(int x, int y) const {
        return x >= 0 && x < width() && y >= 0 && y < columns[x].wired;
    }
    const TileType& type(int tile) const { return types[columns[tile / rows].side]; }
    int node_at(int x, int y, int wire) const {
        return wired(x, y) ? node[(x * rows + y) * wires + wire] : -1;
    }
    int site_at(int x, int y, int half) const {
        bool inside = x >= 0 && x < width() && y >= 0 && y < rows;
        return inside ? site_index[(x * rows + y) * 2 + half] : -1;
    }
    // The site on top of another, or -1.
    int above(int below) const {
        const Site& one = sites[below];
        if (one.kind == CLB) return site_at(one.x, one.y + 1, one.half);
        bool upper = one.kind == BRAM || one.half;
        return site_at(one.x, one.y + (upper ? 5 : 0), upper ? 0 : 1);
    }
    float delay(const Switch& one, int to, float load = SWITCH_FF) const {
        return one.delay_ns + 1e-6f * (one.ohm * (ff[to] + load) + ohm[to] * ff[to] / 2);
    }
    const Pin* pin(const Site& site, const std::string& name) const {
        std::string side = columns[site.x].side ? "_R " : "_L ", half = std::to_string(site.half);
        std::string key = "BRAM" + side + "RAMBFIFO36E1_X0Y0";
        if (site.kind == DSP) key = "DSP" + side + "DSP48E1_X0Y" + half;
        if (site.kind == CLB)
            key = (columns[site.x].memory ? "CLBLM" : "CLBLL") + side + "X" + half + "Y0";
        auto place = pins.find(key);
        if (place == pins.end() || !place->second.count(name)) return nullptr;
        return &place->second.at(name);
    }

private:
    std::map<std::string, std::vector<std::pair<int, int>>> joins;
    std::vector<int> clock_rows, site_index;  // site_index by column, row, half
    float clock_ff = 0, clock_ohm = 0, long_ff = 0, long_ohm = 0;
    TileType* tile = types;  // that the file describes

    void read(std::istream& file, const std::string& section) {
        std::string name, kind;
        size_t count = 0;
        if (section == "T") {
            file >> name;
            tile = &types[name == "INT_R"];
            read_list(file, tile->wires, [&](std::string& wire) { file >> wire; });
            tile->out.resize(tile->wires.size()), tile->in.resize(tile->wires.size());
        } else if (section == "P") {
            read_list(file, tile->switches, [&](Switch& one) {
                file >> one.from >> one.to >> one.delay_ns >> one.ohm;
                tile->out.at(one.from).push_back(int(&one - tile->switches.data()));
                tile->in.at(one.to).push_back(int(&one - tile->switches.data()));
            });
        } else if (section == "C") {
            file >> name;
            read_list(file, joins[name], [&](auto& pair) { file >> pair.first >> pair.second; });
        } else if (section == "S") {
            file >> name >> kind >> count;
            auto& of_site = pins[name + " " + kind];
            for (Pin pin; count--; of_site[name] = pin)
                file >> name >> pin.row >> pin.wire >> pin.delay_ns;
        } else if (section == "G") {
            file >> count >> rows;
            columns.resize(count);
            for (Column& one : columns) {
                file >> kind >> one.side >> one.memory >> one.wired >> one.sited;
                file >> one.ff >> one.ohm >> one.long_ff >> one.long_ohm;
                one.kind = kind == "clb" ? CLB : kind == "dsp" ? DSP : kind == "bram" ? BRAM : NONE;
            }
        } else if (section == "H") {
            file >> count >> clock_ff >> clock_ohm;
            clock_rows.resize(count);
            for (int& row : clock_rows) file >> row;
        } else if (section == "V") {
            file >> long_ff >> long_ohm;
        } else {
            file.setstate(std::ios::failbit);
        }
    }

    // Wires of neighbouring tiles that are joined become one node.
    void join_wires() {
        wires = int(std::max(types[0].wires.size(), types[1].wires.size()));
        std::vector<int> root(size_t(width()) * rows * wires);
        std::vector<float> load_ff(root.size()), load_ohm(root.size());
        for (size_t i = 0; i < root.size(); i++) root[i] = int(i);
        auto find = [&](int one) {
            while (root[one] != one) one = root[one] = root[root[one]];
            return one;
        };
        auto join = [&](int one, int other, float more_ff, float more_ohm) {
            one = find(one), other = find(other);
            load_ff[other] += more_ff + (one == other ? 0 : load_ff[one]);
            load_ohm[other] += more_ohm + (one == other ? 0 : load_ohm[one]);
            root[one] = other;
        };
        for (int at = 0; at < width() * rows; at++) {
            int x = at / rows, y = at % rows, first = at * wires;
            const Column& one = columns[x];
            auto is_long = [&](int wire) { return type(at).wires[wire].rfind("L", 0) == 0; };
            bool clock = std::count(clock_rows.begin(), clock_rows.end(), y);
            if (!wired(x, y)) continue;
            for (auto& pair : joins[one.side ? "VR" : "VL"])
                if (y)
                    join(first + pair.first, first - wires + pair.second,
                         is_long(pair.first) ? long_ff : clock * clock_ff,
                         is_long(pair.first) ? long_ohm : clock * clock_ohm);
            if (!wired(x + 1, y) || columns[x + 1].side == one.side) continue;
            for (auto& pair : joins[one.side ? "HRL" : "HLR"])
                join(first + pair.first, first + rows * wires + pair.second,
                     is_long(pair.first) ? one.long_ff : one.ff,
                     is_long(pair.first) ? one.long_ohm : one.ohm);
        }
        node.assign(root.size(), -1);
        for (int i = 0; i < int(root.size()); i++) {
            int at = i / wires, wire = i % wires, first = find(i);
            if (!wired(at / rows, at % rows) || wire >= int(type(at).wires.size())) continue;
            if (type(at).out[wire].empty() && type(at).in[wire].empty()) continue;
            if (node[first] < 0) {
                node[first] = nodes();
                members.emplace_back();
                ff.push_back(load_ff[first]), ohm.push_back(load_ohm[first]);
            }
            node[i] = node[first];
            members[node[i]].push_back({at, wire});
        }
    }

    // DSPs and block RAMs are five rows high; a DSP tile has two, a CLB tile two slices.
    void add_sites() {
        site_index.assign(size_t(width()) * rows * 2, -1);
        for (int x = 0; x < width(); x++)
            for (int y = 0; y < columns[x].sited; y++) {
                Kind kind = columns[x].kind;
                if (kind == NONE || (kind != CLB && y % 5)) continue;
                for (int half = 0; half < (kind == BRAM ? 1 : 2); half++) {
                    site_index[(x * rows + y) * 2 + half] = int(sites.size());
                    sites.push_back({x, y, half, kind, columns[x].memory && half == 0});
                }
            }
    }
};

// The least delays from wires to the input pins of a tile, by the distance in columns and rows.
// They are found by searching backwards from tiles in the middle row.
class Distances {
public:
    explicit Distances(const Fabric& fabric)
        : chip(fabric), columns(std::min(40, chip.width() - 1)), rows(std::min(72, chip.rows - 1)),
          least(size_t(2) * chip.wires * (2 * columns + 1) * (2 * rows + 1), -1) {
        for (auto& site : chip.pins)
            for (auto& pin : site.second) {
                int side = site.first.find("_R ") != std::string::npos, wire = pin.second.wire;
                (chip.types[side].in[wire].empty() ? outputs : inputs)[side].push_back(wire);
            }
        for (int x = chip.width() > 20; x + 1 < chip.width(); x += 1 + chip.width() / 9)
            for (int next : {x, x + 1})
                if (chip.wired(next, chip.rows / 2)) search(next, chip.rows / 2);
        average();
    }

    // Least delay to a tile's input pins; NEVER where there is no way. All of a node's tiles know
    // about the same, so the first that was searched from says it.
    float bound(int node, int x, int y) const {
        float guess = NEVER;
        for (const Member& member : chip.members[node]) {
            int from = member.tile / chip.rows, dx = x - from, dy = y - member.tile % chip.rows;
            float known = least[index(chip.columns[from].side, member.wire, dx, dy)];
            if (known >= 0) return known + beyond(dx, dy) / 2;
            float far = COLUMN_NS / 2 * float(std::abs(dx)) + ROW_NS / 2 * float(std::abs(dy));
            guess = std::min(guess, far);
        }
        return guess;
    }

    // Usual delay from a site's output to the tile so many columns and rows away.
    float usual(int side, int dx, int dy) const {
        return mean[index(side, 0, dx, dy)] + beyond(dx, dy);
    }

private:
    const Fabric& chip;
    int columns, rows;  // distances that the table has
    std::vector<float> least;  // by rows, columns, side and wire; below zero where unknown
    std::vector<float> mean;  // of the outputs, with wire 0
    std::vector<int> inputs[2], outputs[2];

    size_t index(int side, int wire, int dx, int dy) const {
        dx = std::clamp(dx, -columns, columns) + columns, dy = std::clamp(dy, -rows, rows) + rows;
        return ((size_t(wire) * 2 + side) * (2 * columns + 1) + dx) * (2 * rows + 1) + dy;
    }
    float beyond(int dx, int dy) const {
        return COLUMN_NS * float(std::max(0, std::abs(dx) - columns)) +
               ROW_NS * float(std::max(0, std::abs(dy) - rows));
    }

    void search(int x, int y) {
        std::vector<float> delay(chip.nodes(), NEVER);
        Heap heap;
        for (int wire : inputs[chip.columns[x].side]) {
            int node = chip.node[(x * chip.rows + y) * chip.wires + wire];
            delay[node] = 0;
            heap.push({0, node});
        }
        while (!heap.empty()) {
            auto [so_far, node] = heap.top();
            heap.pop();
            if (so_far > delay[node]) continue;
            for (const Member& member : chip.members[node])
                for (int number : chip.type(member.tile).in[member.wire]) {
                    const Switch& one = chip.type(member.tile).switches[number];
                    int before = chip.node[member.tile * chip.wires + one.from];
                    float sum = so_far + chip.delay(one, node);
                    if (sum >= delay[before]) continue;
                    delay[before] = sum;
                    heap.push({sum, before});
                }
        }
        for (int i = 0; i < int(chip.node.size()); i++) {
            int at = i / chip.wires, dx = x - at / chip.rows, dy = y - at % chip.rows;
            if (chip.node[i] < 0 || std::abs(dx) > columns || std::abs(dy) > rows) continue;
            float& known = least[index(chip.columns[x - dx].side, i % chip.wires, dx, dy)];
            known = known < 0 ? delay[chip.node[i]] : std::min(known, delay[chip.node[i]]);
        }
    }

    void average() {
        mean.assign(size_t(2) * (2 * columns + 1) * (2 * rows + 1), 0);
        for (int side : {0, 1})
            for (int dx = -columns; dx <= columns; dx++)
                for (int dy = -rows; dy <= rows; dy++) {
                    float sum = 0, count = 0;
                    for (int wire : outputs[side]) {
                        float found = least[index(side, wire, dx, dy)];
                        if (found >= 0 && found < NEVER) sum += found, count++;
                    }
                    // no search has seen this distance: a guess
                    float guess = .2f + COLUMN_NS * float(std::abs(dx));
                    guess += ROW_NS * float(std::abs(dy));
                    mean[index(side, 0, dx, dy)] = count > 0 ? sum / count : guess;
                }
    }
};
