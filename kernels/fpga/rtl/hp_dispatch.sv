// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Runs a program: hands its commands to the units, each of which goes through its own in order, and
 * starts a command when as many commands of each unit have ended as it waits for
 *
 * A command that there is not ends the program when all before it have ended, so that the first
 * error is the one told.
 */
module hp_dispatch
(
    input  wire             clk,
    input  wire             rst,

    /*
     * Registers
     */
    input  wire             start,
    input  wire             stop,
    // a program starts
    output wire             started,
    output wire             busy,
    output wire             done,
    output wire             error,
    output wire [3:0]       error_code,
    output wire [15:0]      error_number,

    // units: drop all you do, now and until the next start
    output wire             clear,
    // no burst is in flight
    input  wire             drained,

    /*
     * Commands
     */
    input  wire             command_valid,
    output wire             command_ready,
    input  wire [511:0]     command,
    input  wire [15:0]      command_number,
    input  wire             command_failed,

    /*
     * Units: 0 load, 1 crop, 2 conv, 3 store
     */
    output wire [3:0]       cmd_valid,
    input  wire [3:0]       cmd_ready,
    output wire [4*512-1:0] cmd,
    output wire [4*16-1:0]  cmd_number,
    // one of its commands has ended
    input  wire [3:0]       ended,

    /*
     * Errors of the memory
     */
    input  wire [2:0]       failed,
    input  wire [3*4-1:0]   failed_code,
    input  wire [3*16-1:0]  failed_number
);

