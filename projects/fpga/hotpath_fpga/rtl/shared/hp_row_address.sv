// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Computes the bank and the address of a row of a map, in two cycles
 */
module hp_row_address #
(
    // banks: 1, 2 or 4
    parameter LANES = 1
)
(
    input  wire         clk,

    input  wire [15:0]  row,
    input  wire         split,
    input  wire [15:0]  base,
    input  wire [15:0]  row_pitch,

    output wire [1:0]   bank,
    output wire [15:0]  address
);

localparam BITS = $clog2(LANES);

wire [15:0] shifted = row >> BITS;
wire [15:0] pairs = ((row >> (BITS + 1)) << 1) | 16'(row[0]);
wire [15:0] whole = split ? row >> 1 : row;

(* use_dsp = "yes" *)
logic [15:0] product_reg;
logic [15:0] address_reg;
logic [1:0] bank_reg;
logic [1:0] bank2_reg;
logic [15:0] base_reg;

assign bank = bank2_reg;
assign address = address_reg;

always_ff @(posedge clk) begin
    product_reg <= (split ? pairs : shifted) * row_pitch;
    bank_reg <= 2'(whole & 16'(LANES - 1));
    base_reg <= base;
    address_reg <= base_reg + product_reg;
    bank2_reg <= bank_reg;
end

endmodule

`resetall
