// fetch_weights() with its limits in the open.
#pragma once

#include "model_registry/error.hpp"
#include "model_registry/hub/hub.hpp"
#include "model_registry/hub/limits.hpp"
#include "model_registry/io/file.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv::hub {

Result<FileBytes> fetch(const Weights& weights, const FetchOptions& options, const Limits& limits);

}  // namespace tv::hub
