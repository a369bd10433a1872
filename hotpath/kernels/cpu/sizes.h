// The sizes of the structures of these headers, which kernels/cpu/cpu_structures.py compares with those
// that Python has read.

extern "C" i64 hp_size_of(const char* name) {
#define HP_SIZE(type) \
  if (!strcmp(name, #type)) return (i64)sizeof(type)
  HP_SIZE(hp_frame_view);
  HP_SIZE(hp_select_job);
  HP_SIZE(hp_proposing);
  HP_SIZE(hp_place);
  HP_SIZE(hp_crop_job);
  HP_SIZE(hp_planes);
  HP_SIZE(hp_pooling);
  HP_SIZE(hp_samples);
  HP_SIZE(hp_regression);
  HP_SIZE(hp_cell_share);
  HP_SIZE(hp_four);
  HP_SIZE(hp_window_job);
  HP_SIZE(hp_words_job);
  HP_SIZE(hp_column_entry);
  HP_SIZE(hp_row_entry);
  HP_SIZE(hp_bounds);
  HP_SIZE(hp_geometry);
  HP_SIZE(hp_points);
  HP_SIZE(hp_centre);
#undef HP_SIZE
  return 0;
}
