// The first use of every operator.
#pragma once

#include "model_registry/error.hpp"

namespace tv::inference {

/// Runs a network of a few hundred parameters that has every operator, in both executors: whatever
/// LibTorch creates on first use exists afterwards. Takes some ten milliseconds.
Status run_every_operator();

}  // namespace tv::inference
