// Random initialisation, number for number as Python's. Call inside guarded().
#pragma once

#include <ATen/core/Generator.h>

#include "elements/inference/backend_torch/parameters.hpp"
#include "model_registry/graph/module.hpp"

namespace tv::inference {

/// The parameters that torchvision's builder yields after torch.manual_seed(seed), where
/// `generator` is at::detail::createCPUGenerator(seed): runs the network's steps in order,
/// including the draws whose tensors are thrown away. The generator is then where Python's is.
/// Fails: Cancelled, asked before each step.
Result<Parameters> random_parameters(const graph::Network& network, at::Generator generator,
                                     const CancelCheck& cancelled = {});

}  // namespace tv::inference
