// Entries and models that a test takes for granted, or expects not to get.
#pragma once

#include <string>
#include <string_view>

#include "model_registry/models/models.hpp"
#include "model_registry/registry/registry.hpp"
#include "tests/suite.hpp"

namespace tv::test {

inline const Weights* entry(std::string_view name) {
  return value_of(get_weight(name));
}

inline Model built(std::string_view builder, const BuildOptions& options = {}) {
  return value_of(get_model(builder, options));
}

/// Of a builder that must refuse.
inline Error error_of(std::string_view builder, const BuildOptions& options = {}) {
  const auto model = get_model(builder, options);
  ck_assert_msg(!model, "%s was built", std::string(builder).c_str());
  return model.error();
}

}  // namespace tv::test
