// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`default_nettype none

/*
 * The plain form of hp_fifo.sv: level, full and empty follow from two pointers by subtraction
 */
module plain_fifo #
(
    parameter WIDTH = 2,
    parameter DEPTH = 4
)
(
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     s_valid,
    output wire                     s_ready,
    input  wire [WIDTH-1:0]         s_data,
    output wire                     m_valid,
    input  wire                     m_ready,
    output wire [WIDTH-1:0]         m_data,
    output wire [$clog2(DEPTH):0]   level
);

localparam BITS = $clog2(DEPTH);

logic [WIDTH-1:0] memory [0:DEPTH-1];
logic [BITS:0] head_reg;  // one bit more than an address: full and empty differ
logic [BITS:0] tail_reg;

assign level = tail_reg - head_reg;
assign s_ready = !level[BITS];
assign m_valid = level != 0;
assign m_data = memory[head_reg[BITS-1:0]];

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
