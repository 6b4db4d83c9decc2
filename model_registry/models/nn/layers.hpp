// torch.nn's layers: parameters with Python's names and default initialisation, and a forward of
// one operator.
#pragma once

#include "model_registry/graph/module.hpp"
#include "model_registry/graph/ops.hpp"

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

/// torch.nn.Conv2d with a square kernel: [N, in, H, W] -> [N, out, H', W'].
class Conv2d final : public Module {
 public:
  Conv2d(Build& build, int in, int out, int kernel, const Conv2dOptions& options = {});
  Value forward(Value x) const override;
  int weight() const { return weight_; }
  int bias() const { return bias_; }  ///< graph::kNoParameter where there is none

 private:
  graph::Conv2dAttrs attrs_;
  int weight_ = graph::kNoParameter;
  int bias_ = graph::kNoParameter;
};

/// torch.nn.BatchNorm2d in eval(): running statistics.
class BatchNorm2d final : public Module {
 public:
  BatchNorm2d(Build& build, int channels, double eps = 1e-5);
  Value forward(Value x) const override;
  int weight() const { return weight_; }
  int bias() const { return bias_; }

 private:
  graph::BatchNormAttrs attrs_;
  int weight_, bias_, running_mean_, running_var_;
};

/// torch.nn.Linear: [..., in] -> [..., out].
class Linear final : public Module {
 public:
  Linear(Build& build, int in, int out);
  Value forward(Value x) const override;
  int weight() const { return weight_; }
  int bias() const { return bias_; }

 private:
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

/// The identity: networks run in inference.
class Dropout final : public Module {
 public:
  Value forward(Value x) const override { return graph::dropout(x); }
};

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

/// [N, C, H, W] -> [N, C, size, size].
class AdaptiveAvgPool2d final : public Module {
 public:
  explicit AdaptiveAvgPool2d(int size) : attrs_{{size, size}} {}
  Value forward(Value x) const override { return graph::adaptive_avg_pool2d(x, attrs_); }

 private:
  graph::OutputSizeAttrs attrs_;
};

}  // namespace tv::nn
