// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * AXI4-Lite registers: settings of the driver, status, and the counters of a program
 */
module hp_registers #
(
    // what SIZE reads
    parameter [31:0] SIZE = 0
)
(
    input  wire         clk,
    input  wire         rst,

    // AXI4-Lite
    input  wire [11:0]  s_axil_awaddr,
    input  wire [2:0]   s_axil_awprot,
    input  wire         s_axil_awvalid,
    output wire         s_axil_awready,
    input  wire [31:0]  s_axil_wdata,
    input  wire [3:0]   s_axil_wstrb,
    input  wire         s_axil_wvalid,
    output wire         s_axil_wready,
    output wire [1:0]   s_axil_bresp,
    output wire         s_axil_bvalid,
    input  wire         s_axil_bready,
    input  wire [11:0]  s_axil_araddr,
    input  wire [2:0]   s_axil_arprot,
    input  wire         s_axil_arvalid,
    output wire         s_axil_arready,
    output wire [31:0]  s_axil_rdata,
    output wire [1:0]   s_axil_rresp,
    output wire         s_axil_rvalid,
    input  wire         s_axil_rready,

    // Settings
    output wire         start,
    output wire         stop,
    output wire [31:0]  program_address,
    output wire [31:0]  region0,
    output wire [31:0]  region1,
    output wire [31:0]  region2,
    output wire [31:0]  frame,
    output wire [31:0]  stride,
    output wire [31:0]  line,
    output wire [31:0]  border,

    // Status
    input  wire         started,
    input  wire         busy,
    input  wire         done,
    input  wire         error,
    input  wire [3:0]   error_code,
    input  wire [15:0]  error_number,
    input  wire         array_busy,
    input  wire         beat_read,
    input  wire         beat_written
);

`include "tables.svh"

localparam KEPT = 8;  // registers from PROGRAM to BORDER
localparam FIRST = REG_PROGRAM[7:2];

logic [31:0] kept_reg [0:KEPT-1];
logic start_reg;
logic stop_reg;
logic bvalid_reg;
logic rvalid_reg;
logic [31:0] rdata_reg;
logic [31:0] read_value;

logic [31:0] cycles_reg;
logic [31:0] busy_reg;
logic [31:0] read_reg;
logic [31:0] written_reg;

// what is counted, a cycle late
logic array_busy_reg;
logic beat_read_reg;
logic beat_written_reg;

wire write = s_axil_awvalid && s_axil_wvalid && !bvalid_reg;
wire [5:0] write_index = s_axil_awaddr[7:2] - FIRST;
wire write_low = s_axil_awaddr[11:8] == 0;
wire read = s_axil_arvalid && !rvalid_reg;
wire [5:0] read_index = s_axil_araddr[7:2] - FIRST;

assign s_axil_awready = write;
assign s_axil_wready = write;
assign s_axil_bresp = 2'b00;
assign s_axil_bvalid = bvalid_reg;
assign s_axil_arready = !rvalid_reg;
assign s_axil_rdata = rdata_reg;
assign s_axil_rresp = 2'b00;
assign s_axil_rvalid = rvalid_reg;

assign start = start_reg;
assign stop = stop_reg;
assign program_address = kept_reg[0];
assign region0 = kept_reg[1];
assign region1 = kept_reg[2];
assign region2 = kept_reg[3];
assign frame = kept_reg[4];
assign stride = kept_reg[5];
assign line = kept_reg[6];
assign border = kept_reg[7];

always_comb begin
    case ({s_axil_araddr[7:2], 2'b00})
        REG_ID: read_value = MAGIC;
        REG_SIZE: read_value = SIZE;
        REG_STATUS: read_value = {error_number, 4'd0, error_code, 5'd0, error, done, busy};
        REG_CYCLES: read_value = cycles_reg;
        REG_BUSY: read_value = busy_reg;
        REG_READ: read_value = read_reg;
        REG_WRITTEN: read_value = written_reg;
        default: read_value = read_index < KEPT ? kept_reg[read_index[2:0]] : '0;
    endcase
end

always_ff @(posedge clk) begin
    // writes
    start_reg <= 1'b0;
    stop_reg <= 1'b0;
    if (write && write_low) begin
        if ({s_axil_awaddr[7:2], 2'b00} == REG_CONTROL && s_axil_wstrb[0]) begin
            start_reg <= s_axil_wdata[0] && !s_axil_wdata[1];
            stop_reg <= s_axil_wdata[1];
        end
        for (int i = 0; i < 4; i = i + 1) begin
            if (write_index < KEPT && s_axil_wstrb[i]) begin
                kept_reg[write_index[2:0]][8*i +: 8] <= s_axil_wdata[8*i +: 8];
            end
        end
    end
    bvalid_reg <= write || (bvalid_reg && !s_axil_bready);

    // reads
    rvalid_reg <= read || (rvalid_reg && !s_axil_rready);
    if (read) begin
        rdata_reg <= s_axil_araddr[11:8] == 0 ? read_value : '0;
    end

    // counters
    cycles_reg <= cycles_reg + 32'(busy);
    array_busy_reg <= array_busy;
    beat_read_reg <= beat_read;
    beat_written_reg <= beat_written;
    busy_reg <= busy_reg + 32'(array_busy_reg);
    read_reg <= read_reg + 32'(beat_read_reg);
    written_reg <= written_reg + 32'(beat_written_reg);
    if (started) begin
        cycles_reg <= '0;
        busy_reg <= '0;
        read_reg <= '0;
        written_reg <= '0;
    end

    if (rst) begin
        start_reg <= 1'b0;
        stop_reg <= 1'b0;
        bvalid_reg <= 1'b0;
        rvalid_reg <= 1'b0;
        array_busy_reg <= 1'b0;
        beat_read_reg <= 1'b0;
        beat_written_reg <= 1'b0;
        cycles_reg <= '0;
        busy_reg <= '0;
        read_reg <= '0;
        written_reg <= '0;
        for (int i = 0; i < KEPT; i = i + 1) begin
            kept_reg[i] <= '0;
        end
    end
end

wire unused = &{1'b0, s_axil_awprot, s_axil_arprot, s_axil_awaddr[1:0], s_axil_araddr[1:0]};

endmodule

`resetall
