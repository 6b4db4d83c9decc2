// The numbers of a model as LibTorch tensors. Call inside guarded().
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model_registry/cancel.hpp"
#include "model_registry/error.hpp"
#include "model_registry/graph/bind.hpp"
#include "model_registry/graph/graph.hpp"
#include "model_registry/graph/module.hpp"

namespace tv::inference {

/// In Network::parameters() order, contiguous.
using Parameters = std::vector<at::Tensor>;

/// Copies of a file's tensors, in the parameters' own types. `without_values`: a module that may
/// hold NaN, empty for none. Fails: BadCheckpoint naming the tensor that holds an infinity or a
/// NaN, or the variance that is negative; Cancelled, asked before each parameter.
Result<Parameters> bound_parameters(const graph::Network& network,
                                    const graph::BoundTensors& tensors,
                                    std::string_view without_values = {},
                                    const CancelCheck& cancelled = {});

/// A parameter that a pass asks for, computed in float64 and rounded once to float32. `id`: from
/// graph.first_derived on.
at::Tensor derived_parameter(const graph::Graph& graph, int id, const Parameters& parameters);

/// Copies that need no LibTorch to be read or freed, named.
std::vector<std::pair<std::string, TensorView>> parameter_views(const graph::Network& network,
                                                                const Parameters& parameters);

/// Uninitialised, of a parameter's shape and type.
at::Tensor empty_parameter(const Shape& shape, DType dtype);

}  // namespace tv::inference
