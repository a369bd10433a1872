// Select of the families points and centre: loops over the arithmetic of ../families.h.
// select.py fills in hp_select_job.
//
// The functions return the winning cell, or -1 if nothing is finite; then the state stays.
#pragma once
#include "platform.h"

struct hp_frame_view {
  double scale[2], frame[2];  // search pixels per frame pixel in x and y; frame's width and height
};

struct hp_select_job {
  const void* head;      // the network's numbers: hp_points or hp_centre
  const float* maps[3];  // in the order of the family's file in runtime/decode
  const double* window;  // of each cell
  float* space;          // as many values as there are cells
  double* state;         // cx, cy, w, h in frame pixels, moved to the winner
  double* score;         // of the winner
  hp_frame_view view;
};

// How a window's places are proposed: settings.Prior, and what the score map holds.
struct hp_proposing {
  double share;
  int kind, side, most, apart;
};

struct hp_place {
  double state[4];  // cx, cy, w, h in frame pixels
  double score;
  i64 cell;
};

namespace {

// The range of rough_exp. What is no number becomes the least.
inline float limited(float x) {
  x = x > -80.0f ? x : -80.0f;
  return x > 80.0f ? 80.0f : x;
}

// e^x within 2e-6 of its size, without a table or a call, so that loops of it become vectors.
inline float rough_exp(float x) {
  const float power = x * 1.44269504f, magic = 12582912.0f;  // adding it rounds to whole numbers
  const float whole = power + magic - magic, f = (power - whole) * 0.693147181f;
  const float tail = f * f * (0.5f + f * (0.16666667f + f * (0.041666667f + f * 0.0083333333f)));
  union {
    int bits;
    float value;
  } scale;
  scale.bits = (int)(((unsigned)(int)whole + 127) << 23);
  return (1.0f + f + tail) * scale.value;
}

// Score of a cell from the score map.
struct scores {
  const hp_points* points;
  const float *target, *other;

  scores(const hp_points* points, const float* const* maps, int cells)
      : points(points), target(maps[0]), other(maps[0]) {
    if (points->score == HP_SOFTMAX) target += cells;
  }

  double at(int cell) const { return hp_probability(points->score, target[cell], other[cell]); }

