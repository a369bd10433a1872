// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Runs a program: queues its commands for the four units. Each unit executes its commands in order.
 * A command starts when, for each unit, the number of ended commands has reached what it waits for.
 *
 * An illegal command ends the program after all earlier commands are complete, so that the first
 * error is the one that is reported.
 */
module hp_dispatch
(
    input  wire             clk,
    input  wire             rst,

    // Registers
    input  wire             start,
    input  wire             stop,
    // high for one cycle when a program starts
    output wire             started,
    output wire             busy,
    output wire             done,
    output wire             error,
    output wire [3:0]       error_code,
    output wire [15:0]      error_number,

    // to the units: drop all work and stay idle until the next start
    output wire             clear,
    // no burst is in flight
    input  wire             drained,

    // Commands
    input  wire             command_valid,
    output wire             command_ready,
    input  wire [511:0]     command,
    input  wire [15:0]      command_number,
    input  wire             command_failed,

    // Units: 0 load, 1 crop, 2 conv, 3 store
    output wire [3:0]       cmd_valid,
    input  wire [3:0]       cmd_ready,
    output wire [4*512-1:0] cmd,
    output wire [4*16-1:0]  cmd_number,
    // one of its commands has ended
    input  wire [3:0]       ended,

    // Errors of the memory
    input  wire [2:0]       failed,
    input  wire [3*4-1:0]   failed_code,
    input  wire [3*16-1:0]  failed_number
);

`include "tables.svh"

localparam UNITS = 4;
localparam WAIT_LSB = ALL_WAIT_LOAD_LSB;  // four waits side by side, in the units' order
localparam DEPTH = 16;                    // places of each queue

localparam [1:0]
    STATE_IDLE = 2'd0,
    STATE_RUN = 2'd1,
    STATE_END = 2'd2;

// -- state of the program

logic [1:0] state_reg;
logic clear_reg;  // state_reg != STATE_RUN
logic [1:0] settled_reg;  // clear_reg, one and two cycles before
logic drained_reg;
logic done_reg;
logic good_reg;  // the program reached its END
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
assign clear = clear_reg;

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

// a command is decoded in one cycle and queued in the next
logic judged_reg;
logic bad_reg;
logic end_reg;
logic end_met_reg;  // what an END waits for has ended
logic [UNITS-1:0] unit_reg;  // where a legal command goes
logic quiet_reg;

wire [UNITS-1:0] queue_ready;
logic [UNITS-1:0] end_met;
wire [UNITS-1:0] hand = unit_reg & queue_ready;
wire over = judged_reg && quiet_reg && (bad_reg || (end_reg && end_met_reg));

assign command_ready = hand != 0;

// -- the units' queues

genvar u;
generate
    for (u = 0; u < UNITS; u = u + 1) begin : units
        // bits of a command that the unit uses
        localparam BITS = u == 0 ? LOAD_BEAT_LSB + LOAD_BEAT_BITS
            : u == 1 ? CROP_SIZE_LSB + CROP_SIZE_BITS
            : u == 2 ? CONV_PAD_TOP_LSB + CONV_PAD_TOP_BITS
            : STORE_OFFSET_LSB + STORE_OFFSET_BITS;

        wire head_valid;
        wire [BITS-1:0] head;
        wire [15:0] head_number;
        // the head of the queue in registers, a cycle before it may start
        logic there_reg;
        logic [BITS-1:0] cmd_reg;
        logic [15:0] cmd_number_reg;
        logic met_reg;
        logic gone_reg;  // it started a cycle ago and leaves the queue
        logic [UNITS-1:0] met;
        wire goes = cmd_valid[u] && cmd_ready[u];

        /* verilator lint_off PINCONNECTEMPTY */
        hp_fifo #(.WIDTH(BITS + 16), .DEPTH(DEPTH)) queue_inst (
            .clk, .rst(rst || clear),
            .s_valid(hand[u]), .s_ready(queue_ready[u]),
            .s_data({command_number, command[BITS-1:0]}),
            .m_valid(head_valid), .m_ready(gone_reg), .m_data({head_number, head}), .level()
        );
        /* verilator lint_on PINCONNECTEMPTY */

        always_comb begin
            for (int i = 0; i < UNITS; i = i + 1) begin
                met[i] = ended_reg[i] >= cmd_reg[WAIT_LSB + 16*i +: 16];
            end
        end

        assign cmd_valid[u] = met_reg;
        assign cmd[512*u +: 512] = 512'(cmd_reg);
        assign cmd_number[16*u +: 16] = cmd_number_reg;

        always_ff @(posedge clk) begin
            cmd_reg <= head;
            cmd_number_reg <= head_number;
            gone_reg <= goes;
            there_reg <= head_valid && !goes && !gone_reg && !clear;
            met_reg <= there_reg && &met && !goes && !clear;
        end
    end
endgenerate

always_comb begin
    for (int i = 0; i < UNITS; i = i + 1) begin
        end_met[i] = ended_reg[i] >= command[WAIT_LSB + 16*i +: 16];
    end
end

always_ff @(posedge clk) begin
    judged_reg <= command_valid && !command_ready;
    drained_reg <= drained;
    settled_reg <= {settled_reg[0], clear_reg};
    bad_reg <= bad;
    end_reg <= is_end;
    end_met_reg <= &end_met;
    unit_reg <= command_valid && !command_ready && !bad ? unit : '0;
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
                clear_reg <= 1'b0;
            end
        end
        STATE_RUN: begin
            if (over) begin
                good_reg <= !bad_reg;
                error_reg <= bad_reg;
                code_reg <= !bad_reg ? '0 : command_failed ? ERROR_READ : ERROR_COMMAND;
                number_reg <= bad_reg ? command_number : '0;
                state_reg <= STATE_END;
                clear_reg <= 1'b1;
            end
            for (int i = 0; i < 3; i = i + 1) begin
                if (failed[i]) begin
                    good_reg <= 1'b0;
                    error_reg <= 1'b1;
                    code_reg <= failed_code[4*i +: 4];
                    number_reg <= failed_number[16*i +: 16];
                    state_reg <= STATE_END;
                    clear_reg <= 1'b1;
                end
            end
            if (stop) begin
                good_reg <= 1'b0;
                error_reg <= 1'b0;
                code_reg <= '0;
                number_reg <= '0;
                state_reg <= STATE_END;
                clear_reg <= 1'b1;
            end
        end
        default: begin
            // drained_reg was sampled while the units were in reset already
            if (drained_reg && settled_reg[1]) begin
                done_reg <= good_reg;
                state_reg <= STATE_IDLE;
            end
        end
    endcase

    if (rst || clear) begin
        unit_reg <= '0;
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
        clear_reg <= 1'b1;
        settled_reg <= '0;
        done_reg <= 1'b0;
        error_reg <= 1'b0;
        code_reg <= '0;
        number_reg <= '0;
    end
end

endmodule

`resetall
