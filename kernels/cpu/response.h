// Select of SiamFC and its relatives: enlarges the response of each tried size, and finds the peak.
// select.py calls it. runtime/decode/response.py is the definition.
#pragma once
#include "select.h"

// What the functions share with select.py. `side` below is the enlarged response's. Loops over a
// line's places have no sums or maxima across places, so that they become vectors.
struct hp_response_arrays {
  float* responses;       // (scales, side, side)
  double* peaks;          // of each size: the highest response, damped
  const double* damping;  // of each size
  const double* factors;  // of each size: how large it is
  const double* window;   // (side, side), an outer product
  float* rows;            // (size, side): the network's response, enlarged in x alone
  float* weights;         // (4, side): of the cubic taps
  int32_t* sources;       // (4, side): their cells
  float* line;            // (side,)
  float* tops;            // (side,)
  double* sums;           // (side,)
};

namespace {

// Highest value of a line.
float highest_in(const float* line, int count) {
  float most = line[0];
  for (int i = 1; i < count; ++i) most = line[i] > most ? line[i] : most;
  return most;
}

// Enlarges each row of the network's response in x.
void enlarge_rows(const hp_response_arrays* arrays, const float* small, int size, int side) {
  const float* __restrict w = arrays->weights;
  const int32_t* __restrict at = arrays->sources;
  for (int row = 0; row < size; ++row) {
    const float* from = small + row * size;
    float* __restrict out = arrays->rows + row * side;
    for (int i = 0; i < side; ++i)
      out[i] = from[at[i]] * w[i] + from[at[side + i]] * w[side + i] +
               from[at[2 * side + i]] * w[2 * side + i] + from[at[3 * side + i]] * w[3 * side + i];
  }
}

// Row y of the enlarged response; `tops` keeps the highest of each column.
void enlarge_row(const hp_response_arrays* arrays, int y, int side, float* __restrict out,
                 float* __restrict tops) {
  const float* from[4];
  float weight[4];
  for (int k = 0; k < 4; ++k) {
    from[k] = arrays->rows + arrays->sources[k * side + y] * side;
    weight[k] = arrays->weights[k * side + y];
  }
  const float *a = from[0], *b = from[1], *c = from[2], *d = from[3];
  const float p = weight[0], q = weight[1], r = weight[2], s = weight[3];
  for (int x = 0; x < side; ++x) {
    const float value = a[x] * p + b[x] * q + c[x] * r + d[x] * s;
    out[x] = value;
    tops[x] = value > tops[x] ? value : tops[x];
  }
}

// Lowest response, damped, and the sum of what the others are above it.
void level(const hp_response_arrays* arrays, const float* response, double damping, int side,
           double* least, double* sum) {
  float* __restrict lows = arrays->tops;
  double* __restrict sums = arrays->sums;
  memcpy(lows, response, side * sizeof(float));
  for (int y = 1; y < side; ++y) {
    const float* __restrict row = response + y * side;
    for (int x = 0; x < side; ++x) lows[x] = row[x] < lows[x] ? row[x] : lows[x];
  }
  float lowest = lows[0];
  for (int x = 1; x < side; ++x) lowest = lows[x] < lowest ? lows[x] : lowest;
  const double low = lowest * damping;
  memset(sums, 0, side * sizeof(double));
  for (int y = 0; y < side; ++y) {
    const float* __restrict row = response + y * side;
    for (int x = 0; x < side; ++x) sums[x] += row[x] * damping - low;
  }
  *least = low;
  *sum = 0;
  for (int x = 0; x < side; ++x) *sum += sums[x];
}

// The place with the highest vote, the first of equal ones; -1 if none is finite. Votes in floats
// say which columns may hold it.
int highest_place(const hp_response* head, const hp_response_arrays* arrays, const float* response,
                  double damping, int side) {
  double least, sum;
  level(arrays, response, damping, side, &least, &sum);
  const int middle = side / 2;
  const double share = (1.0 - head->window_influence) / (sum + 1e-16);
  const double* line = arrays->window + (i64)middle * side;
  const double weight = line[middle] > 0 ? head->window_influence / line[middle] : 0;
  const float gain = (float)(share * damping), shift = (float)(share * least);
  float *__restrict columns = arrays->line, *__restrict tops = arrays->tops;
  double largest = 0;
  for (int x = 0; x < side; ++x) columns[x] = (float)(weight * line[x]), tops[x] = -INFINITY;
  for (int y = 0; y < side; ++y) {
    const float* __restrict row = response + y * side;
    const float factor = (float)line[y];
    for (int x = 0; x < side; ++x) {
      const float vote = row[x] * gain - shift + columns[x] * factor;
      tops[x] = vote > tops[x] ? vote : tops[x];
    }
  }
  for (int i = 0; i < side; ++i) largest = line[i] > largest ? line[i] : largest;
  const float top = highest_in(tops, side);
  const double error = 4e-6 * (fabs(top) + 2 * fabs(shift) + head->window_influence * largest);
  int best = -1;
  double most = -INFINITY;
  for (int x = 0; x < side; ++x) {
    if (tops[x] < top - error) continue;
    for (int i = x; i < side * side; i += side) {
      const double vote = hp_response_vote(head, response[i] * damping, least, sum,
                                           arrays->window[i]);
      if (!isfinite(vote) || vote < most || (vote == most && i > best)) continue;
      most = vote;
      best = i;
    }
  }
  return best;
}

}  // namespace

