// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Table that normalises a pixel: one int8 for each of the 256 values of each channel
 */
module hp_pixels
(
    input  wire         clk,

    // Load of the table, 16 values a beat: 256 for blue, then green, then red
    input  wire         load_valid,
    input  wire [5:0]   load_beat,
    input  wire [127:0] load_data,

    // A pixel; its int8 values a cycle later, zeros where it was not valid
    input  wire         valid,
    input  wire [23:0]  pixel,
    output wire [23:0]  value
);

genvar c;
generate
    for (c = 0; c < 3; c = c + 1) begin : channels
        (* ram_style = "distributed" *)
        logic [127:0] memory [0:15];
        logic [7:0] value_reg;
        wire [127:0] sixteen = memory[pixel[8*c + 4 +: 4]];

        assign value[8*c +: 8] = value_reg;

        always_ff @(posedge clk) begin
            if (load_valid && load_beat[5:4] == c) begin
                memory[load_beat[3:0]] <= load_data;
            end
            value_reg <= valid ? sixteen[{pixel[8*c +: 4], 3'd0} +: 8] : '0;
        end
    end
endgenerate

endmodule

`resetall
