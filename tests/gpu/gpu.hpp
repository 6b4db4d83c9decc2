// What the programs of the suite `gpu` share. No Check and no CUDA headers: they are built on
// machines that have a GPU and little else.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "elements/preprocess/cuda_device.hpp"
#include "elements/preprocess/frame_view.hpp"
#include "model_registry/error.hpp"

namespace tv::gpu {

/// Ends the program as meson's skipped tests end.
[[noreturn]] inline void skip(const std::string& reason) {
  std::printf("SKIP: %s\n", reason.c_str());
  std::exit(77);
}

/// Ends the program. Threads and CUDA may be in the middle of things.
[[noreturn]] inline void fail(const std::string& what) {
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  std::_Exit(1);
}
inline void require(bool holds, const std::string& what) {
  if (!holds) fail(what);
}
inline void require_ok(const Status& status, const std::string& what) {
  if (!status) fail(what + ": " + status.error().text());
}
template <typename T>
T value_of(Result<T> result, const std::string& what) {
  if (!result) fail(what + ": " + result.error().text());
  return std::move(*result);
}

/// Without a GPU that the kernels were built for: skips.
inline void need_gpu() {
  int device = 0;
  if (const int error = preprocess::device_current(&device); error != 0)
    skip(std::string("no usable GPU: ") + preprocess::device_error_text(error));
}

/// Bytes of the computer in device memory.
class DeviceCopy {
 public:
  DeviceCopy(const void* data, std::size_t bytes) {
    if (const int error = preprocess::device_upload(data, bytes, &memory_); error != 0)
      fail(std::string("upload: ") + preprocess::device_error_text(error));
  }
  explicit DeviceCopy(const std::vector<std::uint8_t>& bytes)
      : DeviceCopy(bytes.data(), bytes.size()) {}
  ~DeviceCopy() { preprocess::device_release(memory_); }
  DeviceCopy(const DeviceCopy&) = delete;
  DeviceCopy& operator=(const DeviceCopy&) = delete;

  std::uint8_t* data() const { return static_cast<std::uint8_t*>(memory_); }
  void read(void* data, std::size_t bytes) const {
    if (const int error = preprocess::device_download(memory_, bytes, data, nullptr); error != 0)
      fail(std::string("download: ") + preprocess::device_error_text(error));
  }

 private:
  void* memory_ = nullptr;
};

/// The view of a frame whose bytes were copied to `to`.
inline FrameView moved(FrameView view, const std::vector<std::uint8_t>& from,
                       const std::uint8_t* to) {
  for (auto& plane : view.planes)
    if (plane.data != nullptr) plane.data = to + (plane.data - from.data());
  return view;
}

}  // namespace tv::gpu
