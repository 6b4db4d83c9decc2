// A loaded model on the CPU.
#pragma once

#include <memory>

#include "elements/inference/engine.hpp"

namespace tv::inference {

/// Backend::load. Exceptions stay inside.
Result<std::unique_ptr<LoadedModel>> load_cpu_model(const LoadRequest& request);

}  // namespace tv::inference
