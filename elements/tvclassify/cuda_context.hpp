// The CUDA context that an element shares with its neighbours, and the memory that it proposes to
// them; no type of CUDA's in the interface. cuda_context.cpp uses GStreamer's CUDA library,
// cuda_memory_none.cpp is for builds without it: then nothing happens here.
#pragma once

#include <gst/gst.h>

#include <memory>

namespace tv {

/// A GstCudaContext each of its own makes costs hundreds of megabytes, and LibTorch uses none of
/// them but the GPU's primary one. So neighbours are given that, wrapped. One that has a context of
/// its own keeps it: its frames are read all the same (cuda_memory.hpp). Where there is no driver,
/// nothing is made and nobody answered. Thread-safe.
class CudaContext {
 public:
  CudaContext();
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  /// GstElementClass::set_context: keeps a context of that GPU, unless there is one already.
  void take(GstElement* element, GstContext* context, int device);
  /// Sees to it that there is one: a neighbour's, the application's, else the primary, of which the
  /// pipeline is told. False: there is none.
  bool ensure(GstElement* element, int device);
  /// A CONTEXT query of a neighbour's; makes the primary where there is none. False: another kind
  /// of context, or none.
  bool answer(GstElement* element, GstQuery* query, int device);
  /// The element needs none any longer. Others may.
  void drop();

  /// Completes the answer to an ALLOCATION query where nobody proposes memory of a kind: for frames
  /// in CUDA memory a pool of `depth` more buffers, for others an allocator of pinned memory, from
  /// which a GPU copies without help of the CPU. False: nothing was added.
  bool propose(GstElement* element, GstQuery* query, int device, unsigned depth);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace tv
