// A loaded model on a GPU.
#pragma once

#include <memory>

#include "elements/inference/engine.hpp"

namespace tv::inference {

/// Backend::load. Exceptions stay inside.
Result<std::unique_ptr<LoadedModel>> load_cuda_model(const LoadRequest& request);

}  // namespace tv::inference
