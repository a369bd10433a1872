// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * hp_dispatch without pipelining: a command is judged and queued in one cycle, and starts at the head
 * of its unit's queue
 */
module plain_dispatch #
(
    parameter DEPTH = 4
)
(
    input  wire             clk,
    input  wire             rst,
    input  wire             start,
    output wire             busy,
    output logic            done,
    output logic            error,
    output logic [3:0]      error_code,
    output logic [15:0]     error_number,
    input  wire             drained,
    input  wire             command_valid,
    output wire             command_ready,
    input  wire [511:0]     command,
    input  wire [15:0]      command_number,
    input  wire             command_failed,
    output wire [3:0]       cmd_valid,
    input  wire [3:0]       cmd_ready,
    output wire [4*512-1:0] cmd,
    output wire [4*16-1:0]  cmd_number,
    input  wire [3:0]       ended
);

`include "tables.svh"

logic [1:0] state_reg;  // idle, run, end
logic good_reg;
logic [15:0] ended_reg [0:3];
logic [15:0] given_reg [0:3];
wire run = state_reg == 1;

wire [3:0] opcode = command[ALL_OPCODE_LSB +: 4];
wire [3:0] region = opcode == OP_LOAD ? command[LOAD_REGION_LSB +: 4]
    : command[STORE_REGION_LSB +: 4];
wire [3:0] unit = {opcode == OP_STORE, opcode == OP_CONV, opcode == OP_CROP, opcode == OP_LOAD};
wire bad = (unit == 0 && opcode != OP_END)
    || (unit[0] && command[LOAD_TARGET_LSB +: 4] > TARGET_ROWS)
    || ((unit[0] || unit[3]) && region > REGION_RESIZE) || command_failed;

wire [3:0] queue_ready, idle, met;
wire [3:0] hand = unit & queue_ready & {4{command_valid && !bad && run}};
wire over = command_valid && run && &idle && (bad || (opcode == OP_END && &met));

assign busy = state_reg != 0;
assign command_ready = hand != 0;

generate
    genvar u;
    for (u = 0; u < 4; u = u + 1) begin : units
        wire head_valid;
        wire [511:0] head;
        wire [3:0] head_met;
        for (genvar i = 0; i < 4; i = i + 1) begin : waits
            assign head_met[i] = ended_reg[i] >= head[ALL_WAIT_LOAD_LSB + 16*i +: 16];
        end
        plain_fifo #(.WIDTH(528), .DEPTH(DEPTH)) queue (
            .clk(clk), .rst(rst || !run), .s_valid(hand[u]), .s_ready(queue_ready[u]),
            .s_data({command_number, command}), .m_valid(head_valid),
            .m_ready(cmd_valid[u] && cmd_ready[u]), .m_data({cmd_number[16*u +: 16], head}),
            .level()
        );
        assign cmd[512*u +: 512] = head;
        assign cmd_valid[u] = head_valid && &head_met && run;
        assign met[u] = ended_reg[u] >= command[ALL_WAIT_LOAD_LSB + 16*u +: 16];
        assign idle[u] = given_reg[u] == ended_reg[u];
        always_ff @(posedge clk) begin
            given_reg[u] <= rst || !run ? '0 : given_reg[u] + 16'(hand[u]);
            ended_reg[u] <= rst || !run ? '0 : ended_reg[u] + 16'(ended[u]);
        end
    end
endgenerate

always_ff @(posedge clk) begin
    if (state_reg == 0 && start) begin
        state_reg <= 1;
        {done, good_reg, error, error_code, error_number} <= '0;
    end
    if (over) begin
        state_reg <= 2;
        good_reg <= !bad;
        error <= bad;
        error_code <= !bad ? '0 : command_failed ? ERROR_READ : ERROR_COMMAND;
        error_number <= bad ? command_number : '0;
    end
    if (state_reg == 2 && drained) begin
        state_reg <= 0;
        done <= good_reg;
    end
    if (rst) begin
        state_reg <= 0;
        {done, good_reg, error, error_code, error_number} <= '0;
    end
end

endmodule

/*
 * hp_dispatch beside it, with a program of COMMANDS commands that is free but for the bits that only
 * pass through. Commands come, and units take and end them, at any time. Compared are each unit's
 * commands and how the program ends. Besides, no command may start before what it waits for.
 */
module dispatch_miter #
(
    parameter COMMANDS = 4
)
(
    input  wire                     clk,
    input  wire                     rst,
    input  wire [COMMANDS*12-1:0]   program_bits,
    input  wire                     comes,
    input  wire [3:0]               takes,
    input  wire [3:0]               ends,
    input  wire                     drained,
    output wire                     differs
);

`include "tables.svh"

localparam A = 0, B = 1;

logic [COMMANDS*12-1:0] program_reg;
logic [1:0] age_reg;
wire start = age_reg == 1;
wire [1:0] busy, done, error, early;
wire [2*4-1:0] code;
wire [2*16-1:0] error_number;
wire [2*4-1:0] valid, begun;
wire [2*4*512-1:0] cmd;
wire [2*64-1:0] number;
wire [3:0] differ;

