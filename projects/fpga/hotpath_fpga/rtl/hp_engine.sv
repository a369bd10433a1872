// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * The engine: runs a program from memory with commands that crop, convolve, load and store
 *
 * tables.toml defines registers and commands. hp_dispatch.sv starts the commands of the four units.
 * Three clients read from memory: commands, lines of the frame, loads. Only the store unit writes.
 */
module hp_engine #
(
    // rows convolved at once, as many as map banks: 1, 2 or 4
    parameter LANES = 1,
    // width of the memory port, 8 or 16
    parameter BUS_BYTES = 8,
    // crop pixels a cycle: 1, 2 or 4
    parameter CROP_LANES = 1,
    // words of 16 bytes a map bank, a power of two
    parameter MAP_WORDS = 16384,
    // kind of memory for them: "block", or "ultra" where the FPGA has UltraRAM
    parameter MAP_STYLE = "block",
    // tiles of 16x16 weights, a power of two
    parameter WEIGHT_TILES = 512,
    // bytes of a place for a line of the frame, a power of two; 16 of them are not for pixels
    parameter LINE_BYTES = 8192
)
(
    input  wire                     clk,
    input  wire                     rst,

    // Registers
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

    // Memory
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

if (LANES != 1 && LANES != 2 && LANES != 4) begin : bad_lanes
    $error("LANES must be 1, 2 or 4, not %0d", LANES);
end
if (BUS_BYTES != 8 && BUS_BYTES != 16) begin : bad_bus_bytes
    $error("BUS_BYTES must be 8 or 16, not %0d", BUS_BYTES);
end
if (CROP_LANES != 1 && CROP_LANES != 2 && CROP_LANES != 4) begin : bad_crop_lanes
    $error("CROP_LANES must be 1, 2 or 4, not %0d", CROP_LANES);
end
if (MAP_WORDS < 16 || MAP_WORDS > 65536 || (MAP_WORDS & (MAP_WORDS - 1)) != 0) begin : bad_map_words
    $error("MAP_WORDS must be a power of two from 16 to 65536, not %0d", MAP_WORDS);
end
if (MAP_STYLE != "block" && MAP_STYLE != "ultra") begin : bad_map_style
    $error("MAP_STYLE must be \"block\" or \"ultra\"");
end
if (WEIGHT_TILES < 2 || WEIGHT_TILES > 4096 || (WEIGHT_TILES & (WEIGHT_TILES - 1)) != 0) begin : bad_weight_tiles
    $error("WEIGHT_TILES must be a power of two from 2 to 4096, not %0d", WEIGHT_TILES);
end
if (LINE_BYTES < 512 || LINE_BYTES > 32768 || (LINE_BYTES & (LINE_BYTES - 1)) != 0) begin : bad_line_bytes
    $error("LINE_BYTES must be a power of two from 512 to 32768, not %0d", LINE_BYTES);
end

`include "tables.svh"

localparam WIDTH = BUS_BYTES * 8;
localparam BANK_BITS = LANES > 1 ? $clog2(LANES) : 1;
localparam [31:0] SIZE = {4'($clog2(LINE_BYTES)), 4'($clog2(WEIGHT_TILES)),
    8'($clog2(MAP_WORDS)), 4'(CROP_LANES), 8'(BUS_BYTES), 4'(LANES)};

// units, as hp_dispatch.sv numbers them
localparam LOAD = 0;
localparam CROP = 1;
localparam CONV = 2;
localparam STORE = 3;

// clients of hp_reader.sv; the first has priority
localparam COMMANDS = 0;
localparam LINES = 1;
localparam LOADS = 2;

// -- registers

wire start, stop, started, busy, done, error;
wire [3:0] error_code;
wire [15:0] error_number;
wire [31:0] program_address, region0, region1, region2, frame, stride, line, border;
wire array_busy, beat_read, beat_written;

hp_registers #(.SIZE(SIZE)) registers_inst (
    .clk, .rst, .s_axil_awaddr, .s_axil_awprot, .s_axil_awvalid, .s_axil_awready,
    .s_axil_wdata, .s_axil_wstrb, .s_axil_wvalid, .s_axil_wready,
    .s_axil_bresp, .s_axil_bvalid, .s_axil_bready,
    .s_axil_araddr, .s_axil_arprot, .s_axil_arvalid, .s_axil_arready,
    .s_axil_rdata, .s_axil_rresp, .s_axil_rvalid, .s_axil_rready,
    .start, .stop, .program_address, .region0, .region1, .region2, .frame, .stride, .line, .border,
    .started, .busy, .done, .error, .error_code, .error_number, .array_busy,
    .beat_read, .beat_written
);

// -- program

wire clear;
// the units are in reset between programs; a reset of the engine lasts two cycles or more
wire unit_rst = clear;
wire reader_idle, writer_idle;
wire command_valid, command_ready, command_failed;
wire [511:0] command;
wire [15:0] command_number;
wire [3:0] cmd_valid, cmd_ready, ended;
wire [4*512-1:0] cmd;
wire [4*16-1:0] cmd_number;
wire load_failed, crop_failed, store_failed;
wire [15:0] load_number, crop_number, store_number;

hp_dispatch dispatch_inst (
    .clk, .rst, .start, .stop, .started, .busy, .done, .error, .error_code, .error_number, .clear,
    .drained(reader_idle && writer_idle),
    .command_valid, .command_ready, .command, .command_number, .command_failed,
    .cmd_valid, .cmd_ready, .cmd, .cmd_number,
    .ended,
    .failed({store_failed, crop_failed, load_failed}),
    .failed_code({ERROR_WRITE, ERROR_READ, ERROR_READ}),
    .failed_number({store_number, crop_number, load_number})
);

// -- reads

wire [2:0] request_valid, request_ready, data_valid;
wire [3*32-1:0] request_address;
wire [3*20-1:0] request_beats;
wire [WIDTH-1:0] data;
wire data_failed, data_last;

hp_reader #(.BUS_BYTES(BUS_BYTES)) reader_inst (
    .clk, .rst, .clear, .request_valid, .request_ready, .request_address, .request_beats,
    .data_valid, .data, .data_failed, .data_last,
    .idle(reader_idle), .beat_read,
    .m_axi_araddr, .m_axi_arlen, .m_axi_arsize, .m_axi_arburst, .m_axi_arcache, .m_axi_arprot,
    .m_axi_arvalid, .m_axi_arready,
    .m_axi_rdata, .m_axi_rresp, .m_axi_rlast, .m_axi_rvalid, .m_axi_rready
);

hp_fetch #(.BUS_BYTES(BUS_BYTES)) fetch_inst (
    .clk, .rst(unit_rst), .program_address,
    .request_valid(request_valid[COMMANDS]), .request_ready(request_ready[COMMANDS]),
    .request_address(request_address[32*COMMANDS +: 32]),
    .request_beats(request_beats[20*COMMANDS +: 20]),
    .data_valid(data_valid[COMMANDS]), .data, .data_failed,
    .command_valid, .command_ready, .command, .command_number, .command_failed
);

// -- LOAD

wire load_valid;
wire [3:0] load_target;
wire [15:0] load_beat;
wire [127:0] load_data;

hp_loader #(.BUS_BYTES(BUS_BYTES)) loader_inst (
    .clk, .rst(unit_rst), .region0, .region1, .region2,
    .cmd_valid(cmd_valid[LOAD]), .cmd_ready(cmd_ready[LOAD]), .cmd(cmd[512*LOAD +: 512]),
    .cmd_number(cmd_number[16*LOAD +: 16]),
    .done(ended[LOAD]), .failed(load_failed), .failed_number(load_number),
    .request_valid(request_valid[LOADS]), .request_ready(request_ready[LOADS]),
    .request_address(request_address[32*LOADS +: 32]),
    .request_beats(request_beats[20*LOADS +: 20]),
    .data_valid(data_valid[LOADS]), .data, .data_failed, .data_last,
    .load_valid, .load_target, .load_beat, .load_data
);

// -- CROP

wire map_write_valid, map_write_ready;
wire [1:0] map_write_bank;
wire [15:0] map_write_address;
wire [127:0] map_write_data;

hp_crop #(
    .LANES(CROP_LANES), .BANKS(LANES), .BUS_BYTES(BUS_BYTES), .LINE_BYTES(LINE_BYTES)
) crop_inst (
    .clk, .rst(unit_rst), .frame, .stride, .line(line[15:0]), .border(border[23:0]),
    .load_valid, .load_target, .load_beat, .load_data,
    .cmd_valid(cmd_valid[CROP]), .cmd_ready(cmd_ready[CROP]), .cmd(cmd[512*CROP +: 512]),
    .cmd_number(cmd_number[16*CROP +: 16]),
    .done(ended[CROP]), .failed(crop_failed), .failed_number(crop_number),
    .request_valid(request_valid[LINES]), .request_ready(request_ready[LINES]),
    .request_address(request_address[32*LINES +: 32]),
    .request_beats(request_beats[20*LINES +: 20]),
    .data_valid(data_valid[LINES]), .data, .data_failed, .data_last,
    .map_write_valid, .map_write_ready, .map_write_bank, .map_write_address, .map_write_data
);

// -- CONV, with the memories; a reset between programs does not clear the memories

wire map_read_valid, map_read_ready, map_read_data_valid;
wire [1:0] map_read_bank;
wire [15:0] map_read_address;
wire [127:0] map_read_data;

hp_convolution #(
    .LANES(LANES), .MAP_WORDS(MAP_WORDS), .MAP_STYLE(MAP_STYLE), .WEIGHT_TILES(WEIGHT_TILES)
) convolution_inst (
    .clk, .rst(unit_rst),
    .cmd_valid(cmd_valid[CONV]), .cmd_ready(cmd_ready[CONV]), .cmd(cmd[512*CONV +: 512]),
    .done(ended[CONV]), .load_valid, .load_target, .load_beat, .load_data,
    .map_write_valid, .map_write_ready, .map_write_bank(map_write_bank[BANK_BITS-1:0]),
    .map_write_address, .map_write_data,
    .map_read_valid, .map_read_ready, .map_read_bank(map_read_bank[BANK_BITS-1:0]),
    .map_read_address, .map_read_data_valid, .map_read_data,
    .busy(array_busy)
);

// -- STORE

wire write_start, write_last, write_taken, write_empty;
wire [27:0] write_address;
wire word_valid = map_read_data_valid;

hp_store #(.LANES(LANES)) store_inst (
    .clk, .rst(unit_rst), .region0, .region1, .region2,
    .cmd_valid(cmd_valid[STORE]), .cmd_ready(cmd_ready[STORE]), .cmd(cmd[512*STORE +: 512]),
    .cmd_number(cmd_number[16*STORE +: 16]),
    .done(ended[STORE]), .number(store_number),
    .map_read_valid, .map_read_ready, .map_read_bank, .map_read_address,
    .start(write_start), .start_address(write_address), .last(write_last), .word_valid,
    .taken(write_taken), .empty(write_empty)
);

hp_writer #(.BUS_BYTES(BUS_BYTES)) writer_inst (
    .clk, .rst, .clear, .start(write_start), .start_address(write_address),
    .word_valid, .word(map_read_data), .last(write_last), .taken(write_taken), .empty(write_empty),
    .idle(writer_idle), .failed(store_failed), .beat_written,
    .m_axi_awaddr, .m_axi_awlen, .m_axi_awsize, .m_axi_awburst, .m_axi_awcache, .m_axi_awprot,
    .m_axi_awvalid, .m_axi_awready,
    .m_axi_wdata, .m_axi_wstrb, .m_axi_wlast, .m_axi_wvalid, .m_axi_wready,
    .m_axi_bresp, .m_axi_bvalid, .m_axi_bready
);

wire unused = &{1'b0, line[31:16], border[31:24], cmd_number[16*CONV +: 16],
    map_write_bank, map_read_bank};

endmodule

`resetall
