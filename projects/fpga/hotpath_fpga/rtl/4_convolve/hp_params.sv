// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Memory of the biases and shifts of each block of 16 output channels
 */
module hp_params #
(
    // blocks of output channels
    parameter int ENTRIES = 64
)
(
    input  wire           clk,

    // Load: beats 0 to 3 of an entry are 16 int32 biases, beat 4 is 16 uint8 shifts, 5 to 7 are nothing
    input  wire           load_valid,
    // entry * 8 + beat
    input  wire [15:0]    load_beat,
    input  wire [127:0]   load_data,

    // Read
    input  wire           read_valid,
    input  wire [15:0]    read_entry,
    // a cycle later
    output wire [511:0]   bias,
    output wire [79:0]    shifts
);

localparam int ENTRY_BITS = $clog2(ENTRIES);

reg write_reg;
reg [ENTRY_BITS-1:0] load_entry_reg;
reg [2:0] load_part_reg;
reg [127:0] load_data_reg;

always_ff @(posedge clk) begin
    write_reg <= load_valid;
    load_part_reg <= load_beat[2:0];
    load_entry_reg <= load_beat[3 +: ENTRY_BITS];
    load_data_reg <= load_data;
end

wire [ENTRY_BITS-1:0] address = read_entry[ENTRY_BITS-1:0];
genvar part, lane;

generate

for (part = 0; part < 4; part = part + 1) begin : biases
    (* ram_style = "distributed" *)
    reg [127:0] memory [0:ENTRIES-1];
    reg [127:0] read_reg;

    always_ff @(posedge clk) begin
        if (write_reg && load_part_reg == part) memory[load_entry_reg] <= load_data_reg;
        if (read_valid) read_reg <= memory[address];
    end

    assign bias[part*128 +: 128] = read_reg;
end

endgenerate

// a shift is at most 31
wire [79:0] load_shifts;

generate

for (lane = 0; lane < 16; lane = lane + 1) begin : trimmed
    assign load_shifts[lane*5 +: 5] = load_data_reg[lane*8 +: 5];
end

endgenerate

(* ram_style = "distributed" *)
reg [79:0] shift_memory [0:ENTRIES-1];
reg [79:0] shift_reg;

always_ff @(posedge clk) begin
    if (write_reg && load_part_reg == 3'd4) shift_memory[load_entry_reg] <= load_shifts;
    if (read_valid) shift_reg <= shift_memory[address];
end

assign shifts = shift_reg;

endmodule

`resetall
