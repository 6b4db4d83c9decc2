// The network's own kernels, without CUDA's headers. Functions return 0 or CUDA's error number, and
// do not wait. kernels.cu is the GPU; tests bring the CPU.
#pragma once

#include <cstdint>

#include "elements/inference/backend_cuda/layer_math.hpp"

namespace tv::inference {

enum class LayerType : std::uint8_t { kFloat32, kFloat16, kBFloat16 };

/// act(x * scale + shift + residual) behind what `stream` (a cudaStream_t) holds. The memory of in,
/// out and residual is aligned to 16 bytes. LibTorch leaves this to two or three kernels, each of
/// which reads and writes the whole tensor.
int launch_affine(const AffineLaunch& launch, LayerType type, void* stream);

/// The largest of each window behind what `stream` holds. The memory of in and out is aligned to 16
/// bytes. LibTorch's kernel also writes where each one was, in 64 bits: four times what it says in
/// half precision.
int launch_max_pool(const PoolLaunch& launch, LayerType type, void* stream);

/// The kDeviceTopK largest of each row, with their probabilities (softmax).
int launch_top_k(const TopKLaunch& launch, void* stream);

}  // namespace tv::inference