`include "tables.svh"

localparam UNITS = 4;
localparam WAIT_LSB = ALL_WAIT_LOAD_LSB;  // four waits side by side, in the units' order
localparam DEPTH = 16;                    // commands that wait for each unit

localparam [1:0]
    STATE_IDLE = 2'd0,
    STATE_RUN = 2'd1,
    STATE_END = 2'd2;

// -- state of the program

logic [1:0] state_reg;
logic done_reg;
logic good_reg;  // the program came to its END
logic error_reg;
logic [3:0] code_reg;
logic [15:0] number_reg;

logic [15:0] given_reg [0:UNITS-1];  // commands handed to each unit
logic [15:0] ended_reg [0:UNITS-1];  // and ended
logic [UNITS-1:0] idle_reg;

assign started = state_reg == STATE_IDLE && start;
assign busy = state_reg != STATE_IDLE;
assign done = done_reg;
assign error = error_reg;
assign error_code = code_reg;
assign error_number = number_reg;
assign clear = state_reg != STATE_RUN;

// -- the next command

wire [3:0] opcode = command[ALL_OPCODE_LSB +: ALL_OPCODE_BITS];
wire [3:0] target = command[LOAD_TARGET_LSB +: LOAD_TARGET_BITS];
wire [3:0] region = opcode == OP_LOAD ? command[LOAD_REGION_LSB +: LOAD_REGION_BITS]
    : command[STORE_REGION_LSB +: STORE_REGION_BITS];
wire [UNITS-1:0] unit = {opcode == OP_STORE, opcode == OP_CONV, opcode == OP_CROP,
    opcode == OP_LOAD};
wire is_end = opcode == OP_END;
wire bad = (unit == 0 && !is_end) || (unit[0] && target > TARGET_ROWS)
    || ((unit[0] || unit[3]) && region > REGION_RESIZE) || command_failed;

// two cycles for what a command is and where it goes
logic judged_reg;
logic bad_reg;
logic end_reg;
logic [UNITS-1:0] unit_reg;
logic quiet_reg;

wire [UNITS-1:0] queue_ready;
logic [UNITS-1:0] end_met;
wire [UNITS-1:0] hand = unit_reg & queue_ready & {UNITS{judged_reg && !bad_reg && !clear}};
wire over = judged_reg && quiet_reg && (bad_reg || (end_reg && &end_met)) && !clear;

assign command_ready = hand != 0;

// -- the units' queues

genvar u;
generate
    for (u = 0; u < UNITS; u = u + 1) begin : units
        // the last bit that the unit's commands use
        localparam BITS = u == 0 ? LOAD_BEAT_LSB + LOAD_BEAT_BITS
            : u == 1 ? CROP_SIZE_LSB + CROP_SIZE_BITS
            : u == 2 ? CONV_PARAM_ENTRY_LSB + CONV_PARAM_ENTRY_BITS
            : STORE_OFFSET_LSB + STORE_OFFSET_BITS;

        wire head_valid;
        wire [BITS-1:0] head;
        logic met_reg;
        logic [UNITS-1:0] met;
        wire goes = cmd_valid[u] && cmd_ready[u];

        /* verilator lint_off PINCONNECTEMPTY */
        hp_fifo #(
            .WIDTH(BITS + 16),
            .DEPTH(DEPTH)
        )
        queue_inst (
            .clk(clk),
            .rst(rst || clear),
            .s_valid(hand[u]),
            .s_ready(queue_ready[u]),
            .s_data({command_number, command[BITS-1:0]}),
            .m_valid(head_valid),
            .m_ready(goes),
            .m_data({cmd_number[16*u +: 16], head}),
            .level()
        );
        /* verilator lint_on PINCONNECTEMPTY */

        always_comb begin
            for (int i = 0; i < UNITS; i = i + 1) begin
                met[i] = ended_reg[i] >= head[WAIT_LSB + 16*i +: 16];
            end
        end

        assign cmd_valid[u] = met_reg;
        assign cmd[512*u +: 512] = 512'(head);

        always_ff @(posedge clk) begin
            met_reg <= head_valid && &met && !goes && !clear;
        end
    end
endgenerate

always_comb begin
    for (int i = 0; i < UNITS; i = i + 1) begin
        end_met[i] = ended_reg[i] >= command[WAIT_LSB + 16*i +: 16];
    end
end

always_ff @(posedge clk) begin
    judged_reg <= command_valid && !command_ready && !clear;
    bad_reg <= bad;
    end_reg <= is_end;
    unit_reg <= unit;
    quiet_reg <= &idle_reg;

    for (int i = 0; i < UNITS; i = i + 1) begin
        given_reg[i] <= given_reg[i] + 16'(hand[i]);
        ended_reg[i] <= ended_reg[i] + 16'(ended[i]);
        idle_reg[i] <= given_reg[i] == ended_reg[i] && !hand[i];
    end

    case (state_reg)
        STATE_IDLE: begin
            if (start) begin
                done_reg <= 1'b0;
                good_reg <= 1'b0;
                error_reg <= 1'b0;
                code_reg <= '0;
                number_reg <= '0;
                state_reg <= STATE_RUN;
            end
        end
        STATE_RUN: begin
            if (over) begin
                good_reg <= !bad_reg;
                error_reg <= bad_reg;
                code_reg <= !bad_reg ? '0 : command_failed ? ERROR_READ : ERROR_COMMAND;
                number_reg <= bad_reg ? command_number : '0;
                state_reg <= STATE_END;
            end
            for (int i = 0; i < 3; i = i + 1) begin
                if (failed[i]) begin
                    good_reg <= 1'b0;
                    error_reg <= 1'b1;
                    code_reg <= failed_code[4*i +: 4];
                    number_reg <= failed_number[16*i +: 16];
                    state_reg <= STATE_END;
                end
            end
            if (stop) begin
                good_reg <= 1'b0;
                error_reg <= 1'b0;
                code_reg <= '0;
                number_reg <= '0;
                state_reg <= STATE_END;
            end
        end
        default: begin
            if (drained) begin
                done_reg <= good_reg;
                state_reg <= STATE_IDLE;
            end
        end
    endcase

    if (rst || clear) begin
        judged_reg <= 1'b0;
        quiet_reg <= 1'b0;
        idle_reg <= '0;
        for (int i = 0; i < UNITS; i = i + 1) begin
            given_reg[i] <= '0;
            ended_reg[i] <= '0;
        end
    end
    if (rst) begin
        state_reg <= STATE_IDLE;
        done_reg <= 1'b0;
        error_reg <= 1'b0;
        code_reg <= '0;
        number_reg <= '0;
    end
end

endmodule

`resetall
