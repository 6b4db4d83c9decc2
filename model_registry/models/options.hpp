// Python's keyword arguments: which builder takes which, and what weights say about them.
#pragma once

#include "model_registry/models/families.hpp"
#include "model_registry/models/models.hpp"

namespace tv::models {

/// What the row's builder is asked for. Fails: InvalidArgument for an option that the builder does
/// not take (with those that it takes), weights of another builder, a number of classes that is out
/// of range or not the weights' own, or a value that weights do not allow.
Result<ModelConfig> make_config(const ModelRow& row, const BuildOptions& options);

}  // namespace tv::models
