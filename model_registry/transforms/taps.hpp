// Filter taps of one axis. Private to this folder.
#pragma once

#include "model_registry/transforms/plan.hpp"

namespace tv {

/// Which taps: an axis of `source_size` pixels resized to `resized_size`, of which the outputs
/// [begin, end) are wanted. Sizes are in 1..2^28 and source_size != resized_size.
struct AxisRequest {
  int source_size = 0, resized_size = 0;
  int begin = 0, end = 0;
  Interpolation interpolation = Interpolation::kBilinear;
};

/// Pillow's Resample.c: weights in double, normalised, then 22-bit fixed point.
AxisTaps pil_taps(const AxisRequest& request);

/// ATen's antialiased float32 path: the filter widens with the scale; Keys' cubic has a = -0.5.
AxisTaps tensor_taps(const AxisRequest& request, FloatSums sums);

/// ATen's float32 path without antialiasing: 2 or 4 taps, edge pixels repeated, cubic a = -0.75.
AxisTaps tensor_taps_without_antialias(const AxisRequest& request, FloatSums sums);

/// An axis that is not resized.
AxisTaps identity_taps(int source_size, int begin, int end);

}  // namespace tv
