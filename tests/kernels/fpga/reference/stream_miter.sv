// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Compares two streams whatever their timing. "differs" is high when the entries that both have
 * given differ, or when both have ended and one has given more.
 */
module stream_miter #
(
    parameter WIDTH = 2,
    // entries that are compared; the next ones are not looked at
    parameter DEPTH = 4
)
(
    input  wire              clk,
    input  wire              rst,
    input  wire              a_valid,
    input  wire [WIDTH-1:0]  a_data,
    input  wire              b_valid,
    input  wire [WIDTH-1:0]  b_data,
    input  wire              ended,
    output wire              differs
);

logic [DEPTH*WIDTH-1:0] a_reg, b_reg;  // the newest entry is the lowest
logic [DEPTH:0] a_there_reg, b_there_reg;  // one-hot: how many
logic [DEPTH-1:0] wrong;

generate
    genvar a, b, i;
    wire [DEPTH-1:0] wrong_at [0:(DEPTH+1)*(DEPTH+1)-1];
    for (a = 0; a <= DEPTH; a = a + 1) begin : as
        for (b = 0; b <= DEPTH; b = b + 1) begin : bs
            for (i = 0; i < DEPTH; i = i + 1) begin : entries
                if (i < a && i < b) begin : both
                    assign wrong_at[a*(DEPTH+1)+b][i] = a_there_reg[a] && b_there_reg[b]
                        && a_reg[(a-1-i)*WIDTH +: WIDTH] != b_reg[(b-1-i)*WIDTH +: WIDTH];
                end else begin : one
                    assign wrong_at[a*(DEPTH+1)+b][i] = 1'b0;
                end
            end
        end
    end
endgenerate

always_comb begin
    wrong = '0;
    for (int j = 0; j < (DEPTH+1)*(DEPTH+1); j = j + 1) wrong = wrong | wrong_at[j];
end

assign differs = wrong != 0 || (ended && a_there_reg != b_there_reg);

always_ff @(posedge clk) begin
    if (a_valid && !a_there_reg[DEPTH]) begin
        a_reg <= {a_reg[(DEPTH-1)*WIDTH-1:0], a_data};
        a_there_reg <= {a_there_reg[DEPTH-1:0], 1'b0};
    end
    if (b_valid && !b_there_reg[DEPTH]) begin
        b_reg <= {b_reg[(DEPTH-1)*WIDTH-1:0], b_data};
        b_there_reg <= {b_there_reg[DEPTH-1:0], 1'b0};
    end
    if (rst) begin
        a_there_reg <= 1;
        b_there_reg <= 1;
    end
end

endmodule

`resetall
