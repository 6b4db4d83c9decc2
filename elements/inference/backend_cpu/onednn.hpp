// What oneDNN's fused operators have in common. They live in the dispatcher alone, without C++
// headers.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string_view>

#include "model_registry/graph/graph.hpp"

namespace tv::inference {

using OptionalText = std::optional<std::string_view>;
using Scalars = c10::List<std::optional<at::Scalar>>;

/// Throws c10::Error where LibTorch has no such operator.
template <typename F>
c10::TypedOperatorHandle<F> find_operator(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<F>();
}

/// What oneDNN calls an activation.
struct Post {
  std::string_view name;
  Scalars scalars;
  OptionalText algorithm;
};
Post post_of(graph::Activation activation);

}  // namespace tv::inference
