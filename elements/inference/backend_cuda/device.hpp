// What the backend asks of CUDA's runtime itself.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <utility>

#include "model_registry/error.hpp"

namespace tv::inference {

/// "driver 13.0, runtime 13.0"; "no driver, runtime 13.0".
std::string cuda_versions();

/// Fails: Unavailable with CUDA's words and both versions.
Status usable_device(int index);

/// cudaSuccess, or Device.
Status cuda_status(cudaError_t error, const std::string& doing);

/// Marks a place in a stream; without a clock, the thread that waits for it sleeps. One device.
class Event {
 public:
  Event();  // throws c10::Error
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t stream);
  void block(cudaStream_t stream) const;  ///< what `stream` gets from now on waits for it
  cudaError_t wait() const { return cudaEventSynchronize(event_); }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Memory of the computer that the GPU writes to by itself. Throws c10::Error.
class PinnedMemory {
 public:
  explicit PinnedMemory(std::size_t bytes);
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
};

/// Waits for a stream; what is wrong shows in the next call. For destructors and failures.
void settle(cudaStream_t stream);

}  // namespace tv::inference