  // Rough scores of `count` boxes.
  void rough(int count, float* __restrict out) const {
    if (points->score == HP_SOFTMAX)
      for (int i = 0; i < count; ++i) out[i] = limited(other[i] - target[i]);
    else if (points->score == HP_SIGMOID)
      for (int i = 0; i < count; ++i) out[i] = limited(-target[i]);
    if (points->score == HP_PROBABILITY)
      memcpy(out, target, count * sizeof(float));
    else
      for (int i = 0; i < count; ++i) out[i] = 1.0f / (1.0f + rough_exp(out[i]));
  }
};

// The vote that each box can reach at most, a little too high. `bounds` holds the rough scores.
void bound_votes(const hp_points* points, const double* window, int cells,
                 float* __restrict bounds) {
  const float influence = (float)points->window_influence, others = 1.0f - influence;
  for (int i = 0; i < cells; ++i) {
    const float score = bounds[i] > 0.0f ? bounds[i] : 0.0f;
    const float bound = score * others + (float)window[i] * influence;
    bounds[i] = bound * 1.00001f + 1e-5f;
  }
}

bool finite(double a, double b, double c, double d) {
  return isfinite(a) && isfinite(b) && isfinite(c) && isfinite(d);
}

// ---- places of a window

// Runs a select from the state `before`; returns whether it found a box of finite numbers.
bool take_place(int (*select)(const hp_select_job*), const hp_select_job* job, const double* before,
                hp_place* place) {
  memcpy(job->state, before, 4 * sizeof(double));
  place->cell = select(job);
  place->score = *job->score;
  memcpy(place->state, job->state, sizeof place->state);
  memcpy(job->state, before, 4 * sizeof(double));
  const double* state = place->state;
  return place->cell >= 0 && isfinite(place->score) &&
         finite(state[0], state[1], state[2], state[3]);
}

// Keeps the cells nearer than `apart` to a cell from winning.
void hide_around(float* map, int planes, int side, int cell, int apart) {
  const int row = cell / side, column = cell % side;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      if (abs(y - row) < apart && abs(x - column) < apart)
        for (int plane = 0; plane < planes; ++plane) map[plane * side * side + y * side + x] = NAN;
}

// The probability of each cell that is a peak, and -infinity of the others: a peak is finite, reaches
// the share of the highest one, and no neighbour exceeds it.
void peak_scores(const hp_proposing* how, const float* map, double* scores) {
  const int side = how->side, count = side * side;
  const float* target = how->kind == HP_SOFTMAX ? map + count : map;
  double most = -INFINITY;
  for (int i = 0; i < count; ++i) {
    const double score = hp_probability(how->kind, target[i], map[i]);
    scores[i] = isfinite(score) ? score : -INFINITY;
    if (scores[i] > most) most = scores[i];
  }
  const double least = how->share * most;
  double* peaks = scores + count;
  for (int i = 0; i < count; ++i) {
    bool is_peak = scores[i] >= least && scores[i] > -INFINITY;
    const int row = i / side, column = i % side;
    for (int y = row > 0 ? row - 1 : 0; is_peak && y <= row + 1 && y < side; ++y)
      for (int x = column > 0 ? column - 1 : 0; x <= column + 1 && x < side; ++x)
        is_peak = is_peak && scores[i] >= scores[y * side + x];
    peaks[i] = is_peak ? scores[i] : -INFINITY;
  }
}

// The peak that comes after another one, the highest first and of equal ones the lowest cell; -1: none.
int next_peak(const hp_proposing* how, const double* scores, int last) {
  const int count = how->side * how->side;
  const double* peaks = scores + count;
  int best = -1;
  for (int i = 0; i < count; ++i) {
    if (peaks[i] == -INFINITY) continue;
    const bool later = last < 0 || peaks[i] < peaks[last] || (peaks[i] == peaks[last] && i > last);
    if (later && (best < 0 || peaks[i] > peaks[best])) best = i;
  }
  return best;
}

}  // namespace