extern "C" {

// Fills in the cubic taps.
void hp_response_prepare(const hp_response* head, const hp_response_arrays* arrays) {
  const int side = head->size * head->upsample;
  const double scale = hp_resize_scale(head->size, side);
  for (int i = 0; i < side; ++i) {
    const hp_cubic tap = hp_cubic_tap(i, scale);
    for (int k = 0; k < 4; ++k) {
      arrays->weights[k * side + i] = tap.weight[k];
      arrays->sources[k * side + i] = hp_clamp_row(tap.first + k, head->size);
    }
  }
}

// Takes in the response of one size, which has the given index. If a value is not finite, nor is its
// peak.
void hp_response_look(const hp_response* head, const hp_response_arrays* arrays, i64 index,
                      const float* small) {
  const int size = head->size, side = size * head->upsample;
  float odd = 0;
  for (int i = 0; i < size * size; ++i) odd += small[i] - small[i];
  enlarge_rows(arrays, small, size, side);
  float* out = arrays->responses + index * side * side;
  for (int x = 0; x < side; ++x) arrays->tops[x] = -INFINITY;
  for (int y = 0; y < side; ++y) enlarge_row(arrays, y, side, out + y * side, arrays->tops);
  arrays->peaks[index] = (highest_in(arrays->tops, side) + odd) * arrays->damping[index];
}

// Picks the size with the highest peak, and the place in it. `found` becomes the sigmoid of the peak,
// and the peak. Returns the place, row-major; -1 if nothing is finite, then the state stays.
i64 hp_response_select(const hp_response* head, const hp_response_arrays* arrays,
                       const hp_frame_view* view, double* state, double* found) {
  const int side = head->size * head->upsample;
  int chosen = -1;
  for (int i = 0; i < head->scales; ++i)
    if (isfinite(arrays->peaks[i]) && (chosen < 0 || arrays->peaks[i] > arrays->peaks[chosen]))
      chosen = i;
  if (chosen < 0) return -1;
  const int best = highest_place(head, arrays, arrays->responses + (i64)chosen * side * side,
                                 arrays->damping[chosen], side);
  if (best < 0) return -1;
  hp_response_move(head, best % side, arrays->factors[chosen], view->scale[0], view->frame[0],
                   &state[0], &state[2]);
  hp_response_move(head, best / side, arrays->factors[chosen], view->scale[1], view->frame[1],
                   &state[1], &state[3]);
  found[0] = hp_probability(HP_SIGMOID, arrays->peaks[chosen], 0);
  found[1] = arrays->peaks[chosen];
  return best;
}

}  // extern "C"
