// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * One of several equal registers, each beside what it feeds. The hierarchy is kept, so that no tool
 * merges them: yosys honours keep_hierarchy, Vivado dont_touch too.
 */
(* keep_hierarchy = "yes" *)
module hp_register #
(
    parameter int WIDTH = 1
)
(
    input  wire              clk,
    input  wire [WIDTH-1:0]  d,
    output wire [WIDTH-1:0]  q
);

(* dont_touch = "yes" *)
reg [WIDTH-1:0] q_reg;

always_ff @(posedge clk) begin
    q_reg <= d;
end

assign q = q_reg;

endmodule

`resetall
