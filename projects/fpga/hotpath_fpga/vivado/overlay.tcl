# Builds the overlay of one board: hotpath.bit and hotpath.hwh.
#
# THIS SCRIPT HAS NEVER BEEN RUN BY VIVADO. No clock was met, no bitstream was made.
#
#   make overlay BOARD=pynq_z2
#
# calls it, with pairs of a name and a value: those that are checked below. `work` is the folder for
# the project; what is there is replaced. `out` is that for the two files, `jobs` the processes at
# once.

set here [file dirname [file normalize [info script]]]
set rtl [file join [file dirname $here] rtl]

# -- what was asked for

if {[llength $argv] % 2} {
  error "The arguments are pairs of a name and a value; got: $argv"
}
array set given $argv
set parameters {lanes bus_bytes crop_lanes map_words map_style weight_tiles line_bytes}
foreach name [concat {board part clock_mhz address work out jobs} $parameters] {
  if {![info exists given($name)]} {
    error "Argument $name is missing; `make overlay BOARD=...` gives all of them."
  }
}

# Of the board: family (zynq7 or zynqmp), memory_bytes (that the HP port reaches), settings (of the PS).
# The boot image of the PYNQ image sets up memory and pins of the PS, and an overlay that is loaded later
# does not change them. So the PS of a Zynq UltraScale+ keeps Vivado's defaults, except for its ports and
# the clock of the fabric. The engine reaches the memory below 2 GiB, where PYNQ allocates.
set family zynqmp
set memory_bytes 0x80000000
set settings [list CONFIG.PSU__PSS_REF_CLK__FREQMHZ 33.333]
set own [file join $here boards $given(board).tcl]
if {[file exists $own]} {
  source $own
}

# A part's name is compared without regard to case: tables of boards write it in lower case.
set part {}
foreach known [get_parts] {
  if {[string equal -nocase $known $given(part)]} {
    set part $known
  }
}
if {$part eq {}} {
  error "This Vivado does not have the part $given(part): install its device family (Zynq-7000 or\
    Zynq UltraScale+ MPSoC) with Vivado's installer, then run this again."
}

# -- project: the RTL, and the engine by reference

create_project -force hotpath [file join $given(work) project] -part $part
set_property target_language Verilog [current_project]

set headers [glob [file join $rtl *.svh]]
set sources [concat [lsort [glob [file join $rtl *.sv] [file join $rtl * *.sv]]] $headers \
  [list [file join $rtl hotpath_engine.v]]]
add_files -norecurse -fileset sources_1 $sources
foreach header $headers {
  set_property file_type {Verilog Header} [get_files $header]
}
set_property include_dirs [list $rtl] [get_filesets sources_1]
add_files -norecurse -fileset constrs_1 [file join $here overlay.xdc]
update_compile_order -fileset sources_1

# -- block design: PS, engine, reset, one interconnect each way

create_bd_design hotpath

if {$family eq "zynq7"} {
  set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps]
  set ports [list \
    CONFIG.PCW_USE_M_AXI_GP0 1 \
    CONFIG.PCW_USE_S_AXI_HP0 1 \
    CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64 \
    CONFIG.PCW_EN_CLK0_PORT 1 \
    CONFIG.PCW_EN_RST0_PORT 1 \
    CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $given(clock_mhz) \
  ]
  set clock ps/FCLK_CLK0
  set reset_n ps/FCLK_RESET0_N
  set control ps/M_AXI_GP0
  set memory ps/S_AXI_HP0
  set port_clocks [list ps/M_AXI_GP0_ACLK ps/S_AXI_HP0_ACLK]
  set memory_segment ps/S_AXI_HP0/HP0_DDR_LOWOCM
  set clock_property CONFIG.PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ
} else {
  # GP0 is M_AXI_HPM0_FPD, the slave GP2 is S_AXI_HP0_FPD; both as wide as they are after a reset
  set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps]
  set ports [list \
    CONFIG.PSU__USE__M_AXI_GP0 1 \
    CONFIG.PSU__USE__M_AXI_GP1 0 \
    CONFIG.PSU__USE__M_AXI_GP2 0 \
    CONFIG.PSU__MAXIGP0__DATA_WIDTH 128 \
    CONFIG.PSU__USE__S_AXI_GP2 1 \
    CONFIG.PSU__SAXIGP2__DATA_WIDTH 128 \
    CONFIG.PSU__FPGA_PL0_ENABLE 1 \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $given(clock_mhz) \
  ]
  set clock ps/pl_clk0
  set reset_n ps/pl_resetn0
  set control ps/M_AXI_HPM0_FPD
  set memory ps/S_AXI_HP0_FPD
  set port_clocks [list ps/maxihpm0_fpd_aclk ps/saxihp0_fpd_aclk]
  set memory_segment ps/SAXIGP2/HP0_DDR_LOW
  set clock_property CONFIG.PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ
}
set_property -dict [concat $settings $ports] $ps

