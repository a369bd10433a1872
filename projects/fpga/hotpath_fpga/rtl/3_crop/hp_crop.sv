// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * CROP: resizes and normalises a window of the frame and writes it into the map memory
 *
 * hp_rows.sv fetches lines ahead. LANES neighbouring pixels enter the pipeline a cycle. hp_words.sv makes
 * words of them, in a FIFO that always has room for all words in the pipeline.
 */
module hp_crop #
(
    // pixels a cycle: 1, 2 or 4
    parameter LANES = 1,
    // map banks: 1, 2 or 4
    parameter BANKS = 1,
    // width of the memory port, 8 or 16
    parameter BUS_BYTES = 8,
    // bytes of a place for a line
    parameter LINE_BYTES = 8192
)
(
    input  wire                     clk,
    input  wire                     rst,

    input  wire [31:0]              frame,
    input  wire [31:0]              stride,
    input  wire [15:0]              line,
    input  wire [23:0]              border,

    // Load of the tables
    input  wire                     load_valid,
    input  wire [3:0]               load_target,
    input  wire [15:0]              load_beat,
    input  wire [127:0]             load_data,

    // Commands; cmd is constant from the cycle before cmd_valid
    input  wire                     cmd_valid,
    output wire                     cmd_ready,
    input  wire [511:0]             cmd,
    input  wire [15:0]              cmd_number,
    output wire                     done,
    output wire                     failed,
    output wire [15:0]              failed_number,

    // Read client; data comes three cycles after its request or later
    output wire                     request_valid,
    input  wire                     request_ready,
    output wire [31:0]              request_address,
    output wire [19:0]              request_beats,
    input  wire                     data_valid,
    input  wire [BUS_BYTES*8-1:0]   data,
    input  wire                     data_failed,
    // last beat of a line
    input  wire                     data_last,

    // Map memory
    output wire                     map_write_valid,
    input  wire                     map_write_ready,
    output wire [1:0]               map_write_bank,
    output wire [15:0]              map_write_address,
    output wire [127:0]             map_write_data
);

