// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Holds the accumulators of all lanes while the array sums the next words. It sends one lane a cycle
 * through the requantiser and gives each result its address in the maps.
 */
module hp_drain #
(
    // rows at once, as many as map banks: 1, 2 or 4
    parameter int LANES = 1,
    // bits that number a bank
    parameter int BANK_BITS = LANES > 1 ? $clog2(LANES) : 1
)
(
    input  wire                  clk,
    input  wire                  rst,

    // the command, constant from start until finished
    input  wire [511:0]          command,
    // of LANES rows
    input  wire [15:0]           groups,
    input  wire                  start,
    // high when the last word of the command is written
    output wire                  finished,

    // Load of the activation table
    input  wire                  load_valid,
    input  wire [3:0]            load_beat,
    input  wire [127:0]          load_data,

    // One output word of each lane, at most every LANES cycles
    input  wire                  sums_valid,
    // !sums_valid, for the wide registers alone: one register would have too many loads
    input  wire                  sums_moving,
    input  wire [LANES*512-1:0]  sums,
    input  wire [79:0]           shifts,

    // Words for the maps
    output wire                  result_valid,
    output wire [BANK_BITS-1:0]  result_bank,
    output wire [15:0]           result_address,
    output wire [127:0]          result_data
);

`include "tables.svh"

localparam int LANE_SHIFT = $clog2(LANES);
// stages of the requantiser
localparam int STAGES = 5;

wire relu = command[CONV_RELU_LSB];
wire use_table = command[CONV_TABLE_LSB];
wire split = command[CONV_OUT_SPLIT_LSB];
wire [15:0] out_base = command[CONV_OUT_BASE_LSB +: 16];
wire [15:0] row_pitch = command[CONV_OUT_ROW_PITCH_LSB +: 16];
wire [15:0] block_pitch = command[CONV_OUT_BLOCK_PITCH_LSB +: 16];
wire [15:0] out_height = command[CONV_OUT_HEIGHT_LSB +: 16];
wire [15:0] out_width = command[CONV_OUT_WIDTH_LSB +: 16];
wire [15:0] out_blocks = command[CONV_OUT_BLOCKS_LSB +: 16];
wire [15:0] out_row = command[CONV_OUT_ROW_LSB +: 16];

// -- Loops over the results, in the order in which they come

wire block_last, x_last, group_last;
wire x_step = sums_valid && block_last;
wire group_step = x_step && x_last;

/* verilator lint_off PINCONNECTEMPTY */
hp_counter block_counter (
    .clk, .start, .step(sums_valid), .rounds(out_blocks), .last(block_last), .last_next()
);
hp_counter x_counter (
    .clk, .start, .step(x_step), .rounds(out_width), .last(x_last), .last_next()
);
hp_counter group_counter (
    .clk, .start, .step(group_step), .rounds(groups), .last(group_last), .last_next()
);
/* verilator lint_on PINCONNECTEMPTY */

reg [15:0] row_reg;     // of this command's rows, lane 0
reg [15:0] column_reg;  // out_base + x
reg [15:0] offset_reg;  // out_base + x + block * block_pitch

wire [15:0] column_next = x_last ? out_base : column_reg + 1'b1;

always_ff @(posedge clk) begin
    if (start) begin
        row_reg <= '0;
        column_reg <= out_base;
        offset_reg <= out_base;
    end else if (sums_valid) begin
        offset_reg <= block_last ? column_next : offset_reg + block_pitch;
        if (x_step) column_reg <= column_next;
        if (group_step) row_reg <= row_reg + 16'(LANES);
    end
end

// -- Held words: lane 0 goes first, the others move down. What is behind the last one does not matter.

reg [LANES*512-1:0] sums_reg;
reg [79:0] shifts_reg;
reg [LANES-1:0] held_reg;
reg [15:0] held_row_reg;
reg [15:0] held_offset_reg;
reg held_end_reg;

always_ff @(posedge clk) begin
    for (int i = 0; i < LANES; i = i + 1) begin
        if (!sums_moving) sums_reg[i*512 +: 512] <= sums[i*512 +: 512];
        else if (i + 1 < LANES) sums_reg[i*512 +: 512] <= sums_reg[(i + 1) % LANES*512 +: 512];
    end
    if (sums_valid) begin
        shifts_reg <= shifts;
        held_row_reg <= row_reg;
        held_offset_reg <= offset_reg;
        held_end_reg <= group_step && group_last;
        held_reg <= '1;
    end else if (held_reg != '0) begin
        held_row_reg <= held_row_reg + 1'b1;
        held_reg <= held_reg >> 1;
    end
    if (rst) held_reg <= '0;
end

hp_requantise requantise_inst (
    .clk, .load_valid, .load_beat, .load_data, .relu, .use_table, .valid(held_reg[0]),
    .sums(sums_reg[511:0]), .shifts(shifts_reg), .word(result_data)
);

// -- Address, in parallel with the requantiser: row, row within the bank, multiplication, sum

reg [STAGES-1:0] valid_reg;
reg [STAGES-1:0] end_reg;
reg [15:0] offset_delay_reg [0:2];
reg [15:0] place_reg;
reg [15:0] quotient_reg;
(* use_dsp = "yes" *)
reg [15:0] product_reg;
reg [15:0] address_reg [0:1];
reg [BANK_BITS-1:0] bank_reg [0:3];

wire [15:0] strip = split ? place_reg >> 1 : place_reg;

always_ff @(posedge clk) begin
    // Lanes below the last row of the map are not written; the last lane still ends the command.
    valid_reg <= {valid_reg[STAGES-2:0], held_reg[0] && held_row_reg < out_height};
    end_reg <= {end_reg[STAGES-2:0], held_reg == LANES'(1) && held_end_reg};

    place_reg <= out_row + held_row_reg;
    offset_delay_reg[0] <= held_offset_reg;

    quotient_reg <= split ? {15'(place_reg >> (LANE_SHIFT + 1)), place_reg[0]}
        : place_reg >> LANE_SHIFT;
    bank_reg[0] <= strip[BANK_BITS-1:0] & BANK_BITS'(LANES - 1);
    offset_delay_reg[1] <= offset_delay_reg[0];

    product_reg <= quotient_reg * row_pitch;
    bank_reg[1] <= bank_reg[0];
    offset_delay_reg[2] <= offset_delay_reg[1];

    address_reg[0] <= product_reg + offset_delay_reg[2];
    bank_reg[2] <= bank_reg[1];

    address_reg[1] <= address_reg[0];
    bank_reg[3] <= bank_reg[2];

    if (rst) begin
        valid_reg <= '0;
        end_reg <= '0;
    end
end

assign result_valid = valid_reg[STAGES-1];
assign result_bank = bank_reg[3];
assign result_address = address_reg[1];
assign finished = end_reg[STAGES-1];

endmodule

`resetall
