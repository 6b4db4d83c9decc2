#include "model_registry/registry/builtin.hpp"

#include <algorithm>
#include <vector>

#include "model_registry/registry/tables.hpp"

namespace tv {
namespace {

std::vector<const Weights*> collect_weights() {
  std::vector<const Weights*> all;
  for (const auto* table : kTables)
    for (const Weights& row : *table) all.push_back(&row);
  return all;
}

std::vector<std::string_view> collect_builders() {
  std::vector<std::string_view> names;
  for (const Weights* row : builtin_weights())
    if (row->is_default) names.push_back(row->builder);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

// Both lists are never destroyed: a frame in flight may ask for them while the process is leaving.
std::span<const Weights* const> builtin_weights() {
  static const auto* all = new std::vector<const Weights*>(collect_weights());
  return *all;
}

std::span<const std::string_view> builtin_builders() {
  static const auto* names = new std::vector<std::string_view>(collect_builders());
  return *names;
}

const Weights* builtin_default(std::string_view builder) {
  for (const Weights* row : builtin_weights())
    if (row->is_default && row->builder == builder) return row;
  return nullptr;
}

const Weights* builtin_enum(std::string_view enum_name) {
  for (const Weights* row : builtin_weights())
    if (row->enum_name == enum_name) return row;
  return nullptr;
}

}  // namespace tv
