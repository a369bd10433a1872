// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Two accumulators of 32 bits, which take turns at twice the clock of everything else: the first one
 * adds in the first half of a cycle of clk, the second one in the second half
 *
 * An addition takes two halves: the lower 16 bits, then the upper 16 with the carry. So does the
 * loop from a total back to itself, since the other accumulator takes the half between.
 */
module hp_pair_accumulator
(
    input  wire                clk,
    // twice the frequency of clk
    input  wire                clk_fast,

    // what to add: to the first accumulator in the second half of a cycle, then to the second one
    input  wire signed [19:0]  sum,
    // half a cycle before: start from the bias instead of the totals
    input  wire                first,
    // bits 15:0
    input  wire [15:0]         bias,
    // the same for bits 31:16, with the sum
    input  wire                first_later,
    input  wire [15:0]         bias_later,

    // two cycles later
    output wire [31:0]         total_first,
    // in the second half of that cycle
    output wire [31:0]         total_second
);

reg [15:0] low_start_reg;
reg [15:0] low_reg;
reg carry_reg;
reg [3:0] sum_high_reg;
reg [15:0] high_start_reg;
reg [15:0] high_reg;

// one bit more on the right makes a carry out of a sum of two numbers
wire [16:0] low_next = {1'b0, low_start_reg} + {1'b0, sum[15:0]};
wire [16:0] high_next = {high_start_reg, 1'b1} + {{12{sum_high_reg[3]}}, sum_high_reg, carry_reg};

always_ff @(posedge clk_fast) begin
    low_start_reg <= first ? bias : low_reg;
    {carry_reg, low_reg} <= low_next;
    sum_high_reg <= sum[19:16];
    high_start_reg <= first_later ? bias_later : high_reg;
    high_reg <= high_next[16:1];
end

// -- Totals for clk: the second one's upper half comes half a cycle after the rest

reg [15:0] low_before_reg;
reg [15:0] high_before_reg;
reg [31:0] first_reg;
reg [15:0] second_low_reg;

always_ff @(posedge clk_fast) begin
    low_before_reg <= low_reg;
    high_before_reg <= high_reg;
end

always_ff @(posedge clk) begin
    first_reg <= {high_reg, low_before_reg};
    second_low_reg <= low_reg;
end

assign total_first = first_reg;
assign total_second = {high_before_reg, second_low_reg};

wire unused = &{1'b0, high_next[0]};

endmodule

`resetall
