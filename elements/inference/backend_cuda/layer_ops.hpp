// What the executor asks of a device beyond LibTorch's plain operators. cuda_ops.cpp is the GPU;
// tests bring the CPU. Call inside guarded().
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>

#include "elements/inference/backend_cuda/layer_math.hpp"
#include "model_registry/graph/graph.hpp"

namespace tv::inference {

/// A convolution as it stays on the device.
struct DeviceConv {
  at::Tensor weight;       ///< channels last
  at::Tensor bias;         ///< float32; undefined: none
  at::Tensor narrow_bias;  ///< the same in the weight's type
  std::array<std::int64_t, 2> stride, padding, dilation;
  std::int64_t groups = 1;
};

/// act(x * scale + shift + residual), by channel: the second dimension of four, else the last one.
struct Affine {
  std::optional<at::Tensor> scale = {}, shift = {};  ///< float32 [channels]
  std::optional<at::Tensor> residual = {};           ///< of x's shape and type
  graph::Activation activation = graph::Activation::kNone;
};

class LayerOps {
 public:
  virtual ~LayerOps() = default;
  /// relu(conv(x) + bias + residual) in one call; undefined where it cannot do that one.
  virtual at::Tensor conv_relu(const DeviceConv& conv, const at::Tensor& x,
                               const std::optional<at::Tensor>& residual) const = 0;
  /// `x`, `out` and the residual lie densely in the same order, channels last where they have four
  /// dimensions. `out` may be `x`.
  virtual void affine(const at::Tensor& x, const Affine& affine, at::Tensor& out) const = 0;
  /// Of numbers of `type`; false where it leaves that to LibTorch.
  virtual bool max_pool(const PoolLaunch& launch, at::ScalarType type) const = 0;
};

}  // namespace tv::inference
