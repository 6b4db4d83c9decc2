// The recording half of torch.nn.init. Bounds are computed in float64 with torch.nn.init's own
// sequence of operations: a bound that differs in its last bit would change every number drawn.
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>

#include "model_registry/graph/module.hpp"

namespace tv::graph {

std::int64_t fan_of(const Shape& shape, Build::Fan fan) {
  const std::int64_t receptive_field =
      std::accumulate(shape.begin() + 2, shape.end(), std::int64_t{1}, std::multiplies<>());
  return receptive_field * shape[fan == Build::Fan::kIn ? 1 : 0];
}

int Build::parameter(Shape shape, DType dtype, bool is_buffer, bool optional) {
  parameters_.push_back({.name = {},
                         .shape = std::move(shape),
                         .dtype = dtype,
                         .is_buffer = is_buffer,
                         .optional = optional});
  return static_cast<int>(parameters_.size()) - 1;
}

void Build::step(InitRule rule, int parameter, double a, double b, double c, double d) {
  if (int8()) return;  // int8 numbers come from files or from the float network
  steps_.push_back({rule, parameter, shape(parameter), a, b, c, d, {}});
}

void Build::constant(int parameter, double value) {
  step(InitRule::kConstant, parameter, value);
}

void Build::uniform(int parameter, double low, double high) {
  step(InitRule::kUniform, parameter, low, high);
}

void Build::normal(int parameter, double mean, double std) {
  step(InitRule::kNormal, parameter, mean, std);
}

void Build::trunc_normal(int parameter, double mean, double std, double low, double high) {
  step(InitRule::kTruncNormal, parameter, mean, std, low, high);
}

void Build::kaiming_uniform(int parameter, double negative_slope, Fan fan) {
  kaiming_uniform_gain(parameter, std::sqrt(2.0 / (1 + negative_slope * negative_slope)), fan);
}

void Build::kaiming_uniform_gain(int parameter, double gain, Fan fan) {
  const double std = gain / std::sqrt(static_cast<double>(fan_of(shape(parameter), fan)));
  const double bound = std::sqrt(3.0) * std;
  uniform(parameter, -bound, bound);
}

void Build::kaiming_normal(int parameter, Fan fan) {
  const double gain = std::sqrt(2.0);
  normal(parameter, 0, gain / std::sqrt(static_cast<double>(fan_of(shape(parameter), fan))));
}

void Build::xavier_uniform(int parameter) {
  const Shape& s = shape(parameter);
  const double fans = static_cast<double>(fan_of(s, Fan::kIn) + fan_of(s, Fan::kOut));
  const double bound = std::sqrt(3.0) * std::sqrt(2.0 / fans);
  uniform(parameter, -bound, bound);
}

void Build::values(int parameter, std::vector<double> numbers) {
  if (int8()) return;
  step(InitRule::kValues, parameter, 0);
  steps_.back().values = std::make_shared<const std::vector<double>>(std::move(numbers));
}

}  // namespace tv::graph
