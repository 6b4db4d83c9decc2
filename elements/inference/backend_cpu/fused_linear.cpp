#include "elements/inference/backend_cpu/fused_linear.hpp"

#include <functional>
#include <numeric>

#include "elements/inference/backend_cpu/onednn.hpp"

namespace tv::inference {
namespace {

using at::Tensor;
using ReorderFn = Tensor(const Tensor&, std::optional<std::int64_t>);
using LinearFn = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&,
                        std::string_view, Scalars, OptionalText);
using LinearAddFn = Tensor(const Tensor&, const Tensor&, const Tensor&,
                           const std::optional<Tensor>&, std::string_view);

struct Operators {
  c10::TypedOperatorHandle<ReorderFn> reorder =
      find_operator<ReorderFn>("mkldnn::_reorder_linear_weight", "");
  c10::TypedOperatorHandle<LinearFn> linear =
      find_operator<LinearFn>("mkldnn::_linear_pointwise", "");
  c10::TypedOperatorHandle<LinearAddFn> linear_add =
      find_operator<LinearAddFn>("mkldnn::_linear_pointwise", "binary");
};

const Operators& operators() {
  static const auto* const kOperators = new Operators;  // outlives every static object
  return *kOperators;
}

constexpr std::int64_t kFewRows = 16;

std::int64_t rows(const Shape& input) {
  return std::accumulate(input.begin(), input.end() - 1, std::int64_t{1}, std::multiplies<>());
}

}  // namespace

bool worth_fusing(const Shape& input) {
  return rows(input) >= kFewRows;
}

FusedLinear prepare_linear(const graph::Node& node, const Shape& input,
                           const std::vector<Tensor>& params) {
  FusedLinear linear;
  linear.weight = operators().reorder.call(params[0], rows(input));
  if (params.size() > 1) linear.bias = params[1];
  linear.activation = std::get<graph::FusedAttrs>(node.attrs).activation;
  return linear;
}

// A layer with its own bias has its residual as second input, another one its bias.
Tensor run(const FusedLinear& linear, std::span<const Tensor> inputs) {
  const bool second = inputs.size() > 1;
  if (second && linear.bias)
    return operators().linear_add.call(inputs[0], inputs[1], linear.weight, linear.bias, "add");
  const Post post = post_of(linear.activation);
  return operators().linear.call(inputs[0], linear.weight,
                                 second ? std::optional(inputs[1]) : linear.bias, post.name,
                                 post.scalars, post.algorithm);
}

}  // namespace tv::inference
