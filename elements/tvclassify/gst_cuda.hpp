// GStreamer's CUDA library, opened when frames or contexts of a GPU are at hand. Linked, it would
// bring OpenGL, X11 and Wayland into every process that loads the plugin (a dozen libraries, 8 ms),
// and a machine without them could not load it. Private to the cuda_* files.
#pragma once

#include <gst/cuda/gstcudabufferpool.h>
#include <gst/cuda/gstcudacontext.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/cuda/gstcudamemory.h>
#include <gst/cuda/gstcudautils.h>
#if GST_CHECK_VERSION(1, 24, 0)
#include <gst/cuda/gstcudastream.h>
#endif

namespace tv {

/// What we call, each by its name without "gst_".
struct GstCudaLibrary {
  decltype(&gst_cuda_load_library) cuda_load_library;
  decltype(&gst_cuda_context_new_wrapped) cuda_context_new_wrapped;
  decltype(&gst_cuda_context_get_handle) cuda_context_get_handle;
  decltype(&gst_context_new_cuda_context) context_new_cuda_context;
  decltype(&gst_cuda_handle_context_query) cuda_handle_context_query;
  decltype(&gst_cuda_handle_set_context) cuda_handle_set_context;
  decltype(&gst_cuda_memory_init_once) cuda_memory_init_once;
  decltype(&gst_cuda_buffer_pool_new) cuda_buffer_pool_new;
  decltype(&gst_is_cuda_memory) is_cuda_memory;
#if GST_CHECK_VERSION(1, 24, 0)
  decltype(&gst_cuda_memory_get_stream) cuda_memory_get_stream;
  decltype(&gst_cuda_stream_get_handle) cuda_stream_get_handle;
#endif
};

/// Opened with the first call, never closed: it registers types. nullptr: this machine has none, or
/// one without these functions. Thread-safe.
const GstCudaLibrary* gst_cuda();

}  // namespace tv
