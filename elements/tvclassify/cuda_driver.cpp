#include "elements/tvclassify/cuda_driver.hpp"

#include <dlfcn.h>

#include <map>
#include <mutex>
#include <type_traits>

#include "elements/common/log.hpp"
#include "elements/tvclassify/gst_cuda.hpp"

namespace tv {
namespace {

// GStreamer 1.22 offers neither events nor the primary context, and takes sizes of 32 bits alone.
// Every driver since CUDA 4 has all of these.
const CudaDriver* open_driver() {
  // Without it, functions of GStreamer's CUDA library abort.
  if (!gst_cuda() || !gst_cuda()->cuda_load_library()) return nullptr;
  void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) return nullptr;
  static CudaDriver driver;
  bool complete = true;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (!function) GST_INFO("the CUDA driver has no function %s", name);
    complete = complete && function;
  };
  find(driver.init, "cuInit");
  find(driver.retain_primary, "cuDevicePrimaryCtxRetain");
  find(driver.push, "cuCtxPushCurrent_v2");
  find(driver.pop, "cuCtxPopCurrent_v2");
  find(driver.create_event, "cuEventCreate");
  find(driver.record_event, "cuEventRecord");
  find(driver.destroy_event, "cuEventDestroy_v2");
  find(driver.synchronize_event, "cuEventSynchronize");
  find(driver.create_stream, "cuStreamCreate");
  find(driver.destroy_stream, "cuStreamDestroy_v2");
  find(driver.wait_event, "cuStreamWaitEvent");
  find(driver.alloc, "cuMemAlloc_v2");
  find(driver.free, "cuMemFree_v2");
  find(driver.copy_peer, "cuMemcpyPeerAsync");
  find(driver.can_access_peer, "cuDeviceCanAccessPeer");
  find(driver.enable_peer_access, "cuCtxEnablePeerAccess");
  find(driver.alloc_host, "cuMemAllocHost_v2");
  find(driver.free_host, "cuMemFreeHost");
  find(driver.pointer_attribute, "cuPointerGetAttribute");
  if (!complete) return nullptr;
  if (const CUresult result = driver.init(0); result != CUDA_SUCCESS) {
    GST_INFO("the CUDA driver does not start: error %d", static_cast<int>(result));
    return nullptr;
  }
  return &driver;
}

}  // namespace

const CudaDriver* cuda_driver() {
  static const CudaDriver* const kDriver = open_driver();
  return kDriver;
}

Error driver_failed(const std::string& step, CUresult result) {
  return {Code::kDevice, step + ": error " + std::to_string(static_cast<int>(result)),
          "see what nvidia-smi and GST_DEBUG=cuda*:5 say"};
}

CUcontext primary_context(int device) {
  struct Kept {
    std::mutex mutex;
    std::map<int, CUcontext> contexts;
  };
  static auto* const kKept = new Kept;  // outlives every thread
  const CudaDriver* const driver = cuda_driver();
  if (!driver) return nullptr;
  const std::lock_guard lock(kKept->mutex);
  CUcontext& context = kKept->contexts[device];
  if (context) return context;
  // A CUdevice is the GPU's number.
  if (const CUresult result = driver->retain_primary(&context, device); result != CUDA_SUCCESS) {
    GST_INFO("no primary context of GPU %d: error %d", device, static_cast<int>(result));
    context = nullptr;
  }
  return context;
}

CUcontext handle_of(GstCudaContext* context) {
  return static_cast<CUcontext>(gst_cuda()->cuda_context_get_handle(context));
}

int device_of(GstCudaContext* context) {
  guint device = 0;
  g_object_get(context, "cuda-device-id", &device, nullptr);
  return static_cast<int>(device);
}

}  // namespace tv
