// Frames in CUDA memory, with no type of CUDA's in the interface: cuda_memory.cpp uses GStreamer's
// CUDA library, cuda_memory_none.cpp is for builds without it.
#pragma once

#include <gst/video/video.h>

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

/// The frame where it lies, for a model on that GPU: everything but the plan, with device pointers
/// and the event behind the producer's writes. `pixels` gives all of it back, on any thread; it
/// holds the buffer, so that no pool has it written again before. nullopt: kernels in LibTorch's
/// context cannot read it there. Costs no copy and no waiting. Fails: map_frame()'s, Device.
Result<std::optional<inference::Picture>> map_cuda_frame(GstBuffer* buffer,
                                                         const GstVideoInfo& info,
                                                         const CudaPlace& place);

}  // namespace tv
