// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * hp_reader without pipelining: a burst is chosen, measured and issued in the same cycle
 */
module plain_reader #
(
    parameter BITS = 29,  // of the address of a beat
    parameter BURSTS = 8
)
(
    input  wire               clk,
    input  wire               rst,
    input  wire [2:0]         request_valid,
    output wire [2:0]         request_ready,
    input  wire [3*BITS-1:0]  request_address,
    input  wire [3*20-1:0]    request_beats,
    output wire [1:0]         client,  // of the beat that comes
    output wire               client_last,
    output wire               empty,
    output logic [BITS-1:0]   araddr,
    output logic [3:0]        arlen,
    output logic              arvalid,
    input  wire               arready,
    input  wire               rlast,
    input  wire               rvalid,
    output wire               rready
);

logic [BITS-1:0] address_reg [0:2];
logic [19:0] left_reg [0:2];
logic [1:0] last_reg;

wire [2:0] wanted = {left_reg[2] != 0, left_reg[1] != 0, left_reg[0] != 0};
wire [1:0] choice = wanted[0] ? 2'd0 : wanted[1] && !(wanted[2] && last_reg == 1) ? 2'd1 : 2'd2;
wire [BITS-1:0] address = address_reg[choice];
wire [19:0] left = left_reg[choice];
wire [4:0] to_edge = 5'd16 - {1'b0, address[3:0]};
wire reaches = left > 20'(to_edge);
wire order_ready, order_valid;
wire issues = wanted != 0 && order_ready && (!arvalid || arready);

assign request_ready = ~wanted;
assign rready = order_valid;
assign empty = wanted == 0 && !arvalid && !order_valid;

plain_fifo #(.WIDTH(3), .DEPTH(BURSTS)) order (
    .clk(clk), .rst(rst), .s_valid(issues), .s_ready(order_ready), .s_data({!reaches, choice}),
    .m_valid(order_valid), .m_ready(rvalid && rready && rlast), .m_data({client_last, client}),
    .level()
);

always_ff @(posedge clk) begin
    if (arready) arvalid <= 1'b0;
    for (int i = 0; i < 3; i = i + 1) begin
        if (request_valid[i] && request_ready[i]) begin
            address_reg[i] <= request_address[BITS*i +: BITS];
            left_reg[i] <= request_beats[20*i +: 20];
        end
        if (issues && choice == 2'(i)) begin
            address_reg[i] <= {address[BITS-1:4] + 1'b1, 4'd0};
            left_reg[i] <= reaches ? left - 20'(to_edge) : '0;
        end
    end
    if (issues) begin
        last_reg <= choice;
        arvalid <= 1'b1;
        araddr <= address;
        arlen <= 4'((reaches ? to_edge : left[4:0]) - 5'd1);
    end
    if (rst) begin
        arvalid <= 1'b0;
        last_reg <= '0;
        for (int i = 0; i < 3; i = i + 1) begin
            left_reg[i] <= '0;
            address_reg[i] <= '0;
        end
    end
end

endmodule

/*
 * hp_reader beside it. Each client makes one request, of at most 63 beats, at any time. Clients 1
 * and 2 alternate, so the order of bursts among clients depends on the timing. Compared is what each
 * client gets: its bursts, and the bursts whose beats it receives, with the last one marked. The
 * memory answers a burst with one beat.
 */
module reader_miter #
(
    parameter BUS_BYTES = 8
)
(
    input  wire         clk,
    input  wire         rst,
    input  wire [2:0]   request,
    input  wire [17:0]  start,  // six bits of an address for each client
    input  wire [17:0]  beats,
    input  wire         arready,
    input  wire         rvalid,
    output wire         differs
);

localparam SHIFT = $clog2(BUS_BYTES);
localparam BITS = 32 - SHIFT;

logic [2:0] asked_reg, plain_asked_reg;  // requests that were taken
logic [2:0] wants_reg;
logic [17:0] start_reg, beats_reg;  // of the requests; they stay
wire [3*32-1:0] addresses;
wire [3*BITS-1:0] plain_addresses;
wire [3*20-1:0] lengths;

