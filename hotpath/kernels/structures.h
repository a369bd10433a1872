// Numbers of a network that stay the same while a target is followed. kernels/setting_structures.py fills them in
// from the settings of kernels/settings.py, by the names of the fields. Names of choices are numbers.
#ifndef HOTPATH_STRUCTURES_H
#define HOTPATH_STRUCTURES_H

// Limits of the target's box.
struct hp_bounds {
  double min_size;  // smallest side, in frame pixels
  int clip;         // a name in ``CLIPS``
  int pixels;       // a name in ``BOX_PIXELS``
};

// The size of the windows that are searched around the target.
struct hp_geometry {
  double context;  // of a square, share of (width + height) that is added to both sides of the box
  double search_factor;  // of an area, its side in roots of the box's area
  double search_margin;  // of a stretched window, share of the box on each side
  int exemplar;          // sides of the network's two inputs, in pixels
  int search;
  int corner;    // twice the distance from the window's first pixel to its centre, less its side
  int rounding;  // a name in ``ROUNDINGS``
  int shape;     // a name in ``SHAPES``
  int warp;      // whether windows have fractions of pixels
};

// Select for heads in which every cell votes for a box around its own point.
struct hp_points {
  double stride;            // search pixels from one cell to the next
  double penalty;           // strength of the penalty on changes of size and ratio
  double window_influence;  // share of the window in a vote, 0 to 1
  double size_lr;           // how fast the size follows, 0 to 1
  hp_bounds limits;         // of the box
  int size;                 // cells on each side of the maps
  int power;  // of penalty * score * size_lr, the share by which the size follows: 0, 1 or 2
  int score;  // a name in ``SCORES``
};

// Select for heads that give a score of the centre, its place in the cell, and a size.
struct hp_centre {
  double min_score;    // below it the target stays where it was
  double size_lr;      // share of the new size in the target's, at a score of 1
  double influence;    // of the window in a vote; below 0: scores are multiplied by it
  hp_geometry window;  // where the tracker looks
  hp_bounds limits;    // of the box
  int size;            // cells on each side of the maps
  int score;           // a name in ``SCORES``, not "softmax"
  int relative_to;     // a name in ``RELATIVES``
  int power;           // of the score in that share: 0, 1 or 2
};

#endif