generate
    genvar s, u;
    for (s = A; s <= B; s = s + 1) begin : sides
        logic [2:0] at_reg;
        wire [11:0] bits = program_reg[12*at_reg +: 12];
        wire ready;
        wire [3:0] ended;
        wire [3:0] too_early;
        logic [511:0] command;
        always_comb begin
            command = '0;
            command[ALL_OPCODE_LSB +: 3] = bits[2:0];
            command[ALL_WAIT_LOAD_LSB +: 2] = bits[4:3];
            command[ALL_WAIT_CROP_LSB +: 1] = bits[5];
            command[ALL_WAIT_CONV_LSB +: 1] = bits[6];
            command[ALL_WAIT_STORE_LSB +: 1] = bits[7];
            command[LOAD_TARGET_LSB +: 3] = bits[8] ? 3'd6 : 3'd5;
            command[LOAD_REGION_LSB +: 2] = bits[9] ? 2'd3 : 2'd2;
            command[STORE_REGION_LSB +: 2] = bits[10] ? 2'd3 : 2'd2;
        end

        for (u = 0; u < 4; u = u + 1) begin : units
            logic [2:0] begun_reg, ended_reg;
            wire [511:0] it = cmd[2048*s + 512*u +: 512];
            assign begun[4*s + u] = valid[4*s + u] && takes[u];
            assign ended[u] = ends[u] && begun_reg != ended_reg;
            assign too_early[u] = begun[4*s + u]
                && (3'(it[ALL_WAIT_LOAD_LSB +: 2]) > units[0].ended_reg
                || 3'(it[ALL_WAIT_CROP_LSB +: 1]) > units[1].ended_reg
                || 3'(it[ALL_WAIT_CONV_LSB +: 1]) > units[2].ended_reg
                || 3'(it[ALL_WAIT_STORE_LSB +: 1]) > units[3].ended_reg);
            always_ff @(posedge clk) begin
                begun_reg <= rst ? '0 : begun_reg + 3'(begun[4*s + u]);
                ended_reg <= rst ? '0 : ended_reg + 3'(ended[u]);
            end
        end
        assign early[s] = too_early != 0;
        always_ff @(posedge clk) at_reg <= rst ? '0 : at_reg + 3'(ready);

        wire there = comes && at_reg < COMMANDS && age_reg == 3;
        if (s == A) begin : ours
            hp_dispatch dispatch (
                .clk(clk), .rst(rst), .start(start), .stop(1'b0), .started(), .busy(busy[s]),
                .done(done[s]), .error(error[s]), .error_code(code[4*s +: 4]),
                .error_number(error_number[16*s +: 16]), .clear(), .drained(drained),
                .command_valid(there), .command_ready(ready), .command(command),
                .command_number(16'(at_reg)), .command_failed(bits[11]),
                .cmd_valid(valid[4*s +: 4]), .cmd_ready(takes), .cmd(cmd[2048*s +: 2048]),
                .cmd_number(number[64*s +: 64]), .ended(ended), .failed(3'd0),
                .failed_code(12'd0), .failed_number(48'd0)
            );
        end else begin : plain
            plain_dispatch dispatch (
                .clk(clk), .rst(rst), .start(start), .busy(busy[s]), .done(done[s]),
                .error(error[s]), .error_code(code[4*s +: 4]),
                .error_number(error_number[16*s +: 16]), .drained(drained),
                .command_valid(there), .command_ready(ready), .command(command),
                .command_number(16'(at_reg)), .command_failed(bits[11]),
                .cmd_valid(valid[4*s +: 4]), .cmd_ready(takes), .cmd(cmd[2048*s +: 2048]),
                .cmd_number(number[64*s +: 64]), .ended(ended)
            );
        end
    end
    for (u = 0; u < 4; u = u + 1) begin : streams
        stream_miter #(.WIDTH(8), .DEPTH(COMMANDS)) started (
            .clk(clk), .rst(rst), .a_valid(begun[u]),
            .a_data({number[16*u +: 3], cmd[512*u + ALL_WAIT_LOAD_LSB +: 2],
                cmd[512*u +: 3]}), .b_valid(begun[4 + u]),
            .b_data({number[64 + 16*u +: 3], cmd[2048 + 512*u + ALL_WAIT_LOAD_LSB +: 2],
                cmd[2048 + 512*u +: 3]}),
            .ended(age_reg == 3 && busy == 0 && done == 2'b11), .differs(differ[u])
        );
    end
endgenerate

// a program without an END is over only when one of its commands is illegal
wire over = age_reg == 3 && busy == 0;
wire [20:0] end_a = {done[A], error[A], code[3:0], error_number[14:0]};
wire [20:0] end_b = {done[B], error[B], code[7:4], error_number[30:16]};

assign differs = differ != 0 || early != 0 || (over && end_a != end_b);

always_ff @(posedge clk) begin
    if (age_reg != 3) age_reg <= age_reg + 1'b1;
    if (rst) begin
        age_reg <= '0;
        program_reg <= program_bits;
    end
end

endmodule

`resetall
