// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * LOAD: copies data from memory into weights, parameters and tables
 *
 * A load requests its data while the answers to the load before it still arrive.
 */
module hp_loader #
(
    // width of the memory port, 8 or 16
    parameter BUS_BYTES = 8
)
(
    input  wire                     clk,
    input  wire                     rst,
    input  wire [31:0]              region0,
    input  wire [31:0]              region1,
    input  wire [31:0]              region2,

    // Commands; cmd is constant from the cycle before cmd_valid
    input  wire                     cmd_valid,
    output wire                     cmd_ready,
    input  wire [511:0]             cmd,
    input  wire [15:0]              cmd_number,
    output wire                     done,
    output wire                     failed,
    output wire [15:0]              failed_number,

    // Read client
    output wire                     request_valid,
    input  wire                     request_ready,
    output wire [31:0]              request_address,
    output wire [19:0]              request_beats,
    input  wire                     data_valid,
    input  wire [BUS_BYTES*8-1:0]   data,
    input  wire                     data_failed,
    input  wire                     data_last,

    // Words of 16 bytes for the targets
    output wire                     load_valid,
    output wire [3:0]               load_target,
    output wire [15:0]              load_beat,
    output wire [127:0]             load_data
);

`include "tables.svh"

localparam BEATS = 16 / BUS_BYTES;  // a word

// -- asking

wire [3:0] region = cmd[LOAD_REGION_LSB +: LOAD_REGION_BITS];
wire [3:0] target = cmd[LOAD_TARGET_LSB +: LOAD_TARGET_BITS];
wire [31:0] offset = cmd[LOAD_OFFSET_LSB +: LOAD_OFFSET_BITS];
wire [15:0] first = cmd[LOAD_BEAT_LSB +: LOAD_BEAT_BITS];
wire [16:0] words = cmd[LOAD_BYTES_LSB + 4 +: 17];
wire [31:0] base = region == REGION_RESIZE ? region2 : region == REGION_WORK ? region1 : region0;

logic request_valid_reg;
logic [31:0] request_address_reg;
logic [19:0] request_beats_reg;

wire queue_ready;
wire head_valid;
wire accept = cmd_valid && cmd_ready;
// such a load waits for the end of the others; cmd is there a cycle before cmd_valid
logic nothing_reg;

assign cmd_ready = queue_ready && !request_valid_reg && !(nothing_reg && head_valid);
assign request_valid = request_valid_reg;
assign request_address = request_address_reg;
assign request_beats = request_beats_reg;

always_ff @(posedge clk) begin
    nothing_reg <= words == 0;
    if (request_ready) begin
        request_valid_reg <= 1'b0;
    end
    if (accept) begin
        request_valid_reg <= !nothing_reg;
        request_address_reg <= base + offset;
        request_beats_reg <= 20'(words) * 20'(BEATS);
    end
    if (rst) begin
        request_valid_reg <= 1'b0;
    end
end

// -- taking the answers

wire [15:0] head_number;
wire [3:0] head_target;
wire [15:0] head_first;

logic [15:0] taken_reg;  // words of the head
logic word_valid;
logic [127:0] word;
// a word a cycle later; ended_reg: it is the last of its load
logic word_valid_reg;
logic [127:0] word_reg;
logic ended_reg;
logic failed_reg;

logic load_valid_reg;
logic [3:0] load_target_reg;
logic [15:0] load_beat_reg;
logic [127:0] load_data_reg;
logic [2:0] done_reg;  // a target may need a cycle or two to store the word

assign done = done_reg[2];
assign failed = failed_reg;
assign failed_number = head_number;
assign load_valid = load_valid_reg;
assign load_target = load_target_reg;
assign load_beat = load_beat_reg;
assign load_data = load_data_reg;

/* verilator lint_off PINCONNECTEMPTY */
hp_fifo #(.WIDTH(16 + 4 + 16), .DEPTH(4), .OUTPUT_REGISTER(1)) queue_inst (
    .clk, .rst,
    .s_valid(accept && !nothing_reg), .s_ready(queue_ready), .s_data({cmd_number, target, first}),
    .m_valid(head_valid), .m_ready(ended_reg), .m_data({head_number, head_target, head_first}),
    .level()
);
/* verilator lint_on PINCONNECTEMPTY */

generate
    if (BEATS == 1) begin : whole_words
        assign word_valid = data_valid;
        assign word = data;
    end else begin : half_words
        logic high_reg;
        logic [63:0] low_reg;
        assign word_valid = data_valid && high_reg;
        assign word = {data, low_reg};
        always_ff @(posedge clk) begin
            if (data_valid) begin
                high_reg <= !high_reg;
                low_reg <= data;
            end
            if (rst) begin
                high_reg <= 1'b0;
            end
        end
    end
endgenerate

always_ff @(posedge clk) begin
    word_valid_reg <= word_valid;
    word_reg <= word;
    ended_reg <= word_valid && data_last;
    failed_reg <= data_valid && data_failed;
    load_valid_reg <= word_valid_reg;
    load_target_reg <= head_target;
    load_beat_reg <= head_first + taken_reg;
    load_data_reg <= word_reg;
    done_reg <= {done_reg[1:0], ended_reg || (accept && nothing_reg)};
    if (word_valid_reg) begin
        taken_reg <= taken_reg + 1'b1;
    end
    if (ended_reg) begin
        taken_reg <= '0;
    end
    if (rst) begin
        word_valid_reg <= 1'b0;
        ended_reg <= 1'b0;
        failed_reg <= 1'b0;
        load_valid_reg <= 1'b0;
        done_reg <= '0;
        taken_reg <= '0;
    end
end

wire unused = &{1'b0, cmd};

endmodule

`resetall
