// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Prepares the rows of a crop: requests the lines of the frame that a row needs, gives them slots, and
 * tells the pixel pipeline which two slots the row blends
 *
 * There are four places for lines. Lines of at most half a place take half of one each, so there are
 * eight slots; slots 4 to 7 are the upper halves of places 0 to 3. Only one line of a place can be
 * read in a cycle, so the two lines of a row never share a place.
 *
 * A line that is still in a slot is not requested again. Rows may come in any order.
 */
module hp_rows #
(
    // map banks: 1, 2 or 4
    parameter LANES = 1,
    // width of the memory port
    parameter BUS_BYTES = 8,
    // bytes of a place
    parameter LINE_BYTES = 8192
)
(
    input  wire         clk,
    input  wire         rst,

    input  wire [31:0]  frame,
    input  wire [31:0]  stride,
    input  wire [15:0]  line,

    // Load of the table
    input  wire         load_valid,
    input  wire [7:0]   load_beat,
    input  wire [127:0] load_data,

    // Commands with at least a row
    input  wire         cmd_valid,
    output wire         cmd_ready,
    input  wire         cmd_split,
    input  wire [15:0]  cmd_base,
    input  wire [15:0]  cmd_row_pitch,
    input  wire [15:0]  cmd_rows,
    input  wire [15:0]  cmd_first_row,
    input  wire [15:0]  cmd_words,
    input  wire [15:0]  cmd_size,
    input  wire         cmd_overlap,

    // Read client
    output wire         request_valid,
    input  wire         request_ready,
    output wire [31:0]  request_address,
    output wire [19:0]  request_beats,

    // Requested lines: slot, and first byte of the line within its first beat
    output wire         line_valid,
    output wire [2:0]   line_slot,
    output wire [3:0]   line_lead,
    output wire [19:0]  line_beats,

    // Rows
    output wire         row_valid,
    input  wire         row_ready,
    output wire [2:0]   row_top,
    output wire [2:0]   row_bottom,
    output wire         row_top_border,
    output wire         row_bottom_border,
    output wire [11:0]  row_top_weight,
    output wire [11:0]  row_bottom_weight,
    // number of lines that must have arrived before, modulo 32
    output wire [4:0]   row_lines,
    output wire [1:0]   row_bank,
    output wire [15:0]  row_address,
    output wire [15:0]  row_words,
    output wire [15:0]  row_size,
    output wire         row_overlap,
    output wire         row_last,
    // the oldest row that was taken has released its slots
    input  wire         released
);

localparam SHIFT = $clog2(BUS_BYTES);
localparam SLOTS = 8;

localparam [2:0]
    STATE_IDLE = 3'd0,
    STATE_READ = 3'd1,
    STATE_LOOK = 3'd2,
    STATE_COMPARE = 3'd3,
    STATE_CHOOSE = 3'd4,
    STATE_AIM = 3'd5,
    STATE_FETCH = 3'd6,
    STATE_PUSH = 3'd7;

logic [2:0] state_reg;
logic push_reg;  // state_reg == STATE_PUSH

// -- the command

logic split_reg;
logic [15:0] base_reg;
logic [15:0] row_pitch_reg;
logic [15:0] row_reg;    // of the map
logic [15:0] entry_reg;  // of the table
logic [15:0] words_reg;
logic [15:0] size_reg;
logic overlap_reg;

// -- the table, two entries a word

logic [127:0] memory [0:255];
logic [127:0] memory_reg;

always_ff @(posedge clk) begin
    if (load_valid) begin
        memory[load_beat] <= load_data;
    end
    memory_reg <= memory[entry_reg[8:1]];
end

wire [63:0] looked = entry_reg[0] ? memory_reg[127:64] : memory_reg[63:0];
logic [15:0] top_reg;
logic [15:0] bottom_reg;
logic top_border_reg;
logic bottom_border_reg;
logic [11:0] top_weight_reg;
logic [11:0] bottom_weight_reg;

// -- the slots

logic [15:0] tag_reg [0:SLOTS-1];
logic [SLOTS-1:0] tagged_reg;
logic [SLOTS-1:0] held_reg;     // by rows in the pixel pipeline
logic [3:0] user_reg [0:SLOTS-1];    // the last of them, modulo 16
logic [2:0] oldest_reg;
logic [4:0] lines_reg;
logic [3:0] pushed_reg;
logic [3:0] released_reg;

