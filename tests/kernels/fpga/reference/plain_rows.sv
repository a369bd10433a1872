// SPDX-License-Identifier: Apache-2.0
// Language: SystemVerilog 2012 (synthesizable subset)

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * hp_rows without pipelining: a line is compared with all slots, and its slot is chosen, in one cycle;
 * the address of a line is a product. Lines are numbered 0 to 3 here, in addresses of 8 bits
 */
module plain_rows #
(
    parameter BUS_BYTES = 8,
    parameter LINE_BYTES = 512,
    // entries of the table
    parameter ENTRIES = 2
)
(
    input  wire         clk,
    input  wire         rst,
    input  wire [31:0]  frame,
    input  wire [31:0]  stride,
    input  wire [15:0]  line,
    input  wire [ENTRIES*64-1:0] entries,
    input  wire         cmd_valid,
    input  wire [15:0]  cmd_rows,
    input  wire [15:0]  cmd_first_row,
    output wire         request_valid,
    input  wire         request_ready,
    output wire [31:0]  request_address,
    output wire [19:0]  request_beats,
    output wire [2:0]   line_slot,
    output wire [3:0]   line_lead,
    output wire         row_valid,
    input  wire         row_ready,
    output wire [2:0]   row_top,
    output wire [2:0]   row_bottom,
    output wire         row_top_border,
    output wire         row_bottom_border,
    output wire [11:0]  row_top_weight,
    output wire [11:0]  row_bottom_weight,
    output logic [4:0]  row_lines,
    output wire         row_last,
    input  wire         released
);

localparam SHIFT = $clog2(BUS_BYTES);

logic busy_reg, for_bottom_reg, push_reg;
logic [15:0] left_reg, entry_reg;
logic [1:0] tag_reg [0:7];
logic [7:0] tagged_reg, held_reg;
logic [3:0] user_reg [0:7];
logic [3:0] pushed_reg, released_reg;
logic [2:0] oldest_reg, top_slot_reg, bottom_slot_reg;

wire [63:0] entry = entries[64*entry_reg +: 64];
wire top_border = entry[47] || line == 0;
wire bottom_border = entry[63] || line == 0;
wire border = for_bottom_reg ? bottom_border : top_border;
wire [15:0] wanted = for_bottom_reg ? entry[31:16] : entry[15:0];

// the lower line must not replace the upper line of the same row, nor share its place
wire beside = for_bottom_reg && !top_border;
wire own = beside && oldest_reg[1:0] == top_slot_reg[1:0];
wire [2:0] victim = (oldest_reg + 3'(own)) & {line <= 16'(LINE_BYTES / 2 - 16), 2'b11};
logic [7:0] hits;
logic [2:0] hit;

always_comb begin
    hit = '0;
    for (int i = 0; i < 8; i = i + 1) begin
        hits[i] = tagged_reg[i] && tag_reg[i] == wanted[1:0]
            && !(beside && top_slot_reg[1:0] == 2'(i) && top_slot_reg[2] != 1'(i / 4));
        if (hits[i]) hit = 3'(i);
    end
end

wire looks = busy_reg && !push_reg;
wire asked = request_valid && request_ready;
wire pushed = push_reg && row_ready;

assign request_valid = looks && !border && hits == 0 && !held_reg[victim];
assign request_address = 32'(8'(frame + stride[4:0] * wanted[1:0]));
assign line_lead = 4'(request_address[SHIFT-1:0]);
assign request_beats = 20'((18'(line) + 18'(line_lead) + 18'(BUS_BYTES - 1)) >> SHIFT);
assign line_slot = victim;
assign row_valid = push_reg;
assign row_top = top_border ? bottom_slot_reg : top_slot_reg;
assign row_bottom = bottom_border ? top_slot_reg : bottom_slot_reg;
assign row_top_border = top_border;
assign row_bottom_border = bottom_border;
assign row_top_weight = entry[43:32];
assign row_bottom_weight = entry[59:48];
assign row_last = left_reg == 1;

