#include "model_registry/registry/catalog.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <utility>

#include "model_registry/registry/builtin.hpp"
#include "model_registry/registry/text.hpp"

namespace tv {
namespace {

constexpr std::string_view kDefault = "DEFAULT";

/// "Enum.ENTRY" in two; {"", ""} unless there is exactly one dot.
std::pair<std::string_view, std::string_view> split(std::string_view name) {
  const auto dot = name.find('.');
  if (dot == std::string_view::npos || name.find('.', dot + 1) != std::string_view::npos) return {};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

}  // namespace

Catalog::Catalog(UserWeights user) : user_(std::move(user)) {
  all_.assign(builtin_weights().begin(), builtin_weights().end());
  for (const Weights& weights : user_.entries) all_.push_back(&weights);
}

const Catalog& Catalog::global() {
  static const auto* catalog = new Catalog(load_user_weights(user_weights_paths(
      std::getenv("TV_WEIGHTS_PATH"), std::getenv("XDG_DATA_HOME"), std::getenv("HOME"))));
  return *catalog;
}

template <typename Equal>
std::vector<const Weights*> Catalog::matches(std::string_view left, std::string_view right,
                                             bool builders, Equal equal) const {
  const bool wants_default = equal(right, kDefault);
  std::vector<const Weights*> found;
  for (const Weights* weights : all_) {
    const bool of_enum = equal(left, weights->enum_name);
    const bool of_builder = builders && equal(left, weights->builder);
    // A builder's DEFAULT is torchvision's, whatever a user adds.
    const bool is_default =
        weights->is_default && (of_enum || (of_builder && !weights->user_defined));
    const bool is_entry = (of_enum || of_builder) && equal(right, weights->entry);
    if (wants_default ? is_default : is_entry) found.push_back(weights);
  }
  return found;
}

Error Catalog::not_found(std::string what, std::string_view name) const {
  const std::vector<std::string> similar = nearest(name, 3);
  std::string hint = name.empty() || similar.empty() ? "a name looks like ResNet50_Weights.DEFAULT"
                                                     : "nearest names: " + join(similar);
  if (!user_.errors.empty()) {
    hint += "; " + std::to_string(user_.errors.size()) +
            " file(s) with entries of yours could not be used, first: " + user_.errors[0].what;
  }
  return {Code::kNotFound, std::move(what), std::move(hint)};
}

Result<const Weights*> Catalog::get(std::string_view name) const {
  const auto parts = split(name);
  const std::string_view enum_name = parts.first, entry = parts.second;
  if (enum_name.empty() && entry.empty())
    return not_found("weights name " + in_quotes(name) + " is not of the form Enum.ENTRY", name);
  const auto found = matches(enum_name, entry, /*builders=*/false, std::equal_to<>());
  if (!found.empty()) return found.front();

  const auto is_enum = [&](const Weights* weights) { return weights->enum_name == enum_name; };
  if (std::any_of(all_.begin(), all_.end(), is_enum))
    return not_found("weights enum " + in_quotes(enum_name) + " has no entry " + in_quotes(entry),
                     name);
  if (const Weights* builder = builtin_default(enum_name)) {
    return not_found(in_quotes(enum_name) + " is a builder, not a weights enum: its enum is " +
                         std::string(builder->enum_name),
                     name);
  }
  return not_found("no weights enum is named " + in_quotes(enum_name), name);
}

Result<const Weights*> Catalog::resolve(std::string_view name) const {
  if (name.find('.') == std::string_view::npos) {
    if (const Weights* builder = builtin_default(fold_case(name))) return builder;
    return not_found("no weights and no builder are named " + in_quotes(name), name);
  }
  const auto [left, right] = split(name);
  auto found = matches(left, right, /*builders=*/true, std::equal_to<>());
  if (found.empty()) found = matches(left, right, /*builders=*/true, equal_folded);
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    const Weights* builder = builtin_default(fold_case(left));
    if (!builder) return get(name);  // its error says which part is unknown
    return not_found("builder " + in_quotes(builder->builder) + " has no entry " + in_quotes(right),
                     name);
  }
  std::vector<std::string> meanings;
  for (const Weights* weights : found) meanings.push_back(weights->name());
  return Error{Code::kNotFound, "weights name " + in_quotes(name) + " is ambiguous",
               "write one of " + join(meanings)};
}

Result<std::vector<const Weights*>> Catalog::model_weights(std::string_view builder_or_enum) const {
  // torchvision folds the case of a builder's name, but not that of an enum.
  const std::string builder = fold_case(builder_or_enum);
  std::vector<const Weights*> found;
  for (const Weights* weights : all_)
    if (weights->builder == builder || weights->enum_name == builder_or_enum)
      found.push_back(weights);
  if (found.empty())
    return not_found("no builder and no weights enum are named " + in_quotes(builder_or_enum),
                     builder_or_enum);
  return found;
}

std::vector<std::string> Catalog::nearest(std::string_view name, std::size_t count) const {
  std::vector<std::string> names(builtin_builders().begin(), builtin_builders().end());
  for (const Weights* weights : all_) {
    names.push_back(weights->name());
    if (weights->is_default) names.push_back(std::string(weights->enum_name) + ".DEFAULT");
  }
  return nearest_names(name, names, count);
}

}  // namespace tv
