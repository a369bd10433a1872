// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Memory of the weight tiles. It is written 16 weights at a time and read a whole tile of 256 at a
 * time. What is read is packed for the multipliers.
 */
module hp_weights #
(
    // tiles of 16x16 weights
    parameter int WEIGHT_TILES = 512
)
(
    input  wire           clk,

    // Load: 16 input channels of one output channel
    input  wire           load_valid,
    // tile * 16 + output channel
    input  wire [15:0]    load_beat,
    input  wire [127:0]   load_data,

    // Read
    input  wire           read_valid,
    input  wire [15:0]    read_tile,
    // six cycles later: word 16 * p + i holds the weights of input i for outputs 2p and 2p + 1, packed
    // into 25 bits
    output wire [4095:0]  pairs
);

localparam int TILE_BITS = $clog2(WEIGHT_TILES);
// output channels whose memories lie together
localparam int NEAR = 4;

reg load_valid_reg;
reg [TILE_BITS+3:0] load_beat_reg;
reg [127:0] load_data_reg;
reg [4:0] valid_reg;
reg [TILE_BITS-1:0] tile_reg [0:1];

always_ff @(posedge clk) begin
    load_valid_reg <= load_valid;
    load_beat_reg <= load_beat[TILE_BITS+3:0];
    load_data_reg <= load_data;
    valid_reg <= {valid_reg[3:0], read_valid};
    tile_reg[0] <= read_tile[TILE_BITS-1:0];
    tile_reg[1] <= tile_reg[0];
end

wire [2047:0] tile;
genvar g, o, p, i;

generate

for (g = 0; g < 16; g = g + NEAR) begin : groups
    wire near_valid;
    wire [TILE_BITS-1:0] near_load_tile, near_tile;
    wire [127:0] near_load_data;
    reg near_output_reg;

    hp_register #(.WIDTH(1 + 2*TILE_BITS + 128)) near_inst (
        .clk, .d({valid_reg[1], tile_reg[1], load_beat_reg[4 +: TILE_BITS], load_data_reg}),
        .q({near_valid, near_tile, near_load_tile, near_load_data})
    );

    always_ff @(posedge clk) begin
        near_output_reg <= near_valid;
    end

    for (o = g; o < g + NEAR; o = o + 1) begin : rows
        (* ram_style = "block" *)
        reg [127:0] memory [0:WEIGHT_TILES-1];
        reg load_reg;
        reg [127:0] read_reg;
        reg [127:0] output_reg;

        always_ff @(posedge clk) begin
            load_reg <= load_valid_reg && load_beat_reg[3:0] == o;
            if (load_reg) memory[near_load_tile] <= near_load_data;
            if (near_valid) read_reg <= memory[near_tile];
            if (near_output_reg) output_reg <= read_reg;
        end

        assign tile[o*128 +: 128] = output_reg;
    end
end

for (p = 0; p < 8; p = p + 1) begin : outputs
    for (i = 0; i < 16; i = i + 1) begin : inputs
        wire [7:0] low = tile[(2*p*16 + i)*8 +: 8];
        wire [7:0] high = tile[((2*p + 1)*16 + i)*8 +: 8];
        reg [24:0] pair_reg;

        // high * 2^16 + low: a negative lower part subtracts one from the upper part
        always_ff @(posedge clk) begin
            if (valid_reg[4]) begin
                pair_reg <= {{high[7], high} - {8'd0, low[7]}, {8{low[7]}}, low};
            end
        end

        assign pairs[(p*16 + i)*32 +: 32] = {7'd0, pair_reg};
    end
end

endgenerate

endmodule

`resetall
