#include "model_registry/models/nn/quantized.hpp"

#include <limits>

namespace tv::nn {
namespace {

// A buffer of one number, with or without a dimension.
struct Number {
  const char* name;
  bool scalar;
  DType dtype;
  double value;
  bool optional = false;
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr Number kFakeQuantize[] = {
    {"fake_quant_enabled", false, DType::kInt64, 1},
    {"observer_enabled", false, DType::kInt64, 1},
    {"scale", false, DType::kFloat32, 1},
    {"zero_point", false, DType::kInt64, 0},
};

// "eps" is younger than the rest.
constexpr Number kObserver[] = {
    {"eps", false, DType::kFloat32, std::numeric_limits<float>::epsilon(), true},
    {"min_val", true, DType::kFloat32, kInfinity},
    {"max_val", true, DType::kFloat32, -kInfinity},
};

constexpr double kHardsigmoidScale = 1.0 / 256;

constexpr Number kFixedFakeQuantize[] = {
    {"fake_quant_enabled", false, DType::kInt64, 1, true},
    {"observer_enabled", false, DType::kInt64, 1, true},
    {"scale", false, DType::kFloat32, kHardsigmoidScale, true},
    {"zero_point", false, DType::kInt64, 0, true},
};

constexpr Number kFixedObserver[] = {
    {"scale", false, DType::kFloat32, kHardsigmoidScale, true},
    {"zero_point", false, DType::kInt64, 0, true},
};

int declare(Build& build, const Number& number) {
  const int id =
      build.parameter(number.scalar ? Shape{} : Shape{1}, number.dtype, true, number.optional);
  build.constant(id, number.value);
  return id;
}

class Observer final : public Module {
 public:
  Observer(Build& build, std::span<const Number> numbers) {
    for (const Number& number : numbers) add_tensor(number.name, declare(build, number));
  }
};

}  // namespace

FakeQuantize::FakeQuantize(Build& build) {
  for (const Number& number : kFakeQuantize) add_tensor(number.name, declare(build, number));
  add("activation_post_process", std::make_unique<Observer>(build, kObserver));
}

FixedFakeQuantize::FixedFakeQuantize(Build& build) {
  for (const Number& number : kFixedFakeQuantize) add_tensor(number.name, declare(build, number));
  add("activation_post_process", std::make_unique<Observer>(build, kFixedObserver));
}

}  // namespace tv::nn
