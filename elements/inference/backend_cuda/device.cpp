#include "elements/inference/backend_cuda/device.hpp"

#include <c10/cuda/CUDAException.h>

#include "elements/preprocess/sticky_error.hpp"

namespace tv::inference {
namespace {

// 13000 -> "13.0"
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// The runtime also remembers an error for who asks next: taken away.
cudaError_t taken(cudaError_t error) {
  if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
  return error;
}

}  // namespace

std::string cuda_versions() {
  int driver = 0, runtime = 0;
  static_cast<void>(taken(cudaDriverGetVersion(&driver)));
  static_cast<void>(taken(cudaRuntimeGetVersion(&runtime)));
  return (driver > 0 ? "driver " + version_text(driver) : std::string("no driver")) + ", runtime " +
         version_text(runtime);
}

Status usable_device(int index) {
  int count = 0;
  if (const cudaError_t error = taken(cudaGetDeviceCount(&count)); error != cudaSuccess)
    return Error{
        Code::kUnavailable,
        std::string("no usable GPU: ") + cudaGetErrorString(error) + " (" + cuda_versions() + ")",
        "see what nvidia-smi says, or use device=cpu"};
  if (index < count) return {};
  return Error{Code::kUnavailable,
               "no GPU " + std::to_string(index) + ": there are " + std::to_string(count) + " (" +
                   cuda_versions() + ")",
               "see what nvidia-smi and $CUDA_VISIBLE_DEVICES say, or use device=cpu"};
}

Status cuda_status(cudaError_t error, const std::string& doing) {
  if (taken(error) == cudaSuccess) return {};
  return Error{is_sticky(error) ? Code::kDeviceLost : Code::kDevice,
               doing + ": " + cudaGetErrorString(error), ""};
}

void settle(cudaStream_t stream) {
  static_cast<void>(taken(cudaStreamSynchronize(stream)));
}

Event::Event() {
  C10_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming | cudaEventBlockingSync));
}
Event::~Event() {
  static_cast<void>(taken(cudaEventDestroy(event_)));
}
void Event::record(cudaStream_t stream) {
  C10_CUDA_CHECK(cudaEventRecord(event_, stream));
}
void Event::block(cudaStream_t stream) const {
  C10_CUDA_CHECK(cudaStreamWaitEvent(stream, event_, 0));
}

PinnedMemory::PinnedMemory(std::size_t bytes) {
  C10_CUDA_CHECK(cudaMallocHost(&data_, bytes));
}
PinnedMemory::~PinnedMemory() {
  static_cast<void>(taken(cudaFreeHost(data_)));
}

}  // namespace tv::inference
