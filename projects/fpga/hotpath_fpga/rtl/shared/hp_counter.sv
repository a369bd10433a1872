// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Counts the rounds of a loop. A register tells when the current round is the last one.
 */
module hp_counter #
(
    parameter int WIDTH = 16
)
(
    input  wire              clk,
    // begin with the first round
    input  wire              start,
    // go to the next round; from the last one back to the first
    input  wire              step,
    // number of rounds, at least 1, constant while the loop runs
    input  wire [WIDTH-1:0]  rounds,
    output wire              last,
    // what last will be in the next cycle
    output wire              last_next
);

if (WIDTH < 2) begin : bad_width
    $error("WIDTH must be at least 2, not %0d", WIDTH);
end

reg [WIDTH-1:0] left_reg;
reg last_reg;
wire restart = start || (step && last_reg);

assign last = last_reg;
assign last_next = restart ? rounds == WIDTH'(1) : step ? left_reg == WIDTH'(2) : last_reg;

always_ff @(posedge clk) begin
    if (restart) begin
        left_reg <= rounds;
    end else if (step) begin
        left_reg <= left_reg - 1'b1;
    end
    last_reg <= last_next;
end

endmodule

`resetall
