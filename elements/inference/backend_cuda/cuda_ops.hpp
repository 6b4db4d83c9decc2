// The device's operators on a GPU. Call inside guarded(), with the stream set.
#pragma once

#include <set>

#include "elements/inference/backend_cuda/layer_ops.hpp"

namespace tv::inference {

/// One thread at a time.
class CudaOps final : public LayerOps {
 public:
  at::Tensor conv_relu(const DeviceConv& conv, const at::Tensor& x,
                       const std::optional<at::Tensor>& residual) const override;
  void affine(const at::Tensor& x, const Affine& affine, at::Tensor& out) const override;
  bool max_pool(const PoolLaunch& launch, at::ScalarType type) const override;

  /// False: convolutions are always followed by a kernel of ours.
  void set_fused(bool fused) { fused_ = fused; }
  /// False: LibTorch's pooling, not ours.
  void set_max_pool(bool max_pool) { max_pool_ = max_pool; }
  /// Convolutions that cuDNN refused are tried again: memory may have lacked.
  void forget_refusals() { refused_.clear(); }
  /// cuDNN's convolution with ReLU names its own output as the residual, times 0: what lay in that
  /// memory must not matter, but NaN times 0 is NaN. While this is set the memory holds NaN, which
  /// shows if it matters.
  void set_poisoned(bool poisoned) { poisoned_ = poisoned; }
  /// If it does: convolutions without a residual take two kernels.
  void avoid_relu_without_residual() { relu_without_residual_ = false; }
  bool fused() const { return fused_; }

 private:
  bool fused_ = true;
  bool max_pool_ = true;
  bool poisoned_ = false;
  bool relu_without_residual_ = true;
  mutable std::set<const DeviceConv*> refused_;  // cuDNN has no such kernel for them
};

}  // namespace tv::inference
