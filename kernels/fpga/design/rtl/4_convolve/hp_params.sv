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

    // Load: beats 0 to 3 of an entry are 16 int32 biases, beat 4 is 16 uint8 shifts
    input  wire           load_valid,
    // entry * 5 + beat
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

/*
 * The entry of a beat, beat / 5, is computed as beat * 5 * 41 / 1024 in three stages. This is exact
 * for beats below 1024, which are 204 entries.
 */

reg [2:0] valid_reg;
reg [2:0] beat_reg [0:1];
reg [127:0] data_reg [0:1];
reg [12:0] fives_reg;
reg [7:0] quotient_reg;
reg [ENTRY_BITS-1:0] load_entry_reg;
reg [2:0] load_part_reg;
reg [127:0] load_data_reg;

wire [18:0] scaled = (19'(fives_reg) + {3'd0, fives_reg, 3'd0}) + {1'b0, fives_reg, 5'd0};

always_ff @(posedge clk) begin
    valid_reg <= {valid_reg[1:0], load_valid};
    beat_reg[0] <= load_beat[2:0];
    data_reg[0] <= load_data;
    fives_reg <= 13'(load_beat[9:0]) + {1'b0, load_beat[9:0], 2'd0};

    beat_reg[1] <= beat_reg[0];
    data_reg[1] <= data_reg[0];
    quotient_reg <= scaled[17:10];

    load_part_reg <= beat_reg[1] - (quotient_reg[2:0] + {quotient_reg[0], 2'd0});
    load_entry_reg <= quotient_reg[ENTRY_BITS-1:0];
    load_data_reg <= data_reg[1];
end

wire write = valid_reg[2];

wire [ENTRY_BITS-1:0] address = read_entry[ENTRY_BITS-1:0];
genvar part, lane;

generate

for (part = 0; part < 4; part = part + 1) begin : biases
    (* ram_style = "distributed" *)
    reg [127:0] memory [0:ENTRIES-1];
    reg [127:0] read_reg;

    always_ff @(posedge clk) begin
        if (write && load_part_reg == part) memory[load_entry_reg] <= load_data_reg;
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
    if (write && load_part_reg == 3'd4) shift_memory[load_entry_reg] <= load_shifts;
    if (read_valid) shift_reg <= shift_memory[address];
end

assign shifts = shift_reg;

endmodule

`resetall
