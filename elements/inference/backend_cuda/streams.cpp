#include "elements/inference/backend_cuda/streams.hpp"

#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace tv::inference {
namespace {

/// Never destroyed, as the streams are.
struct Idle {
  std::mutex mutex;
  std::map<std::pair<c10::DeviceIndex, bool>, std::vector<c10::cuda::CUDAStream>> streams;
};
Idle& idle() {
  static auto* const kIdle = new Idle;
  return *kIdle;
}

}  // namespace

c10::cuda::CUDAStream lease_stream(c10::DeviceIndex device, bool urgent) {
  {
    const std::lock_guard lock(idle().mutex);
    auto& free = idle().streams[{device, urgent}];
    if (!free.empty()) {
      const c10::cuda::CUDAStream stream = free.back();
      free.pop_back();
      return stream;
    }
  }
  const c10::cuda::CUDAGuard guard(device);
  int least = 0, greatest = 0;
  C10_CUDA_CHECK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  cudaStream_t made = nullptr;
  C10_CUDA_CHECK(
      cudaStreamCreateWithPriority(&made, cudaStreamNonBlocking, urgent ? greatest : least));
  return c10::cuda::getStreamFromExternal(made, device);
}

void return_stream(c10::cuda::CUDAStream stream, bool urgent) {
  const std::lock_guard lock(idle().mutex);
  idle().streams[{stream.device_index(), urgent}].push_back(stream);
}

}  // namespace tv::inference
