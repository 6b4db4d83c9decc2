// torchvision.ops.Permute: another order of the dimensions.
#pragma once

#include <utility>
#include <vector>

#include "model_registry/models/nn/layers.hpp"

namespace tv::nn {

/// order[i] is the dimension of the input that becomes dimension i.
class Permute final : public Module {
 public:
  explicit Permute(std::vector<int> order) : order_(std::move(order)) {}
  Value forward(Value x) const override { return graph::permute(x, order_); }

 private:
  std::vector<int> order_;
};

}  // namespace tv::nn
