#include "model_registry/registry/registry.hpp"

#include <algorithm>

#include "model_registry/registry/builtin.hpp"
#include "model_registry/registry/catalog.hpp"
#include "model_registry/registry/fnmatch.hpp"

namespace tv {

Result<const Weights*> get_weight(std::string_view name) {
  return Catalog::global().get(name);
}

Result<const Weights*> resolve_weights(std::string_view name) {
  return Catalog::global().resolve(name);
}

Result<std::vector<const Weights*>> get_model_weights(std::string_view builder_or_enum) {
  return Catalog::global().model_weights(builder_or_enum);
}

std::vector<std::string_view> list_models(std::span<const std::string_view> include,
                                          std::span<const std::string_view> exclude) {
  const auto any = [](std::span<const std::string_view> patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](std::string_view pattern) { return fnmatch(name, pattern); });
  };
  std::vector<std::string_view> names;
  for (const std::string_view name : builtin_builders())
    if ((include.empty() || any(include, name)) && !any(exclude, name)) names.push_back(name);
  return names;
}

std::vector<const Weights*> all_weights() {
  return Catalog::global().all();
}

Status check_classifier(const Weights& weights) {
  if (!weights.categories.empty()) return {};
  const Weights* const better = builtin_default(weights.builder);
  return Error{Code::kUnsupported,
               weights.name() + " has no categories: its network is no classifier",
               better ? "choose " + better->name() : ""};
}

std::vector<std::string> nearest_weights(std::string_view name, std::size_t count) {
  return Catalog::global().nearest(name, count);
}

const std::vector<Error>& user_weights_errors() {
  return Catalog::global().user_errors();
}

}  // namespace tv
