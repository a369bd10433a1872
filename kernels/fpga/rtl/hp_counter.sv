// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Counts the rounds of one loop and tells the last of each, from a register
 */
module hp_counter #
(
    parameter int WIDTH = 16
)
(
    input  wire              clk,
    // begin with the first round
    input  wire              start,
    // go to the next round, or from the last to the first
    input  wire              step,
    // how many rounds, at least 1, constant while it runs
    input  wire [WIDTH-1:0]  rounds,
    output wire              last
);

if (WIDTH < 2) begin : bad_width
    $error("WIDTH must be at least 2, not %0d", WIDTH);
end

reg [WIDTH-1:0] left_reg;
reg last_reg;

always_ff @(posedge clk) begin
    if (start || (step && last_reg)) begin
        left_reg <= rounds;
        last_reg <= rounds == WIDTH'(1);
    end else if (step) begin
        left_reg <= left_reg - 1'b1;
        last_reg <= left_reg == WIDTH'(2);
    end
end

assign last = last_reg;

endmodule

`resetall
