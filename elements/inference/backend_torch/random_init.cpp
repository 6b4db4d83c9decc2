#include "elements/inference/backend_torch/random_init.hpp"

#include <ATen/ops/tensor.h>

#include <cmath>
#include <numbers>

namespace tv::inference {
namespace {

double normal_cdf(double x) {
  return (1.0 + std::erf(x / std::numbers::sqrt2)) / 2.0;
}

// torch.nn.init.trunc_normal_: the inverse distribution function of a uniform draw, in the tensor's
// own precision.
void trunc_normal(at::Tensor& tensor, const graph::InitStep& step, const at::Generator& generator) {
  const double low = normal_cdf((step.c - step.a) / step.b);
  const double high = normal_cdf((step.d - step.a) / step.b);
  tensor.uniform_(2 * low - 1, 2 * high - 1, generator);
  tensor.erfinv_();
  tensor.mul_(step.b * std::numbers::sqrt2);
  tensor.add_(step.a);
  tensor.clamp_(step.c, step.d);
}

// On tensors of the shape and layout that Python draws: LibTorch takes other code paths for small
// ones.
void run_step(at::Tensor& tensor, const graph::InitStep& step, const at::Generator& generator) {
  switch (step.rule) {
    case graph::InitRule::kConstant:
      tensor.fill_(step.a);
      break;
    case graph::InitRule::kUniform:
      tensor.uniform_(step.a, step.b, generator);
      break;
    case graph::InitRule::kNormal:
      tensor.normal_(step.a, step.b, generator);
      break;
    case graph::InitRule::kTruncNormal:
      trunc_normal(tensor, step, generator);
      break;
    case graph::InitRule::kValues:
      tensor.copy_(at::tensor(*step.values).view_as(tensor));
      break;
  }
}

}  // namespace

Result<Parameters> random_parameters(const graph::Network& network, at::Generator generator,
                                     const CancelCheck& cancelled) {
  Parameters parameters;
  for (const graph::Parameter& declared : network.parameters())
    parameters.push_back(empty_parameter(declared.shape, declared.dtype));
  for (const graph::InitStep& step : network.init()) {
    TV_RETURN_IF_ERROR(check_cancelled(cancelled, "initialising " + network.builder()));
    at::Tensor thrown_away;
    if (step.parameter < 0) thrown_away = empty_parameter(step.shape, DType::kFloat32);
    run_step(
        step.parameter < 0 ? thrown_away : parameters[static_cast<std::size_t>(step.parameter)],
        step, generator);
  }
  return parameters;
}

}  // namespace tv::inference
