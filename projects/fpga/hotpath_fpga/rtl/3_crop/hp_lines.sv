// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Line buffer: four places for lines of the frame. Each cycle it reads two neighbouring pixels of
 * two lines.
 *
 * A line is stored in words of 8 bytes. Even and odd words have memories of their own, so that any 6
 * consecutive bytes can be read at once. The crop has one line buffer for each pixel of a cycle.
 */
module hp_lines #
(
    // width of the memory port, 8 or 16
    parameter BUS_BYTES = 8,
    // bytes of a place, a power of two
    parameter LINE_BYTES = 8192
)
(
    input  wire                     clk,

    // Beats of the lines: place, and beat within it
    input  wire                     data_valid,
    input  wire [1:0]               data_place,
    input  wire [15:0]              data_beat,
    input  wire [BUS_BYTES*8-1:0]   data,

    /*
     * What to read: the number of the left pixel; for each place the half in which its line lies
     * and the byte, of the first 16, of its first pixel
     */
    input  wire [15:0]              left,
    input  wire [4*5-1:0]           first_pixels,
    // two cycles later: the places of the two lines
    input  wire [1:0]               top,
    input  wire [1:0]               bottom,

    // Four cycles after left: two pixels of each line, the left one in the lowest bytes
    output wire [47:0]              top_pixels,
    output wire [47:0]              bottom_pixels
);

localparam PLACES = 4;
localparam BITS = $clog2(LINE_BYTES);
localparam WORDS = LINE_BYTES / 16;  // even or odd ones

wire [BITS-1:0] offset = BITS'(left) + BITS'({left, 1'b0});

logic [63:0] even [0:PLACES-1];
logic [63:0] odd [0:PLACES-1];
logic [3:0] first [0:PLACES-1];  // first byte of the left pixel, of 16

genvar s;
generate
    for (s = 0; s < PLACES; s = s + 1) begin : places
        logic [63:0] even_memory [0:WORDS-1];
        logic [63:0] odd_memory [0:WORDS-1];
        logic [63:0] even_reg;
        logic [63:0] odd_reg;
        logic [BITS-1:0] place_reg;
        logic [3:0] first_reg;

        wire write = data_valid && data_place == s;
        wire even_write;
        wire odd_write;
        wire [BITS-5:0] address;
        wire [63:0] even_data;
        wire [63:0] odd_data;

        if (BUS_BYTES == 16) begin : both
            assign even_write = write;
            assign odd_write = write;
            assign address = data_beat[BITS-5:0];
            assign even_data = data[63:0];
            assign odd_data = data[127:64];
        end else begin : in_turn
            assign even_write = write && !data_beat[0];
            assign odd_write = write && data_beat[0];
            assign address = data_beat[BITS-4:1];
            assign even_data = data[63:0];
            assign odd_data = data[63:0];
        end

        // a pixel that starts in an odd word continues in the next even word
        wire [BITS-5:0] odd_address = place_reg[BITS-1:4];
        wire [BITS-5:0] even_address = place_reg[BITS-1:4] + (BITS-4)'(place_reg[3]);

        always_ff @(posedge clk) begin
            place_reg <= offset + {first_pixels[5*s + 4], {(BITS-5){1'b0}}, first_pixels[5*s +: 4]};
            first_reg <= place_reg[3:0];
        end

        always_ff @(posedge clk) begin
            if (even_write) begin
                even_memory[address] <= even_data;
            end
            even_reg <= even_memory[even_address];
        end

        always_ff @(posedge clk) begin
            if (odd_write) begin
                odd_memory[address] <= odd_data;
            end
            odd_reg <= odd_memory[odd_address];
        end

        assign even[s] = even_reg;
        assign odd[s] = odd_reg;
        assign first[s] = first_reg;
    end
endgenerate

// first one place of four, then 6 bytes of 16
logic [127:0] top_reg;
logic [127:0] bottom_reg;
logic [3:0] top_first_reg;
logic [3:0] bottom_first_reg;
logic [47:0] top_pixels_reg;
logic [47:0] bottom_pixels_reg;

assign top_pixels = top_pixels_reg;
assign bottom_pixels = bottom_pixels_reg;

always_ff @(posedge clk) begin
    top_reg <= {odd[top], even[top]};
    bottom_reg <= {odd[bottom], even[bottom]};
    top_first_reg <= first[top];
    bottom_first_reg <= first[bottom];
    for (int i = 0; i < 6; i = i + 1) begin
        top_pixels_reg[8*i +: 8] <= top_reg[{top_first_reg + 4'(i), 3'd0} +: 8];
        bottom_pixels_reg[8*i +: 8] <= bottom_reg[{bottom_first_reg + 4'(i), 3'd0} +: 8];
    end
end

wire unused = &{1'b0, data_beat, left};

endmodule

`resetall
