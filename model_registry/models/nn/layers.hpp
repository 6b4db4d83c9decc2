// torch.nn's layers: parameters with Python's names and default initialisation, and a forward of
// one operator. Conv2d, BatchNorm2d and Linear are those of torch.ao.nn.quantized where
// Build::int8() says so: a convolution has taken up its batch norm, and a weight comes with the
// scale and zero point of the layer's result.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <type_traits>

#include "model_registry/graph/module.hpp"
#include "model_registry/graph/ops.hpp"
#include "model_registry/graph/quantized_ops.hpp"

namespace tv::nn {

using graph::Build;
using graph::Module;
using graph::Ref;
using graph::Value;

struct Conv2dOptions {
  int stride = 1;    ///< pixels, both axes
  int padding = 0;   ///< pixels on each side
  int dilation = 1;  ///< pixels between taps
  int groups = 1;    ///< divides both channel counts
  bool bias = true;
};

/// Base of the layers with weights that int8 networks have in another form.
class QuantizableLayer : public Module {
 protected:
  void add_fake_quantize(Build& build);   // in the quantisation-aware form
  std::optional<graph::QParams> result_;  // in int8
};

/// torch.nn.Conv2d: [N, in, H, W] -> [N, out, H', W'].
class Conv2d final : public QuantizableLayer {
 public:
  /// A square kernel.
  Conv2d(Build& build, int in, int out, int kernel, const Conv2dOptions& options = {});
  /// A kernel of kernel[0] x kernel[1] pixels (height, width) with a padding of its own for each
  /// axis; options.padding is not read.
  Conv2d(Build& build, int in, int out, std::array<int, 2> kernel, std::array<int, 2> padding,
         const Conv2dOptions& options = {});
  Value forward(Value x) const override;
  int weight() const { return weight_; }
  int bias() const { return bias_; }  ///< graph::kNoParameter where there is none

 private:
  graph::Conv2dAttrs attrs_;
  int weight_ = graph::kNoParameter;
  int bias_ = graph::kNoParameter;
};

/// torch.nn.BatchNorm2d in eval(): running statistics. In int8 torch.nn.Identity.
class BatchNorm2d final : public Module {
 public:
  BatchNorm2d(Build& build, int channels, double eps = 1e-5);
  /// The "bn" of a convolution in the quantisation-aware form, where the one behind it is
  /// torch.nn.Identity.
  struct InConvolution {};
  BatchNorm2d(Build& build, int channels, InConvolution);
  Value forward(Value x) const override;
  int weight() const { return weight_; }
  int bias() const { return bias_; }

 private:
  void declare(Build& build, int channels);

  graph::NormAttrs attrs_;
  bool folded_;
  int weight_ = graph::kNoParameter;
  int bias_ = graph::kNoParameter;
  int running_mean_ = graph::kNoParameter;
  int running_var_ = graph::kNoParameter;
};

/// torch.nn.Linear: [..., in] -> [..., out].
class Linear final : public QuantizableLayer {
 public:
  Linear(Build& build, int in, int out, bool bias = true);
  Value forward(Value x) const override;
  int weight() const { return weight_; }
  int bias() const { return bias_; }  ///< graph::kNoParameter where there is none

 private:
  int weight_ = graph::kNoParameter;
  int bias_ = graph::kNoParameter;
};

/// torch.nn.LayerNorm over the last dimension: [..., channels] -> the same.
class LayerNorm : public Module {
 public:
  LayerNorm(Build& build, int channels, double eps = 1e-5);
  Value forward(Value x) const override;
  int weight() const { return weight_; }
  int bias() const { return bias_; }

 private:
  graph::NormAttrs attrs_;
  int weight_, bias_;
};

class ReLU final : public Module {
 public:
  Value forward(Value x) const override { return graph::relu(x); }
};

class ReLU6 final : public Module {
 public:
  Value forward(Value x) const override { return graph::relu6(x); }
};

class Tanh final : public Module {
 public:
  Value forward(Value x) const override { return graph::tanh(x); }
};

class Sigmoid final : public Module {
 public:
  Value forward(Value x) const override { return graph::sigmoid(x); }
};

class SiLU final : public Module {
 public:
  Value forward(Value x) const override { return graph::silu(x); }
};

/// In int8 with a scale of its own.
class Hardswish final : public Module {
 public:
  explicit Hardswish(Build& build);
  Value forward(Value x) const override;

 private:
  std::optional<graph::QParams> result_;
};

/// In int8 the result's scale is 1/256, whatever the input's.
class Hardsigmoid final : public Module {
 public:
  explicit Hardsigmoid(Build& build);
  Value forward(Value x) const override { return graph::hardsigmoid(x); }
};

/// By the error function, torch.nn.GELU's default.
class GELU final : public Module {
 public:
  Value forward(Value x) const override { return graph::gelu(x); }
};

/// torch.nn.Identity, and StochasticDepth, which is the identity in inference.
class Identity final : public Module {
 public:
  Value forward(Value x) const override { return x; }
};

/// [N, ...] -> [N, product of the rest].
class Flatten final : public Module {
 public:
  Value forward(Value x) const override { return graph::flatten(x); }
};

/// The identity: networks run in inference.
class Dropout final : public Module {
 public:
  Value forward(Value x) const override { return graph::dropout(x); }
};

/// An activation, from the Build where it takes one.
template <typename Activation>
std::unique_ptr<Activation> make_activation(Build& build) {
  if constexpr (std::is_constructible_v<Activation, Build&>)
    return std::make_unique<Activation>(build);
  else
    return std::make_unique<Activation>();
}

struct MaxPool2dOptions {
  int kernel = 2, stride = 2, padding = 0;  ///< pixels, both axes
  bool ceil_mode = false;
};

class MaxPool2d final : public Module {
 public:
  explicit MaxPool2d(const MaxPool2dOptions& options);
  Value forward(Value x) const override { return graph::max_pool2d(x, attrs_); }

 private:
  graph::PoolAttrs attrs_;
};

struct AvgPool2dOptions {
  int kernel = 2, stride = 2, padding = 0;  ///< pixels, both axes; padding counts as zeros
};

class AvgPool2d final : public Module {
 public:
  explicit AvgPool2d(const AvgPool2dOptions& options);
  Value forward(Value x) const override { return graph::avg_pool2d(x, attrs_); }

 private:
  graph::PoolAttrs attrs_;
};

/// [N, C, H, W] -> [N, C, size, size].
class AdaptiveAvgPool2d final : public Module {
 public:
  explicit AdaptiveAvgPool2d(int size) : attrs_{{size, size}} {}
  Value forward(Value x) const override { return graph::adaptive_avg_pool2d(x, attrs_); }

 private:
  graph::OutputSizeAttrs attrs_;
};

}  // namespace tv::nn
