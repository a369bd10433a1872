// Crop with the channels of a pixel side by side, included by crop.h: a row is done in planes first.

// Puts the channels of a row side by side: `planes` has `count` bytes of each.
inline void put_side_by_side(const uint8_t* planes, i64 count, uint8_t* out) {
  i64 done = 0;
  for (; done < count && count >= INTERLEAVED; done += INTERLEAVED) {
    if (done > count - INTERLEAVED) done = count - INTERLEAVED;  // the last ones overlap
    const uint8_t* const from[3] = {planes + done, planes + count + done,
                                    planes + 2 * count + done};
    interleave(from, out + 3 * done);
  }
  for (; done < count; ++done)
    for (int c = 0; c < 3; ++c) out[3 * done + c] = planes[c * count + done];
}

// Another way, whose rows are put side by side after it. Its job writes to a line of the workspace.
template <class Way>
class SideBySide {
 public:
  SideBySide(const hp_crop_job* job, const plan* p, const Way& way)
      : job_(job), line_(p->space.line), way_(way) {}

  HP_INLINE bool direct(int row, hp_tap tap) const {
    if (!way_.direct(0, tap)) return false;
    finish(row);
    return true;
  }

  HP_INLINE void pass(i64 y, int16_t* out) const { way_.pass(y, out); }

  HP_INLINE void blend(int row, hp_tap tap, const int16_t* top, const int16_t* bottom) const {
    way_.blend(0, tap, top, bottom);
    finish(row);
  }

 private:
  HP_INLINE void finish(int row) const {
    uint8_t* out = (uint8_t*)(intptr_t)job_->out + 3 * row * job_->out_width;
    put_side_by_side(line_, job_->out_width, out);
  }

  const hp_crop_job* job_;
  const uint8_t* line_;
  const Way& way_;
};
