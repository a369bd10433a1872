// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * AXI4 write master for words of 16 bytes at rising addresses
 *
 * A burst starts when all of its words are here, so that it ends whatever happens, and never
 * crosses a multiple of 16 beats.
 */
module hp_writer #
(
    // width of the memory port, 8 or 16
    parameter BUS_BYTES = 8
)
(
    input  wire                     clk,
    input  wire                     rst,
    // drops the words that are in no burst yet; the burst in flight ends
    input  wire                     clear,

    /*
     * Words
     */
    input  wire                     start,
    // of the first word, bits 31:4
    input  wire [27:0]              start_address,
    input  wire                     word_valid,
    input  wire [127:0]             word,
    // no more words will come until the next start
    input  wire                     last,
    // a place for one of 32 words is free again
    output wire                     taken,
    // all words are in memory
    output wire                     empty,
    // nothing is in flight
    output wire                     idle,
    output wire                     failed,
    output wire                     beat_written,

    /*
     * AXI4 master
     */
    output wire [31:0]              m_axi_awaddr,
    output wire [7:0]               m_axi_awlen,
    output wire [2:0]               m_axi_awsize,
    output wire [1:0]               m_axi_awburst,
    output wire [3:0]               m_axi_awcache,
    output wire [2:0]               m_axi_awprot,
    output wire                     m_axi_awvalid,
    input  wire                     m_axi_awready,
    output wire [BUS_BYTES*8-1:0]   m_axi_wdata,
    output wire [BUS_BYTES-1:0]     m_axi_wstrb,
    output wire                     m_axi_wlast,
    output wire                     m_axi_wvalid,
    input  wire                     m_axi_wready,
    input  wire [1:0]               m_axi_bresp,
    input  wire                     m_axi_bvalid,
    output wire                     m_axi_bready
);

if (BUS_BYTES != 8 && BUS_BYTES != 16) begin : bad_bus_bytes
    $error("BUS_BYTES must be 8 or 16, not %0d", BUS_BYTES);
end

localparam WORDS = BUS_BYTES;        // a burst of 16 beats
localparam BEATS = 16 / BUS_BYTES;   // a word
localparam IN_FLIGHT = 8;
localparam EDGE = $clog2(WORDS);

wire word_there;
wire [127:0] oldest;
wire [5:0] level;

logic [27:0] address_reg;
logic [4:0] beats_reg;  // of the burst that are still to be sent
logic awvalid_reg;
logic [27:0] awaddr_reg;
logic [3:0] awlen_reg;
logic half_reg;
logic [3:0] flight_reg;

wire [5:0] to_edge = 6'(WORDS) - 6'(address_reg[EDGE-1:0]);
wire whole = level >= to_edge;
wire [5:0] words = whole ? to_edge : level;
wire begins = (whole || (last && level != 0)) && beats_reg == 0 && !awvalid_reg
    && flight_reg != IN_FLIGHT && !clear && !start;
wire sent = m_axi_wvalid && m_axi_wready;
wire answered = m_axi_bvalid && m_axi_bready;

assign taken = sent && (BEATS == 1 || half_reg);
assign idle = beats_reg == 0 && !awvalid_reg && flight_reg == 0;
assign empty = idle && level == 0;
assign failed = answered && m_axi_bresp[1];
assign beat_written = sent;

assign m_axi_awaddr = {awaddr_reg, 4'd0};
assign m_axi_awlen = {4'd0, awlen_reg};
assign m_axi_awsize = 3'($clog2(BUS_BYTES));
assign m_axi_awburst = 2'b01;
assign m_axi_awcache = 4'b0011;
assign m_axi_awprot = 3'b000;
assign m_axi_awvalid = awvalid_reg;
assign m_axi_wstrb = '1;
assign m_axi_wlast = beats_reg == 1;
assign m_axi_wvalid = beats_reg != 0;
assign m_axi_bready = 1'b1;

generate
    if (BEATS == 1) begin : whole_words
        assign m_axi_wdata = oldest;
    end else begin : half_words
        assign m_axi_wdata = half_reg ? oldest[127:64] : oldest[63:0];
    end
endgenerate

/* verilator lint_off PINCONNECTEMPTY */
hp_fifo #(
    .WIDTH(128),
    .DEPTH(32)
)
fifo_inst (
    .clk(clk),
    .rst(rst || (clear && beats_reg == 0)),
    .s_valid(word_valid),
    .s_ready(),
    .s_data(word),
    .m_valid(word_there),
    .m_ready(taken),
    .m_data(oldest),
    .level(level)
);
/* verilator lint_on PINCONNECTEMPTY */

always_ff @(posedge clk) begin
    if (m_axi_awready) begin
        awvalid_reg <= 1'b0;
    end
    if (sent) begin
        beats_reg <= beats_reg - 1'b1;
        half_reg <= BEATS == 2 && !half_reg;
    end
    if (begins) begin
        awvalid_reg <= 1'b1;
        awaddr_reg <= address_reg;
        awlen_reg <= 4'(words * 6'(BEATS) - 6'd1);
        beats_reg <= 5'(words * 6'(BEATS));
        half_reg <= 1'b0;
        // if there is a next burst, it starts at the edge
        address_reg <= {address_reg[27:EDGE] + 1'b1, {EDGE{1'b0}}};
    end
    flight_reg <= flight_reg + 4'(begins) - 4'(answered);
    if (start) begin
        address_reg <= start_address;
    end

    if (rst) begin
        awvalid_reg <= 1'b0;
        beats_reg <= '0;
        flight_reg <= '0;
    end
end

wire unused = &{1'b0, word_there, m_axi_bresp[0]};

endmodule

`resetall