extern "C" {

// Moves the target to the box with the highest vote, the first of equal ones. job->space gets bounds of
// the votes: only boxes are scored that can win.
int hp_points_select(const hp_select_job* job) {
  const hp_points* points = (const hp_points*)job->head;
  const hp_frame_view* view = &job->view;
  const int size = points->size, count = size * size;
  const float* left = job->maps[1];
  const float *top = left + count, *right = top + count, *bottom = right + count;
  float* bounds = job->space;
  const scores from(points, job->maps, count);
  from.rough(count, bounds);
  bound_votes(points, job->window, count, bounds);
  // bounds hold where a box has an area, the penalty lowers a vote, and no share is negative
  const bool holds =
      points->penalty >= 0 && points->window_influence >= 0 && points->window_influence <= 1;
  for (int i = 0; i < count; ++i) {
    const bool has_area = left[i] + right[i] > 0 && top[i] + bottom[i] > 0;
    bounds[i] = holds && has_area ? bounds[i] : INFINITY;
  }
  double* state = job->state;
  const hp_target target = hp_search_target(state[2], state[3], view->scale[0], view->scale[1]);
  const auto score = [&](int i) {
    return hp_vote(points, &target, job->window[i], from.at(i), left[i], top[i], right[i],
                   bottom[i]);
  };
  float most = -INFINITY;  // of the boxes with a bound
  for (int i = 0; i < count; ++i)
    most = bounds[i] > most && bounds[i] < INFINITY ? bounds[i] : most;
  double least = -INFINITY;
  for (int i = 0; i < count; ++i) {
    if (bounds[i] != most) continue;
    const double vote = score(i).vote;
    if (isfinite(vote)) least = vote;
    break;
  }
  int best = -1;
  hp_scored_box winner;
  winner.vote = -INFINITY;
  for (int i = 0; i < count; ++i) {
    if (bounds[i] < least) continue;
    const hp_scored_box found = score(i);
    if (!isfinite(found.vote) || !(found.vote > winner.vote)) continue;
    best = i;
    winner = found;
    if (found.vote > least) least = found.vote;
  }
  if (best < 0) return best;
  hp_move(points, &winner, best % size, left[best], right[best], view->scale[0], view->frame[0],
          &state[0], &state[2]);
  hp_move(points, &winner, best / size, top[best], bottom[best], view->scale[1], view->frame[1],
          &state[1], &state[3]);
  *job->score = winner.score;
  return best;
}

int hp_centre_select(const hp_select_job* job) {
  const hp_centre* head = (const hp_centre*)job->head;
  const int size = head->size, count = size * size, side = head->window.search;
  const float *sizes = job->maps[1], *offsets = job->maps[2];
  const hp_frame_view* view = &job->view;
  double* state = job->state;
  int best = -1;
  double most = -INFINITY;
  for (int i = 0; i < count; ++i) {
    const double vote = hp_centre_vote(head, job->maps[0][i], job->window[i]);
    if (isfinite(vote) && vote > most) most = vote, best = i;
  }
  if (best < 0) return best;
  const double score = hp_centre_score(head, job->maps[0][best], most);
  *job->score = score;
  if (score < head->min_score) return best;
  const double w = sizes[best], h = sizes[count + best];
  const double dx = offsets[best], dy = offsets[count + best];
  if (!finite(w, h, dx, dy)) return -1;
  const double rate = hp_centre_rate(head, job->maps[0][best]);
  double x, y;
  hp_region_centre(head, state, &x, &y);
  state[0] = x;
  state[1] = y;
  hp_take_share(&head->limits, side, hp_centre_share(head, best % size, dx), w, rate,
                view->scale[0], view->frame[0], &state[0], &state[2]);
  hp_take_share(&head->limits, side, hp_centre_share(head, best / size, dy), h, rate,
                view->scale[1], view->frame[1], &state[1], &state[3]);
  return best;
}

// Proposes places of a window, as runtime/decode/shared/proposals.py defines them; returns how many there are. 0: nothing
// is finite. The first place is that of `select`, a family's function above, for `job`. Its state holds
// the target's before the frame, also afterwards. `scores`: a double for each cell. `alone`: room for a
// score map.
int hp_propose(int (*select)(const hp_select_job*), const hp_select_job* job,
               const hp_proposing* how, double* scores, float* alone, hp_place* places) {
  const int side = how->side, count = side * side, planes = how->kind == HP_SOFTMAX ? 2 : 1;
  const float* map = job->maps[0];
  double before[4];
  memcpy(before, job->state, sizeof before);
  if (!take_place(select, job, before, places)) return 0;
  int found = 1;
  if (how->most < 2) return found;
  hp_select_job other = *job;
  other.maps[0] = alone;
  if (how->apart > 0) {
    memcpy(alone, map, (size_t)(planes * count) * sizeof(float));
    for (; found < how->most; ++found) {
      hide_around(alone, planes, side, places[found - 1].cell, how->apart);
      if (!take_place(select, &other, before, places + found)) break;
      if (!(places[found].score >= how->share * places->score)) break;
    }
    return found;
  }
  for (int i = 0; i < planes * count; ++i) alone[i] = NAN;
  peak_scores(how, map, scores);
  int last = -1;
  for (int taken = 1; taken < how->most; ++taken) {
    do last = next_peak(how, scores, last);
    while (last >= 0 && last == places->cell);
    if (last < 0) break;
    for (int plane = 0; plane < planes; ++plane)
      alone[plane * count + last] = map[plane * count + last];
    found += take_place(select, &other, before, places + found);
    for (int plane = 0; plane < planes; ++plane) alone[plane * count + last] = NAN;
  }
  return found;
}

}  // extern "C"
