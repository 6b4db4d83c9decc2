// Note that padding comes before stride here, the other way round than in at::conv2d.
#include "elements/inference/backend_cpu/fused_conv.hpp"

#include "elements/inference/backend_cpu/executor.hpp"
#include "elements/inference/backend_cpu/onednn.hpp"

namespace tv::inference {
namespace {

using at::IntArrayRef;
using at::Tensor;
using graph::Activation;
using ReorderFn = Tensor(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef, std::int64_t,
                         c10::OptionalArrayRef<std::int64_t>);
using ConvFn = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, IntArrayRef,
                      IntArrayRef, IntArrayRef, std::int64_t, std::string_view, Scalars,
                      OptionalText);
using ConvAddFn = Tensor(const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&,
                         IntArrayRef, IntArrayRef, IntArrayRef, std::int64_t, std::string_view,
                         std::optional<at::Scalar>, OptionalText, Scalars, OptionalText);
using ConvAddInPlaceFn = Tensor&(Tensor&, const Tensor&, const Tensor&,
                                 const std::optional<Tensor>&, IntArrayRef, IntArrayRef,
                                 IntArrayRef, std::int64_t, std::string_view,
                                 std::optional<at::Scalar>, OptionalText, Scalars, OptionalText);

struct Operators {
  c10::TypedOperatorHandle<ReorderFn> reorder =
      find_operator<ReorderFn>("mkldnn::_reorder_convolution_weight", "");
  c10::TypedOperatorHandle<ConvFn> conv =
      find_operator<ConvFn>("mkldnn::_convolution_pointwise", "");
  c10::TypedOperatorHandle<ConvAddFn> conv_add =
      find_operator<ConvAddFn>("mkldnn::_convolution_pointwise", "binary");
  c10::TypedOperatorHandle<ConvAddInPlaceFn> conv_add_in_place =
      find_operator<ConvAddInPlaceFn>("mkldnn::_convolution_pointwise_", "binary");
};

const Operators& operators() {
  static const auto* const kOperators = new Operators;  // outlives every static object
  return *kOperators;
}

Tensor run_with(const FusedConv& c, const Tensor& x, Activation activation) {
  const Post post = post_of(activation);
  return operators().conv.call(x, c.weight, c.bias, c.padding, c.stride, c.dilation, c.groups,
                               post.name, post.scalars, post.algorithm);
}

}  // namespace

FusedConv prepare_conv(const graph::Node& node, const Shape& input,
                       const std::vector<Tensor>& params) {
  const auto& attrs = std::get<graph::Conv2dAttrs>(node.attrs);
  FusedConv conv;
  conv.padding = {attrs.padding[0], attrs.padding[1]};
  conv.stride = {attrs.stride[0], attrs.stride[1]};
  conv.dilation = {attrs.dilation[0], attrs.dilation[1]};
  conv.groups = attrs.groups;
  conv.activation = attrs.activation;
  conv.weight = operators().reorder.call(params[0], conv.padding, conv.stride, conv.dilation,
                                         conv.groups, IntArrayRef(input));
  if (params.size() > 1) conv.bias = params[1];
  return conv;
}

Tensor run(const FusedConv& c, const Tensor& x) {
  return run_with(c, x, c.activation);
}

// oneDNN adds a residual inside the convolution for one group, with no other activation than relu.
Tensor run(const FusedConv& c, const Tensor& x, Tensor residual, bool may_overwrite) {
  if (c.groups != 1 || (c.activation != Activation::kRelu && c.activation != Activation::kNone))
    return activate(run_with(c, x, Activation::kNone).add_(residual), c.activation);
  const OptionalText unary =
      c.activation == Activation::kRelu ? OptionalText("relu") : std::nullopt;
  const at::Scalar alpha(1.0);
  if (may_overwrite)
    return operators().conv_add_in_place.call(residual, x, c.weight, c.bias, c.padding, c.stride,
                                              c.dilation, c.groups, "add", alpha, unary, Scalars(),
                                              std::nullopt);
  return operators().conv_add.call(x, residual, c.weight, c.bias, c.padding, c.stride, c.dilation,
                                   c.groups, "add", alpha, unary, Scalars(), std::nullopt);
}

}  // namespace tv::inference
