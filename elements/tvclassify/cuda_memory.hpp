// Frames in CUDA memory, with no type of CUDA's in the interface: cuda_memory.cpp uses GStreamer's
// CUDA library, cuda_memory_none.cpp is for builds without it.
#pragma once

#include <gst/video/video.h>

#include <memory>
#include <optional>

#include "elements/inference/picture.hpp"
#include "model_registry/error.hpp"

namespace tv {

/// Adds to the caps of the pads what lies in CUDA memory; `size` is what all frames' caps share.
void add_cuda_caps(GstCaps* caps, const char* size);

/// What a frame's memory is.
struct CudaPlace {
  int device = 0;                ///< number of the GPU
  const GstVideoInfo* layout{};  ///< of the memory, valid as long as the buffer holds it
};
/// nullopt: not one CUDA memory, so it is read as any other buffer (which for several CUDA memories
/// downloads each).
std::optional<CudaPlace> cuda_place(GstBuffer* buffer);

/// Frames in CUDA memory for a model on a GPU. One a stream of frames; its streaming thread.
class CudaFrames {
 public:
  CudaFrames();
  ~CudaFrames();
  CudaFrames(const CudaFrames&) = delete;
  CudaFrames& operator=(const CudaFrames&) = delete;

  /// The frame for a model on GPU `gpu`: everything but the plan, with device pointers and the
  /// event behind the writes. Where kernels in LibTorch's context can read it, on that GPU, the
  /// frame as it lies; `pixels` holds the buffer then, so that no pool has it written again before,
  /// and no copy is made. Else a copy in the memory of the model's GPU, which GPUs make between
  /// them; `pixels` holds the buffer, too, and when it is let go of before the model has waited for
  /// the copy, it does. `pixels` gives all of it back, on any thread, also after this object. No
  /// waiting here. nullopt: neither is possible. Fails: map_frame()'s, Device.
  Result<std::optional<inference::Picture>> map(GstBuffer* buffer, const GstVideoInfo& info,
                                                const CudaPlace& place, int gpu);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace tv
