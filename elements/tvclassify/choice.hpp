// The user's settings judged: what can be known at once, before anything is loaded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "elements/inference/engine.hpp"
#include "elements/tvclassify/selection.hpp"
#include "elements/tvclassify/settings.hpp"
#include "model_registry/error.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// True when this version has the architecture of the builder.
bool is_runnable(std::string_view builder);

/// What to load and how to prepare frames for it.
struct Choice {
  Selection selection;
  Transforms recipe;  ///< the entry's own with the overrides
  inference::ModelSpec spec;
  std::optional<int> gpu = {};  ///< number of the GPU that the model is for; nullopt: the CPU

  const Weights* weights() const { return selection.weights; }
  std::string name() const { return selection.name(); }
};

/// Resolves the names, the device and the recipe, and looks whether a local file is there. Takes
/// milliseconds, and half a second where it is the first to open the backend. Fails:
/// InvalidArgument, NotFound (name), Unreadable (file; offline and not in the cache), Unsupported.
Result<Choice> choose(const Settings& settings);

}  // namespace tv
