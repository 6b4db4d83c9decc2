// torchvision's weights enums as C++ types: ResNet50_Weights::IMAGENET1K_V2, and DEFAULT an alias
// of the builder's best entry. An entry of one builder is no entry of another: the compiler says
// so. Names convert both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model_registry/error.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// The name of a weights enum, "ResNet50_Weights"; empty for every other type.
template <typename T>
inline constexpr std::string_view kWeightsEnumName = {};

/// One of the 92 types of enums.inc.
template <typename T>
concept WeightsEnum = !kWeightsEnumName<T>.empty();

#define TV_WEIGHTS_ENUM(Name, ...)                \
  enum class Name : std::uint8_t { __VA_ARGS__ }; \
  template <>                                     \
  inline constexpr std::string_view kWeightsEnumName<Name> = #Name;

#include "model_registry/registry/enums.inc"

#undef TV_WEIGHTS_ENUM

/// Row `index` of an enum, both as declared; nullptr where there is none.
const Weights* builtin_entry(std::string_view enum_name, std::size_t index);
/// The index of an entry of an enum by WeightsEnum.verify()'s rules. Fails: NotFound with the
/// entries there are.
Result<std::size_t> verify_entry(std::string_view enum_name, std::string_view text);

/// Everything known about an entry: url, meta, transforms. Lives as long as the process.
template <WeightsEnum E>
const Weights& get_weight(E entry) {
  return *builtin_entry(kWeightsEnumName<E>, static_cast<std::size_t>(entry));
}

/// "ResNet50_Weights.IMAGENET1K_V2"
template <WeightsEnum E>
std::string name_of(E entry) {
  return get_weight(entry).name();
}

/// WeightsEnum.verify: "IMAGENET1K_V2", "ResNet50_Weights.IMAGENET1K_V2" or "DEFAULT"; letter case
/// counts. Fails: NotFound, also for another builder's entry.
template <WeightsEnum E>
Result<E> verify(std::string_view text) {
  auto index = verify_entry(kWeightsEnumName<E>, text);
  if (!index) return std::move(index.error());
  return static_cast<E>(*index);
}

/// Python's iteration over the enum: every entry once, without the alias.
template <WeightsEnum E>
std::vector<E> entries() {
  std::vector<E> all;
  while (builtin_entry(kWeightsEnumName<E>, all.size())) all.push_back(static_cast<E>(all.size()));
  return all;
}

}  // namespace tv
