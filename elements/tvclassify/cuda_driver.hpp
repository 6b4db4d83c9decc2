// What we need of the CUDA driver beside what GStreamer's library offers. Private to the cuda_*
// files: the only ones that see a type of CUDA's.
#pragma once

#include <cuda.h>
#include <gst/cuda/gstcudacontext.h>

#include <cstddef>
#include <string>

#include "model_registry/error.hpp"

namespace tv {

/// Functions of libcuda.so.1, under their newest ABI.
struct CudaDriver {
  CUresult (*init)(unsigned flags);
  CUresult (*retain_primary)(CUcontext* context, CUdevice device);
  CUresult (*push)(CUcontext context);
  CUresult (*pop)(CUcontext* context);
  CUresult (*create_event)(CUevent* event, unsigned flags);
  CUresult (*record_event)(CUevent event, CUstream stream);
  CUresult (*destroy_event)(CUevent event);
  CUresult (*synchronize_event)(CUevent event);
  CUresult (*create_stream)(CUstream* stream, unsigned flags);
  CUresult (*destroy_stream)(CUstream stream);
  CUresult (*wait_event)(CUstream stream, CUevent event, unsigned flags);
  CUresult (*alloc)(CUdeviceptr* memory, std::size_t bytes);
  CUresult (*free)(CUdeviceptr memory);
  CUresult (*copy_peer)(CUdeviceptr to, CUcontext to_context, CUdeviceptr from,
                        CUcontext from_context, std::size_t bytes, CUstream stream);
  CUresult (*can_access_peer)(int* can, CUdevice device, CUdevice peer);
  CUresult (*enable_peer_access)(CUcontext peer, unsigned flags);
  CUresult (*alloc_host)(void** memory, std::size_t bytes);
  CUresult (*free_host)(void* memory);
  CUresult (*pointer_attribute)(void* value, CUpointer_attribute attribute, CUdeviceptr pointer);
};

/// Opened with the first call, never closed; nullptr where there is no driver, or one that
/// GStreamer cannot use. Thread-safe.
const CudaDriver* cuda_driver();

/// Device: what one of its functions answered to `step`.
Error driver_failed(const std::string& step, CUresult result);

/// The context that LibTorch, and all of CUDA's runtime, uses on a GPU; nullptr: it cannot be had.
/// Kept for the rest of the process, as LibTorch keeps it. Thread-safe.
CUcontext primary_context(int device);

/// Of a context of GStreamer's. Needs a driver.
CUcontext handle_of(GstCudaContext* context);

/// A new reference.
inline GstCudaContext* referenced(GstCudaContext* context) {
  return static_cast<GstCudaContext*>(gst_object_ref(context));
}

/// A context that is current as long as the object lives; false: it cannot be. Needs a driver.
class CurrentContext {
 public:
  explicit CurrentContext(CUcontext context)
      : pushed_(cuda_driver()->push(context) == CUDA_SUCCESS) {}
  explicit CurrentContext(GstCudaContext* context) : CurrentContext(handle_of(context)) {}
  ~CurrentContext() {
    CUcontext popped = nullptr;
    if (pushed_) cuda_driver()->pop(&popped);
  }
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;
  explicit operator bool() const { return pushed_; }

 private:
  const bool pushed_;
};

/// The GPU of a context.
int device_of(GstCudaContext* context);

}  // namespace tv
