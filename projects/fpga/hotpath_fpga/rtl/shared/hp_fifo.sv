// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * FIFO in distributed memory. The oldest entry is at the output while m_valid is high.
 *
 * The level and both handshake signals come from registers, so that no subtraction or comparison
 * stands at the start of the paths that they begin. With OUTPUT_REGISTER the data does too, one
 * cycle later; the register holds one entry more than the level tells.
 */
module hp_fifo #
(
    // bits of an entry
    parameter WIDTH = 8,
    // entries, a power of two, at least 4
    parameter DEPTH = 16,
    // 1: the output comes from a register
    parameter OUTPUT_REGISTER = 0
)
(
    input  wire                     clk,
    input  wire                     rst,

    // Input
    input  wire                     s_valid,
    output wire                     s_ready,
    input  wire [WIDTH-1:0]         s_data,

    // Output
    output wire                     m_valid,
    input  wire                     m_ready,
    output wire [WIDTH-1:0]         m_data,

    // entries held
    output wire [$clog2(DEPTH):0]   level
);

if (WIDTH < 1) begin : bad_width
    $error("WIDTH must be at least 1, not %0d", WIDTH);
end
if (DEPTH < 4 || (DEPTH & (DEPTH - 1)) != 0) begin : bad_depth
    $error("DEPTH must be a power of two, at least 4, not %0d", DEPTH);
end

localparam BITS = $clog2(DEPTH);

logic [WIDTH-1:0] memory [0:DEPTH-1];
logic [BITS-1:0] head_reg;
logic [BITS-1:0] tail_reg;
logic [BITS:0] level_reg;
logic valid_reg;  // level_reg != 0
logic ready_reg;  // level_reg != DEPTH
logic single_reg;  // level_reg == 1
logic nearly_reg;  // level_reg == DEPTH - 1

wire push = s_valid && ready_reg;
wire pop;
wire double = level_reg == (BITS+1)'(2);
wire almost = level_reg == (BITS+1)'(DEPTH - 2);

assign s_ready = ready_reg;
assign level = level_reg;

generate
    if (OUTPUT_REGISTER) begin : registered
        logic held_reg;
        logic [WIDTH-1:0] data_reg;
        assign pop = valid_reg && (!held_reg || m_ready);
        assign m_valid = held_reg;
        assign m_data = data_reg;
        always_ff @(posedge clk) begin
            if (!held_reg || m_ready) begin
                held_reg <= valid_reg;
                data_reg <= memory[head_reg];
            end
            if (rst) begin
                held_reg <= 1'b0;
            end
        end
    end else begin : direct
        assign pop = valid_reg && m_ready;
        assign m_valid = valid_reg;
        assign m_data = memory[head_reg];
    end
endgenerate

always_ff @(posedge clk) begin
    if (push) begin
        memory[tail_reg] <= s_data;
        tail_reg <= tail_reg + 1'b1;
    end
    if (pop) begin
        head_reg <= head_reg + 1'b1;
    end
    // written without enables, which would stand behind push and pop
    level_reg <= level_reg + {{BITS{pop && !push}}, pop != push};
    valid_reg <= push || (valid_reg && !(pop && single_reg));
    ready_reg <= pop || (ready_reg && !(push && nearly_reg));
    single_reg <= (push && !pop && !valid_reg) || (pop && !push && double)
        || (push == pop && single_reg);
    nearly_reg <= (pop && !push && !ready_reg) || (push && !pop && almost)
        || (push == pop && nearly_reg);
    if (rst) begin
        head_reg <= '0;
        tail_reg <= '0;
        level_reg <= '0;
        valid_reg <= 1'b0;
        ready_reg <= 1'b1;
        single_reg <= 1'b0;
        nearly_reg <= 1'b0;
    end
end

endmodule

`resetall
