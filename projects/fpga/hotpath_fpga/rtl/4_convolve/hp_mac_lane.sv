// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * One lane of the array. Each cycle it multiplies 16 input channels of one pixel by the weights of 16
 * output channels and adds the products to 16 accumulators of 32 bits.
 */
module hp_mac_lane
(
    input  wire           clk,

    // A step: 16 int8 channels, and weights for all pairs of outputs, packed by hp_weights.sv
    // bit k enables stage k: 0 operands, ..., 5 accumulators
    input  wire [5:0]     enable,
    input  wire [127:0]   word,
    input  wire [4095:0]  pairs,

    // Belongs to the step that reaches the accumulators, five cycles later
    // first step of an output word: it starts from the bias
    input  wire           first,
    input  wire [511:0]   bias,

    // 16 int32, six cycles after the step
    output wire [511:0]   sums
);

genvar pair, lane, quad;

generate

for (pair = 0; pair < 8; pair = pair + 1) begin : outputs
    wire [31:0] products [0:15];

    for (lane = 0; lane < 16; lane = lane + 1) begin : inputs
        hp_packed_multiplier multiplier (
            .clk, .enable(enable[2:0]),
            .pair(pairs[(pair*16 + lane)*32 +: 25]), .value(word[lane*8 +: 8]),
            .products(products[lane])
        );
    end

    // sums of four products, then sums of four of those sums
    reg [17:0] low_four_reg [0:3];
    reg signed [17:0] high_four_reg [0:3];
    reg [19:0] low_sum_reg;
    reg signed [19:0] high_sum_reg;

    for (quad = 0; quad < 4; quad = quad + 1) begin : fours
        always_ff @(posedge clk) begin
            if (enable[3]) begin
                low_four_reg[quad] <=
                    (18'(products[quad*4][15:0]) + 18'(products[quad*4 + 1][15:0]))
                    + (18'(products[quad*4 + 2][15:0]) + 18'(products[quad*4 + 3][15:0]));
                high_four_reg[quad] <=
                    (18'($signed(products[quad*4][31:16]))
                        + 18'($signed(products[quad*4 + 1][31:16])))
                    + (18'($signed(products[quad*4 + 2][31:16]))
                        + 18'($signed(products[quad*4 + 3][31:16])));
            end
        end
    end

    always_ff @(posedge clk) begin
        if (enable[4]) begin
            low_sum_reg <= (20'(low_four_reg[0]) + 20'(low_four_reg[1]))
                + (20'(low_four_reg[2]) + 20'(low_four_reg[3]));
            high_sum_reg <= (20'(high_four_reg[0]) + 20'(high_four_reg[1]))
                + (20'(high_four_reg[2]) + 20'(high_four_reg[3]));
        end
    end

    // Each of the 16 products contains an offset of 2^15, in sum 2^19. Inverting bit 19 subtracts it.
    wire signed [19:0] low_sum = {~low_sum_reg[19], low_sum_reg[18:0]};

    reg signed [31:0] low_total_reg;
    reg signed [31:0] high_total_reg;

    always_ff @(posedge clk) begin
        if (enable[5]) begin
            low_total_reg <=
                (first ? $signed(bias[pair*64 +: 32]) : low_total_reg) + 32'(low_sum);
            high_total_reg <=
                (first ? $signed(bias[pair*64 + 32 +: 32]) : high_total_reg) + 32'(high_sum_reg);
        end
    end

    assign sums[pair*64 +: 64] = {high_total_reg, low_total_reg};
end

endgenerate

endmodule

`resetall
