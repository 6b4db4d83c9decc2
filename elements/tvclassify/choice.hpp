// The user's settings judged: what can be known at once, before anything is loaded.
#pragma once

#include <string>

#include "elements/inference/engine.hpp"
#include "elements/tvclassify/settings.hpp"
#include "model_registry/error.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// True when this version has the architecture of the entry.
bool is_runnable(const Weights& weights);

/// What to load and how to prepare frames for it.
struct Choice {
  const Weights* weights = nullptr;
  Transforms recipe;  ///< the entry's own with the overrides
  inference::ModelSpec spec;
};

/// Resolves the name, the device and the recipe, and looks whether a local file is there. Takes
/// milliseconds, and half a second where it is the first to open the backend. Fails:
/// InvalidArgument, NotFound (name), Unreadable (file; offline and not in the cache), Unsupported.
Result<Choice> choose(const Settings& settings);

}  // namespace tv
