// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`default_nettype none

/*
 * hp_fifo beside its plain form. "differs" is high in each cycle in which they differ. With
 * OUTPUT_REGISTER 0 all signals are compared, with 1 the sequence of entries.
 */
module fifo_miter #
(
    parameter WIDTH = 2,
    parameter DEPTH = 4,
    parameter OUTPUT_REGISTER = 0
)
(
    input  wire              clk,
    input  wire              rst,
    input  wire              s_valid,
    input  wire [WIDTH-1:0]  s_data,
    input  wire              m_ready,
    output wire              differs
);

wire s_ready, m_valid, plain_ready, plain_valid;
wire [WIDTH-1:0] m_data, plain_data;
wire [$clog2(DEPTH):0] level;

hp_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH), .OUTPUT_REGISTER(OUTPUT_REGISTER)) fifo (.*);

generate
    if (OUTPUT_REGISTER) begin : registered
        // the register holds one more entry, so the plain form is deeper; it takes the steps of fifo
        localparam DEEP = 2 * DEPTH;
        wire [$clog2(DEEP):0] plain_level;
        logic there_reg;  // an entry was in the plain form in the cycle before and is still there
        plain_fifo #(.WIDTH(WIDTH), .DEPTH(DEEP)) plain (
            .s_valid(s_valid && s_ready), .s_ready(plain_ready), .m_valid(plain_valid),
            .m_ready(m_valid && m_ready), .m_data(plain_data), .level(plain_level), .*
        );
        always_ff @(posedge clk) begin
            there_reg <= !rst && (plain_level > 1 || (plain_level == 1 && !(m_valid && m_ready)));
        end
        assign differs = (m_valid && (!plain_valid || m_data != plain_data))
            || (there_reg && !m_valid) || (!s_ready && plain_level < DEPTH);
    end else begin : direct
        wire [$clog2(DEPTH):0] plain_level;
        plain_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) plain (
            .s_ready(plain_ready), .m_valid(plain_valid), .m_data(plain_data),
            .level(plain_level), .*
        );
        assign differs = s_ready != plain_ready || m_valid != plain_valid || level != plain_level
            || (m_valid && m_data != plain_data);
    end
endgenerate

endmodule
