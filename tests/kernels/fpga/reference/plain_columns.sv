// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * The table of columns as one array of entries; they come two cycles later, as in hp_columns
 */
module plain_columns #
(
    parameter LANES = 1
)
(
    input  wire                 clk,
    input  wire                 load_valid,
    input  wire [7:0]           load_beat,
    input  wire [127:0]         load_data,
    input  wire [8:0]           group,
    output logic [LANES*64-1:0] entries
);

logic [63:0] table_reg [0:511];
logic [LANES*64-1:0] first_reg;

always_ff @(posedge clk) begin
    if (load_valid) begin
        table_reg[{load_beat, 1'b0}] <= load_data[63:0];
        table_reg[{load_beat, 1'b1}] <= load_data[127:64];
    end
    for (int i = 0; i < LANES; i = i + 1) begin
        first_reg[64*i +: 64] <= table_reg[9'(LANES * group + i)];
    end
    entries <= first_reg;
end

endmodule

/*
 * hp_columns beside it. The table has BEATS beats here, and two bits of each entry are compared:
 * the rest is the same logic with other addresses and bits. Entries count once they were written.
 */
module columns_miter #
(
    parameter LANES = 1
)
(
    input  wire        clk,
    input  wire        rst,
    input  wire        load_valid,
    input  wire [1:0]  load_beat,
    input  wire [3:0]  load_data,
    input  wire [8:0]  group,
    output wire        differs
);

localparam BEATS = 4;
localparam GROUPS = 2 * BEATS / LANES;

wire [127:0] data = {62'd0, load_data[3:2], 62'd0, load_data[1:0]};
wire [8:0] in_table = group & 9'(GROUPS - 1);
wire [LANES*64-1:0] entries, plain_entries;
logic [BEATS-1:0] written_reg;
logic [1:0] known_reg;

hp_columns #(.LANES(LANES)) columns (.clk(clk), .load_valid(load_valid),
    .load_beat({6'd0, load_beat}), .load_data(data), .group(in_table), .entries(entries));
plain_columns #(.LANES(LANES)) plain (.clk(clk), .load_valid(load_valid),
    .load_beat({6'd0, load_beat}), .load_data(data), .group(in_table), .entries(plain_entries));

assign differs = known_reg[1] && entries != plain_entries;

always_ff @(posedge clk) begin
    if (load_valid) written_reg[load_beat] <= 1'b1;
    known_reg <= {known_reg[0], &written_reg};
    if (rst) begin
        written_reg <= '0;
        known_reg <= '0;
    end
end

endmodule

`resetall
