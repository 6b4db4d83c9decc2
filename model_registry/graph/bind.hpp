// Ties the tensors of a checkpoint to the parameters of a network, strictly.
#pragma once

#include <vector>

#include "model_registry/checkpoint/checkpoint.hpp"
#include "model_registry/error.hpp"
#include "model_registry/graph/module.hpp"

namespace tv::graph {

/// One view a parameter, in Network::parameters() order; a view without data means "keep the initial value" (only for
/// optional parameters).
using BoundTensors = std::vector<TensorView>;

/// load_state_dict(strict=True). Fails: BadCheckpoint listing the numbers and the first five of all missing,
/// unexpected and mis-shaped names at once, and the builder that the file looks like, if another one fits better.
Result<BoundTensors> bind(const Checkpoint& checkpoint, const Network& network);

}  // namespace tv::graph
