// Random initialisation, number for number as Python's. Call inside guarded().
#pragma once

#include <cstdint>

#include "elements/inference/backend_cpu/parameters.hpp"
#include "model_registry/graph/module.hpp"

namespace tv::inference {

/// The parameters that torchvision's builder yields after torch.manual_seed(seed): runs the
/// network's steps in order with LibTorch's own generator, including the draws whose tensors are
/// thrown away.
Parameters random_parameters(const graph::Network& network, std::uint64_t seed);

}  // namespace tv::inference
