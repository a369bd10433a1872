// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Converts 16 accumulators to int8: divides by a power of two, rounds halves to even, saturates, and
 * optionally applies ReLU and a table
 */
module hp_requantise
(
    input  wire           clk,

    // Load of the table: 16 of its 256 entries
    input  wire           load_valid,
    input  wire [3:0]     load_beat,
    input  wire [127:0]   load_data,

    input  wire           relu,
    input  wire           use_table,

    // 16 int32
    input  wire           valid,
    input  wire [511:0]   sums,
    // 16 times 0 to 31
    input  wire [79:0]    shifts,
    // 16 int8, five cycles later
    output wire [127:0]   word
);

reg load_valid_reg;
reg [3:0] load_beat_reg;
reg [127:0] load_data_reg;
reg [3:0] valid_reg;

always_ff @(posedge clk) begin
    load_valid_reg <= load_valid;
    load_beat_reg <= load_beat;
    load_data_reg <= load_data;
    valid_reg <= {valid_reg[2:0], valid};
end

genvar lane;

generate

for (lane = 0; lane < 16; lane = lane + 1) begin : lanes
    wire [4:0] shift = shifts[lane*5 +: 5];

    // Shift by multiples of eight. The lowest bit of doubled is worth one half; coarse_lost_reg tells
    // whether any bit that was shifted out was set.
    wire signed [32:0] doubled = {sums[lane*32 +: 32], 1'b0};
    reg signed [32:0] coarse_reg;
    reg coarse_lost_reg;
    reg [2:0] fine_shift_reg;

    always_ff @(posedge clk) begin
        if (valid) begin
            coarse_reg <= doubled >>> {shift[4:3], 3'd0};
            case (shift[4:3])
                2'd0: coarse_lost_reg <= 1'b0;
                2'd1: coarse_lost_reg <= |doubled[7:0];
                2'd2: coarse_lost_reg <= |doubled[15:0];
                2'd3: coarse_lost_reg <= |doubled[23:0];
            endcase
            fine_shift_reg <= shift[2:0];
        end
    end

    // shift by the rest
    wire [6:0] fine_mask = ~(7'h7f << fine_shift_reg);
    reg signed [32:0] fine_reg;
    reg fine_lost_reg;

    always_ff @(posedge clk) begin
        if (valid_reg[0]) begin
            fine_reg <= coarse_reg >>> fine_shift_reg;
            fine_lost_reg <= coarse_lost_reg || |(coarse_reg[6:0] & fine_mask);
        end
    end

    // whether it fits, and whether to round up
    wire signed [31:0] whole = fine_reg[32:1];
    reg [7:0] rounded_reg;
    reg up_reg, negative_reg, large_reg;

    always_ff @(posedge clk) begin
        if (valid_reg[1]) begin
            rounded_reg <= whole[7:0];
            up_reg <= fine_reg[0] && (fine_lost_reg || whole[0]);
            negative_reg <= whole[31];
            large_reg <= whole[31:7] != {25{whole[31]}};
        end
    end

    // Saturate and ReLU. A value just below -128 may round up to -128, and -1 may become 0.
    reg [7:0] value_reg;

    always_ff @(posedge clk) begin
        if (valid_reg[2]) begin
            if (negative_reg && relu) value_reg <= 8'd0;
            else if (large_reg) value_reg <= negative_reg ? 8'h80 : 8'h7f;
            else if (rounded_reg == 8'h7f) value_reg <= 8'h7f;
            else value_reg <= rounded_reg + {7'd0, up_reg};
        end
    end

    // each lane has a copy of the table, 16 rows of 16 entries
    (* ram_style = "distributed" *)
    reg [127:0] table_memory [0:15];

    always_ff @(posedge clk) begin
        if (load_valid_reg) table_memory[load_beat_reg] <= load_data_reg;
    end

    wire [127:0] table_row = table_memory[value_reg[7:4]];
    reg [7:0] output_reg;

    always_ff @(posedge clk) begin
        if (valid_reg[3]) begin
            output_reg <= use_table ? table_row[value_reg[3:0]*8 +: 8] : value_reg;
        end
    end

    assign word[lane*8 +: 8] = output_reg;
end

endgenerate

endmodule

`resetall
