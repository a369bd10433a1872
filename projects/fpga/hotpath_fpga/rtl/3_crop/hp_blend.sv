// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Blends four pixels of the frame into one of the crop: first horizontally, then vertically, exactly
 * as kernels/golden.py defines it
 *
 * Two channels share a multiplier, the second one shifted by 16 bits. A product has 20 bits, so the
 * lower product overlaps the lowest 4 bits of the upper one. Those 4 bits are computed separately.
 */
module hp_blend
(
    input  wire         clk,

    // Two neighbouring pixels of the upper and of the lower line, blue first
    input  wire [47:0]  top_pixels,
    input  wire [47:0]  bottom_pixels,
    input  wire         left_border,
    input  wire         right_border,
    input  wire         top_border,
    input  wire         bottom_border,
    input  wire [23:0]  border,
    input  wire [11:0]  left_weight,
    input  wire [11:0]  right_weight,
    // four cycles later
    input  wire [11:0]  top_weight,
    input  wire [11:0]  bottom_weight,

    // six cycles later
    output wire [23:0]  pixel
);

// -- pixels outside the frame

logic [47:0] left_reg;   // upper and lower line's left pixel
logic [47:0] right_reg;
logic [11:0] left_weight_reg;
logic [11:0] right_weight_reg;

always_ff @(posedge clk) begin
    left_reg[23:0] <= left_border || top_border ? border : top_pixels[23:0];
    left_reg[47:24] <= left_border || bottom_border ? border : bottom_pixels[23:0];
    right_reg[23:0] <= right_border || top_border ? border : top_pixels[47:24];
    right_reg[47:24] <= right_border || bottom_border ? border : bottom_pixels[47:24];
    left_weight_reg <= left_weight;
    right_weight_reg <= right_weight;
end

// -- horizontally: each multiplier takes two of the six values

wire [95:0] across;  // 16 bits each

genvar p;
generate
    for (p = 0; p < 3; p = p + 1) begin : pairs
        wire [7:0] left_low = left_reg[16*p +: 8];
        wire [7:0] left_high = left_reg[16*p + 8 +: 8];
        wire [7:0] right_low = right_reg[16*p +: 8];
        wire [7:0] right_high = right_reg[16*p + 8 +: 8];

        (* use_dsp = "yes" *)
        logic [35:0] left_product_reg;
        (* use_dsp = "yes" *)
        logic [35:0] right_product_reg;
        logic [3:0] high4_reg;
        logic [36:0] sum_reg;
        logic [3:0] sum_high4_reg;
        logic [15:0] low_reg;
        logic [15:0] high_reg;

        // what the lower product adds to the lowest 4 bits of the upper product
        wire [3:0] low_top = sum_reg[19:16] - sum_high4_reg;
        wire [20:0] high = sum_reg[36:16] - 21'(low_top);

        assign across[32*p +: 32] = {high_reg, low_reg};

        always_ff @(posedge clk) begin
            left_product_reg <= {left_high, 8'd0, left_low} * left_weight_reg;
            right_product_reg <= {right_high, 8'd0, right_low} * right_weight_reg;
            high4_reg <= 4'(left_high[3:0] * left_weight_reg[3:0])
                + 4'(right_high[3:0] * right_weight_reg[3:0]);
            sum_reg <= 37'(left_product_reg) + 37'(right_product_reg);
            sum_high4_reg <= high4_reg;
            low_reg <= {low_top, sum_reg[15:4]};
            high_reg <= high[19:4];
        end

        wire unused = &{1'b0, high[20], high[3:0], sum_reg[3:0]};
    end
endgenerate

// -- vertically

genvar c;
generate
    for (c = 0; c < 3; c = c + 1) begin : channels
        (* use_dsp = "yes" *)
        logic [27:0] top_product_reg;
        (* use_dsp = "yes" *)
        logic [27:0] bottom_product_reg;
        logic [7:0] value_reg;
        wire [11:0] sum = top_product_reg[27:16] + bottom_product_reg[27:16] + 12'd2;

        assign pixel[8*c +: 8] = value_reg;

        always_ff @(posedge clk) begin
            top_product_reg <= across[16*c +: 16] * top_weight;
            bottom_product_reg <= across[48 + 16*c +: 16] * bottom_weight;
            value_reg <= sum[9:2];
        end

        wire unused = &{1'b0, sum[11:10], sum[1:0], top_product_reg[15:0], bottom_product_reg[15:0]};
    end
endgenerate

endmodule

`resetall
