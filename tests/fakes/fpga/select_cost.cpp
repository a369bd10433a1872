// Runs select COUNT times on a map of 16 x 16 cells, to count the instructions of one run.
//   select_cost COUNT KIND      KIND 0: one peak, as a target gives; 1: every cell must be computed
#include "hotpath.cpp"

#include <stdio.h>
#include <stdlib.h>

int main(int, char** arguments) {
  const int side = 16, count = atoi(arguments[1]);
  const bool flat = atoi(arguments[2]) != 0;
  static float scores[side * side], distances[4 * side * side];
  static double window[side * side];
  for (int i = 0; i < side * side; ++i) {
    const int x = i % side, y = i / side;
    const double hann = (0.5 - 0.5 * cos(2 * M_PI * x / (side - 1))) *
                        (0.5 - 0.5 * cos(2 * M_PI * y / (side - 1)));
    const double away = (x - 8) * (x - 8) + (y - 7) * (y - 7);
    window[i] = flat ? 0.5 : hann;
    scores[i] = (float)(flat ? 2 + i * 1e-3 : fmax(-8, 4 - away / 4));  // logits
    for (int k = 0; k < 4; ++k) distances[k * side * side + i] = 20 + (i * 7 + k * 3) % 9;
  }
  const hp_bounds bounds = {10, HP_CLIP_CENTRE, HP_EXACT};
  const hp_points points = {16, 0.15, 0.49, 0.385, 0, bounds, side, HP_SIGMOID, 1};
  static float space[side * side];
  double score = 0;
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    double state[4] = {320, 240, 60, 80};
    const hp_select_job job = {&points, {scores, distances, 0}, window, 0,
                               space,   state, &score, {{1.0, 1.0}, {640, 480}}};
    sum += hp_points_select(&job);
  }
  printf("%d %f\n", sum, score);
}