`include "tables.svh"

localparam BITS = $clog2(LANES);
localparam PLACES = 32;  // words that are in the pipeline or wait to be written

// -- the load of the tables, a cycle later

logic load_columns_reg;
logic load_rows_reg;
logic load_pixels_reg;
logic [7:0] load_beat_reg;
logic [127:0] load_data_reg;

always_ff @(posedge clk) begin
    load_columns_reg <= load_valid && load_target == TARGET_COLUMNS && load_beat[15:8] == 0;
    load_rows_reg <= load_valid && load_target == TARGET_ROWS && load_beat[15:8] == 0;
    load_pixels_reg <= load_valid && load_target == TARGET_PIXELS && load_beat[15:6] == 0;
    load_beat_reg <= load_beat[7:0];
    load_data_reg <= load_data;
end

// -- commands

wire [15:0] cmd_rows = cmd[CROP_ROWS_LSB +: CROP_ROWS_BITS];
wire [15:0] cmd_words = cmd[CROP_WORDS_LSB +: CROP_WORDS_BITS];
// such a crop waits for the end of the others; cmd is there a cycle before cmd_valid
logic nothing_reg;
wire rows_ready;
logic quiet_reg;  // no row and no word is under way
logic [15:0] number_reg;

assign cmd_ready = rows_ready && (!nothing_reg || quiet_reg);

// -- rows and their lines

wire line_valid;
wire [2:0] line_slot;
wire [3:0] line_lead;
wire [19:0] line_beats;

localparam ROW = 3 + 3 + 1 + 1 + 12 + 12 + 5 + 2 + 16 + 16 + 16 + 16 + 1 + 1;
wire found_valid, found_ready, row_valid;
wire [2:0] row_top, row_bottom;
wire [1:0] row_bank;
wire row_top_border, row_bottom_border, row_overlap, row_last;
wire [11:0] row_top_weight, row_bottom_weight;
wire [4:0] row_lines;
wire [15:0] row_address, row_words, row_size;
wire row_taken;
wire released;

wire [2:0] found_top, found_bottom;
wire [1:0] found_bank;
wire found_top_border, found_bottom_border, found_overlap, found_last;
wire [11:0] found_top_weight, found_bottom_weight;
wire [4:0] found_lines;
wire [15:0] found_address, found_words, found_size;
// groups of LANES pixels that a row makes; a command's words are known long before its first row
logic [15:0] found_groups_reg;
wire [15:0] row_groups;
wire [3:0] rows_waiting;

hp_rows #(.LANES(BANKS), .BUS_BYTES(BUS_BYTES), .LINE_BYTES(LINE_BYTES)) rows_inst (
    .clk, .rst, .frame, .stride, .line,
    .load_valid(load_rows_reg), .load_beat(load_beat_reg), .load_data(load_data_reg),
    .cmd_valid(cmd_valid && !nothing_reg), .cmd_ready(rows_ready), .cmd_split(cmd[CROP_SPLIT_LSB]),
    .cmd_base(cmd[CROP_BASE_LSB +: CROP_BASE_BITS]),
    .cmd_row_pitch(cmd[CROP_ROW_PITCH_LSB +: CROP_ROW_PITCH_BITS]), .cmd_rows,
    .cmd_first_row(cmd[CROP_FIRST_ROW_LSB +: CROP_FIRST_ROW_BITS]), .cmd_words,
    .cmd_size(cmd[CROP_SIZE_LSB +: CROP_SIZE_BITS]), .cmd_overlap(cmd[CROP_OVERLAP_LSB]),
    .request_valid, .request_ready, .request_address, .request_beats,
    .line_valid, .line_slot, .line_lead, .line_beats,
    .row_valid(found_valid), .row_ready(found_ready), .row_top(found_top),
    .row_bottom(found_bottom), .row_top_border(found_top_border),
    .row_bottom_border(found_bottom_border), .row_top_weight(found_top_weight),
    .row_bottom_weight(found_bottom_weight), .row_lines(found_lines), .row_bank(found_bank),
    .row_address(found_address), .row_words(found_words), .row_size(found_size),
    .row_overlap(found_overlap), .row_last(found_last),
    .released
);

/* verilator lint_off PINCONNECTEMPTY */
hp_fifo #(.WIDTH(ROW), .DEPTH(8), .OUTPUT_REGISTER(1)) rows_queue_inst (
    .clk, .rst,
    .s_valid(found_valid), .s_ready(found_ready),
    .s_data({found_last, found_groups_reg, found_overlap, found_size, found_words, found_address, found_bank,
        found_lines, found_bottom_weight, found_top_weight, found_bottom_border, found_top_border,
        found_bottom, found_top}),
    .m_valid(row_valid), .m_ready(row_taken),
    .m_data({row_last, row_groups, row_overlap, row_size, row_words, row_address, row_bank, row_lines,
        row_bottom_weight, row_top_weight, row_bottom_border, row_top_border, row_bottom, row_top}),
    .level(rows_waiting)
);

// beats from memory belong to the oldest line that was requested
wire fill_valid;
wire [15:0] fill_number;
wire [2:0] fill_slot;
logic [11:0] fill_reg;   // beats of it that have come
logic [4:0] filled_reg;  // whole lines, modulo 32
// the upper half of a place is a slot of its own
wire [15:0] fill_beat = 16'(fill_reg) | (fill_slot[2] ? 16'(LINE_BYTES / 2 / BUS_BYTES) : 16'd0);
wire fill_last = data_valid && data_last;
logic [3:0] lead_reg [0:7];

hp_fifo #(.WIDTH(16 + 3), .DEPTH(8), .OUTPUT_REGISTER(1)) fill_queue_inst (
    .clk, .rst, .s_valid(line_valid), .s_ready(), .s_data({number_reg, line_slot}),
    .m_valid(fill_valid), .m_ready(fill_last), .m_data({fill_number, fill_slot}), .level()
);
/* verilator lint_on PINCONNECTEMPTY */

logic failed_reg;
logic [15:0] failed_number_reg;

assign failed = failed_reg;
assign failed_number = failed_number_reg;

// -- groups of LANES pixels enter the pipeline

logic [15:0] group_reg;
logic [15:0] group_next_reg;  // group_reg + 1
logic [15:0] group_second_reg;  // group_reg + 2
logic [15:0] pixel_reg;  // the group's first
logic [15:0] address_reg;  // the word's, visible the row
logic [1:0] pace_reg;
logic [5:0] places_reg;  // words in the pipeline or in the FIFO
logic [5:0] made_reg;
logic popped_reg;

wire [4:0] ahead = filled_reg - row_lines;
logic room_reg;
logic paced_reg;  // pace_reg == 0
// the lines of the row at the output of the queue are there; known in its second cycle
logic there_reg;
logic missing_reg;  // !there_reg, for row_taken alone: go has many loads
wire go = there_reg && room_reg && paced_reg;
logic group_last_reg;  // group_next_reg == row_groups, from the second cycle of a row on
wire emit = !row_overlap || LANES == 4 || (group_reg & 16'(4 / LANES - 1)) == 16'(4 / LANES - 1);
wire [5:0] made = row_overlap ? 6'(emit) : 6'(LANES);
wire popped;

assign row_taken = !missing_reg && room_reg && paced_reg && group_last_reg;

// -- the pipeline; index n: n cycles after the group entered

localparam END = 13;
localparam OUT = 1 + 1 + 1 + 1 + 2 + 16 + LANES;

logic [END:1] valid_reg;
logic [4:1] row_end_reg;
logic [3:0] places_of_reg [1:4];
logic [4*5-1:0] first_pixels_reg [1:2];
logic [1:0] borders_reg [1:6];
logic [23:0] weights_reg [1:10];
logic [LANES-1:0] visible_reg [1:12];
logic [OUT-1:0] out_reg [1:END];
logic [LANES-1:0] visible;
logic [LANES-1:0] kept;

assign released = row_end_reg[4];

always_comb begin
    for (int i = 0; i < LANES; i = i + 1) begin
        // pixel_reg is a multiple of LANES
        visible[i] = (pixel_reg | 16'(i)) < row_size;
        kept[i] = (pixel_reg | 16'(i)) < row_words;
    end
end

wire [LANES*64-1:0] entries;
wire [LANES*24-1:0] values;

hp_columns #(.LANES(LANES)) columns_inst (
    .clk, .load_valid(load_columns_reg), .load_beat(load_beat_reg), .load_data(load_data_reg),
    .group(group_reg[8:0]), .entries
);

genvar l;
generate
    for (l = 0; l < LANES; l = l + 1) begin : lanes
        wire [47:0] top_pixels;
        wire [47:0] bottom_pixels;
        wire [23:0] pixel;
        logic [25:0] column_reg [3:6];  // flags and weights

        hp_lines #(.BUS_BYTES(BUS_BYTES), .LINE_BYTES(LINE_BYTES)) lines_inst (
            .clk, .data_valid, .data_place(fill_slot[1:0]), .data_beat(fill_beat), .data,
            .left(entries[64*l +: 16]), .first_pixels(first_pixels_reg[2]),
            .top(places_of_reg[4][1:0]), .bottom(places_of_reg[4][3:2]), .top_pixels,
            .bottom_pixels
        );

        always_ff @(posedge clk) begin
            column_reg[3] <= {entries[64*l + 48 +: 12], entries[64*l + 32 +: 12],
                entries[64*l + 16 +: 2]};
            for (int i = 4; i <= 6; i = i + 1) begin
                column_reg[i] <= column_reg[i-1];
            end
        end

        hp_blend blend_inst (
            .clk, .top_pixels, .bottom_pixels, .left_border(column_reg[6][0]),
            .right_border(column_reg[6][1]), .top_border(borders_reg[6][0]),
            .bottom_border(borders_reg[6][1]), .border, .left_weight(column_reg[6][13:2]),
            .right_weight(column_reg[6][25:14]), .top_weight(weights_reg[10][11:0]),
            .bottom_weight(weights_reg[10][23:12]), .pixel
        );

        hp_pixels pixels_inst (
            .clk,
            .load_valid(load_pixels_reg), .load_beat(load_beat_reg[5:0]), .load_data(load_data_reg),
            .valid(visible_reg[12][l]), .pixel, .value(values[24*l +: 24])
        );
    end
endgenerate

always_ff @(posedge clk) begin
    // lines
    nothing_reg <= cmd_rows == 0 || cmd_words == 0;
    quiet_reg <= places_reg == 0 && made_reg == 0 && !row_valid && rows_waiting == 0 && !found_valid;
    if (cmd_valid && cmd_ready) begin
        number_reg <= cmd_number;
    end
    found_groups_reg <= found_overlap ? found_words << (2 - BITS)
        : (found_words + 16'(LANES - 1)) >> BITS;
    failed_reg <= data_valid && data_failed;
    failed_number_reg <= fill_number;
    if (line_valid) begin
        lead_reg[line_slot] <= line_lead;
    end
    if (data_valid) begin
        fill_reg <= fill_last ? '0 : fill_reg + 1'b1;
        filled_reg <= filled_reg + 5'(fill_last);
    end

    // groups
    if (pace_reg != 0) begin
        pace_reg <= pace_reg - 1'b1;
    end
    paced_reg <= pace_reg <= 2'd1;
    there_reg <= row_valid && !row_taken && !ahead[4];
    missing_reg <= !row_valid || row_taken || ahead[4];
    group_last_reg <= (go ? group_second_reg : group_next_reg) == row_groups;
    if (go) begin
        group_reg <= group_last_reg ? '0 : group_next_reg;
        group_next_reg <= group_last_reg ? 16'd1 : group_second_reg;
        group_second_reg <= group_last_reg ? 16'd2 : group_second_reg + 1'b1;
        pixel_reg <= group_last_reg ? '0 : pixel_reg + 16'(LANES);
        address_reg <= group_last_reg ? '0 : address_reg + 16'(made);
        pace_reg <= row_overlap ? '0 : 2'(LANES - 1);
        paced_reg <= row_overlap || LANES == 1;
    end
    // what a group makes and what was written are counted a cycle late
    made_reg <= go ? made : '0;
    popped_reg <= popped;
    places_reg <= places_reg + made_reg - 6'(popped_reg);
    // up to four words more are on their way before room_reg tells
    room_reg <= places_reg <= 6'(PLACES - 6);

    valid_reg <= {valid_reg[END-1:1], go};
    row_end_reg <= {row_end_reg[3:1], row_taken};
    places_of_reg[1] <= {row_bottom[1:0], row_top[1:0]};
    for (int i = 0; i < 4; i = i + 1) begin
        first_pixels_reg[1][5*i +: 5] <= row_top[1:0] == 2'(i) ? {row_top[2], lead_reg[row_top]}
            : {row_bottom[2], lead_reg[row_bottom]};
    end
    borders_reg[1] <= {row_bottom_border, row_top_border};
    weights_reg[1] <= {row_bottom_weight, row_top_weight};
    visible_reg[1] <= visible;
    out_reg[1] <= {group_reg == 0, emit, row_overlap, row_last && group_last_reg, row_bank,
        row_address + address_reg, row_overlap ? {LANES{1'b1}} : kept};
    first_pixels_reg[2] <= first_pixels_reg[1];
    for (int i = 2; i <= 4; i = i + 1) places_of_reg[i] <= places_of_reg[i-1];
    for (int i = 2; i <= 6; i = i + 1) borders_reg[i] <= borders_reg[i-1];
    for (int i = 2; i <= 10; i = i + 1) weights_reg[i] <= weights_reg[i-1];
    for (int i = 2; i <= 12; i = i + 1) visible_reg[i] <= visible_reg[i-1];
    for (int i = 2; i <= END; i = i + 1) out_reg[i] <= out_reg[i-1];

    if (rst) begin
        failed_reg <= 1'b0;
        out_reg[END] <= '0;  // keeps its last stage a register: a shift register would be slow
        fill_reg <= '0;
        filled_reg <= '0;
        group_reg <= '0;
        group_next_reg <= 16'd1;
        group_second_reg <= 16'd2;
        there_reg <= 1'b0;
        missing_reg <= 1'b1;
        quiet_reg <= 1'b0;
        pixel_reg <= '0;
        address_reg <= '0;
        pace_reg <= '0;
        paced_reg <= 1'b1;
        made_reg <= '0;
        popped_reg <= 1'b0;
        room_reg <= 1'b0;
        places_reg <= '0;
        valid_reg <= '0;
        row_end_reg <= '0;
    end
end

// -- pixels become words

hp_words #(.LANES(LANES), .DEPTH(PLACES)) words_inst (
    .clk, .rst, .valid(valid_reg[END]), .group(out_reg[END]), .values,
    .nothing(cmd_valid && cmd_ready && nothing_reg), .done, .popped,
    .map_write_valid, .map_write_ready, .map_write_bank, .map_write_address, .map_write_data
);

wire unused = &{1'b0, cmd, entries, ahead, fill_valid, line_beats};

endmodule

`resetall
