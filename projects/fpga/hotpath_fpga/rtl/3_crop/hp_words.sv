// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Makes words of the map memory from the pixels of a crop: one of each pixel, or with overlap one of
 * five neighbouring pixels
 */
module hp_words #
(
    // pixels of a group: 1, 2 or 4
    parameter LANES = 1,
    // words that may wait to be written; whoever gives pixels leaves room for theirs
    parameter DEPTH = 32
)
(
    input  wire                 clk,
    input  wire                 rst,

    // A group of pixels
    input  wire                 valid,
    // first of its row, makes a word, with overlap, last of the command, bank, address, pixels to keep
    input  wire [21+LANES:0]    group,
    input  wire [LANES*24-1:0]  values,
    // a command without a word ends
    input  wire                 nothing,
    // the last word of a command is written
    output wire                 done,
    // a word left the FIFO
    output wire                 popped,

    // Map memory
    output wire                 map_write_valid,
    input  wire                 map_write_ready,
    output wire [1:0]           map_write_bank,
    output wire [15:0]          map_write_address,
    output wire [127:0]         map_write_data
);

wire out_first, out_emit, out_overlap, out_last;
wire [1:0] out_bank;
wire [15:0] out_address;
wire [LANES-1:0] out_kept;
assign {out_first, out_emit, out_overlap, out_last, out_bank, out_address, out_kept} = group;

logic [119:0] window_reg;   // with overlap: the last five pixels
logic [LANES*24-1:0] hold_reg;  // without: pixels that are still to become words
logic [LANES-1:0] hold_kept_reg;
logic [LANES-1:0] hold_left_reg;  // as many ones as pixels
logic word_valid_reg;
logic word_last_reg;
logic [1:0] word_bank_reg;
logic [15:0] word_address_reg;

wire [119:0] earlier = out_first ? '0 : window_reg;
wire holds = hold_left_reg[0];
wire push = word_valid_reg || holds;
wire push_last = word_last_reg && (!holds || hold_left_reg == LANES'(1));
wire push_kept = !holds || hold_kept_reg[0];
wire [119:0] push_data = holds ? 120'(hold_reg[23:0]) : window_reg;

always_ff @(posedge clk) begin
    word_valid_reg <= 1'b0;
    if (holds) begin
        hold_reg <= hold_reg >> 24;
        hold_kept_reg <= hold_kept_reg >> 1;
        hold_left_reg <= hold_left_reg >> 1;
        word_address_reg <= word_address_reg + 1'b1;
    end
    if (valid) begin
        word_last_reg <= out_last;
        word_bank_reg <= out_bank;
        word_address_reg <= out_address;
        if (out_overlap) begin
            window_reg <= 120'({values, earlier} >> (LANES * 24));
            word_valid_reg <= out_emit;
        end else begin
            hold_reg <= values;
            hold_kept_reg <= out_kept;
            hold_left_reg <= '1;
        end
    end
    if (rst) begin
        word_valid_reg <= 1'b0;
        hold_left_reg <= '0;
    end
end

wire word_there, word_last, word_kept;
logic [1:0] done_reg;  // the map memory may need a cycle to store the word

assign popped = word_there && (!word_kept || map_write_ready);
assign map_write_valid = word_there && word_kept;
assign map_write_data[127:120] = '0;
assign done = done_reg[1];

/* verilator lint_off PINCONNECTEMPTY */
hp_fifo #(.WIDTH(1 + 1 + 2 + 16 + 120), .DEPTH(DEPTH), .OUTPUT_REGISTER(1)) fifo_inst (
    .clk, .rst,
    .s_valid(push), .s_ready(),
    .s_data({push_last, push_kept, word_bank_reg, word_address_reg, push_data}),
    .m_valid(word_there), .m_ready(popped),
    .m_data({word_last, word_kept, map_write_bank, map_write_address, map_write_data[119:0]}),
    .level()
);
/* verilator lint_on PINCONNECTEMPTY */

always_ff @(posedge clk) begin
    done_reg <= {done_reg[0], (popped && word_last) || nothing};
    if (rst) begin
        done_reg <= '0;
    end
end

endmodule

`resetall
