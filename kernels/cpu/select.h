// Select of the families whose maps have cells: loops over the arithmetic of ../families.h.
// hotpath.cpp includes this file. select.py calls the functions; all have the same arguments:
//
//   head            the numbers of the network
//   maps            the network's maps in the order of the family's file in runtime/decode
//   tables          numbers of each cell or anchor, which stay the same
//   view            search pixels per frame pixel in x and y; the frame's width and height
//   state           cx, cy, w, h in frame pixels, moved to the winner
//   score           of the winner
//
// They return the winning cell, or -1 if nothing is finite; then the state stays.

struct hp_tables {
  const double* window;
  const double* anchors;  // width and height of each, search pixels
};

struct hp_frame_view {
  double scale[2], frame[2];
};

namespace {

// The best box so far. Cells that cannot reach `least` need not be counted.
struct contest {
  const hp_points* points;
  hp_target target;
  bool bounded;
  double least;
  int best;
  hp_ballot winner;

  contest(const hp_points* points, const double* state, const hp_frame_view* view)
      : points(points), best(-1) {
    target = hp_search_target(state[2], state[3], view->scale[0], view->scale[1]);
    bounded = points->score != HP_PROBABILITY && points->penalty >= 0 && points->influence >= 0 &&
              points->influence <= 1;
    least = -INFINITY;
    memset(&winner, 0, sizeof winner);
    winner.vote = -INFINITY;
  }

  // Whether a box with an area and at most this score can win.
  bool can_win(double window, double score) const {
    return !(hp_vote_bound(points, window, score) < least);
  }

  void raise(double vote) {
    if (bounded && isfinite(vote) && vote > least) least = vote;
  }

  void take(int cell, const hp_ballot& ballot) {
    if (!isfinite(ballot.vote) || !(ballot.vote > winner.vote)) return;
    best = cell;
    winner = ballot;
    raise(ballot.vote);
  }
};

// Score of a cell from the score map and the quality map.
struct scores {
  const hp_points* points;
  const float *target, *other, *quality;

  scores(const hp_points* points, const float* const* maps, int boxes)
      : points(points), target(maps[0]), other(maps[0]),
        quality(points->quality == HP_NO_QUALITY ? 0 : maps[2]) {
    if (points->score == HP_SOFTMAX) target += boxes;
  }

  double at(int cell) const {
    const double score = hp_probability(points->score, target[cell], other[cell]);
    return quality ? hp_with_quality(points, score, quality[cell]) : score;
  }

  // The cell with the highest logit.
  int highest(int count) const {
    const bool two = points->score == HP_SOFTMAX;
    int best = 0;
    float most = -INFINITY;
    for (int i = 0; i < count; ++i) {
      const float logit = two ? target[i] - other[i] : target[i];
      if (logit > most) most = logit, best = i;
    }
    return best;
  }
};

bool finite(double a, double b, double c, double d) {
  return isfinite(a) && isfinite(b) && isfinite(c) && isfinite(d);
}

// Mean place of a heat map, as shares of the region; returns the highest probability.
double mean_place(const hp_corners* head, const float* heat, double* x, double* y) {
  const int size = head->size;
  float hottest = heat[0];
  for (int i = 1; i < size * size; ++i) hottest = heat[i] > hottest ? heat[i] : hottest;
  double sum = 0, sum_x = 0, sum_y = 0;
  for (int row = 0; row < size; ++row) {
    double of_row = 0;
    for (int column = 0; column < size; ++column) {
      const double weight = hp_heat(heat[row * size + column], hottest);
      of_row += weight;
      sum_x += weight * hp_corner_share(head, column);
    }
    sum += of_row;
    sum_y += of_row * hp_corner_share(head, row);
  }
  *x = sum_x / sum;
  *y = sum_y / sum;
  return 1.0 / sum;
}

}  // namespace

