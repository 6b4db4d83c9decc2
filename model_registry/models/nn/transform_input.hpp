// transform_input of GoogLeNet and Inception v3, whose weights come from networks that had been
// trained with mean and deviation 0.5.
#pragma once

#include <vector>

#include "model_registry/graph/ops.hpp"

namespace tv::nn {

/// [N, 3, H, W] normalised with ImageNet's mean and deviation -> the same with 0.5 and 0.5. Two
/// steps, each rounded: as in Python, bit for bit.
inline graph::Value transform_input(const graph::Value& x) {
  constexpr double kMean[] = {0.485, 0.456, 0.406};
  constexpr double kStd[] = {0.229, 0.224, 0.225};
  std::vector<float> factors, offsets;
  for (const double std : kStd) factors.push_back(static_cast<float>(std / 0.5));
  for (const double mean : kMean) offsets.push_back(static_cast<float>((mean - 0.5) / 0.5));
  const Shape per_channel = {1, 3, 1, 1};
  return x * constant(x, per_channel, factors) + constant(x, per_channel, offsets);
}

}  // namespace tv::nn
