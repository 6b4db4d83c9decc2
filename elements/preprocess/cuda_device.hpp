// What the GPU path asks of a device, without CUDA's headers. cuda_device.cu is the GPU; the tests
// bring a device that is the CPU. C++17. Private to this folder.
//
// Functions return 0 or CUDA's error number (cudaError_t), which device_error_text() explains.
#pragma once

#include <cstddef>

#include "elements/preprocess/cuda_tile.hpp"

namespace tv::preprocess {

/// The number of the calling thread's device, if it is there and the kernels were built for it.
int device_current(int* device);
/// A copy of `bytes` > 0 bytes in new device memory. Waits for the copy, and for nothing else.
int device_upload(const void* data, std::size_t bytes, void** memory);
/// Copies back, behind all that `stream` (nullptr: the default stream) holds. Waits. For tests.
int device_download(const void* memory, std::size_t bytes, void* data, void* stream);
/// May wait for the device's work. nullptr is allowed.
void device_release(void* memory);
/// Computes launch.frame_count images behind what `stream` holds. Does not wait.
int device_launch(const DeviceLaunch& launch, void* stream);
/// A text that lives as long as the process.
const char* device_error_text(int error);

}  // namespace tv::preprocess
