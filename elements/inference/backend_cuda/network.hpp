// A network on a GPU for batches of several sizes, each recorded once as a CUDA graph. Call inside
// guarded(), on one thread.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>

#include <array>
#include <list>
#include <memory>

#include "elements/inference/backend_cuda/cuda_ops.hpp"
#include "elements/inference/backend_cuda/device.hpp"
#include "elements/inference/backend_cuda/device_executor.hpp"
#include "elements/inference/backend_cuda/layer_math.hpp"
#include "elements/inference/engine.hpp"

namespace tv::inference {

/// Two batches are under way at most: one is fed while the other is in the network.
inline constexpr unsigned kCudaSlots = 2;

/// What a batch of one size has in one slot: memory at fixed places, and the graph that uses it.
class Lane {
 public:
  virtual ~Lane() = default;
  /// [n, channels, side, side], channels last, of the network's type: to be written before run().
  virtual const at::Tensor& input() const = 0;
  /// Puts the network behind what the stream holds: input() -> logits() and the best classes.
  virtual void run() = 0;
  virtual const at::Tensor& logits() const = 0;  ///< float32 [n, classes] on the device
  /// [n, kDeviceTopK] in the computer's memory, there when the stream has come so far.
  virtual const RankedScore* answers() const = 0;
};

class RecordedLane;

class CudaNetwork {
 public:
  CudaNetwork(const LoadRequest& request, Parameters parameters, c10::cuda::CUDAStream stream);
  ~CudaNetwork();

  const DevicePlace& place() const { return place_; }
  const Parameters& parameters() const { return parameters_; }
  c10::cuda::CUDAStream stream() const { return stream_; }

  /// For n pictures of side x side at least. The first use of a size prepares it: kernels are
  /// chosen, the graph is recorded. Waits for the stream then. Throws; fails: Cancelled.
  Result<std::shared_ptr<Lane>> lane(std::size_t n, std::int64_t side, unsigned slot,
                                     const CancelCheck& cancelled = {});
  /// Gives back what is prepared and not held by a lane's owner.
  void forget();

 private:
  struct Prepared;
  void prove_fused(RecordedLane& lane);
  Result<std::unique_ptr<GraphExecutor>> executor(const Shape& shape, const CancelCheck& cancelled);

  std::shared_ptr<const graph::Network> network_;
  const Parameters parameters_;
  const DevicePlace place_;
  const c10::cuda::CUDAStream stream_;
  CudaOps ops_;
  std::shared_ptr<const DeviceLayers> layers_;     // made with the first executor
  std::list<std::shared_ptr<Prepared>> prepared_;  // most recently used first
};

}  // namespace tv::inference
