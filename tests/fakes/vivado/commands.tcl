# Stand-ins for the Vivado commands that overlay.tcl uses. Each call is written to the file
# $VIVADO_CALLS, with the unit separator between fields. A command that is not defined below is an
# error, as a misspelt one is in Vivado. $VIVADO_SLACK is the timing slack to report, $VIVADO_CLOCK
# the clock of the PS to report, $VIVADO_STATUS the status in which runs end.

set calls [open $env(VIVADO_CALLS) w]
fconfigure $calls -translation lf

proc record {args} {
  puts $::calls [join $args \x1f]
}

proc setting {name default} {
  if {[info exists ::env($name)]} {return $::env($name)}
  return $default
}

# commands that return nothing, or nothing that is used
foreach name {update_compile_order create_bd_design create_bd_intf_port
              connect_bd_intf_net connect_bd_net assign_bd_address validate_bd_design save_bd_design
              launch_runs wait_on_run open_run report_utilization report_timing_summary} {
  proc $name args "record $name {*}\$args"
}

# commands that find an object by its name
foreach name {get_bd_pins get_bd_intf_pins get_bd_intf_ports get_bd_addr_spaces get_bd_addr_segs
              get_files get_filesets get_runs} {
  proc $name {found} {return $found}
}

proc current_project {} {return project}
proc get_parts {} {return {xc7z020clg400-1 xczu3eg-sbva484-1-e xczu7ev-ffvc1156-2-e xck26-sfvc784-2LV-c}}
proc get_timing_paths {args} {
  record get_timing_paths {*}$args
  return path
}

proc add_files {args} {
  foreach file [lindex $args end] {
    if {![file exists $file] && [file tail $file] ne "hotpath_wrapper.v"} {error "no file $file"}
    record add_files {*}[lrange $args 0 end-1] $file
  }
}

proc create_project {args} {
  record create_project {*}$args
  set ::project [lindex $args 2]
}

proc create_bd_cell {args} {
  record create_bd_cell {*}$args
  return [lindex $args end]
}

proc set_property {args} {
  if {[lindex $args 0] eq "-dict"} {
    foreach {name value} [lindex $args 1] {record set_property $name $value [lindex $args 2]}
  } else {
    if {[llength $args] != 3} {error "set_property $args"}
    record set_property {*}$args
  }
}

proc get_property {name object} {
  switch -glob $name {
    CONFIG.*ACT*FREQMHZ {return [setting VIVADO_CLOCK $::given(clock_mhz)]}
    SLACK {return [setting VIVADO_SLACK 0.1]}
    STATUS {return [setting VIVADO_STATUS "route_design Complete!"]}
    default {error "property $name"}
  }
}

proc generate_target {args} {
  record generate_target {*}$args
  set folder [file join $::project hotpath.gen sources_1 bd hotpath hw_handoff]
  file mkdir $folder
  close [open [file join $folder hotpath.hwh] w]
}

proc make_wrapper {args} {
  record make_wrapper {*}$args
  return [file join $::project hotpath_wrapper.v]
}

proc write_bitstream {args} {
  record write_bitstream {*}$args
  close [open [lindex $args end] w]
}

set script [lindex $argv 0]
set argv [lrange $argv 1 end]
if {[catch {source $script} problem]} {
  puts stderr "ERROR: $problem"
  exit 1
}
