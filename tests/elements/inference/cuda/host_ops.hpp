// The GPU's own layers on the CPU: the same arithmetic, element by element.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/conv2d.h>

#include <cstdint>
#include <type_traits>

#include "elements/inference/backend_cuda/layer_math.hpp"
#include "elements/inference/backend_cuda/layer_ops.hpp"

namespace tv::inference::test {

class HostOps final : public LayerOps {
 public:
  /// `fused`: conv_relu() is there, as in cuDNN, and max_pool(); else every convolution is followed
  /// by affine(), and LibTorch pools.
  explicit HostOps(bool fused) : fused_(fused) {}

  at::Tensor conv_relu(const DeviceConv& conv, const at::Tensor& x,
                       const std::optional<at::Tensor>& residual) const override {
    if (!fused_ || conv.groups != 1) return {};
    ++fused_calls;
    at::Tensor y = at::conv2d(x, conv.weight, conv.narrow_bias, conv.stride, conv.padding,
                              conv.dilation, conv.groups);
    if (residual) y = y.add(*residual);
    return y.relu().contiguous(at::MemoryFormat::ChannelsLast);
  }

  void affine(const at::Tensor& x, const Affine& affine, at::Tensor& out) const override {
    ++affine_calls;
    TORCH_CHECK(dense(x) && dense(out) && (!affine.residual || dense(*affine.residual)), "dense");
    TORCH_CHECK(!affine.residual || affine.residual->sizes() == x.sizes(), "residual");
    const AffineLaunch launch{
        .in = x.const_data_ptr(),
        .out = out.mutable_data_ptr(),
        .residual = affine.residual ? affine.residual->const_data_ptr() : nullptr,
        .scale = affine.scale ? affine.scale->const_data_ptr<float>() : nullptr,
        .shift = affine.shift ? affine.shift->const_data_ptr<float>() : nullptr,
        .elements = x.numel(),
        .channels = static_cast<std::int32_t>(x.dim() == 4 ? x.size(1) : x.size(-1)),
        .activation = static_cast<LayerActivation>(affine.activation)};
    switch (x.scalar_type()) {
      case at::kHalf:
        return run<Float16>(launch);
      case at::kBFloat16:
        return run<BFloat16>(launch);
      default:
        return run<float>(launch);
    }
  }

  bool max_pool(const PoolLaunch& launch, at::ScalarType type) const override {
    if (!fused_) return false;
    ++pool_calls;
    switch (type) {
      case at::kHalf:
        pool<Float16>(launch);
        return true;
      case at::kBFloat16:
        pool<BFloat16>(launch);
        return true;
      default:
        pool<float>(launch);
        return true;
    }
  }

  mutable int fused_calls = 0, affine_calls = 0, pool_calls = 0;

 private:
  static bool dense(const at::Tensor& x) {
    return x.dim() == 4 ? x.is_contiguous(at::MemoryFormat::ChannelsLast) : x.is_contiguous();
  }
  /// As the kernels choose: `step` of as many numbers as one access has, or of one.
  template <typename T, typename Launch, typename F>
  static void by_pack(const Launch& launch, F&& step) {
    constexpr int kWide = 16 / sizeof(T);
    if (launch.channels % kWide == 0)
      for (std::int64_t i = 0; i < launch.elements; i += kWide)
        step(std::integral_constant<int, kWide>(), i);
    else
      for (std::int64_t i = 0; i < launch.elements; ++i) step(std::integral_constant<int, 1>(), i);
  }
  template <typename T>
  static void run(const AffineLaunch& launch) {
    by_pack<T>(launch, [&](auto width, std::int64_t i) {
      tv::inference::affine<T, decltype(width)::value>(launch, i);
    });
  }
  template <typename T>
  static void pool(const PoolLaunch& launch) {
    by_pack<T>(launch, [&](auto width, std::int64_t i) {
      tv::inference::max_pool<T, decltype(width)::value>(launch, i);
    });
  }

  const bool fused_;
};

}  // namespace tv::inference::test
