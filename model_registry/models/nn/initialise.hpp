// Initialisations that families share; they draw anew what the layers drew for themselves.
#pragma once

#include "model_registry/models/nn/layers.hpp"

namespace tv::nn {

/// Weights of all convolutions and linear layers from a normal distribution, cut off at -2 and 2.
/// `std_of(module)`: the deviation for one of them.
template <typename StdOf>
void truncated_normal_weights(Build& build, Module& root, const StdOf& std_of) {
  root.for_each([&](Module& module) {
    if (const auto* conv = dynamic_cast<Conv2d*>(&module)) {
      build.trunc_normal(conv->weight(), 0, std_of(*conv));
    } else if (const auto* linear = dynamic_cast<Linear*>(&module)) {
      build.trunc_normal(linear->weight(), 0, std_of(*linear));
    }
  });
}

/// MobileNets and VGG: weights of all convolutions by Kaiming's rule over their outputs, those of
/// linear layers with deviation 0.01, and every bias zero.
inline void kaiming_weights(Build& build, Module& root) {
  constexpr double kLinearStd = 0.01;
  root.for_each([&](Module& module) {
    if (const auto* conv = dynamic_cast<Conv2d*>(&module)) {
      build.kaiming_normal(conv->weight(), Build::Fan::kOut);
      if (conv->bias() != graph::kNoParameter) build.constant(conv->bias(), 0);
    } else if (const auto* linear = dynamic_cast<Linear*>(&module)) {
      build.normal(linear->weight(), 0, kLinearStd);
      build.constant(linear->bias(), 0);
    }
  });
}

}  // namespace tv::nn
