// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * hp_store as two loops: reads every column of every row; no pipelining, no registered ends of loops
 */
module plain_store #
(
    parameter LANES = 1
)
(
    input  wire         clk,
    input  wire         rst,
    input  wire [31:0]  base_address,  // of the region that the command names
    input  wire         cmd_valid,
    input  wire [15:0]  width,
    input  wire [15:0]  rows,
    input  wire [15:0]  first_row,
    input  wire [15:0]  row_pitch,
    input  wire [15:0]  base,
    input  wire         split,
    input  wire [31:0]  offset,
    output wire         ready,
    output logic        done,
    output wire         read_valid,
    input  wire         read_ready,
    output wire [1:0]   read_bank,
    output wire [15:0]  read_address,
    output wire [27:0]  start_address
);

localparam BITS = $clog2(LANES);

logic running_reg;
logic [15:0] column_reg, row_reg;
wire [15:0] row = first_row + row_reg;
// rows lie in the banks in turn; those of a split map in pairs
wire [15:0] line = split ? ((row >> (BITS + 1)) << 1) | 16'(row[0]) : row >> BITS;
wire [15:0] place = split ? row >> 1 : row;
wire [31:0] target = base_address + offset;

assign ready = !running_reg;
assign read_valid = running_reg && row_reg < rows && column_reg < width;
assign read_bank = 2'(place & 16'(LANES - 1));
assign read_address = base + line * row_pitch + column_reg;
assign start_address = target[31:4];

always_ff @(posedge clk) begin
    done <= 1'b0;
    if (!running_reg) begin
        running_reg <= cmd_valid;
        column_reg <= '0;
        row_reg <= '0;
    end else if (!read_valid) begin
        running_reg <= 1'b0;
        done <= 1'b1;
    end else if (read_ready) begin
        column_reg <= column_reg == width - 1'b1 ? 16'd0 : column_reg + 1'b1;
        row_reg <= row_reg + 16'(column_reg == width - 1'b1);
    end
    if (rst) begin
        running_reg <= 1'b0;
        done <= 1'b0;
    end
end

endmodule

/*
 * hp_store beside it: the same reads, the same address for the writer, and one end of the command.
 * Some bits of the base, the offset, the first row and the region are free. The size of the map is a
 * constant, as is the pitch of a row: equal products of free factors are hard to prove.
 */
module store_miter #
(
    parameter LANES = 1,
    parameter [1:0] COLUMNS = 2'd2,
    parameter [1:0] ROWS = 2'd2,
    parameter [2:0] PITCH = 3'd5
)
(
    input  wire        clk,
    input  wire        rst,
    input  wire [2:0]  first_row,
    input  wire [2:0]  base,
    input  wire        split,
    input  wire [1:0]  region,
    input  wire [2:0]  offset,
    input  wire        map_read_ready,
    output wire        differs
);

`include "tables.svh"

logic given_reg, plain_given_reg;  // the command was taken
logic ended_reg, plain_ended_reg;
logic [1:0] coming_reg;  // words on their way from the map memory
logic [511:0] cmd;
logic [11:0] fields_reg;  // of the command; they stay
wire [1:0] region_f = fields_reg[11:10];
wire [2:0] first_row_f = fields_reg[2:0], base_f = fields_reg[5:3], offset_f = fields_reg[8:6];
wire split_f = fields_reg[9];

wire ready, done, valid, start, plain_ready, plain_done, plain_valid;
wire [1:0] bank, plain_bank;
wire [15:0] address, plain_address;
wire [27:0] start_address, plain_start_address;
wire [31:0] base_address = region_f == 2 ? 32'h2010 : region_f == 1 ? 32'h1070 : 32'h80;
wire reads_differ;

always_comb begin
    cmd = '0;
    cmd[STORE_WIDTH_LSB +: 2] = COLUMNS;
    cmd[STORE_ROWS_LSB +: 2] = ROWS;
    cmd[STORE_FIRST_ROW_LSB +: 3] = first_row_f;
    cmd[STORE_ROW_PITCH_LSB +: 3] = PITCH;
    cmd[STORE_BASE_LSB +: 3] = base_f;
    cmd[STORE_SPLIT_LSB] = split_f;
    cmd[STORE_REGION_LSB +: 2] = region_f;
    cmd[STORE_OFFSET_LSB + 4 +: 3] = offset_f;
end

hp_store #(.LANES(LANES)) store (
    .clk(clk), .rst(rst), .region0(32'h80), .region1(32'h1070), .region2(32'h2010),
    .cmd_valid(!given_reg), .cmd_ready(ready), .cmd(cmd), .cmd_number(16'd0), .done(done),
    .number(), .map_read_valid(valid), .map_read_ready(map_read_ready), .map_read_bank(bank),
    .map_read_address(address), .start(start), .start_address(start_address), .last(),
    .word_valid(coming_reg[1]), .taken(1'b0), .empty(1'b1)
);
plain_store #(.LANES(LANES)) plain (
    .clk(clk), .rst(rst), .base_address(base_address), .cmd_valid(!plain_given_reg),
    .width(16'(COLUMNS)), .rows(16'(ROWS)), .first_row(16'(first_row_f)),
    .row_pitch(16'(PITCH)), .base(16'(base_f)), .split(split_f),
    .offset({25'd0, offset_f, 4'd0}), .ready(plain_ready), .done(plain_done),
    .read_valid(plain_valid), .read_ready(map_read_ready), .read_bank(plain_bank),
    .read_address(plain_address), .start_address(plain_start_address)
);

stream_miter #(.WIDTH(10), .DEPTH(4)) reads (
    .clk(clk), .rst(rst), .a_valid(valid && map_read_ready), .a_data({bank, address[7:0]}),
    .b_valid(plain_valid && map_read_ready), .b_data({plain_bank, plain_address[7:0]}),
    .ended(ended_reg && plain_ended_reg), .differs(reads_differ)
);

assign differs = reads_differ || (start && start_address != plain_start_address)
    || (done && ended_reg);

always_ff @(posedge clk) begin
    given_reg <= given_reg || ready;
    plain_given_reg <= plain_given_reg || plain_ready;
    ended_reg <= ended_reg || done;
    plain_ended_reg <= plain_ended_reg || plain_done;
    coming_reg <= {coming_reg[0], valid && map_read_ready};
    if (rst) begin
        given_reg <= 1'b0;
        plain_given_reg <= 1'b0;
        ended_reg <= 1'b0;
        plain_ended_reg <= 1'b0;
        coming_reg <= '0;
        fields_reg <= {region == 2'd3 ? 2'd0 : region, split, offset, base, first_row};
    end
end

endmodule

`resetall
