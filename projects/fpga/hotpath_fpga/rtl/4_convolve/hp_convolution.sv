// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Convolution unit with the memories of maps, weights and parameters. It computes LANES neighbouring
 * rows at once; each lane makes 256 multiplications a cycle.
 *
 * The pipeline never stalls. A step enters it only when its result will find a free place.
 */
module hp_convolution #
(
    // rows at once, as many as map banks: 1, 2 or 4
    parameter int LANES = 1,
    // words of 16 bytes a map bank
    parameter int MAP_WORDS = 16384,
    // kind of memory of the maps: "block", or "ultra" where the FPGA has UltraRAM
    parameter MAP_STYLE = "block",
    // tiles of 16x16 weights
    parameter int WEIGHT_TILES = 512,
    // bits that number a bank
    parameter int BANK_BITS = LANES > 1 ? $clog2(LANES) : 1
)
(
    input  wire                  clk,
    input  wire                  rst,

    // Command: a CONV that may start now
    input  wire                  cmd_valid,
    output wire                  cmd_ready,
    input  wire [511:0]          cmd,
    // high for one cycle when all words of the command are written
    output wire                  done,

    // Load of weights, parameters and table; always accepted
    input  wire                  load_valid,
    input  wire [3:0]            load_target,
    input  wire [15:0]           load_beat,
    input  wire [127:0]          load_data,

    // Writes to the maps; results of convolutions have priority
    input  wire                  map_write_valid,
    output wire                  map_write_ready,
    input  wire [BANK_BITS-1:0]  map_write_bank,
    input  wire [15:0]           map_write_address,
    input  wire [127:0]          map_write_data,

    // Reads of the maps, answered in order; the steps of the array have priority
    input  wire                  map_read_valid,
    output wire                  map_read_ready,
    input  wire [BANK_BITS-1:0]  map_read_bank,
    input  wire [15:0]           map_read_address,
    output wire                  map_read_data_valid,
    output wire [127:0]          map_read_data,

    // the array takes a step in this cycle
    output wire                  busy
);

if (BANK_BITS != (LANES > 1 ? $clog2(LANES) : 1)) begin : bad_bank_bits
    $error("BANK_BITS follows from LANES and must not be set");
end