extern "C" {

int hp_points_select(const hp_points* points, const float* const* maps, const hp_tables* tables,
                     const hp_frame_view* view, double* state, double* score) {
  const int size = points->size, count = size * size;
  const float *left = maps[1], *top = left + count, *right = top + count, *bottom = right + count;
  const double* window = tables->window;
  const scores from(points, maps, count);
  contest votes(points, state, view);
  const auto ballot = [&](int i, double p) {
    return hp_vote(points, &votes.target, window[i], p, left[i], top[i], right[i], bottom[i]);
  };
  if (votes.bounded) {
    const int middle = size / 2 * size + size / 2;
    votes.raise(ballot(middle, from.at(middle)).vote);
  }
  for (int i = 0; i < count; ++i) {
    const bool has_area = hp_length(points, left[i], right[i]) > 0 &&
                          hp_length(points, top[i], bottom[i]) > 0;
    if (has_area && !votes.can_win(window[i], 1.0)) continue;
    const double p = from.at(i);
    if (has_area && !votes.can_win(window[i], p)) continue;
    votes.take(i, ballot(i, p));
  }
  const int best = votes.best;
  if (best < 0) return best;
  hp_move(points, &votes.winner, best % size, left[best], right[best], view->scale[0],
          view->frame[0], &state[0], &state[2]);
  hp_move(points, &votes.winner, best / size, top[best], bottom[best], view->scale[1],
          view->frame[1], &state[1], &state[3]);
  *score = votes.winner.score;
  return best;
}

// The cell is an index among (anchors, size, size).
int hp_anchors_select(const hp_points* points, const float* const* maps, const hp_tables* tables,
                      const hp_frame_view* view, double* state, double* score) {
  const int size = points->size, cells = size * size, count = points->anchors * cells;
  const float* deltas = maps[1];
  const scores from(points, maps, count);
  contest votes(points, state, view);
  const auto box = [&](int i) {
    const double* anchor = tables->anchors + i / cells * 2;
    return hp_anchor_box(points, i % size, i % cells / size, anchor[0], anchor[1], deltas[i],
                         deltas[count + i], deltas[2 * count + i], deltas[3 * count + i]);
  };
  const auto ballot = [&](int i, double p) {
    const hp_proposal proposed = box(i);
    return hp_vote_for(points, &votes.target, tables->window[i % cells], p, proposed.width,
                       proposed.height);
  };
  if (votes.bounded) {
    const int likely = from.highest(count);
    votes.raise(ballot(likely, from.at(likely)).vote);
  }
  for (int i = 0; i < count; ++i) {
    const double window = tables->window[i % cells];
    if (!votes.can_win(window, 1.0)) continue;  // an anchor's box always has an area
    const double p = from.at(i);
    if (votes.can_win(window, p)) votes.take(i, ballot(i, p));
  }
  if (votes.best < 0) return votes.best;
  const hp_proposal best = box(votes.best);
  hp_move_to(points, &votes.winner, best.x, best.width, view->scale[0], view->frame[0], &state[0],
             &state[2]);
  hp_move_to(points, &votes.winner, best.y, best.height, view->scale[1], view->frame[1], &state[1],
             &state[3]);
  *score = votes.winner.score;
  return votes.best;
}

int hp_centre_select(const hp_centre* head, const float* const* maps, const hp_tables* tables,
                     const hp_frame_view* view, double* state, double* score) {
  const int size = head->size, count = size * size, side = head->geometry.search;
  int best = -1;
  double most = -INFINITY;
  for (int i = 0; i < count; ++i) {
    const double vote = hp_centre_vote(head, maps[0][i], tables->window[i]);
    if (isfinite(vote) && vote > most) most = vote, best = i;
  }
  if (best < 0) return best;
  *score = most;
  if (most < head->min_score) return best;
  const double w = maps[1][best], h = maps[1][count + best];
  const double dx = maps[2][best], dy = maps[2][count + best];
  if (!finite(w, h, dx, dy)) return -1;
  double x, y;
  hp_region_centre(head, state, &x, &y);
  state[0] = x;
  state[1] = y;
  hp_take_share(&head->bounds, side, hp_centre_share(head, best % size, dx), w, view->scale[0],
                view->frame[0], &state[0], &state[2]);
  hp_take_share(&head->bounds, side, hp_centre_share(head, best / size, dy), h, view->scale[1],
                view->frame[1], &state[1], &state[3]);
  return best;
}

// A finished box has the cell 0 and the score 1.
int hp_corners_select(const hp_corners* head, const float* const* maps, const hp_tables*,
                      const hp_frame_view* view, double* state, double* score) {
  double x, y, w, h, found = 1.0;
  int best = 0;
  if (head->output == HP_BOX) {
    x = maps[0][0], y = maps[0][1], w = maps[0][2], h = maps[0][3];
  } else {
    double x1, y1, x2, y2;
    const double first = mean_place(head, maps[0], &x1, &y1);
    const double second = mean_place(head, maps[1], &x2, &y2);
    for (int i = 1; i < head->size * head->size; ++i)
      if (maps[0][i] > maps[0][best]) best = i;
    x = (x1 + x2) / 2, y = (y1 + y2) / 2, w = x2 - x1, h = y2 - y1;
    found = sqrt(first * second);
  }
  if (!finite(x, y, w, h)) return -1;
  *score = found;
  hp_take_share(&head->bounds, head->search, x, w, view->scale[0], view->frame[0], &state[0],
                &state[2]);
  hp_take_share(&head->bounds, head->search, y, h, view->scale[1], view->frame[1], &state[1],
                &state[3]);
  return best;
}

}  // extern "C"