logic for_bottom_reg;
logic [2:0] top_slot_reg;
logic [2:0] bottom_slot_reg;
// the two slots as one-hot masks; none where the line is a border
logic [SLOTS-1:0] top_mask_reg;
logic [SLOTS-1:0] bottom_mask_reg;
logic [2:0] slot_reg;
logic slot_free_reg;  // no row holds it
logic halves_reg;
logic [15:0] wanted_reg;

// a line is compared with all slots in one cycle; a slot is chosen in the next
logic [15:0] searched_reg;
logic beside_reg;  // the row's upper line has its slot already
logic [SLOTS-1:0] hits_reg;
logic [2:0] victim_reg;
logic [2:0] hit;
wire found = hits_reg != 0;
wire [SLOTS-1:0] mask = SLOTS'(1) << hit;
// the lower line must not replace the upper line of the same row, nor share its place
wire own = beside_reg && oldest_reg[1:0] == top_slot_reg[1:0];

always_comb begin
    hit = '0;
    for (int i = 0; i < SLOTS; i = i + 1) begin
        if (hits_reg[i]) begin
            hit = 3'(i);
        end
    end
end

// -- the address of the line, changed by one line a cycle

logic [15:0] at_reg;
logic [31:0] address_reg;
logic [15:0] distance_reg;  // signed: lines from at_reg to wanted_reg
wire there = distance_reg == 0;
wire above = distance_reg[15];
wire [3:0] lead = 4'(address_reg[SHIFT-1:0]);
wire [17:0] bytes = 18'(line) + 18'(lead) + 18'(BUS_BYTES - 1);
wire asked = request_valid && request_ready;

// the request, from registers
logic ask_reg;
logic [31:0] ask_address_reg;
logic [3:0] ask_lead_reg;
logic [19:0] ask_beats_reg;

assign request_valid = ask_reg;
assign request_address = ask_address_reg;
assign request_beats = ask_beats_reg;
assign line_valid = asked;
assign line_slot = slot_reg;
assign line_lead = ask_lead_reg;
assign line_beats = ask_beats_reg;

// -- the row's place in the map; it is ready long before the row is pushed

wire [1:0] bank;
wire [15:0] address;

hp_row_address #(.LANES(LANES)) row_address_inst (
    .clk, .row(row_reg), .split(split_reg), .base(base_reg), .row_pitch(row_pitch_reg), .bank,
    .address
);

assign cmd_ready = state_reg == STATE_IDLE;
assign row_valid = push_reg;
assign row_top = top_border_reg ? bottom_slot_reg : top_slot_reg;
assign row_bottom = bottom_border_reg ? top_slot_reg : bottom_slot_reg;
assign row_top_border = top_border_reg;
assign row_bottom_border = bottom_border_reg;
assign row_top_weight = top_weight_reg;
assign row_bottom_weight = bottom_weight_reg;
assign row_lines = lines_reg;
assign row_bank = bank;
assign row_address = address;
assign row_words = words_reg;
assign row_size = size_reg;
assign row_overlap = overlap_reg;

wire pushed = push_reg && row_ready;

/* verilator lint_off PINCONNECTEMPTY */
hp_counter rows_counter (
    .clk, .start(state_reg == STATE_IDLE), .step(pushed), .rounds(cmd_rows),
    .last(row_last), .last_next()
);
/* verilator lint_on PINCONNECTEMPTY */

