#include "elements/tvclassify/gst_cuda.hpp"

#include <dlfcn.h>

#include <type_traits>

#include "elements/common/log.hpp"

namespace tv {
namespace {

const GstCudaLibrary* open_library() {
  // The same copy as that of GStreamer's own elements.
  void* const module = dlopen("libgstcuda-1.0.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!module) {
    GST_INFO("no GStreamer library for CUDA: %s", dlerror());
    return nullptr;
  }
  static GstCudaLibrary library;
  bool complete = true;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(module, name));
    if (!function) GST_WARNING("GStreamer's library for CUDA has no function %s", name);
    complete = complete && function;
  };
#define FIND(name) find(library.name, "gst_" #name)
  FIND(cuda_load_library);
  FIND(cuda_context_new_wrapped);
  FIND(cuda_context_get_handle);
  FIND(context_new_cuda_context);
  FIND(cuda_handle_context_query);
  FIND(cuda_handle_set_context);
  FIND(cuda_memory_init_once);
  FIND(cuda_buffer_pool_new);
  FIND(is_cuda_memory);
#if GST_CHECK_VERSION(1, 24, 0)
  FIND(cuda_memory_get_stream);
  FIND(cuda_stream_get_handle);
#endif
#undef FIND
  return complete ? &library : nullptr;
}

}  // namespace

const GstCudaLibrary* gst_cuda() {
  static const GstCudaLibrary* const kLibrary = open_library();
  return kLibrary;
}

}  // namespace tv
