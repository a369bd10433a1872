// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Reads the commands of a program, up to four ahead
 *
 * Commands behind the END are read too and dropped. A read error therefore counts only when the
 * command that it belongs to is taken.
 */
module hp_fetch #
(
    // width of the memory port
    parameter BUS_BYTES = 8
)
(
    input  wire                     clk,
    // high from the end of a program to the start of the next
    input  wire                     rst,
    input  wire [31:0]              program_address,

    // Read client
    output wire                     request_valid,
    input  wire                     request_ready,
    output wire [31:0]              request_address,
    output wire [19:0]              request_beats,
    input  wire                     data_valid,
    input  wire [BUS_BYTES*8-1:0]   data,
    input  wire                     data_failed,

    // Commands
    output wire                     command_valid,
    input  wire                     command_ready,
    output wire [511:0]             command,
    output wire [15:0]              command_number,
    output wire                     command_failed
);

localparam WIDTH = BUS_BYTES * 8;
localparam BEATS = 64 / BUS_BYTES;
localparam AHEAD = 4;

logic [25:0] next_reg;  // in commands
logic [2:0] ahead_reg;  // commands asked for that have not left the FIFO
logic [511:0] command_reg;
logic [15:0] number_reg;
logic failed_reg;
logic valid_reg;
logic [$clog2(BEATS)-1:0] beat_reg;

wire beat_valid;
wire [WIDTH-1:0] beat;
wire beat_failed;
wire beat_ready = !valid_reg;
wire beat_last = &beat_reg;
wire asked = request_valid && request_ready;
wire left = beat_valid && beat_ready && beat_last;

// in reset a request may be valid: then the reader drops it
assign request_valid = ahead_reg != AHEAD;
assign request_address = {next_reg, 6'd0};
assign request_beats = 20'(BEATS);
assign command_valid = valid_reg;
assign command = command_reg;
assign command_number = number_reg;
assign command_failed = failed_reg;

/* verilator lint_off PINCONNECTEMPTY */
hp_fifo #(.WIDTH(WIDTH + 1), .DEPTH(AHEAD * BEATS)) fifo_inst (
    .clk, .rst, .s_valid(data_valid), .s_ready(), .s_data({data_failed, data}),
    .m_valid(beat_valid), .m_ready(beat_ready), .m_data({beat_failed, beat}), .level()
);
/* verilator lint_on PINCONNECTEMPTY */

always_ff @(posedge clk) begin
    if (asked) begin
        next_reg <= next_reg + 1'b1;
    end
    ahead_reg <= ahead_reg + 3'(asked) - 3'(left);

    if (beat_valid && beat_ready) begin
        command_reg <= {beat, command_reg[511:WIDTH]};
        failed_reg <= beat_failed || (failed_reg && beat_reg != 0);
        beat_reg <= beat_reg + 1'b1;
        valid_reg <= beat_last;
    end
    if (command_valid && command_ready) begin
        valid_reg <= 1'b0;
        number_reg <= number_reg + 1'b1;
    end

    if (rst) begin
        next_reg <= program_address[31:6];
        ahead_reg <= '0;
        beat_reg <= '0;
        number_reg <= '0;
        valid_reg <= 1'b0;
    end
end

wire unused = &{1'b0, program_address[5:0]};

endmodule

`resetall