if {$family eq "zynq7"} {
  # the PS's own pins; a Zynq UltraScale+ has them inside the cell
  create_bd_intf_port -mode Master -vlnv xilinx.com:interface:ddrx_rtl:1.0 DDR
  create_bd_intf_port -mode Master \
    -vlnv xilinx.com:display_processing_system7:fixedio_rtl:1.0 FIXED_IO
  connect_bd_intf_net [get_bd_intf_pins ps/DDR] [get_bd_intf_ports DDR]
  connect_bd_intf_net [get_bd_intf_pins ps/FIXED_IO] [get_bd_intf_ports FIXED_IO]
}

# The clock may be lower than what was asked for, never higher: figures assume what was asked for.
set actual_mhz [get_property $clock_property $ps]
puts "Clock of the fabric: $actual_mhz MHz, asked for $given(clock_mhz) MHz"
if {$actual_mhz > 1.001 * $given(clock_mhz)} {
  error "The PS can't make $given(clock_mhz) MHz, it would make $actual_mhz MHz:\
    set a clock that it can make in projects/fpga/hotpath_fpga/sizes.toml."
}

set engine [create_bd_cell -type module -reference hotpath_engine engine]
set built {}
foreach name $parameters {
  lappend built CONFIG.[string toupper $name] $given($name)
}
set_property -dict $built $engine

create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
foreach name {to_engine to_memory} {
  set interconnect [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect $name]
  set_property -dict [list CONFIG.NUM_SI 1 CONFIG.NUM_MI 1] $interconnect
}

connect_bd_intf_net [get_bd_intf_pins $control] [get_bd_intf_pins to_engine/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins to_engine/M00_AXI] [get_bd_intf_pins engine/s_axil]
connect_bd_intf_net [get_bd_intf_pins engine/m_axi] [get_bd_intf_pins to_memory/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins to_memory/M00_AXI] [get_bd_intf_pins $memory]

foreach pin [concat $port_clocks \
             {engine/clk reset/slowest_sync_clk to_engine/aclk to_memory/aclk}] {
  connect_bd_net [get_bd_pins $clock] [get_bd_pins $pin]
}
connect_bd_net [get_bd_pins $reset_n] [get_bd_pins reset/ext_reset_in]
connect_bd_net [get_bd_pins reset/peripheral_reset] [get_bd_pins engine/rst]
foreach pin {to_engine/aresetn to_memory/aresetn} {
  connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin]
}

assign_bd_address -offset $given(address) -range 64K \
  -target_address_space [get_bd_addr_spaces ps/Data] [get_bd_addr_segs engine/s_axil/reg0]
assign_bd_address -offset 0x00000000 -range $memory_bytes \
  -target_address_space [get_bd_addr_spaces engine/m_axi] [get_bd_addr_segs $memory_segment]

validate_bd_design
save_bd_design

set design [get_files hotpath.bd]
set_property synth_checkpoint_mode None $design
generate_target all $design
add_files -norecurse -fileset sources_1 [make_wrapper -files $design -top]
set_property top hotpath_wrapper [get_filesets sources_1]
update_compile_order -fileset sources_1

# -- synthesis, implementation

proc finish {run step} {
  launch_runs $run {*}$step -jobs $::given(jobs)
  wait_on_run $run
  set status [get_property STATUS [get_runs $run]]
  if {![string match "*Complete*" $status]} {
    error "$run ended as \"$status\"; its log is in\
      [file join $::given(work) project hotpath.runs $run runme.log]"
  }
}

# for speed rather than for a short run
set_property strategy Flow_PerfOptimized_high [get_runs synth_1]
set_property strategy Performance_ExplorePostRoutePhysOpt [get_runs impl_1]

finish synth_1 {}
finish impl_1 {}

file mkdir $given(out)
open_run impl_1
report_utilization -hierarchical -file [file join $given(out) utilization.rpt]
report_timing_summary -file [file join $given(out) timing.rpt]

# -- timing: a bitstream only when it is met

foreach {what delay} {setup max hold min} {
  set paths [get_timing_paths -delay_type $delay -max_paths 1 -nworst 1]
  if {[llength $paths] == 0} {
    error "No path has a $what time: the clock does not reach the engine."
  }
  set slack [get_property SLACK [lindex $paths 0]]
  puts "Worst $what slack: $slack ns"
  if {$slack < 0} {
    set holds {}
    if {$what eq "setup"} {
      set holds [format " %.1f MHz would hold." [expr {1000 / (1000.0 / $actual_mhz - $slack)}]]
    }
    error "Timing is not met: $what slack is $slack ns at $actual_mhz MHz.$holds Lower\
      assumed_clock_mhz of \[$given(board)\] in projects/fpga/hotpath_fpga/sizes.toml, or see\
      [file join $given(out) timing.rpt]."
  }
}

# -- the two files that PYNQ loads

write_bitstream -force [file join $given(out) hotpath.bit]

# .gen since Vivado 2020.2, .srcs before
set handoffs {}
foreach kind {gen srcs} {
  set handoffs [concat $handoffs [glob -nocomplain [file join $given(work) project hotpath.$kind \
    sources_1 bd hotpath hw_handoff hotpath.hwh]]]
}
if {[llength $handoffs] == 0} {
  error "Vivado wrote no hotpath.hwh below [file join $given(work) project]."
}
file copy -force [lindex $handoffs 0] [file join $given(out) hotpath.hwh]
puts "Wrote hotpath.bit and hotpath.hwh to $given(out)"
