// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * hp_writer without pipelining: a burst is measured and begins in the same cycle
 */
module plain_writer #
(
    parameter BUS_BYTES = 8
)
(
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     start,
    input  wire [27:0]              start_address,
    input  wire                     word_valid,
    input  wire [127:0]             word,
    input  wire                     last,
    output wire                     empty,
    output logic                    awvalid,
    output logic [27:0]             awaddr,
    output logic [3:0]              awlen,
    input  wire                     awready,
    output wire [BUS_BYTES*8-1:0]   wdata,
    output wire                     wlast,
    output wire                     wvalid,
    input  wire                     wready
);

localparam WORDS = BUS_BYTES;
localparam BEATS = 16 / BUS_BYTES;
localparam EDGE = $clog2(WORDS);

logic [27:0] address_reg;
logic [4:0] beats_reg;  // of the burst that are still to be sent
logic half_reg;
wire [5:0] level;
wire [127:0] oldest;
wire [5:0] to_edge = 6'(WORDS) - 6'(address_reg[EDGE-1:0]);
wire [5:0] words = level >= to_edge ? to_edge : level;
wire begins = (level >= to_edge || (last && level != 0)) && beats_reg == 0 && !awvalid && !start;
wire sent = wvalid && wready;

assign empty = level == 0 && beats_reg == 0 && !awvalid;
assign wvalid = beats_reg != 0;
assign wlast = beats_reg == 1;
assign wdata = BEATS == 1 || !half_reg ? oldest[BUS_BYTES*8-1:0] : oldest[127:128-BUS_BYTES*8];

plain_fifo #(.WIDTH(128), .DEPTH(32)) fifo (
    .clk(clk), .rst(rst), .s_valid(word_valid), .s_ready(), .s_data(word), .m_valid(),
    .m_ready(sent && (BEATS == 1 || half_reg)), .m_data(oldest), .level(level)
);

always_ff @(posedge clk) begin
    if (awready) awvalid <= 1'b0;
    if (sent) begin
        beats_reg <= beats_reg - 1'b1;
        half_reg <= !half_reg;
    end
    if (begins) begin
        awvalid <= 1'b1;
        awaddr <= address_reg;
        awlen <= 4'(words * BEATS - 1);
        beats_reg <= 5'(words * BEATS);
        half_reg <= 1'b0;
        address_reg <= {address_reg[27:EDGE] + 1'b1, {EDGE{1'b0}}};
    end
    if (start) address_reg <= start_address;
    if (rst) begin
        awvalid <= 1'b0;
        beats_reg <= '0;
        address_reg <= '0;
    end
end

endmodule

/*
 * hp_writer beside it: the same bursts and the same beats, whenever the memory takes them. Of a
 * word two bits are free, one in each half, and of an address six.
 */
module writer_miter #
(
    parameter BUS_BYTES = 8
)
(
    input  wire        clk,
    input  wire        rst,
    input  wire [5:0]  start_address,
    input  wire        word_valid,
    input  wire [1:0]  word,
    input  wire        last,
    input  wire        awready,
    input  wire        wready,
    output wire        differs
);

logic [1:0] age_reg;  // cycles since the reset, 3 at most
logic last_reg, before_reg;
wire start = age_reg == 1;
// words come after the start and before the last one, as hp_store sends them
wire comes = word_valid && age_reg == 3 && !last_reg;
wire [127:0] data = {word[1], 63'd0, word[0], 63'd0};
wire [27:0] address = {22'd0, start_address};

wire empty, awvalid, wlast, wvalid, plain_empty, plain_awvalid, plain_wlast, plain_wvalid;
wire [31:0] awaddr;
wire [7:0] awlen;
wire [BUS_BYTES*8-1:0] wdata, plain_wdata;
wire [27:0] plain_awaddr;
wire [3:0] plain_awlen;

hp_writer #(.BUS_BYTES(BUS_BYTES)) writer (
    .clk(clk), .rst(rst), .clear(1'b0), .start(start), .start_address(address),
    .word_valid(comes), .word(data), .last(last_reg), .taken(), .empty(empty), .idle(),
    .failed(), .beat_written(), .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awsize(),
    .m_axi_awburst(), .m_axi_awcache(), .m_axi_awprot(), .m_axi_awvalid(awvalid),
    .m_axi_awready(awready), .m_axi_wdata(wdata), .m_axi_wstrb(), .m_axi_wlast(wlast),
    .m_axi_wvalid(wvalid), .m_axi_wready(wready), .m_axi_bresp(2'd0), .m_axi_bvalid(1'b1),
    .m_axi_bready()
);
plain_writer #(.BUS_BYTES(BUS_BYTES)) plain (
    .clk(clk), .rst(rst), .start(start), .start_address(address), .word_valid(comes),
    .word(data), .last(last_reg), .empty(plain_empty), .awvalid(plain_awvalid),
    .awaddr(plain_awaddr), .awlen(plain_awlen), .awready(awready), .wdata(plain_wdata),
    .wlast(plain_wlast), .wvalid(plain_wvalid), .wready(wready)
);

wire addresses_differ, beats_differ;
wire ended = empty && plain_empty && !word_valid && last_reg && before_reg;

stream_miter #(.WIDTH(10), .DEPTH(3)) addresses (
    .clk(clk), .rst(rst), .a_valid(awvalid && awready),
    .a_data({awaddr[4 +: 6], awlen[3:0]}), .b_valid(plain_awvalid && awready),
    .b_data({plain_awaddr[5:0], plain_awlen}), .ended(ended), .differs(addresses_differ)
);
stream_miter #(.WIDTH(3), .DEPTH(6)) beats (
    .clk(clk), .rst(rst), .a_valid(wvalid && wready),
    .a_data({wlast, wdata[BUS_BYTES*8-1], wdata[63]}), .b_valid(plain_wvalid && wready),
    .b_data({plain_wlast, plain_wdata[BUS_BYTES*8-1], plain_wdata[63]}), .ended(ended),
    .differs(beats_differ)
);

assign differs = addresses_differ || beats_differ;

always_ff @(posedge clk) begin
    if (age_reg != 3) age_reg <= age_reg + 1'b1;
    if (last && age_reg == 3) last_reg <= 1'b1;
    before_reg <= empty && plain_empty && last_reg;
    if (rst) begin
        age_reg <= '0;
        last_reg <= 1'b0;
        before_reg <= 1'b0;
    end
end

endmodule

`resetall
