#include "model_registry/graph/packed_parameters.hpp"

#include <string_view>

namespace tv::graph {
namespace {

constexpr std::string_view kPacked = "_packed_params.";
constexpr std::string_view kBoth = "_packed_params";

const CheckpointList* pair_of(const CheckpointValue& value) {
  const auto* const list = std::get_if<CheckpointList>(&value.value);
  return list && list->size() == 2 ? list : nullptr;
}

bool is_int8(const CheckpointValue& value) {
  const auto* const dtype = std::get_if<std::string>(&value.value);
  return dtype && *dtype == "qint8";
}

}  // namespace

NamedValues plain_entries(const Checkpoint& checkpoint) {
  NamedValues entries;
  entries.reserve(checkpoint.entries.size());
  for (const auto& [name, value] : checkpoint.entries) entries.emplace_back(name, &value);
  return entries;
}

NamedValues unpacked_entries(const Checkpoint& checkpoint) {
  NamedValues entries;
  for (const auto& [name, value] : checkpoint.entries) {
    const std::size_t at = name.rfind(kPacked);
    if (at == std::string::npos || (at > 0 && name[at - 1] != '.')) {
      entries.emplace_back(name, &value);
      continue;
    }
    const std::string layer = name.substr(0, at);
    const std::string_view part = std::string_view(name).substr(at + kPacked.size());
    const CheckpointList* const both = pair_of(value);
    if (part == kBoth && both) {
      entries.emplace_back(layer + "weight", &(*both)[0]);
      entries.emplace_back(layer + "bias", &(*both)[1]);
    } else if (part == "weight" || part == "bias") {
      entries.emplace_back(layer + std::string(part), &value);
    } else if (part != "dtype" || !is_int8(value)) {
      entries.emplace_back(name, &value);
    }
  }
  return entries;
}

}  // namespace tv::graph