always_ff @(posedge clk) begin
    if (released) begin
        released_reg <= released_reg + 1'b1;
        for (int i = 0; i < 8; i = i + 1) if (user_reg[i] == released_reg) held_reg[i] <= 1'b0;
    end
    if (!busy_reg && cmd_valid) begin
        busy_reg <= 1'b1;
        left_reg <= cmd_rows;
        entry_reg <= cmd_first_row;
        for_bottom_reg <= 1'b0;
    end
    if (asked) begin
        tag_reg[victim] <= wanted[1:0];
        tagged_reg[victim] <= 1'b1;
        oldest_reg <= victim + 1'b1;
        row_lines <= row_lines + 1'b1;
    end
    if (looks && (border || hits != 0)) begin
        if (for_bottom_reg) bottom_slot_reg <= hit; else top_slot_reg <= hit;
        for_bottom_reg <= 1'b1;
        push_reg <= for_bottom_reg;
    end
    if (pushed) begin
        pushed_reg <= pushed_reg + 1'b1;
        if (!top_border) begin
            held_reg[top_slot_reg] <= 1'b1;
            user_reg[top_slot_reg] <= pushed_reg;
        end
        if (!bottom_border) begin
            held_reg[bottom_slot_reg] <= 1'b1;
            user_reg[bottom_slot_reg] <= pushed_reg;
        end
        left_reg <= left_reg - 1'b1;
        entry_reg <= entry_reg + 1'b1;
        push_reg <= 1'b0;
        for_bottom_reg <= 1'b0;
        busy_reg <= left_reg != 1;
    end
    if (rst) begin
        {busy_reg, for_bottom_reg, push_reg} <= '0;
        {oldest_reg, row_lines, pushed_reg, released_reg} <= '0;
        tagged_reg <= '0;
        held_reg <= '0;
    end
end

endmodule

/*
 * hp_rows beside it, with one crop of ROWS rows. Of the two lines of a row the lowest bits are free,
 * of their weights and borders all that differs. The reader takes requests, and the pixel pipeline
 * takes and releases rows, at any time. Compared are requests with their slots, and rows. Besides, no
 * line may go into a slot that a row still needs.
 */
module rows_miter #
(
    parameter BUS_BYTES = 8,
    parameter ROWS = 2,
    // whether all is taken and released at any time; otherwise as soon as may be
    parameter ANY_TIME = 1
)
(
    input  wire                 clk,
    input  wire                 rst,
    input  wire [4:0]           frame,
    input  wire [4:0]           stride,
    input  wire [1:0]           line,
    input  wire [ROWS*6-1:0]    table_bits,
    input  wire                 takes_request,
    input  wire                 takes_row,
    input  wire                 releases,
    output wire                 differs
);

localparam A = 0, B = 1;

logic [4:0] frame_reg, stride_reg;
logic [1:0] line_reg;
logic [ROWS*6-1:0] table_reg;
logic [3:0] age_reg;  // cycles since the reset
wire [15:0] line_bytes = line_reg == 0 ? 16'd0 : line_reg == 1 ? 16'd24 : line_reg == 2 ? 16'd240
    : 16'd400;
logic [ROWS*64-1:0] entries;
wire request_ready = takes_request || !ANY_TIME;
wire row_ready = takes_row || !ANY_TIME;
wire release_one = releases || !ANY_TIME;
wire reset = rst || age_reg == 0;  // once the frame's address is known
wire load = age_reg <= (ROWS + 1) / 2;
wire start = age_reg == (ROWS + 1) / 2 + 1;

always_comb begin
    for (int i = 0; i < ROWS; i = i + 1) begin
        entries[64*i +: 64] = '0;
        entries[64*i + 47] = table_reg[6*i + 4];
        entries[64*i + 32] = table_reg[6*i + 4];
        entries[64*i + 48] = table_reg[6*i + 5];
        entries[64*i + 63] = table_reg[6*i + 5];
        entries[64*i +: 2] = table_reg[6*i +: 2];
        entries[64*i + 16 +: 2] = table_reg[6*i + 2 +: 2];
    end
end

wire [1:0] request_valid, row_valid, row_top_border, row_bottom_border, row_last, into_held;
wire [63:0] request_address;
wire [39:0] request_beats;
wire [5:0] line_slot, row_top, row_bottom;
wire [7:0] line_lead;
wire [23:0] row_top_weight, row_bottom_weight;
wire [9:0] row_lines;
wire [1:0] released;
wire requests_differ, rows_differ;

