// Frames into the input of a batch: upload, preprocessing. Call inside guarded(), on one thread.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAStream.h>

#include <array>
#include <list>
#include <memory>
#include <span>

#include "elements/inference/backend_cuda/device.hpp"
#include "elements/inference/backend_cuda/network.hpp"
#include "elements/inference/picture.hpp"
#include "elements/preprocess/cuda.hpp"

namespace tv::inference {

class Feeder {
 public:
  explicit Feeder(c10::cuda::CUDAStream stream) : stream_(stream) {}

  c10::cuda::CUDAStream stream() const { return stream_; }
  /// Puts picture i into image i of `input`, [n, channels, side, side], channels last, behind what
  /// the stream holds. The slot's staging memory is free. Fails: InvalidArgument (a plan of another
  /// side, a frame that is not its plan's), Device.
  Status feed(unsigned slot, std::span<const Picture* const> pictures, const at::Tensor& input);
  /// Gives memory back; nothing is under way.
  void forget();

 private:
  struct Known {
    std::shared_ptr<const Plan> plan;  // kept: another one must not get its address
    std::unique_ptr<CudaPreprocessor> preprocessor;
  };
  Result<const CudaPreprocessor*> preprocessor_of(const std::shared_ptr<const Plan>& plan);
  Result<std::vector<FrameView>> upload(unsigned slot, std::span<const Picture* const> pictures);

  const c10::cuda::CUDAStream stream_;
  std::list<Known> known_;                      // most recently used first
  std::array<at::Tensor, kCudaSlots> staging_;  // bytes on the device
};

}  // namespace tv::inference
