// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Generates the steps of a CONV command. A step is one map address for each lane and one weight tile.
 *
 * Loops, outermost first: group of LANES rows, column, output block, kernel row, kernel column, input
 * block. It takes a step in every cycle, except while the drain still sends the results of the word
 * before.
 */
module hp_sequencer #
(
    // rows at once, as many as map banks: 1, 2 or 4
    parameter int LANES = 1,
    // bits that number a bank
    parameter int BANK_BITS = LANES > 1 ? $clog2(LANES) : 1
)
(
    input  wire                  clk,
    input  wire                  rst,

    // constant from start until the last word of the command is written
    input  wire [511:0]          command,
    // of LANES rows
    input  wire [15:0]           groups,
    input  wire                  start,
    // high in a cycle in which a step is taken
    output wire                  stepping,

    // Steps, four cycles later
    output wire                  step_valid,
    // first and last step of an output word
    output wire                  step_first,
    output wire                  step_last,
    // entry of the parameters
    output wire [15:0]           step_entry,
    output wire [15:0]           step_tile,
    // address in each bank
    output wire [LANES*16-1:0]   step_address,
    // the bank that lane 0 reads; lane l reads bank (rotation + l) modulo LANES
    output wire [BANK_BITS-1:0]  step_rotation,
    // per lane: the word lies inside the map; outside it the lane reads zeros
    output wire [LANES-1:0]      step_inside
);

