// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * The table of the crop's columns: LANES entries from number LANES * group on, two cycles later
 */
module hp_columns #
(
    // entries at once: 1, 2 or 4
    parameter LANES = 1
)
(
    input  wire                 clk,

    // Load of the table: two entries a beat
    input  wire                 load_valid,
    input  wire [7:0]           load_beat,
    input  wire [127:0]         load_data,

    input  wire [8:0]           group,
    output wire [LANES*64-1:0]  entries
);

reg [LANES*64-1:0] entries_reg;

assign entries = entries_reg;

generate
    if (LANES == 4) begin : four
        wire unused = &{1'b0, group[8:7]};
        logic [127:0] low [0:127];
        logic [127:0] high [0:127];
        logic [127:0] low_reg;
        logic [127:0] high_reg;
        always_ff @(posedge clk) begin
            if (load_valid && !load_beat[0]) begin
                low[load_beat[7:1]] <= load_data;
            end
            low_reg <= low[group[6:0]];
        end
        always_ff @(posedge clk) begin
            if (load_valid && load_beat[0]) begin
                high[load_beat[7:1]] <= load_data;
            end
            high_reg <= high[group[6:0]];
            entries_reg <= {high_reg, low_reg};
        end
    end else begin : two
        logic [127:0] memory [0:255];
        logic [127:0] memory_reg;
        logic odd_reg;
        always_ff @(posedge clk) begin
            if (load_valid) begin
                memory[load_beat] <= load_data;
            end
            memory_reg <= memory[LANES == 2 ? group[7:0] : group[8:1]];
            odd_reg <= group[0];
        end
        if (LANES == 2) begin : both
            wire unused = &{1'b0, odd_reg, group[8]};
            always_ff @(posedge clk) entries_reg <= memory_reg;
        end else begin : one
            always_ff @(posedge clk) entries_reg <= odd_reg ? memory_reg[127:64] : memory_reg[63:0];
        end
    end
endgenerate

endmodule

`resetall
