// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Two lanes of the array in the multipliers of one. They run at twice the clock of everything else:
 * lane 0 takes the first half of each cycle of clk, lane 1 the second half. Both use the same weights.
 *
 * Both clocks come from one PLL, and each rising edge of clk is one of clk_fast. All signals that go
 * from one clock to the other come from a register and end in a register half a cycle of clk later or
 * more. A step that is not valid adds zeros, so that the fast registers need no enables.
 *
 * Half a period is short for a wire: each group of outputs has its own copy of the words, of the half
 * and of first.
 */
module hp_mac_pair
(
    input  wire            clk,
    // twice the frequency of clk
    input  wire            clk_fast,
    input  wire            rst,

    // A step: 16 int8 channels of each lane; a cycle later, weights as for hp_mac_lane.sv
    input  wire            valid,
    input  wire [255:0]    words,
    input  wire [4095:0]   pairs,

    // Belongs to the step that reaches the accumulators
    // four cycles later: first step of an output word, and valid: it starts from the bias
    input  wire            first,
    // five cycles later
    input  wire [511:0]    bias,

    // 16 int32 of each lane, seven cycles after the step
    output wire [1023:0]   sums
);

/*
 * Which half of a cycle this is: in the first half, a register that changes with each cycle of clk
 * differs from its copy of half a cycle ago. It does not matter what the registers hold at first.
 */

localparam int NEAR = 2;  // pairs of outputs in a group

reg toggle_reg;
reg seen_reg;
reg second_reg;  // the second half
wire [255:0] words_or_zero = valid ? words : 256'd0;
wire [128*8/NEAR-1:0] values;  // of each group, in the order of the lanes

always_ff @(posedge clk) begin
    toggle_reg <= !toggle_reg;
    if (rst) toggle_reg <= 1'b0;
end

always_ff @(posedge clk_fast) begin
    seen_reg <= toggle_reg;
    second_reg <= toggle_reg != seen_reg;
end

// -- Multipliers, sums and accumulators

genvar group, quarter, pair, lane, sum;

generate

for (group = 0; group < 8 / NEAR; group = group + 1) begin : groups
    wire [255:0] near_words;
    reg [127:0] word_reg;

    hp_register #(.WIDTH(256)) near_words_inst (.clk, .d(words_or_zero), .q(near_words));

    // a register that changes with each half, delayed by one half, is its own inverse
    wire near_first_half;

    hp_register near_inst (.clk(clk_fast), .d(second_reg), .q(near_first_half));

    for (quarter = 0; quarter < 4; quarter = quarter + 1) begin : quarters
        wire near_second;

        hp_register half_inst (.clk(clk_fast), .d(near_first_half), .q(near_second));

        always_ff @(posedge clk_fast) begin
            word_reg[quarter*32 +: 32] <= near_second ? near_words[128 + quarter*32 +: 32]
                : near_words[quarter*32 +: 32];
        end
    end

    assign values[group*128 +: 128] = word_reg;
end

for (pair = 0; pair < 8; pair = pair + 1) begin : outputs
    wire near_first;
    // first and bias of the upper halves of the accumulators, which are half a cycle behind
    reg first_reg;
    reg [31:0] bias_reg;
    wire [31:0] products [0:15];

    hp_register first_inst (.clk, .d(first), .q(near_first));

    always_ff @(posedge clk_fast) begin
        first_reg <= near_first;
        bias_reg <= {bias[pair*64 + 48 +: 16], bias[pair*64 + 16 +: 16]};
    end

    for (lane = 0; lane < 16; lane = lane + 1) begin : inputs
        wire [31:0] product;
        reg [31:0] product_reg;  // between the DSP slices' columns and the adders

        hp_packed_multiplier #(.PAIR_HELD(1)) multiplier (
            .clk(clk_fast), .enable(3'b111),
            .pair(pairs[(pair*16 + lane)*32 +: 25]), .value(values[pair/NEAR*128 + lane*8 +: 8]),
            .products(product)
        );

        always_ff @(posedge clk_fast) begin
            product_reg <= product;
        end

        assign products[lane] = product_reg;
    end

    // sums of two, four, eight and sixteen products
    reg [16:0] low_two_reg [0:7];
    reg signed [16:0] high_two_reg [0:7];
    reg [17:0] low_four_reg [0:3];
    reg signed [17:0] high_four_reg [0:3];
    reg [18:0] low_eight_reg [0:1];
    reg signed [18:0] high_eight_reg [0:1];
    reg [19:0] low_sum_reg;
    reg signed [19:0] high_sum_reg;

    for (sum = 0; sum < 8; sum = sum + 1) begin : twos
        always_ff @(posedge clk_fast) begin
            low_two_reg[sum] <= 17'(products[sum*2][15:0]) + 17'(products[sum*2 + 1][15:0]);
            high_two_reg[sum] <= 17'($signed(products[sum*2][31:16]))
                + 17'($signed(products[sum*2 + 1][31:16]));
        end
    end

    for (sum = 0; sum < 4; sum = sum + 1) begin : fours
        always_ff @(posedge clk_fast) begin
            low_four_reg[sum] <= 18'(low_two_reg[sum*2]) + 18'(low_two_reg[sum*2 + 1]);
            high_four_reg[sum] <= 18'(high_two_reg[sum*2]) + 18'(high_two_reg[sum*2 + 1]);
        end
    end

    for (sum = 0; sum < 2; sum = sum + 1) begin : eights
        always_ff @(posedge clk_fast) begin
            low_eight_reg[sum] <= 19'(low_four_reg[sum*2]) + 19'(low_four_reg[sum*2 + 1]);
            high_eight_reg[sum] <= 19'(high_four_reg[sum*2]) + 19'(high_four_reg[sum*2 + 1]);
        end
    end

    always_ff @(posedge clk_fast) begin
        low_sum_reg <= 20'(low_eight_reg[0]) + 20'(low_eight_reg[1]);
        high_sum_reg <= 20'(high_eight_reg[0]) + 20'(high_eight_reg[1]);
    end

    // Each of the 16 products contains an offset of 2^15, in sum 2^19. Inverting bit 19 subtracts it.
    hp_pair_accumulator low_inst (
        .clk, .clk_fast, .sum({~low_sum_reg[19], low_sum_reg[18:0]}), .first(near_first),
        .bias(bias[pair*64 +: 16]), .first_later(first_reg), .bias_later(bias_reg[15:0]),
        .total_first(sums[pair*64 +: 32]), .total_second(sums[512 + pair*64 +: 32])
    );

    hp_pair_accumulator high_inst (
        .clk, .clk_fast, .sum(high_sum_reg), .first(near_first), .bias(bias[pair*64 + 32 +: 16]),
        .first_later(first_reg), .bias_later(bias_reg[31:16]),
        .total_first(sums[pair*64 + 32 +: 32]), .total_second(sums[512 + pair*64 + 32 +: 32])
    );
end

endgenerate

endmodule

`resetall
