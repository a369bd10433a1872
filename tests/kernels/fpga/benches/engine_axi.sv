// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * The engine with the transaction numbers that a simulated AXI memory asks for: always 0
 */
module engine_axi #
(
    parameter LANES = 1,
    parameter BUS_BYTES = 8,
    parameter CROP_LANES = 1,
    parameter MAP_WORDS = 16384,
    parameter WEIGHT_TILES = 512,
    parameter LINE_BYTES = 8192,
    parameter PUMPED = 0
)
(
    input  wire                     clk,
    input  wire                     clk_fast,
    input  wire                     rst,

    input  wire [11:0]              s_axil_awaddr,
    input  wire [2:0]               s_axil_awprot,
    input  wire                     s_axil_awvalid,
    output wire                     s_axil_awready,
    input  wire [31:0]              s_axil_wdata,
    input  wire [3:0]               s_axil_wstrb,
    input  wire                     s_axil_wvalid,
    output wire                     s_axil_wready,
    output wire [1:0]               s_axil_bresp,
    output wire                     s_axil_bvalid,
    input  wire                     s_axil_bready,
    input  wire [11:0]              s_axil_araddr,
    input  wire [2:0]               s_axil_arprot,
    input  wire                     s_axil_arvalid,
    output wire                     s_axil_arready,
    output wire [31:0]              s_axil_rdata,
    output wire [1:0]               s_axil_rresp,
    output wire                     s_axil_rvalid,
    input  wire                     s_axil_rready,

    output wire [0:0]               m_axi_awid,
    input  wire [0:0]               m_axi_bid,
    output wire [0:0]               m_axi_arid,
    input  wire [0:0]               m_axi_rid,
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
    output wire                     m_axi_bready,
    output wire [31:0]              m_axi_araddr,
    output wire [7:0]               m_axi_arlen,
    output wire [2:0]               m_axi_arsize,
    output wire [1:0]               m_axi_arburst,
    output wire [3:0]               m_axi_arcache,
    output wire [2:0]               m_axi_arprot,
    output wire                     m_axi_arvalid,
    input  wire                     m_axi_arready,
    input  wire [BUS_BYTES*8-1:0]   m_axi_rdata,
    input  wire [1:0]               m_axi_rresp,
    input  wire                     m_axi_rlast,
    input  wire                     m_axi_rvalid,
    output wire                     m_axi_rready
);

assign m_axi_awid = 1'b0;
assign m_axi_arid = 1'b0;

hp_engine #(
    .LANES(LANES),
    .BUS_BYTES(BUS_BYTES),
    .CROP_LANES(CROP_LANES),
    .MAP_WORDS(MAP_WORDS),
    .WEIGHT_TILES(WEIGHT_TILES),
    .LINE_BYTES(LINE_BYTES),
    .PUMPED(PUMPED)
)
engine_inst (.*);

wire unused = &{1'b0, m_axi_bid, m_axi_rid};

endmodule

`resetall
