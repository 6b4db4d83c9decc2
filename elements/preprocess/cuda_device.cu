// The kernels and CUDA's runtime; the arithmetic is cuda_tile.hpp's.
#include <cuda_runtime_api.h>

#include "elements/preprocess/cuda_device.hpp"

namespace tv::preprocess {
namespace {

// 256 threads: 3 KiB of sums, and 8 rows of the tile's source columns (4.5 KiB for 1080p shrunk to
// 256 rows). Shared memory then allows more blocks than the 2048 threads of a multiprocessor do, so
// registers decide the occupancy: 3 blocks are asked for, that is at most 80 registers a thread.
// Neighbouring lanes read staged pixels that lie the scale apart, a bank conflict of as many ways
// as the scale has factors of two.
constexpr int kThreads = kTileWidth * kTileHeight;

template <typename T, bool kVerticalFirst>
__global__ void __launch_bounds__(kThreads, 3)
    tile_kernel(const __grid_constant__ DeviceLaunch launch) {
  extern __shared__ std::uint32_t shared[];
  Tile<T, kVerticalFirst> tile(launch, static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y),
                               static_cast<int>(blockIdx.z), static_cast<int>(threadIdx.x),
                               static_cast<int>(threadIdx.y), shared);
  const int strips = tile.strips();
  tile.stage(0);
  __syncthreads();
  for (int strip = 0; strip < strips; ++strip) {
    tile.first_axis(strip);
    __syncthreads();
    // No barrier between these two: one reads the sums, the other writes the pixels.
    tile.second_axis(strip);
    tile.stage(strip + 1);
    __syncthreads();
  }
  tile.store();
}

const void* kernel_of(DeviceKernel kernel) {
  switch (kernel) {
    case DeviceKernel::kPil:
      return reinterpret_cast<const void*>(&tile_kernel<std::int32_t, false>);
    case DeviceKernel::kPilVerticalFirst:
      return reinterpret_cast<const void*>(&tile_kernel<std::int32_t, true>);
    case DeviceKernel::kTensor:
      break;
  }
  return reinterpret_cast<const void*>(&tile_kernel<float, false>);
}

// The runtime also remembers an error for cudaGetLastError(): taken away, or the next one who asks
// would believe it his own.
int reported(cudaError_t error) {
  if (error != cudaSuccess) static_cast<void>(cudaGetLastError());
  return static_cast<int>(error);
}

}  // namespace

int device_current(int* device) {
  cudaError_t error = cudaGetDevice(device);
  cudaFuncAttributes attributes;
  // Initialises the device, and finds out whether the library holds code for it.
  if (error == cudaSuccess)
    error = cudaFuncGetAttributes(&attributes, kernel_of(DeviceKernel::kTensor));
  return reported(error);
}

int device_upload(const void* data, std::size_t bytes, void** memory) {
  *memory = nullptr;
  // A stream of its own: the legacy default stream would wait for streams of others, and a copy
  // from pageable memory may return before it has arrived.
  cudaStream_t stream = nullptr;
  cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  if (error != cudaSuccess) return reported(error);
  error = cudaMalloc(memory, bytes);
  if (error == cudaSuccess)
    error = cudaMemcpyAsync(*memory, data, bytes, cudaMemcpyHostToDevice, stream);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  const int result = reported(error);
  if (result != 0) {
    device_release(*memory);
    *memory = nullptr;
  }
  static_cast<void>(reported(cudaStreamDestroy(stream)));
  return result;
}

int device_download(const void* memory, std::size_t bytes, void* data, void* stream) {
  const cudaStream_t on = static_cast<cudaStream_t>(stream);
  cudaError_t error = cudaMemcpyAsync(data, memory, bytes, cudaMemcpyDeviceToHost, on);
  if (error == cudaSuccess) error = cudaStreamSynchronize(on);
  return reported(error);
}

void device_release(void* memory) {
  static_cast<void>(reported(cudaFree(memory)));
}

int device_launch(const DeviceLaunch& launch, void* stream) {
  const dim3 blocks(static_cast<unsigned>(launch.tiles_across()),
                    static_cast<unsigned>(launch.tiles_down()),
                    static_cast<unsigned>(launch.frame_count));
  void* arguments[] = {const_cast<DeviceLaunch*>(&launch)};
  return reported(
      cudaLaunchKernel(kernel_of(launch.kernel), blocks, dim3(kTileWidth, kTileHeight), arguments,
                       static_cast<std::size_t>(launch.shared_words()) * sizeof(std::uint32_t),
                       static_cast<cudaStream_t>(stream)));
}

const char* device_error_text(int error) {
  return cudaGetErrorString(static_cast<cudaError_t>(error));
}

}  // namespace tv::preprocess
