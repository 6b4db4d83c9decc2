// What torch.ao.quantization adds to a network: modules without tensors in float networks, with a
// scale and a zero point in int8 ones. They stand where torchvision's quantizable models have them;
// in float they change nothing, neither names nor numbers.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "model_registry/graph/ops.hpp"
#include "model_registry/graph/quantized_ops.hpp"

namespace tv::nn {

using graph::Build;
using graph::Module;
using graph::Ref;
using graph::Value;

/// torch.ao.quantization's FusedMovingAvgObsFakeQuantize: what a quantisation-aware training saw of
/// a tensor. Nothing here runs it; converting to int8 reads "activation_post_process.min_val" and
/// "max_val".
class FakeQuantize final : public Module {
 public:
  explicit FakeQuantize(Build& build);
};

/// FixedQParamsFakeQuantize, behind a hard sigmoid: its numbers are no news, and old files lack it.
class FixedFakeQuantize final : public Module {
 public:
  explicit FixedFakeQuantize(Build& build);
};

/// Base of the modules whose result is quantised.
class Quantizable : public Module {
 protected:
  explicit Quantizable(Build& build, const Shape& shape = {}) {
    if (build.int8()) result_ = add_qparams(build, shape);
    if (build.quantization_aware())
      add("activation_post_process", std::make_unique<FakeQuantize>(build));
  }
  std::optional<graph::QParams> result_;  // in int8
};

/// float32 -> quint8 at a network's door.
class QuantStub final : public Quantizable {
 public:
  explicit QuantStub(Build& build) : Quantizable(build, {1}) {}
  Value forward(Value x) const override { return result_ ? graph::quantize(x, *result_) : x; }
};

/// quint8 -> float32 at its end.
class DeQuantStub final : public Module {
 public:
  explicit DeQuantStub(const Build& build) : int8_(build.int8()) {}
  Value forward(Value x) const override { return int8_ ? graph::dequantize(x) : x; }

 private:
  bool int8_;
};

// torch.ao.nn.quantized.FloatFunctional, a class for each of its operators.

/// add(a, b), and with a relu behind it add_relu(a, b).
class FloatAdd final : public Quantizable {
 public:
  explicit FloatAdd(Build& build) : Quantizable(build) {}
  using Module::forward;
  Value forward(const Value& a, const Value& b) const {
    return result_ ? graph::q_add(a, b, *result_) : graph::add(a, b);
  }
};

/// mul(a, b); sizes broadcast.
class FloatMultiply final : public Quantizable {
 public:
  explicit FloatMultiply(Build& build) : Quantizable(build) {}
  using Module::forward;
  Value forward(const Value& a, const Value& b) const {
    return result_ ? graph::q_multiply(a, b, *result_) : graph::multiply(a, b);
  }
};

/// cat(values, 1): channels.
class FloatCat final : public Quantizable {
 public:
  explicit FloatCat(Build& build) : Quantizable(build) {}
  using Module::forward;
  Value forward(const std::vector<Value>& values) const {
    return result_ ? graph::q_cat(values, 1, *result_) : graph::cat(values, 1);
  }
};

}  // namespace tv::nn
