// SPDX-License-Identifier: Apache-2.0

`resetall
`timescale 1ns / 1ps
`default_nettype none

/*
 * Memory of the maps: LANES banks of words of 16 channels. Each bank has one read and one write port.
 *
 * The array reads all banks at once. In the cycles in which it does not, the store unit may read one
 * bank.
 */
module hp_maps #
(
    // banks: 1, 2 or 4
    parameter int LANES = 1,
    // words of 16 bytes a bank
    parameter int MAP_WORDS = 16384,
    // kind of memory: "block", or "ultra" where the FPGA has UltraRAM
    parameter MAP_STYLE = "block",
    // bits that number a bank
    parameter int BANK_BITS = LANES > 1 ? $clog2(LANES) : 1
)
(
    input  wire                  clk,
    input  wire                  rst,

    // Steps of the array
    input  wire                  step_valid,
    input  wire [LANES*16-1:0]   step_address,
    input  wire [BANK_BITS-1:0]  step_rotation,
    input  wire [LANES-1:0]      step_inside,
    // five cycles later, lane by lane
    output wire [LANES*128-1:0]  step_words,

    // Results of the array; always accepted
    input  wire                  result_valid,
    input  wire [BANK_BITS-1:0]  result_bank,
    input  wire [15:0]           result_address,
    input  wire [127:0]          result_data,

    // Writes of the other units
    input  wire                  map_write_valid,
    output wire                  map_write_ready,
    input  wire [BANK_BITS-1:0]  map_write_bank,
    input  wire [15:0]           map_write_address,
    input  wire [127:0]          map_write_data,

    // Reads of the store unit, answered in order
    input  wire                  map_read_valid,
    output wire                  map_read_ready,
    input  wire [BANK_BITS-1:0]  map_read_bank,
    input  wire [15:0]           map_read_address,
    output wire                  map_read_data_valid,
    output wire [127:0]          map_read_data
);

localparam int ADDRESS_BITS = $clog2(MAP_WORDS);
// a bank's memory consists of parts of so many bits that lie together, each with its own address;
// memories are 9 or 72 bits wide
localparam int NEAR = MAP_STYLE == "ultra" ? 72 : 36;

assign map_write_ready = !result_valid;
assign map_read_ready = !step_valid;

// -- Write port

reg write_valid_reg;
reg [BANK_BITS-1:0] write_bank_reg;
reg [ADDRESS_BITS-1:0] write_address_reg;
reg [127:0] write_data_reg;

always_ff @(posedge clk) begin
    write_valid_reg <= result_valid || map_write_valid;
    write_bank_reg <= result_valid ? result_bank : map_write_bank;
    write_address_reg <=
        result_valid ? result_address[ADDRESS_BITS-1:0] : map_write_address[ADDRESS_BITS-1:0];
    write_data_reg <= result_valid ? result_data : map_write_data;
    if (rst) write_valid_reg <= 1'b0;
end

// -- Flags of a read, one stage each for address, its copies, memory and output register

reg read_reg;
reg [3:0] other_valid_reg;
reg [BANK_BITS-1:0] bank_reg [0:3];
reg [LANES-1:0] inside_reg [0:3];

always_ff @(posedge clk) begin
    read_reg <= step_valid || map_read_valid;
    other_valid_reg <= {other_valid_reg[2:0], map_read_valid && map_read_ready};
    bank_reg[0] <= step_valid ? step_rotation : map_read_bank;
    inside_reg[0] <= step_inside;
    for (int i = 1; i < 4; i = i + 1) begin
        bank_reg[i] <= bank_reg[i-1];
        inside_reg[i] <= inside_reg[i-1];
    end
    if (rst) begin
        read_reg <= 1'b0;
        other_valid_reg <= '0;
    end
end

// -- Banks

wire [LANES*128-1:0] bank_words;
genvar bank, part, lane;

generate

for (bank = 0; bank < LANES; bank = bank + 1) begin : banks
    reg [ADDRESS_BITS-1:0] address_reg;
    wire write = write_valid_reg && write_bank_reg == BANK_BITS'(bank);

    always_ff @(posedge clk) begin
        address_reg <= step_valid ? step_address[bank*16 +: ADDRESS_BITS]
            : map_read_address[ADDRESS_BITS-1:0];
    end

    for (part = 0; part < 128; part = part + NEAR) begin : parts
        localparam int BITS = part + NEAR > 128 ? 128 - part : NEAR;
        (* ram_style = MAP_STYLE *)
        reg [BITS-1:0] memory [0:MAP_WORDS-1];
        wire near_read, near_write;
        wire [ADDRESS_BITS-1:0] near_address, near_write_address;
        wire [BITS-1:0] near_data;
        reg [BITS-1:0] word_reg;
        reg [BITS-1:0] output_reg;

        hp_register #(.WIDTH(2 + 2*ADDRESS_BITS + BITS)) near_inst (
            .clk, .d({read_reg, address_reg, write, write_address_reg, write_data_reg[part +: BITS]}),
            .q({near_read, near_address, near_write, near_write_address, near_data})
        );

        always_ff @(posedge clk) begin
            if (near_write) memory[near_write_address] <= near_data;
            if (near_read) word_reg <= memory[near_address];
            output_reg <= word_reg;
        end

        assign bank_words[bank*128 + part +: BITS] = output_reg;
    end
end

// -- From banks to lanes

for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
    reg [BANK_BITS-1:0] source_reg;
    reg [127:0] word_reg;

    always_ff @(posedge clk) begin
        source_reg <= (bank_reg[2] + BANK_BITS'(lane)) & BANK_BITS'(LANES - 1);
        word_reg <= inside_reg[3][lane] ? bank_words[source_reg*128 +: 128] : 128'd0;
    end

    assign step_words[lane*128 +: 128] = word_reg;
end

endgenerate

reg data_valid_reg;
reg [127:0] data_reg;

always_ff @(posedge clk) begin
    data_valid_reg <= other_valid_reg[3];
    data_reg <= bank_words[bank_reg[3]*128 +: 128];
    if (rst) data_valid_reg <= 1'b0;
end

assign map_read_data_valid = data_valid_reg;
assign map_read_data = data_reg;

endmodule

`resetall
