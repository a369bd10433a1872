// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * STORE: the words of a map, row by row, to the writer
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

    /*
     * Commands
     */
    input  wire         cmd_valid,
    output wire         cmd_ready,
    input  wire [511:0] cmd,
    input  wire [15:0]  cmd_number,
    output wire         done,
    // of the command that runs
    output wire [15:0]  number,

    /*
     * Map memory
     */
    output wire         map_read_valid,
    input  wire         map_read_ready,
    output wire [1:0]   map_read_bank,
    output wire [15:0]  map_read_address,

    /*
     * Writer, which takes the words from the map memory
     */
    output wire         start,
    output wire [27:0]  start_address,
    output wire         last,
    input  wire         word_valid,
    input  wire         taken,
    input  wire         empty
);

if (LANES != 1 && LANES != 2 && LANES != 4) begin : bad_lanes
    $error("LANES must be 1, 2 or 4, not %0d", LANES);
end

`include "tables.svh"

localparam [2:0]
    STATE_IDLE = 3'd0,
    STATE_BEGIN = 3'd1,
    STATE_PLACE = 3'd2,
    STATE_ROW = 3'd3,
    STATE_WAIT = 3'd4;

logic [2:0] state_reg;
logic [1:0] step_reg;
logic [15:0] number_reg;
logic split_reg;
logic [15:0] base_reg;
logic [15:0] row_pitch_reg;
logic [15:0] width_reg;
logic [15:0] rows_reg;  // that are still to come
logic [15:0] row_reg;
logic [15:0] columns_reg;  // of this row that are still to come
logic [15:0] address_reg;
logic [31:0] target_reg;
logic done_reg;
logic [5:0] free_reg;  // places of the writer
logic [5:0] flight_reg;  // words asked for that have not come

wire [3:0] region = cmd[STORE_REGION_LSB +: STORE_REGION_BITS];
wire [31:0] base = region == REGION_RESIZE ? region2 : region == REGION_WORK ? region1 : region0;
wire [1:0] bank;
wire [15:0] address;
wire read = map_read_valid && map_read_ready;
wire nothing = width_reg == 0 || rows_reg == 0;

assign cmd_ready = state_reg == STATE_IDLE;
assign done = done_reg;
assign number = number_reg;
assign map_read_valid = state_reg == STATE_ROW && free_reg != 0;
assign map_read_bank = bank;
assign map_read_address = address_reg;
assign start = state_reg == STATE_BEGIN;
assign start_address = target_reg[31:4];
assign last = state_reg == STATE_WAIT && flight_reg == 0;

hp_row_address #(
    .LANES(LANES)
)
row_address_inst (
    .clk(clk),
    .row(row_reg),
    .split(split_reg),
    .base(base_reg),
    .row_pitch(row_pitch_reg),
    .bank(bank),
    .address(address)
);

always_ff @(posedge clk) begin
    done_reg <= 1'b0;
    free_reg <= free_reg + 6'(taken) - 6'(read);
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
            if (cmd_valid) begin
                state_reg <= STATE_BEGIN;
            end
        end
        STATE_BEGIN: begin
            step_reg <= '0;
            state_reg <= nothing ? STATE_WAIT : STATE_PLACE;
        end
        STATE_PLACE: begin
            // the row's place takes two cycles
            step_reg <= step_reg + 1'b1;
            columns_reg <= width_reg;
            address_reg <= address;
            if (step_reg == 2'd2) begin
                state_reg <= STATE_ROW;
            end
        end
        STATE_ROW: begin
            if (read) begin
                address_reg <= address_reg + 1'b1;
                columns_reg <= columns_reg - 1'b1;
                if (columns_reg == 1) begin
                    row_reg <= row_reg + 1'b1;
                    rows_reg <= rows_reg - 1'b1;
                    step_reg <= '0;
                    state_reg <= rows_reg == 1 ? STATE_WAIT : STATE_PLACE;
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
        done_reg <= 1'b0;
        free_reg <= 6'd32;
        flight_reg <= '0;
    end
end

wire unused = &{1'b0, cmd, target_reg[3:0]};

endmodule

`resetall
