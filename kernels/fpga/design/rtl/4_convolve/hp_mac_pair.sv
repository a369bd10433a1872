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
 */
module hp_mac_pair
(
    input  wire            clk,
    // twice the frequency of clk
    input  wire            clk_fast,
    input  wire            rst,

    // A step: 16 int8 channels of each lane, and weights as for hp_mac_lane.sv
    input  wire            valid,
    input  wire [255:0]    words,
    input  wire [4095:0]   pairs,

    // Belongs to the step that reaches the accumulators, four cycles later
    // first step of an output word, and valid: it starts from the bias
    input  wire            first,
    input  wire [511:0]    bias,

    // 16 int32 of each lane, six cycles after the step
    output wire [1023:0]   sums
);

/*
 * Which half of a cycle this is: in the first half, a register that changes with each cycle of clk
 * differs from its copy of half a cycle ago. It does not matter what the registers hold at first.
 */

reg toggle_reg;
reg seen_reg;
(* max_fanout = 64 *)
reg second_reg;  // the second half

always_ff @(posedge clk) begin
    toggle_reg <= !toggle_reg;
    if (rst) toggle_reg <= 1'b0;
end

always_ff @(posedge clk_fast) begin
    seen_reg <= toggle_reg;
    second_reg <= toggle_reg != seen_reg;
end

/*
 * Values in the order of the lanes; first and bias of the upper halves of the accumulators, which
 * are half a cycle behind the lower ones
 */

reg [127:0] word_reg;
(* max_fanout = 64 *)
reg first_reg;
reg [255:0] bias_reg;

genvar pair, lane, sum;

always_ff @(posedge clk_fast) begin
    word_reg <= !valid ? 128'd0 : second_reg ? words[255:128] : words[127:0];
    first_reg <= first;
    for (int i = 0; i < 16; i = i + 1) bias_reg[i*16 +: 16] <= bias[i*32 + 16 +: 16];
end

// -- Multipliers, sums and accumulators

generate

for (pair = 0; pair < 8; pair = pair + 1) begin : outputs
    wire [31:0] products [0:15];

    for (lane = 0; lane < 16; lane = lane + 1) begin : inputs
        hp_packed_multiplier multiplier (
            .clk(clk_fast), .pair_enable(second_reg), .enable(3'b111),
            .pair(pairs[(pair*16 + lane)*32 +: 25]), .value(word_reg[lane*8 +: 8]),
            .products(products[lane])
        );
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
        .clk, .clk_fast, .sum({~low_sum_reg[19], low_sum_reg[18:0]}), .first,
        .bias(bias[pair*64 +: 16]), .first_later(first_reg), .bias_later(bias_reg[pair*32 +: 16]),
        .total_first(sums[pair*64 +: 32]), .total_second(sums[512 + pair*64 +: 32])
    );

    hp_pair_accumulator high_inst (
        .clk, .clk_fast, .sum(high_sum_reg), .first, .bias(bias[pair*64 + 32 +: 16]),
        .first_later(first_reg), .bias_later(bias_reg[pair*32 + 16 +: 16]),
        .total_first(sums[pair*64 + 32 +: 32]), .total_second(sums[512 + pair*64 + 32 +: 32])
    );
end

endgenerate

endmodule

`resetall
