// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * AXI4 read master shared by three clients, in bursts that never cross a multiple of 16 beats
 *
 * Client 0 has priority; clients 1 and 2 alternate burst by burst. Answers come in the order of the
 * bursts. A client must take every beat that it asked for.
 */
module hp_reader #
(
    // width of the memory port
    parameter BUS_BYTES = 8,
    // bursts in flight, a power of two
    parameter BURSTS = 8
)
(
    input  wire                     clk,
    input  wire                     rst,
    // drop all requests; bursts in flight are completed and their beats are discarded
    input  wire                     clear,

    // Requests of clients 0, 1, 2
    input  wire [2:0]               request_valid,
    output wire [2:0]               request_ready,
    // byte addresses, rounded down to beats
    input  wire [3*32-1:0]          request_address,
    input  wire [3*20-1:0]          request_beats,

    // Answers
    output wire [2:0]               data_valid,
    output wire [BUS_BYTES*8-1:0]   data,
    output wire                     data_failed,
    // last beat of a request
    output wire                     data_last,

    // nothing is in flight
    output wire                     idle,
    output wire                     beat_read,

    // AXI4 master
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

if (BURSTS < 4 || (BURSTS & (BURSTS - 1)) != 0) begin : bad_bursts
    $error("BURSTS must be a power of two, at least 4, not %0d", BURSTS);
end

localparam SHIFT = $clog2(BUS_BYTES);
localparam BITS = 32 - SHIFT;

// what is left of each client's request
logic [BITS-1:0] address_reg [0:2];
logic [19:0] left_reg [0:2];
logic [2:0] wanted_reg;  // left_reg != 0

// a burst is chosen in one cycle, measured in the next and issued in the third
logic chosen_valid_reg;
logic measured_reg;
logic [1:0] chosen_reg;
logic [1:0] last_reg;
logic [BITS-1:0] chosen_address_reg;
logic [19:0] chosen_left_reg;
logic [19:0] beyond_reg;  // beats behind the burst
logic more_reg;  // beyond_reg != 0
logic [4:0] length_reg;
wire [4:0] to_edge = 5'd16 - {1'b0, chosen_address_reg[3:0]};
wire [20:0] beyond = {1'b0, chosen_left_reg} - 21'(to_edge);  // negative: it ends before the edge
wire reaches = chosen_left_reg > 20'(to_edge);

logic arvalid_reg;
logic [BITS-1:0] araddr_reg;
logic [3:0] arlen_reg;

logic [2:0] data_valid_reg;
logic [BUS_BYTES*8-1:0] data_reg;
logic data_failed_reg;
logic data_last_reg;

wire order_ready;
wire order_valid;
wire [1:0] order;
wire order_last;
wire cut = measured_reg && order_ready && (!arvalid_reg || m_axi_arready);
wire ends = m_axi_rvalid && m_axi_rready && m_axi_rlast;

assign request_ready = ~wanted_reg;
assign data_valid = data_valid_reg;
assign data = data_reg;
assign data_failed = data_failed_reg;
assign data_last = data_last_reg;
assign idle = !arvalid_reg && !order_valid && data_valid_reg == 0;
assign beat_read = m_axi_rvalid && m_axi_rready;

assign m_axi_araddr = {araddr_reg, {SHIFT{1'b0}}};
assign m_axi_arlen = {4'd0, arlen_reg};
assign m_axi_arsize = 3'(SHIFT);
assign m_axi_arburst = 2'b01;
assign m_axi_arcache = 4'b0011;
assign m_axi_arprot = 3'b000;
assign m_axi_arvalid = arvalid_reg;
assign m_axi_rready = order_valid;

// the clients of the bursts in flight, oldest first, and whether a burst is the last of its request
/* verilator lint_off PINCONNECTEMPTY */
hp_fifo #(.WIDTH(3), .DEPTH(BURSTS)) order_inst (
    .clk, .rst, .s_valid(cut), .s_ready(order_ready), .s_data({!more_reg, chosen_reg}),
    .m_valid(order_valid), .m_ready(ends), .m_data({order_last, order}), .level()
);
/* verilator lint_on PINCONNECTEMPTY */

logic [1:0] choice;
always_comb begin
    if (wanted_reg[0]) begin
        choice = 2'd0;
    end else if (wanted_reg[1] && !(wanted_reg[2] && last_reg == 2'd1)) begin
        choice = 2'd1;
    end else begin
        choice = 2'd2;
    end
end

always_ff @(posedge clk) begin
    for (int i = 0; i < 3; i = i + 1) begin
        if (request_valid[i] && request_ready[i]) begin
            address_reg[i] <= request_address[32*i + SHIFT +: BITS];
            left_reg[i] <= request_beats[20*i +: 20];
            wanted_reg[i] <= request_beats[20*i +: 20] != 0;
        end
        if (cut && chosen_reg == 2'(i)) begin
            // a next burst starts at the multiple of 16 beats
            address_reg[i] <= {chosen_address_reg[BITS-1:4] + 1'b1, 4'd0};
            left_reg[i] <= beyond_reg;
            wanted_reg[i] <= more_reg;
        end
    end

    if (!chosen_valid_reg) begin
        chosen_valid_reg <= wanted_reg != 0;
        chosen_reg <= choice;
        chosen_address_reg <= address_reg[choice];
        chosen_left_reg <= left_reg[choice];
    end
    measured_reg <= chosen_valid_reg && !cut;
    beyond_reg <= beyond[20] ? '0 : beyond[19:0];
    more_reg <= reaches;
    length_reg <= reaches ? to_edge : chosen_left_reg[4:0];

    if (m_axi_arready) begin
        arvalid_reg <= 1'b0;
    end
    if (cut) begin
        chosen_valid_reg <= 1'b0;
        last_reg <= chosen_reg;
        arvalid_reg <= 1'b1;
        araddr_reg <= chosen_address_reg;
        arlen_reg <= 4'(length_reg - 5'd1);
    end

    data_reg <= m_axi_rdata;
    data_failed_reg <= m_axi_rresp[1];
    data_last_reg <= m_axi_rlast && order_last;
    for (int i = 0; i < 3; i = i + 1) begin
        data_valid_reg[i] <= m_axi_rvalid && m_axi_rready && order == 2'(i) && !clear;
    end

    if (rst || clear) begin
        chosen_valid_reg <= 1'b0;
        measured_reg <= 1'b0;
        wanted_reg <= '0;
        data_valid_reg <= '0;
        for (int i = 0; i < 3; i = i + 1) begin
            left_reg[i] <= '0;
        end
    end
    if (rst) begin
        arvalid_reg <= 1'b0;
    end
end

wire unused = &{1'b0, m_axi_rresp[0]};

endmodule

`resetall