`include "tables.svh"

// stages from the address of a step to the multipliers, to the bias and to the sums
localparam int OPERANDS = 6;
localparam int BIAS = 11;
localparam int TOTALS = 12;

// -- Command

reg active_reg;
reg start_reg;
reg done_reg;
reg [511:0] command_reg;
reg [15:0] groups_reg;  // of LANES rows
wire stepping, finished;

always_ff @(posedge clk) begin
    start_reg <= 1'b0;
    done_reg <= 1'b0;
    if (cmd_valid && cmd_ready) begin
        command_reg <= cmd;
        groups_reg <= (cmd[CONV_OUT_HEIGHT_LSB +: 16] + 16'(LANES - 1)) >> $clog2(LANES);
        active_reg <= 1'b1;
        start_reg <= 1'b1;
    end
    if (finished) begin
        active_reg <= 1'b0;
        done_reg <= 1'b1;
    end
    if (rst) begin
        active_reg <= 1'b0;
        start_reg <= 1'b0;
        done_reg <= 1'b0;
    end
end

assign cmd_ready = !active_reg;
assign done = done_reg;
assign busy = stepping;

// -- Steps

wire step_valid, step_first, step_last;
wire [15:0] step_entry, step_tile;
wire [LANES*16-1:0] step_address;
wire [BANK_BITS-1:0] step_rotation;
wire [LANES-1:0] step_inside;

hp_sequencer #(.LANES(LANES)) sequencer_inst (
    .clk, .rst, .command(command_reg), .groups(groups_reg), .start(start_reg), .stepping,
    .step_valid, .step_first, .step_last, .step_entry, .step_tile, .step_address, .step_rotation,
    .step_inside
);

// flags of a step, stage by stage: bit k belongs to the step whose address was sent k cycles ago
(* max_fanout = 512 *)
reg [TOTALS-1:1] valid_reg;
(* max_fanout = 512 *)
reg [TOTALS-1:1] first_reg;
reg [TOTALS-1:1] last_reg;
// the accumulators hold a result
(* max_fanout = 512 *)
reg sums_valid_reg;
(* max_fanout = 512 *)
reg sums_moving_reg;  // !sums_valid_reg
reg [15:0] entry_reg [1:BIAS-1];

always_ff @(posedge clk) begin
    valid_reg <= {valid_reg[TOTALS-2:1], step_valid};
    first_reg <= {first_reg[TOTALS-2:1], step_first};
    last_reg <= {last_reg[TOTALS-2:1], step_last};
    sums_valid_reg <= valid_reg[TOTALS-1] && last_reg[TOTALS-1];
    sums_moving_reg <= !(valid_reg[TOTALS-1] && last_reg[TOTALS-1]);
    entry_reg[1] <= step_entry;
    for (int k = 2; k < BIAS; k = k + 1) entry_reg[k] <= entry_reg[k-1];
    if (rst) begin
        valid_reg <= '0;
        sums_valid_reg <= 1'b0;
        sums_moving_reg <= 1'b1;
    end
end

// -- Memories

wire [LANES*128-1:0] words;
wire result_valid;
wire [BANK_BITS-1:0] result_bank;
wire [15:0] result_address;
wire [127:0] result_data;

hp_maps #(.LANES(LANES), .MAP_WORDS(MAP_WORDS), .MAP_STYLE(MAP_STYLE)) maps_inst (
    .clk, .rst, .step_valid, .step_address, .step_rotation, .step_inside, .step_words(words),
    .result_valid, .result_bank, .result_address, .result_data,
    .map_write_valid, .map_write_ready, .map_write_bank, .map_write_address, .map_write_data,
    .map_read_valid, .map_read_ready, .map_read_bank, .map_read_address, .map_read_data_valid,
    .map_read_data
);

wire [4095:0] pairs;

hp_weights #(.WEIGHT_TILES(WEIGHT_TILES)) weights_inst (
    .clk, .load_valid(load_valid && load_target == TARGET_WEIGHTS), .load_beat, .load_data,
    .read_valid(step_valid), .read_tile(step_tile), .pairs
);

wire [511:0] bias;
wire [79:0] shifts;
reg [79:0] shifts_reg [BIAS+1:TOTALS];

hp_params params_inst (
    .clk, .load_valid(load_valid && load_target == TARGET_PARAMS), .load_beat, .load_data,
    .read_valid(valid_reg[BIAS-1]), .read_entry(entry_reg[BIAS-1]), .bias, .shifts
);

always_ff @(posedge clk) begin
    shifts_reg[BIAS+1] <= shifts;
    for (int k = BIAS + 2; k <= TOTALS; k = k + 1) shifts_reg[k] <= shifts_reg[k-1];
end

// -- Multipliers and sums

wire [LANES*512-1:0] sums;
genvar lane;

generate

for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
    reg [127:0] word_reg;

    always_ff @(posedge clk) begin
        word_reg <= words[lane*128 +: 128];
    end

    hp_mac_lane mac_lane_inst (
        .clk, .enable(valid_reg[OPERANDS +: 6]), .word(word_reg), .pairs,
        .first(first_reg[BIAS]), .bias, .sums(sums[lane*512 +: 512])
    );
end

endgenerate

hp_drain #(.LANES(LANES)) drain_inst (
    .clk, .rst, .command(command_reg), .groups(groups_reg), .start(start_reg), .finished,
    .load_valid(load_valid && load_target == TARGET_TABLE), .load_beat(load_beat[3:0]), .load_data,
    .sums_valid(sums_valid_reg), .sums_moving(sums_moving_reg), .sums, .shifts(shifts_reg[TOTALS]),
    .result_valid, .result_bank, .result_address, .result_data
);

endmodule

`resetall