generate
    genvar s;
    for (s = A; s <= B; s = s + 1) begin : sides
        // rows that were taken and not released, the oldest lowest: the slots that they need
        logic [ROWS*8-1:0] needed_reg;
        logic [ROWS:0] count_reg;  // one-hot
        wire taken = row_valid[s] && row_ready;
        wire [7:0] needs = (row_top_border[s] ? 8'd0 : 8'd1 << row_top[3*s +: 3])
            | (row_bottom_border[s] ? 8'd0 : 8'd1 << row_bottom[3*s +: 3]);
        logic [7:0] held;
        always_comb begin
            held = '0;
            for (int i = 0; i < ROWS; i = i + 1) held = held | needed_reg[8*i +: 8];
        end
        assign released[s] = release_one && !count_reg[0];
        assign into_held[s] = request_valid[s] && request_ready && held[line_slot[3*s +: 3]];
        always_ff @(posedge clk) begin
            // a row is taken and released in different cycles of the same side, or in the same one
            for (int i = 0; i < ROWS; i = i + 1) begin
                if (released[s]) needed_reg[8*i +: 8] <= i == ROWS - 1 ? 8'd0 : needed_reg[8*(i+1) +: 8];
                if (taken && (released[s] ? count_reg[i+1] : count_reg[i]))
                    needed_reg[8*i +: 8] <= needs;
            end
            if (taken && !released[s]) count_reg <= count_reg << 1;
            if (!taken && released[s]) count_reg <= count_reg >> 1;
            if (reset) begin
                needed_reg <= '0;
                count_reg <= 1;
            end
        end
    end

    stream_miter #(.WIDTH(20), .DEPTH(2 * ROWS)) requests (
        .clk(clk), .rst(reset), .a_valid(request_valid[A] && request_ready),
        .a_data({request_address[8:0], request_beats[3:0], line_slot[2:0], line_lead[3:0]}),
        .b_valid(request_valid[B] && request_ready),
        .b_data({request_address[40:32], request_beats[23:20], line_slot[5:3], line_lead[7:4]}),
        .ended(1'b0), .differs(requests_differ)
    );
    stream_miter #(.WIDTH(16), .DEPTH(ROWS)) rows (
        .clk(clk), .rst(reset), .a_valid(row_valid[A] && row_ready),
        .a_data({row_top[2:0], row_bottom[2:0], row_top_border[A], row_bottom_border[A],
            row_top_weight[0], row_bottom_weight[0], row_lines[4:0], row_last[A]}),
        .b_valid(row_valid[B] && row_ready),
        .b_data({row_top[5:3], row_bottom[5:3], row_top_border[B], row_bottom_border[B],
            row_top_weight[12], row_bottom_weight[12], row_lines[9:5], row_last[B]}),
        .ended(1'b0), .differs(rows_differ)
    );
endgenerate
hp_rows #(.LANES(1), .BUS_BYTES(BUS_BYTES), .LINE_BYTES(512)) rows_inst (
    .clk(clk), .rst(reset), .frame({27'd0, frame_reg}), .stride({27'd0, stride_reg}),
    .line(line_bytes), .load_valid(load), .load_beat(8'(age_reg - 4'd1)),
    .load_data(128'(entries >> 128 * (age_reg - 4'd1))), .cmd_valid(start), .cmd_ready(), .cmd_split(1'b0),
    .cmd_base(16'd0), .cmd_row_pitch(16'd0), .cmd_rows(16'(ROWS)), .cmd_first_row(16'd0),
    .cmd_words(16'd1), .cmd_size(16'd1), .cmd_overlap(1'b0), .request_valid(request_valid[A]),
    .request_ready(request_ready), .request_address(request_address[31:0]),
    .request_beats(request_beats[19:0]), .line_valid(), .line_slot(line_slot[2:0]),
    .line_lead(line_lead[3:0]), .line_beats(), .row_valid(row_valid[A]), .row_ready(row_ready),
    .row_top(row_top[2:0]), .row_bottom(row_bottom[2:0]), .row_top_border(row_top_border[A]),
    .row_bottom_border(row_bottom_border[A]), .row_top_weight(row_top_weight[11:0]),
    .row_bottom_weight(row_bottom_weight[11:0]), .row_lines(row_lines[4:0]), .row_bank(),
    .row_address(), .row_words(), .row_size(), .row_overlap(), .row_last(row_last[A]),
    .released(released[A])
);
plain_rows #(.BUS_BYTES(BUS_BYTES), .LINE_BYTES(512), .ENTRIES(ROWS)) plain (
    .clk(clk), .rst(reset), .frame({27'd0, frame_reg}), .stride({27'd0, stride_reg}),
    .line(line_bytes), .entries(entries), .cmd_valid(start), .cmd_rows(16'(ROWS)),
    .cmd_first_row(16'd0), .request_valid(request_valid[B]), .request_ready(request_ready),
    .request_address(request_address[63:32]), .request_beats(request_beats[39:20]),
    .line_slot(line_slot[5:3]), .line_lead(line_lead[7:4]), .row_valid(row_valid[B]),
    .row_ready(row_ready), .row_top(row_top[5:3]), .row_bottom(row_bottom[5:3]),
    .row_top_border(row_top_border[B]), .row_bottom_border(row_bottom_border[B]),
    .row_top_weight(row_top_weight[23:12]), .row_bottom_weight(row_bottom_weight[23:12]),
    .row_lines(row_lines[9:5]), .row_last(row_last[B]), .released(released[B])
);

assign differs = requests_differ || rows_differ || into_held != 0;

always_ff @(posedge clk) begin
    if (age_reg != 15) age_reg <= age_reg + 1'b1;
    if (rst) begin
        age_reg <= '0;
        {frame_reg, stride_reg, line_reg, table_reg} <= {frame, stride, line, table_bits};
    end
end

endmodule

`resetall
