// Select of the families whose maps have cells: loops over the arithmetic of ../families.h.
// select.py fills in hp_select_job.
//
// The functions return the winning cell, or -1 if nothing is finite; then the state stays.
#pragma once
#include "platform.h"

struct hp_frame_view {
  double scale[2], frame[2];  // search pixels per frame pixel in x and y; frame's width and height
};

struct hp_select_job {
  const void* head;       // the network's numbers: hp_points ..
  const float* maps[3];   // in the order of the family's file in runtime/decode
  const double* window;   // of each cell
  const double* anchors;  // width and height of each, search pixels
  float* space;           // as many values as there are boxes
  double* state;          // cx, cy, w, h in frame pixels, moved to the winner
  double* score;          // of the winner
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

const int LARGEST_ROW = 512;  // cells a side of a heat map: runtime/decode allows no more

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

  scores(const hp_points* points, const float* const* maps, int boxes)
      : points(points), target(maps[0]), other(maps[0]) {
    if (points->score == HP_SOFTMAX) target += boxes;
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

// Moves the target to the box with the highest vote, the first of equal ones, and returns its index;
// -1 if no vote is finite. `box(i)` is a box, and job->space the bounds of the votes: only boxes are
// scored that can win.
template <class Box>
int select_box(const hp_select_job* job, const scores& from, int count, Box box) {
  const hp_points* points = (const hp_points*)job->head;
  const hp_frame_view* view = &job->view;
  double* state = job->state;
  float* bounds = job->space;
  // bounds hold where the penalty lowers a vote, and no share is negative
  if (!(points->penalty >= 0 && points->window_influence >= 0 && points->window_influence <= 1))
    for (int i = 0; i < count; ++i) bounds[i] = INFINITY;
  const int cells = points->size * points->size;
  const hp_target target = hp_search_target(state[2], state[3], view->scale[0], view->scale[1]);
  const auto score = [&](int i) {
    const hp_proposal found = box(i);
    const double window = job->window[cells == count ? i : i % cells];
    return hp_vote_for(points, &target, window, from.at(i), found.width, found.height);
  };
  float top = -INFINITY;  // of the boxes with a bound
  for (int i = 0; i < count; ++i) top = bounds[i] > top && bounds[i] < INFINITY ? bounds[i] : top;
  double least = -INFINITY;
  for (int i = 0; i < count; ++i) {
    if (bounds[i] != top) continue;
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
  const hp_proposal to = box(best);
  hp_move_to(points, &winner, to.x, to.width, view->scale[0], view->frame[0], &state[0], &state[2]);
  hp_move_to(points, &winner, to.y, to.height, view->scale[1], view->frame[1], &state[1],
             &state[3]);
  *job->score = winner.score;
  return best;
}

bool finite(double a, double b, double c, double d) {
  return isfinite(a) && isfinite(b) && isfinite(c) && isfinite(d);
}

// e^x for x <= 0 within 4e-16 of its size, without a table or a call: loops of it become vectors.
inline double vector_exp(double x) {
  x = x < -700.0 ? -700.0 : x;
  const double magic = 6755399441055744.0;  // adding it rounds to whole numbers
  const double shifted = x * 1.4426950408889634 + magic, whole = shifted - magic;
  const double f = (x - whole * 0.693147180369123816490) - whole * 1.90821492927058770002e-10;
  double sum = 1.0 / 6227020800.0;  // 1 / 13!
  sum = sum * f + 1.0 / 479001600.0;
  sum = sum * f + 1.0 / 39916800.0;
  sum = sum * f + 1.0 / 3628800.0;
  sum = sum * f + 1.0 / 362880.0;
  sum = sum * f + 1.0 / 40320.0;
  sum = sum * f + 1.0 / 5040.0;
  sum = sum * f + 1.0 / 720.0;
  sum = sum * f + 1.0 / 120.0;
  sum = sum * f + 1.0 / 24.0;
  sum = sum * f + 1.0 / 6.0;
  sum = sum * f + 0.5;
  sum = sum * f + 1.0;
  sum = sum * f + 1.0;
  union {
    double value;
    i64 bits;
  } number, scale;
  number.value = shifted;
  scale.bits = (i64)((uint64_t)(number.bits + 1023) << 52);
  return sum * scale.value;
}

// The highest of some values, and whether all are finite.
float highest_of(const float* values, int count, bool* all_finite) {
  float most = -INFINITY, odd = 0;
  for (int i = 0; i < count; ++i) {
    most = values[i] > most ? values[i] : most;
    odd += values[i] - values[i];
  }
  *all_finite = odd == 0;
  return most;
}

// Mean place of a heat map, as shares of the region; returns the highest probability. A value of the
// heat that is not finite makes all of them no numbers, unless it is the lowest.
double mean_place(const hp_corners* head, const float* heat, double* x, double* y) {
  const int size = head->size, count = size * size;
  bool all_finite;
  const double hottest = highest_of(heat, count, &all_finite);
  double sum = 0, sum_x = 0, sum_y = 0;
  double weights[LARGEST_ROW];
  for (int row = 0; row < size; ++row) {
    const float* values = heat + row * size;
    if (all_finite)
      for (int i = 0; i < size; ++i) weights[i] = vector_exp(values[i] - hottest);
    else
      for (int i = 0; i < size; ++i) weights[i] = hp_heat(values[i], hottest);
    double of_row = 0;
    for (int i = 0; i < size; ++i) {
      of_row += weights[i];
      sum_x += weights[i] * i;
    }
    sum += of_row;
    sum_y += of_row * row;
  }
  *x = (sum_x / sum + head->cell_centre) / size;
  *y = (sum_y / sum + head->cell_centre) / size;
  return 1.0 / sum;
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

int hp_points_select(const hp_select_job* job) {
  const hp_points* points = (const hp_points*)job->head;
  const int size = points->size, count = size * size;
  const float* left = job->maps[1];
  const float *top = left + count, *right = top + count, *bottom = right + count;
  float* bounds = job->space;
  const scores from(points, job->maps, count);
  from.rough(count, bounds);
  bound_votes(points, job->window, count, bounds);
  for (int i = 0; i < count; ++i) {  // a box without an area has no bound
    const bool has_area = left[i] + right[i] > 0 && top[i] + bottom[i] > 0;
    bounds[i] = has_area ? bounds[i] : INFINITY;
  }
  return select_box(job, from, count, [=](int i) {
    const double before = left[i], after = right[i], above = top[i], below = bottom[i];
    const hp_proposal box = {hp_point(points, i % size) + (after - before) / 2.0,
                             hp_point(points, i / size) + (below - above) / 2.0, before + after,
                             above + below};
    return box;
  });
}

// The cell is an index among (anchors, size, size).
int hp_anchors_select(const hp_select_job* job) {
  const hp_points* points = (const hp_points*)job->head;
  const int size = points->size, cells = size * size, count = points->anchors * cells;
  const float* deltas = job->maps[1];
  const scores from(points, job->maps, count);
  from.rough(count, job->space);
  for (int k = 0; k < points->anchors; ++k)  // an anchor's box always has an area
    bound_votes(points, job->window, cells, job->space + k * cells);
  return select_box(job, from, count, [=](int i) {
    const double* anchor = job->anchors + i / cells * 2;
    return hp_anchor_box(points, i % size, i % cells / size, anchor[0], anchor[1], deltas[i],
                         deltas[count + i], deltas[2 * count + i], deltas[3 * count + i]);
  });
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

// A finished box has the cell 0, and the score 1 where the graph gives none.
int hp_corners_select(const hp_select_job* job) {
  const hp_corners* head = (const hp_corners*)job->head;
  const float* first = job->maps[0];
  const hp_frame_view* view = &job->view;
  double x, y, w, h, score = 1.0;
  int best = 0;
  if (head->output != HP_TWO_HEATS) {
    x = first[0], y = first[1], w = first[2], h = first[3];
    if (head->output == HP_SCORED_BOX) score = hp_probability(head->score, job->maps[1][0], 0.0);
  } else {
    double x1, y1, x2, y2;
    const double top_left = mean_place(head, first, &x1, &y1);
    const double bottom_right = mean_place(head, job->maps[1], &x2, &y2);
    for (int i = 1; i < head->size * head->size; ++i)
      if (first[i] > first[best]) best = i;
    x = (x1 + x2) / 2, y = (y1 + y2) / 2, w = x2 - x1, h = y2 - y1;
    score = sqrt(top_left * bottom_right);
  }
  if (!finite(x, y, w, h) || !isfinite(score)) return -1;
  *job->score = score;
  hp_take_share(&head->limits, head->search, x, w, 1.0, view->scale[0], view->frame[0],
                &job->state[0], &job->state[2]);
  hp_take_share(&head->limits, head->search, y, h, 1.0, view->scale[1], view->frame[1],
                &job->state[1], &job->state[3]);
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
