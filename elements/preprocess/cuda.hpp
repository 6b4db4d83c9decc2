// Frames in GPU memory in, network input in GPU memory out: preprocess.hpp's twin, without CUDA's
// headers. In a library of its own (tv-preprocess-cuda), which needs CUDA's runtime beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "elements/preprocess/frame_view.hpp"
#include "model_registry/error.hpp"
#include "model_registry/transforms/plan.hpp"

namespace tv {

enum class DeviceType : std::uint8_t {
  kFloat32,
  kFloat16,   ///< the float32 value rounded to nearest, halves to even
  kBfloat16,  ///< likewise
};
enum class DeviceLayout : std::uint8_t {
  kPlanar,        ///< [3, crop, crop]
  kChannelsLast,  ///< [crop, crop, channels]
};

/// Where the images of a batch go: image i begins `stride` * i bytes behind `data`. Does not own
/// the memory. Elements are those of Preprocessor::run(): RGB, (v / 255 - mean) / std.
struct DeviceOutput {
  void* data = nullptr;    ///< device memory, aligned as said under `channels`
  std::size_t bytes = 0;   ///< there are, from `data` on
  std::size_t stride = 0;  ///< bytes from one image to the next; without meaning for a single one
  DeviceType type = DeviceType::kFloat32;
  DeviceLayout layout = DeviceLayout::kPlanar;
  /// kPlanar: 3. kChannelsLast: 3, or 4 or 8, of which those behind the third are written as +0:
  /// then `data` and `stride` are multiples of the pixel's bytes, or of 16 where it has more.
  /// Otherwise they are multiples of the element's bytes.
  int channels = 3;
};

/// Applies one Plan to frames of its size. Holds the plan's taps in the memory of the device that
/// was the calling thread's when it was made; belongs to that device. run() changes nothing in it:
/// several threads may call it. Destruction may wait for the device's work.
class CudaPreprocessor {
 public:
  virtual ~CudaPreprocessor() = default;
  virtual const Plan& plan() const = 0;
  /// Preprocesses a batch behind what `stream` (a cudaStream_t; nullptr is the default stream)
  /// holds, and returns without waiting. A launch takes 32 frames, of any mixture of formats; no
  /// frames are no launch. Can be captured in a CUDA graph, which then keeps the pointers.
  /// `frames`: planes are device pointers. They, the output and this object must stay until the
  /// stream has come so far; the span need not.
  /// The values are those of the CPU paths, bit for bit, converted to `out.type`.
  /// Fails: InvalidArgument before anything is launched (a frame whose size is not the plan's or
  /// whose planes are missing or too small, an output that is too small or misaligned, another
  /// device than at the making); Device with CUDA's own words.
  virtual Status run(std::span<const FrameView> frames, const DeviceOutput& out,
                     void* stream) const = 0;
};

/// Fails: InvalidArgument for a plan that contradicts itself; Unsupported in a build without the
/// kernels; Unavailable without a usable GPU; Device, for instance without memory.
Result<std::unique_ptr<CudaPreprocessor>> make_cuda_preprocessor(Plan plan);

}  // namespace tv