always_ff @(posedge clk) begin
    slot_free_reg <= !held_reg[slot_reg];
    halves_reg <= line <= 16'(LINE_BYTES / 2 - 16);
    if (released) begin
        released_reg <= released_reg + 1'b1;
        for (int i = 0; i < SLOTS; i = i + 1) begin
            if (user_reg[i] == released_reg) begin
                held_reg[i] <= 1'b0;
            end
        end
    end

    case (state_reg)
        STATE_IDLE: begin
            split_reg <= cmd_split;
            base_reg <= cmd_base;
            row_pitch_reg <= cmd_row_pitch;
            row_reg <= '0;
            entry_reg <= cmd_first_row;
            words_reg <= cmd_words;
            size_reg <= cmd_size;
            overlap_reg <= cmd_overlap;
            if (cmd_valid) begin
                state_reg <= STATE_READ;
            end
        end
        STATE_READ: begin
            state_reg <= STATE_LOOK;
        end
        STATE_LOOK: begin
            top_reg <= looked[15:0];
            bottom_reg <= looked[31:16];
            top_weight_reg <= looked[43:32];
            bottom_weight_reg <= looked[59:48];
            top_border_reg <= looked[47] || line == 0;
            bottom_border_reg <= looked[63] || line == 0;
            searched_reg <= looked[15:0];
            for_bottom_reg <= 1'b0;
            beside_reg <= 1'b0;
            state_reg <= STATE_COMPARE;
        end
        STATE_COMPARE: begin
            for (int i = 0; i < SLOTS; i = i + 1) begin
                hits_reg[i] <= tagged_reg[i] && tag_reg[i] == searched_reg
                    && !(beside_reg && top_slot_reg[1:0] == 2'(i) && top_slot_reg[2] != 1'(i / 4));
            end
            victim_reg <= (oldest_reg + 3'(own)) & {halves_reg, 2'b11};
            state_reg <= STATE_CHOOSE;
        end
        STATE_CHOOSE: begin
            slot_reg <= victim_reg;
            wanted_reg <= searched_reg;
            if (!for_bottom_reg) begin
                searched_reg <= bottom_reg;
                top_slot_reg <= hit;
                top_mask_reg <= top_border_reg ? '0 : mask;
                if (top_border_reg || found) begin
                    for_bottom_reg <= 1'b1;
                    beside_reg <= !top_border_reg;
                    state_reg <= STATE_COMPARE;
                end else begin
                    state_reg <= STATE_AIM;
                end
            end else begin
                bottom_slot_reg <= hit;
                bottom_mask_reg <= bottom_border_reg ? '0 : mask;
                push_reg <= bottom_border_reg || found;
                state_reg <= bottom_border_reg || found ? STATE_PUSH : STATE_AIM;
            end
        end
        STATE_AIM: begin
            distance_reg <= wanted_reg - at_reg;
            state_reg <= STATE_FETCH;
        end
        STATE_FETCH: begin
            if (!there) begin
                at_reg <= above ? at_reg - 1'b1 : at_reg + 1'b1;
                distance_reg <= above ? distance_reg + 1'b1 : distance_reg - 1'b1;
                address_reg <= above ? address_reg - stride : address_reg + stride;
            end else if (slot_free_reg && !ask_reg) begin
                ask_reg <= 1'b1;
                ask_address_reg <= address_reg;
                ask_lead_reg <= lead;
                ask_beats_reg <= 20'(bytes >> SHIFT);
            end
            if (asked) begin
                ask_reg <= 1'b0;
                searched_reg <= wanted_reg;
                tag_reg[slot_reg] <= wanted_reg;
                tagged_reg[slot_reg] <= 1'b1;
                oldest_reg <= slot_reg + 1'b1;
                lines_reg <= lines_reg + 1'b1;
                state_reg <= STATE_COMPARE;
            end
        end
        default: begin
            if (pushed) begin
                push_reg <= 1'b0;
                pushed_reg <= pushed_reg + 1'b1;
                row_reg <= row_reg + 1'b1;
                entry_reg <= entry_reg + 1'b1;
                state_reg <= row_last ? STATE_IDLE : STATE_READ;
            end
        end
    endcase

    for (int i = 0; i < SLOTS; i = i + 1) begin
        if (pushed && (top_mask_reg[i] || bottom_mask_reg[i])) begin
            held_reg[i] <= 1'b1;
            user_reg[i] <= pushed_reg;
        end
    end

    if (rst) begin
        state_reg <= STATE_IDLE;
        push_reg <= 1'b0;
        tagged_reg <= '0;
        held_reg <= '0;
        oldest_reg <= '0;
        lines_reg <= '0;
        pushed_reg <= '0;
        released_reg <= '0;
        ask_reg <= 1'b0;
        at_reg <= '0;
        address_reg <= frame;
    end
end

wire unused = &{1'b0, looked[46:44], looked[62:60]};

endmodule

`resetall