wire [2:0] ready, plain_ready, data_valid;
wire data_last, idle, arvalid, rready;
wire [31:0] araddr;
wire [7:0] arlen;
wire [1:0] plain_client;
wire plain_last, plain_empty, plain_arvalid, plain_rready;
wire [BITS-1:0] plain_araddr;
wire [3:0] plain_arlen;
wire [2:0] wrong_bursts, wrong_beats;

generate
    genvar i;
    for (i = 0; i < 3; i = i + 1) begin : clients
        // two high bits of an address name the client
        wire [BITS-1:0] address = {2'(i), {BITS-8{1'b0}}, start_reg[6*i +: 6]};
        assign plain_addresses[BITS*i +: BITS] = address;
        assign addresses[32*i +: 32] = {address, {SHIFT{1'b0}}};
        assign lengths[20*i +: 20] = {14'd0, beats_reg[6*i +: 6]};

        stream_miter #(.WIDTH(11), .DEPTH(3)) bursts (
            .clk(clk), .rst(rst), .a_valid(arvalid && arready && araddr[31:30] == i),
            .a_data({araddr[SHIFT +: 7], arlen[3:0]}),
            .b_valid(plain_arvalid && arready && plain_araddr[BITS-1 -: 2] == i),
            .b_data({plain_araddr[6:0], plain_arlen}), .ended(1'b0), .differs(wrong_bursts[i])
        );
        stream_miter #(.WIDTH(1), .DEPTH(3)) answers (
            .clk(clk), .rst(rst), .a_valid(data_valid[i]), .a_data(data_last),
            .b_valid(rvalid && plain_rready && plain_client == i), .b_data(plain_last),
            .ended(1'b0), .differs(wrong_beats[i])
        );
    end
endgenerate

hp_reader #(.BUS_BYTES(BUS_BYTES), .BURSTS(4)) reader (
    .clk(clk), .rst(rst), .clear(1'b0), .request_valid(wants_reg & ~asked_reg),
    .request_ready(ready), .request_address(addresses), .request_beats(lengths),
    .data_valid(data_valid), .data(), .data_failed(), .data_last(data_last), .idle(idle),
    .beat_read(), .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arsize(), .m_axi_arburst(),
    .m_axi_arcache(), .m_axi_arprot(), .m_axi_arvalid(arvalid), .m_axi_arready(arready),
    .m_axi_rdata({BUS_BYTES*8{1'b0}}), .m_axi_rresp(2'd0), .m_axi_rlast(1'b1),
    .m_axi_rvalid(rvalid), .m_axi_rready(rready)
);
plain_reader #(.BITS(BITS), .BURSTS(4)) plain (
    .clk(clk), .rst(rst), .request_valid(wants_reg & ~plain_asked_reg),
    .request_ready(plain_ready), .request_address(plain_addresses), .request_beats(lengths),
    .client(plain_client), .client_last(plain_last), .empty(plain_empty), .araddr(plain_araddr),
    .arlen(plain_arlen), .arvalid(plain_arvalid), .arready(arready), .rlast(1'b1),
    .rvalid(rvalid), .rready(plain_rready)
);

assign differs = wrong_bursts != 0 || wrong_beats != 0;

always_ff @(posedge clk) begin
    asked_reg <= asked_reg | (wants_reg & ready);
    plain_asked_reg <= plain_asked_reg | (wants_reg & plain_ready);
    for (int j = 0; j < 3; j = j + 1) begin
        if (request[j] && !wants_reg[j]) begin
            wants_reg[j] <= 1'b1;
            start_reg[6*j +: 6] <= start[6*j +: 6];
            beats_reg[6*j +: 6] <= beats[6*j +: 6];
        end
    end
    if (rst) begin
        asked_reg <= '0;
        plain_asked_reg <= '0;
        wants_reg <= '0;
        start_reg <= '0;
        beats_reg <= '0;
    end
end

endmodule

`resetall
