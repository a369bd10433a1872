// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * The plain form of hp_fifo.sv: level, full and empty follow from two pointers by subtraction
 */
module plain_fifo #
(
    // bits of an entry
    parameter WIDTH = 8,
    // entries, a power of two
    parameter DEPTH = 16
)
(
    input  wire                     clk,
    input  wire                     rst,

    /*
     * Input
     */
    input  wire                     s_valid,
    output wire                     s_ready,
    input  wire [WIDTH-1:0]         s_data,

    /*
     * Output
     */
    output wire                     m_valid,
    input  wire                     m_ready,
    output wire [WIDTH-1:0]         m_data,

    // entries held
    output wire [$clog2(DEPTH):0]   level
);

if (WIDTH < 1) begin : bad_width
    $error("WIDTH must be at least 1, not %0d", WIDTH);
end
if (DEPTH < 2 || (DEPTH & (DEPTH - 1)) != 0) begin : bad_depth
    $error("DEPTH must be a power of two, at least 2, not %0d", DEPTH);
end

localparam BITS = $clog2(DEPTH);

logic [WIDTH-1:0] memory [0:DEPTH-1];
logic [BITS:0] head_reg;  // one bit more than an address: full and empty differ
logic [BITS:0] tail_reg;
wire [BITS:0] held = tail_reg - head_reg;

assign s_ready = !held[BITS];
assign m_valid = held != 0;
assign m_data = memory[head_reg[BITS-1:0]];
assign level = held;

always_ff @(posedge clk) begin
    if (s_valid && s_ready) begin
        memory[tail_reg[BITS-1:0]] <= s_data;
        tail_reg <= tail_reg + 1'b1;
    end
    if (m_valid && m_ready) begin
        head_reg <= head_reg + 1'b1;
    end
    if (rst) begin
        head_reg <= '0;
        tail_reg <= '0;
    end
end

endmodule

`resetall
