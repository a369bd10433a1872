// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * STORE: sends the words of a map to the writer, row by row
 */
module hp_store #
(
    // map banks: 1, 2 or 4
    parameter LANES = 1
)
(
    input  wire         clk,
    input  wire         rst,
    input  wire [31:0]  region0,
    input  wire [31:0]  region1,
    input  wire [31:0]  region2,

    // Commands
    input  wire         cmd_valid,
    output wire         cmd_ready,
    input  wire [511:0] cmd,
    input  wire [15:0]  cmd_number,
    output wire         done,
    // number of the current command
    output wire [15:0]  number,

    // Map memory
    output wire         map_read_valid,
    input  wire         map_read_ready,
    output wire [1:0]   map_read_bank,
    output wire [15:0]  map_read_address,

    // Writer, which takes the words from the map memory
    output wire         start,
    output wire [27:0]  start_address,
    output wire         last,
    input  wire         word_valid,
    input  wire         taken,
    input  wire         empty
);

`include "tables.svh"

localparam [2:0]
    STATE_IDLE = 3'd0,
    STATE_BEGIN = 3'd1,
    STATE_PLACE = 3'd2,
    STATE_ROW = 3'd3,
    STATE_WAIT = 3'd4;

logic [2:0] state_reg;
logic [2:0] step_reg;  // cycles of a state, one-hot
logic reading_reg;  // state_reg == STATE_ROW
logic [15:0] number_reg;
logic split_reg;
logic [15:0] base_reg;
logic [15:0] row_pitch_reg;
logic [15:0] width_reg;
logic [15:0] row_reg;
logic [15:0] address_reg;
logic [31:0] target_reg;
logic done_reg;
logic [15:0] rows_reg;
logic nothing_reg;
logic [5:0] free_reg;  // free places of the writer
logic free_any_reg;  // one of them at least is free in the next cycle
logic taken_reg;
logic [5:0] flight_reg;  // words that were requested and have not arrived

wire [3:0] region = cmd[STORE_REGION_LSB +: STORE_REGION_BITS];
wire [31:0] base = region == REGION_RESIZE ? region2 : region == REGION_WORK ? region1 : region0;
wire [1:0] bank;
wire [15:0] address;
wire read = map_read_valid && map_read_ready;
wire column_last, row_last;

assign cmd_ready = state_reg == STATE_IDLE;
assign done = done_reg;
assign number = number_reg;
assign map_read_valid = reading_reg && free_any_reg;
assign map_read_bank = bank;
assign map_read_address = address_reg;
assign start = state_reg == STATE_BEGIN;
assign start_address = target_reg[31:4];
assign last = state_reg == STATE_WAIT && flight_reg == 0;

hp_row_address #(.LANES(LANES)) row_address_inst (
    .clk, .row(row_reg), .split(split_reg), .base(base_reg), .row_pitch(row_pitch_reg), .bank,
    .address
);

/* verilator lint_off PINCONNECTEMPTY */
hp_counter columns_counter (
    .clk, .start(state_reg == STATE_PLACE), .step(read), .rounds(width_reg),
    .last(column_last), .last_next()
);
hp_counter rows_counter (
    .clk, .start(state_reg == STATE_BEGIN), .step(read && column_last), .rounds(rows_reg),
    .last(row_last), .last_next()
);
/* verilator lint_on PINCONNECTEMPTY */

always_ff @(posedge clk) begin
    done_reg <= 1'b0;
    nothing_reg <= width_reg == 0 || rows_reg == 0;
    taken_reg <= taken;
    free_reg <= free_reg + 6'(taken_reg) - 6'(read);
    free_any_reg <= free_reg > 6'd1 || (free_reg == 6'd1 && !read);
    flight_reg <= flight_reg + 6'(read) - 6'(word_valid);

    case (state_reg)
        STATE_IDLE: begin
            number_reg <= cmd_number;
            split_reg <= cmd[STORE_SPLIT_LSB];
            base_reg <= cmd[STORE_BASE_LSB +: STORE_BASE_BITS];
            row_pitch_reg <= cmd[STORE_ROW_PITCH_LSB +: STORE_ROW_PITCH_BITS];
            width_reg <= cmd[STORE_WIDTH_LSB +: STORE_WIDTH_BITS];
            rows_reg <= cmd[STORE_ROWS_LSB +: STORE_ROWS_BITS];
            row_reg <= cmd[STORE_FIRST_ROW_LSB +: STORE_FIRST_ROW_BITS];
            target_reg <= base + cmd[STORE_OFFSET_LSB +: STORE_OFFSET_BITS];
            step_reg <= 3'd1;
            if (cmd_valid) begin
                state_reg <= STATE_BEGIN;
            end
        end
        STATE_BEGIN: begin
            // nothing_reg is there in the second of two cycles
            step_reg <= step_reg[1] ? 3'd1 : 3'd2;
            if (step_reg[1]) begin
                state_reg <= nothing_reg ? STATE_WAIT : STATE_PLACE;
            end
        end
        STATE_PLACE: begin
            // the address of the row takes two cycles
            step_reg <= {step_reg[1:0], step_reg[2]};
            address_reg <= address;
            if (step_reg[2]) begin
                state_reg <= STATE_ROW;
                reading_reg <= 1'b1;
            end
        end
        STATE_ROW: begin
            if (read) begin
                address_reg <= address_reg + 1'b1;
                if (column_last) begin
                    row_reg <= row_reg + 1'b1;
                    reading_reg <= 1'b0;
                    state_reg <= row_last ? STATE_WAIT : STATE_PLACE;
                end
            end
        end
        default: begin
            if (flight_reg == 0 && empty) begin
                done_reg <= 1'b1;
                state_reg <= STATE_IDLE;
            end
        end
    endcase

    if (rst) begin
        state_reg <= STATE_IDLE;
        reading_reg <= 1'b0;
        done_reg <= 1'b0;
        free_reg <= 6'd32;
        free_any_reg <= 1'b0;
        taken_reg <= 1'b0;
        flight_reg <= '0;
    end
end

wire unused = &{1'b0, cmd, target_reg[3:0]};

endmodule

`resetall
