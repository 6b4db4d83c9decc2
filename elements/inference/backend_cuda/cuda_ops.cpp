#include "elements/inference/backend_cuda/cuda_ops.hpp"

#include <ATen/ops/cudnn_convolution_add_relu.h>
#include <ATen/ops/cudnn_convolution_relu.h>
#include <ATen/ops/full.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAStream.h>

#include <limits>

#include "elements/inference/backend_cuda/kernels.hpp"

namespace tv::inference {
namespace {

using at::Tensor;

static_assert(static_cast<int>(LayerActivation::kGelu) ==
              static_cast<int>(graph::Activation::kGelu));

LayerType layer_type(at::ScalarType type) {
  switch (type) {
    case at::kHalf:
      return LayerType::kFloat16;
    case at::kBFloat16:
      return LayerType::kBFloat16;
    default:
      TORCH_CHECK(type == at::kFloat, "no kernel for this type of numbers");
      return LayerType::kFloat32;
  }
}

std::vector<std::int64_t> output_sizes(const DeviceConv& conv, const Tensor& x) {
  std::vector<std::int64_t> sizes = {x.size(0), conv.weight.size(0)};
  for (const std::size_t axis : {0U, 1U}) {
    const auto dimension = static_cast<std::int64_t>(axis) + 2;
    const std::int64_t window = conv.dilation[axis] * (conv.weight.size(dimension) - 1) + 1;
    sizes.push_back((x.size(dimension) + 2 * conv.padding[axis] - window) / conv.stride[axis] + 1);
  }
  return sizes;
}

/// The allocator gives the block that was freed last to who asks for as much.
void leave_nan(const std::vector<std::int64_t>& sizes, const Tensor& like) {
  at::full(sizes, std::numeric_limits<double>::quiet_NaN(), like.options());
}

bool dense(const Tensor& x) {
  return x.dim() == 4 ? x.is_contiguous(at::MemoryFormat::ChannelsLast) : x.is_contiguous();
}

const float* data_of(const std::optional<Tensor>& vector) {
  return vector ? vector->const_data_ptr<float>() : nullptr;
}

}  // namespace

Tensor CudaOps::conv_relu(const DeviceConv& conv, const Tensor& x,
                          const std::optional<Tensor>& residual) const {
  if (!fused_ || conv.groups != 1 || refused_.contains(&conv)) return {};
  if (!residual && !relu_without_residual_) return {};
  try {
    // Here the stride comes before the padding; other operators have them the other way round.
    if (residual)
      return at::cudnn_convolution_add_relu(x, conv.weight, *residual, /*alpha=*/1,
                                            conv.narrow_bias, conv.stride, conv.padding,
                                            conv.dilation, conv.groups);
    if (poisoned_) leave_nan(output_sizes(conv, x), x);
    return at::cudnn_convolution_relu(x, conv.weight, conv.narrow_bias, conv.stride, conv.padding,
                                      conv.dilation, conv.groups);
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const c10::AcceleratorError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {  // LibTorch's, or that of cuDNN's own front end
    static_cast<void>(cudaGetLastError());
    refused_.insert(&conv);  // the plain ones will do, or say what is wrong
    return {};
  }
}

void CudaOps::affine(const Tensor& x, const Affine& affine, Tensor& out) const {
  TORCH_CHECK(dense(x) && dense(out) && (!affine.residual || dense(*affine.residual)),
              "a tensor that is not dense");
  TORCH_CHECK(!affine.residual || affine.residual->sizes() == x.sizes(), "a residual that differs");
  const AffineLaunch launch{
      .in = x.const_data_ptr(),
      .out = out.mutable_data_ptr(),
      .residual = affine.residual ? affine.residual->const_data_ptr() : nullptr,
      .scale = data_of(affine.scale),
      .shift = data_of(affine.shift),
      .elements = x.numel(),
      .channels = static_cast<std::int32_t>(x.dim() == 4 ? x.size(1) : x.size(-1)),
      .activation = static_cast<LayerActivation>(affine.activation)};
  C10_CUDA_CHECK(static_cast<cudaError_t>(launch_affine(
      launch, layer_type(x.scalar_type()), c10::cuda::getCurrentCUDAStream().stream())));
}

bool CudaOps::max_pool(const PoolLaunch& launch, at::ScalarType type) const {
  if (!max_pool_) return false;
  C10_CUDA_CHECK(static_cast<cudaError_t>(
      launch_max_pool(launch, layer_type(type), c10::cuda::getCurrentCUDAStream().stream())));
  return true;
}

}  // namespace tv::inference
