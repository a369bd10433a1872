// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * AXI4 write master for words of 16 bytes at rising addresses
 *
 * A burst starts only when all of its words are here, so that it can always be completed. No burst
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
    // drop the words that are in no burst yet; a burst that has begun is completed
    input  wire                     clear,

    // Words
    input  wire                     start,
    // address of the first word, bits 31:4
    input  wire [27:0]              start_address,
    input  wire                     word_valid,
    input  wire [127:0]             word,
    // no more words will come until the next start
    input  wire                     last,
    // one of the 32 places for words is free again
    output wire                     taken,
    // all words are in memory
    output wire                     empty,
    // nothing is in flight
    output wire                     idle,
    output wire                     failed,
    output wire                     beat_written,

    // AXI4 master
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

localparam WORDS = BUS_BYTES;        // a burst of 16 beats
localparam BEATS = 16 / BUS_BYTES;   // a word
localparam IN_FLIGHT = 8;
localparam EDGE = $clog2(WORDS);

wire word_there;
wire [127:0] oldest;
wire [5:0] level;

logic [27:0] address_reg;
logic [4:0] beats_reg;  // of the current burst that are still to be sent
logic wvalid_reg;  // beats_reg != 0
logic failed_reg;
logic fifo_rst_reg;
logic wlast_reg;  // beats_reg == 1
wire [5:0] burst_beats;
logic awvalid_reg;
logic [27:0] awaddr_reg;
logic [3:0] awlen_reg;
logic half_reg;
logic [3:0] flight_reg;  // bursts without an answer
logic flying_reg;  // flight_reg != 0

// A burst is planned in one cycle, while no beat is left to be sent, and begins in the next.
logic [5:0] to_edge_reg;  // words from address_reg to the next multiple of 16 beats
logic planned_reg;
logic [5:0] words_reg;  // of the planned burst
logic free_reg;  // fewer bursts are in flight than may be
wire whole = level >= to_edge_reg;
wire begins = planned_reg && !awvalid_reg && free_reg && !clear && !start;
wire sent = m_axi_wvalid && m_axi_wready;
// an answer to a burst from before a reset is taken and not counted
wire answered = m_axi_bvalid && m_axi_bready && flying_reg;

assign burst_beats = words_reg * 6'(BEATS);
assign taken = sent && (BEATS == 1 || half_reg);
assign idle = !wvalid_reg && !awvalid_reg && !flying_reg;
assign empty = idle && level == 0;
assign failed = failed_reg;
assign beat_written = sent;

assign m_axi_awaddr = {awaddr_reg, 4'd0};
assign m_axi_awlen = {4'd0, awlen_reg};
assign m_axi_awsize = 3'($clog2(BUS_BYTES));
assign m_axi_awburst = 2'b01;
assign m_axi_awcache = 4'b0011;
assign m_axi_awprot = 3'b000;
assign m_axi_awvalid = awvalid_reg;
assign m_axi_wstrb = '1;
assign m_axi_wlast = wlast_reg;
assign m_axi_wvalid = wvalid_reg;
assign m_axi_bready = 1'b1;

generate
    if (BEATS == 1) begin : whole_words
        assign m_axi_wdata = oldest;
    end else begin : half_words
        assign m_axi_wdata = half_reg ? oldest[127:64] : oldest[63:0];
    end
endgenerate

/* verilator lint_off PINCONNECTEMPTY */
hp_fifo #(.WIDTH(128), .DEPTH(32)) fifo_inst (
    .clk, .rst(fifo_rst_reg), .s_valid(word_valid), .s_ready(), .s_data(word),
    .m_valid(word_there), .m_ready(taken), .m_data(oldest), .level
);
/* verilator lint_on PINCONNECTEMPTY */

always_ff @(posedge clk) begin
    if (m_axi_awready) begin
        awvalid_reg <= 1'b0;
    end
    if (sent) begin
        beats_reg <= beats_reg - 1'b1;
        wlast_reg <= beats_reg == 5'd2;
        half_reg <= BEATS == 2 && !half_reg;
    end
    if (begins) begin
        awvalid_reg <= 1'b1;
        awaddr_reg <= address_reg;
        awlen_reg <= 4'(burst_beats - 6'd1);
        beats_reg <= 5'(burst_beats);
        half_reg <= 1'b0;
        wlast_reg <= burst_beats == 6'd1;
        // a next burst starts at the multiple of 16 beats
        address_reg <= {address_reg[27:EDGE] + 1'b1, {EDGE{1'b0}}};
        to_edge_reg <= 6'(WORDS);
    end
    failed_reg <= answered && m_axi_bresp[1];
    fifo_rst_reg <= rst || (clear && !wvalid_reg);
    wvalid_reg <= begins || (wvalid_reg && !(sent && wlast_reg));
    planned_reg <= (whole || (last && level != 0)) && !wvalid_reg && !begins && !clear && !start;
    words_reg <= whole ? to_edge_reg : level;
    if (begins && !answered) begin
        flight_reg <= flight_reg + 1'b1;
        flying_reg <= 1'b1;
    end
    if (answered && !begins) begin
        flight_reg <= flight_reg - 1'b1;
        flying_reg <= flight_reg != 4'd1;
    end
    free_reg <= flight_reg != 4'(IN_FLIGHT) && !(flight_reg == 4'(IN_FLIGHT - 1) && begins);
    if (start) begin
        address_reg <= start_address;
        to_edge_reg <= 6'(WORDS) - 6'(start_address[EDGE-1:0]);
    end

    if (rst) begin
        awvalid_reg <= 1'b0;
        beats_reg <= '0;
        wvalid_reg <= 1'b0;
        failed_reg <= 1'b0;
        flight_reg <= '0;
        flying_reg <= 1'b0;
        planned_reg <= 1'b0;
        to_edge_reg <= 6'(WORDS);
    end
end

wire unused = &{1'b0, word_there, m_axi_bresp[0]};

endmodule

`resetall