`include "tables.svh"

localparam int LANE_SHIFT = $clog2(LANES);

wire split = command[CONV_IN_SPLIT_LSB];
wire [15:0] in_base = command[CONV_IN_BASE_LSB +: 16];
wire [15:0] row_pitch = command[CONV_IN_ROW_PITCH_LSB +: 16];
wire [15:0] block_pitch = command[CONV_IN_BLOCK_PITCH_LSB +: 16];
wire [15:0] in_height = command[CONV_IN_HEIGHT_LSB +: 16];
wire [15:0] in_width = command[CONV_IN_WIDTH_LSB +: 16];
wire [15:0] in_blocks = command[CONV_IN_BLOCKS_LSB +: 16];
wire [15:0] kernel_height = {8'd0, command[CONV_KERNEL_HEIGHT_LSB +: 8]};
wire [15:0] kernel_width = {8'd0, command[CONV_KERNEL_WIDTH_LSB +: 8]};
wire [15:0] stride_y = {8'd0, command[CONV_STRIDE_Y_LSB +: 8]};
wire [15:0] stride_x = {8'd0, command[CONV_STRIDE_X_LSB +: 8]};
// signed: a command may begin below the first row of the map
wire [15:0] first_row = -command[CONV_PAD_TOP_LSB +: 16];
wire [15:0] first_column = -{8'd0, command[CONV_PAD_LEFT_LSB +: 8]};
wire [15:0] dilation = {8'd0, command[CONV_DILATION_LSB +: 8]};
wire [15:0] out_width = command[CONV_OUT_WIDTH_LSB +: 16];
wire [15:0] out_blocks = command[CONV_OUT_BLOCKS_LSB +: 16];
wire [15:0] weight_tile = command[CONV_WEIGHT_TILE_LSB +: 16];
wire [15:0] param_entry = command[CONV_PARAM_ENTRY_LSB +: 16];

// -- Loops

reg running_reg;
// cycles until the drain can take the next result
reg [2:0] drain_reg;
reg drain_free_reg;

wire in_block_last, kernel_x_last, kernel_y_last, out_block_last, x_last, group_last;

// Each enable is one function of at most six registers, so that none waits for the one before it.
wire kernel_x_last_next, kernel_y_last_next, out_block_last_next, x_last_next, group_last_next;
reg kernel_last_reg;  // kernel_x_last && kernel_y_last
reg row_last_reg;  // out_block_last && x_last
reg all_last_reg;  // row_last_reg && group_last
wire word = running_reg && in_block_last && kernel_last_reg && drain_free_reg;
wire step = running_reg && (!(in_block_last && kernel_last_reg) || drain_free_reg);
wire kernel_x_step = running_reg && in_block_last && (!kernel_last_reg || drain_free_reg);
wire kernel_y_step = kernel_x_last && running_reg && in_block_last
    && (!kernel_last_reg || drain_free_reg);
wire word_step = word;
wire x_step = word && out_block_last;
wire group_step = word && row_last_reg;

always_ff @(posedge clk) begin
    kernel_last_reg <= kernel_x_last_next && kernel_y_last_next;
    row_last_reg <= out_block_last_next && x_last_next;
    all_last_reg <= out_block_last_next && x_last_next && group_last_next;
end

/* verilator lint_off PINCONNECTEMPTY */
hp_counter in_block_counter (.clk(clk), .start(start), .step(step),
    .rounds(in_blocks), .last(in_block_last), .last_next());
hp_counter kernel_x_counter (.clk(clk), .start(start), .step(kernel_x_step),
    .rounds(kernel_width), .last(kernel_x_last), .last_next(kernel_x_last_next));
hp_counter kernel_y_counter (.clk(clk), .start(start), .step(kernel_y_step),
    .rounds(kernel_height), .last(kernel_y_last), .last_next(kernel_y_last_next));
hp_counter out_block_counter (.clk(clk), .start(start), .step(word_step),
    .rounds(out_blocks), .last(out_block_last), .last_next(out_block_last_next));
hp_counter x_counter (.clk(clk), .start(start), .step(x_step),
    .rounds(out_width), .last(x_last), .last_next(x_last_next));
hp_counter group_counter (.clk(clk), .start(start), .step(group_step),
    .rounds(groups), .last(group_last), .last_next(group_last_next));
/* verilator lint_on PINCONNECTEMPTY */

always_ff @(posedge clk) begin
    if (start) running_reg <= 1'b1;
    else if (word && all_last_reg) running_reg <= 1'b0;

    if (word_step) begin
        drain_reg <= 3'(LANES - 1);
        drain_free_reg <= LANES == 1;
    end else if (!drain_free_reg) begin
        drain_reg <= drain_reg - 1'b1;
        drain_free_reg <= drain_reg == 3'd1;
    end

    if (rst) begin
        running_reg <= 1'b0;
        drain_reg <= '0;
        drain_free_reg <= 1'b1;
    end
end

assign stepping = step;

// -- Which loops step, a cycle later: the running values are wide and lie apart

reg start_late_reg, step_late_reg, word_late_reg, x_late_reg, group_late_reg;
reg kernel_x_late_reg, kernel_y_late_reg;
reg block_restarts_reg, tile_restarts_reg, entry_restarts_reg, row_back_reg, row_ends_reg;
reg column_back_reg, column_ends_reg, x_restarts_reg, last_late_reg;

always_ff @(posedge clk) begin
    start_late_reg <= start;
    step_late_reg <= step && !rst;
    kernel_x_late_reg <= kernel_x_step;
    kernel_y_late_reg <= kernel_y_step;
    word_late_reg <= word_step;
    x_late_reg <= x_step;
    group_late_reg <= group_step;
    block_restarts_reg <= in_block_last;
    tile_restarts_reg <= in_block_last && kernel_last_reg && out_block_last;
    column_back_reg <= kernel_x_last;
    column_ends_reg <= kernel_last_reg && out_block_last;
    row_back_reg <= kernel_y_last;
    row_ends_reg <= kernel_last_reg && row_last_reg;
    entry_restarts_reg <= out_block_last;
    x_restarts_reg <= x_last;
    last_late_reg <= in_block_last && kernel_last_reg;
end

// -- Running values: each loop adds its increment

reg first_reg;
reg [15:0] block_reg;         // in_base + input block * block_pitch
reg [15:0] column_reg;        // of the map
reg [15:0] column_start_reg;  // column of kernel column 0
reg [15:0] row_reg;           // of the map, lane 0
reg [15:0] row_start_reg;     // row of kernel row 0
reg [15:0] tile_reg;
reg [15:0] entry_reg;

wire [15:0] column_start_next = x_restarts_reg ? first_column : column_start_reg + stride_x;
wire [15:0] row_start_next = row_start_reg + (stride_y << LANE_SHIFT);

always_ff @(posedge clk) begin
    if (start_late_reg) begin
        first_reg <= 1'b1;
        block_reg <= in_base;
        column_reg <= first_column;
        column_start_reg <= first_column;
        row_reg <= first_row;
        row_start_reg <= first_row;
        tile_reg <= weight_tile;
        entry_reg <= param_entry;
    end else begin
        // the other enables include step
        if (step_late_reg) begin
            first_reg <= word_late_reg;
            block_reg <= block_restarts_reg ? in_base : block_reg + block_pitch;
            tile_reg <= tile_restarts_reg ? weight_tile : tile_reg + 1'b1;
        end
        if (kernel_x_late_reg) begin
            if (column_ends_reg) column_reg <= column_start_next;
            else if (column_back_reg) column_reg <= column_start_reg;
            else column_reg <= column_reg + dilation;
        end
        if (kernel_y_late_reg) begin
            if (row_ends_reg) row_reg <= row_start_next;
            else if (row_back_reg) row_reg <= row_start_reg;
            else row_reg <= row_reg + dilation;
        end
        if (word_late_reg) entry_reg <= entry_restarts_reg ? param_entry : entry_reg + 1'b1;
        if (x_late_reg) column_start_reg <= column_start_next;
        if (group_late_reg) row_start_reg <= row_start_next;
    end
end

// -- Addresses, in three stages: row within the bank; multiplication by the pitch; sum

reg [2:0] valid_reg;
reg [2:0] first_delay_reg;
reg [2:0] last_delay_reg;
reg [15:0] entry_delay_reg [0:2];
reg [15:0] tile_delay_reg [0:2];

always_ff @(posedge clk) begin
    valid_reg <= {valid_reg[1:0], step_late_reg};
    first_delay_reg <= {first_delay_reg[1:0], first_reg};
    last_delay_reg <= {last_delay_reg[1:0], last_late_reg};
    entry_delay_reg[0] <= entry_reg;
    entry_delay_reg[1] <= entry_delay_reg[0];
    entry_delay_reg[2] <= entry_delay_reg[1];
    tile_delay_reg[0] <= tile_reg;
    tile_delay_reg[1] <= tile_delay_reg[0];
    tile_delay_reg[2] <= tile_delay_reg[1];
    if (rst) valid_reg <= '0;
end

// row / LANES, rounded down. Consecutive banks hold rows that are 1 or, in a split map, 2 apart.
wire signed [15:0] row_signed = row_reg;
wire [15:0] quotient_single = row_signed >>> LANE_SHIFT;
wire [15:0] quotient_double = {15'(row_signed >>> (LANE_SHIFT + 1)), row_reg[0]};
wire [15:0] strip = split ? (row_signed >>> 1) : row_signed;

reg [15:0] quotient_reg;
reg [15:0] offset_reg;
reg column_inside_reg;
(* use_dsp = "yes" *)
reg [15:0] product_reg;
reg [15:0] offset_delay_reg;
// for banks that hold a row of the next group
reg [15:0] offset_next_reg;
reg [BANK_BITS-1:0] rotation_reg [0:2];

always_ff @(posedge clk) begin
    quotient_reg <= split ? quotient_double : quotient_single;
    offset_reg <= block_reg + column_reg;
    // a negative column is larger than any width
    column_inside_reg <= column_reg < in_width;
    product_reg <= quotient_reg * row_pitch;
    offset_delay_reg <= offset_reg;
    offset_next_reg <= offset_reg + (split ? {row_pitch[14:0], 1'b0} : row_pitch);
    rotation_reg[0] <= strip[BANK_BITS-1:0] & BANK_BITS'(LANES - 1);
    rotation_reg[1] <= rotation_reg[0];
    rotation_reg[2] <= rotation_reg[1];
end

genvar lane;

generate

for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
    reg [15:0] row_lane_reg;
    reg inside_reg;
    reg inside_delay_reg;
    reg [15:0] address_reg;

    // row_lane_reg belongs to the lane of this number, address_reg to the bank of this number
    wire wrapped = 32'(rotation_reg[1]) > lane;

    always_ff @(posedge clk) begin
        // lane * stride_y, as a sum: a multiplication may become a slow DSP slice
        row_lane_reg <= row_reg + (lane % 2 == 1 ? stride_y : 16'd0)
            + (lane / 2 == 1 ? {stride_y[14:0], 1'b0} : 16'd0);
        inside_reg <= column_inside_reg && row_lane_reg < in_height;
        inside_delay_reg <= inside_reg;
        address_reg <= product_reg + (wrapped ? offset_next_reg : offset_delay_reg);
    end

    assign step_address[lane*16 +: 16] = address_reg;
    assign step_inside[lane] = inside_delay_reg;
end

endgenerate

assign step_valid = valid_reg[2];
assign step_first = first_delay_reg[2];
assign step_last = last_delay_reg[2];
assign step_entry = entry_delay_reg[2];
assign step_tile = tile_delay_reg[2];
assign step_rotation = rotation_reg[2];

endmodule

`resetall
