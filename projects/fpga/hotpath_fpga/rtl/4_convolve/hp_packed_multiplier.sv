// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Two int8 products with a common factor in one DSP slice: (high * 2^16 + low) * value + 2^15
 *
 * The offset of 2^15 keeps the lower half positive, so it never borrows from the upper half. Bits
 * [31:16] are high * value (signed), bits [15:0] are low * value + 2^15 (unsigned).
 */
module hp_packed_multiplier
(
    input  wire                clk,
    // enables of the three stages: operands, product, sum
    input  wire [2:0]          enable,
    // high * 2^16 + low
    input  wire signed [24:0]  pair,
    input  wire signed [7:0]   value,
    // three cycles later
    output wire [31:0]         products
);

reg signed [24:0] pair_reg;
reg signed [7:0] value_reg;
(* use_dsp = "yes" *)
reg signed [31:0] multiplied_reg;
reg signed [31:0] sum_reg;

always_ff @(posedge clk) begin
    if (enable[0]) pair_reg <= pair;
    if (enable[0]) value_reg <= value;
    // at most (128 * 2^16 + 128) * 128, less than 2^31
    if (enable[1]) multiplied_reg <= pair_reg * value_reg;
    if (enable[2]) sum_reg <= multiplied_reg + 32'sd32768;
end

assign products = sum_reg;

endmodule

`resetall
