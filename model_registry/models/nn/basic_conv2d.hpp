// The convolution of GoogLeNet and Inception v3 as torchvision has it: "conv" without bias, "bn",
// relu.
#pragma once

#include <array>
#include <memory>

#include "model_registry/models/nn/layers.hpp"

namespace tv::nn {

struct BasicConvOptions {
  std::array<int, 2> kernel = {1, 1};   ///< height and width, pixels
  int stride = 1;                       ///< pixels, both axes
  std::array<int, 2> padding = {0, 0};  ///< pixels on each side
};

/// [N, in, H, W] -> [N, out, H', W'].
class BasicConv2d final : public Module {
 public:
  BasicConv2d(Build& build, int in, int out, const BasicConvOptions& options) {
    conv_ = add("conv",
                std::make_unique<Conv2d>(build, in, out, options.kernel, options.padding,
                                         Conv2dOptions{.stride = options.stride, .bias = false}));
    bn_ = add("bn", std::make_unique<BatchNorm2d>(build, out, kEps));
  }

  Value forward(Value x) const override { return graph::relu(bn_(conv_(x))); }

 private:
  static constexpr double kEps = 1e-3;
  Ref<Conv2d> conv_;
  Ref<BatchNorm2d> bn_;
};

/// With a square kernel.
inline std::unique_ptr<BasicConv2d> basic_conv2d(Build& build, int in, int out, int kernel = 1,
                                                 int stride = 1, int padding = 0) {
  return std::make_unique<BasicConv2d>(
      build, in, out, BasicConvOptions{{kernel, kernel}, stride, {padding, padding}});
}

}  // namespace tv::nn
