#include "elements/tvclassify/cuda_context.hpp"

#include <gst/video/video.h>

#include <mutex>
#include <string_view>
#include <utility>

#include "elements/common/gst_ptr.hpp"
#include "elements/common/log.hpp"
#include "elements/tvclassify/cuda_driver.hpp"
#include "elements/tvclassify/gst_cuda.hpp"
#include "elements/tvclassify/pinned_allocator.hpp"

namespace tv {
namespace {

struct Unref {
  template <typename T>
  void operator()(T* object) const {
    gst_object_unref(object);
  }
};
using ContextRef = std::unique_ptr<GstCudaContext, Unref>;
using PoolRef = std::unique_ptr<GstBufferPool, Unref>;

ContextRef another(const ContextRef& context) {
  return ContextRef(context ? referenced(context.get()) : nullptr);
}

/// What LibTorch uses, for others.
ContextRef wrap_primary(int device) {
  CUcontext const primary = primary_context(device);
  return ContextRef(primary ? gst_cuda()->cuda_context_new_wrapped(primary, device) : nullptr);
}

bool is_cuda(GstContext* context) {
  return gst_context_has_context_type(context, GST_CUDA_CONTEXT_TYPE);
}

/// What the element behind a pad has.
void ask_peer(GstElement* element, const char* pad_name) {
  GstPad* const pad = gst_element_get_static_pad(element, pad_name);
  GstQuery* const query = gst_query_new_context(GST_CUDA_CONTEXT_TYPE);
  GstContext* found = nullptr;
  if (gst_pad_peer_query(pad, query)) gst_query_parse_context(query, &found);
  if (found) gst_element_set_context(element, found);
  gst_query_unref(query);
  gst_object_unref(pad);
}

/// Of memory, in the answer to an ALLOCATION query.
bool has_pool(GstQuery* query) {
  for (guint i = 0; i < gst_query_get_n_allocation_pools(query); ++i) {
    GstBufferPool* pool = nullptr;
    gst_query_parse_nth_allocation_pool(query, i, &pool, nullptr, nullptr, nullptr);
    if (const PoolRef held(pool); held) return true;
  }
  return false;
}

bool propose_cuda_pool(GstQuery* query, GstCaps* caps, const GstVideoInfo& info,
                       GstCudaContext* context, guint depth) {
  guint size = static_cast<guint>(GST_VIDEO_INFO_SIZE(&info)), min = depth, max = 0;
  const bool named = gst_query_get_n_allocation_pools(query) > 0;
  if (named) gst_query_parse_nth_allocation_pool(query, 0, nullptr, nullptr, &min, &max);
  gst_cuda()->cuda_memory_init_once();  // the pool looks for its allocator by name
  const PoolRef pool(gst_cuda()->cuda_buffer_pool_new(context));
  if (!pool) return false;
  GstStructure* config = gst_buffer_pool_get_config(pool.get());
  gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
  gst_buffer_pool_config_set_params(config, caps, size, min, max);
  if (!gst_buffer_pool_set_config(pool.get(), config)) return false;
  // The GPU's rows are longer.
  config = gst_buffer_pool_get_config(pool.get());
  gst_buffer_pool_config_get_params(config, nullptr, &size, nullptr, nullptr);
  gst_structure_free(config);
  if (named)
    gst_query_set_nth_allocation_pool(query, 0, pool.get(), size, min, max);
  else
    gst_query_add_allocation_pool(query, pool.get(), size, min, max);
  return true;
}

/// As an allocator, not as a pool: the base classes make a pool of it, with the padding that a
/// decoder needs.
bool propose_pinned(GstQuery* query, GstCudaContext* context) {
  GstAllocationParams params;
  gst_allocation_params_init(&params);
  const bool named = gst_query_get_n_allocation_params(query) > 0;
  if (named) {
    GstAllocator* theirs = nullptr;
    gst_query_parse_nth_allocation_param(query, 0, &theirs, &params);
    if (const std::unique_ptr<GstAllocator, Unref> held(theirs); held) return false;
  }
  const std::unique_ptr<GstAllocator, Unref> ours(new_pinned_allocator(context));
  if (named)
    gst_query_set_nth_allocation_param(query, 0, ours.get(), &params);
  else
    gst_query_add_allocation_param(query, ours.get(), &params);
  return true;
}

}  // namespace

struct CudaContext::State {
  std::mutex mutex;
  ContextRef context;  // guarded

  /// Of that GPU; nullptr: there is none.
  ContextRef get(int device) {
    const std::lock_guard lock(mutex);
    return is_of(device) ? another(context) : nullptr;
  }
  /// Keeps it unless there is one. One of another GPU was for settings that have changed since.
  bool set(ContextRef made, int device) {
    const std::lock_guard lock(mutex);
    if (!made || is_of(device)) return false;
    std::swap(context, made);  // the other one goes with no lock held
    return true;
  }
  /// The one that there is, or the primary, of which the pipeline is told. nullptr: none.
  ContextRef make(GstElement* element, int device) {
    if (ContextRef found = get(device)) return found;
    if (!set(wrap_primary(device), device)) return get(device);
    ContextRef made = get(device);
    if (!made) return made;
    GST_INFO_OBJECT(element, "offers the primary context of GPU %d to the pipeline", device);
    GstContext* const told = gst_cuda()->context_new_cuda_context(made.get());
    gst_element_set_context(element, told);
    gst_element_post_message(element, gst_message_new_have_context(GST_OBJECT(element), told));
    return made;
  }

 private:
  bool is_of(int device) const { return context && device_of(context.get()) == device; }
};

CudaContext::CudaContext() : state_(std::make_unique<State>()) {}
CudaContext::~CudaContext() = default;

void CudaContext::take(GstElement* element, GstContext* context, int device) {
  if (!context || !is_cuda(context) || !gst_cuda() || state_->get(device)) return;
  GstCudaContext* found = nullptr;
  if (gst_cuda()->cuda_handle_set_context(element, context, device, &found))
    state_->set(ContextRef(found), device);
}

bool CudaContext::ensure(GstElement* element, int device) {
  if (!cuda_driver()) return false;
  for (const char* pad : {"src", "sink"})
    if (!state_->get(device)) ask_peer(element, pad);
  if (!state_->get(device))
    gst_element_post_message(
        element, gst_message_new_need_context(GST_OBJECT(element), GST_CUDA_CONTEXT_TYPE));
  return state_->make(element, device) != nullptr;
}

bool CudaContext::answer(GstElement* element, GstQuery* query, int device) {
  const gchar* type = nullptr;
  gst_query_parse_context_type(query, &type);
  if (!type || std::string_view(type) != GST_CUDA_CONTEXT_TYPE || !cuda_driver()) return false;
  const ContextRef context = state_->make(element, device);
  return context && gst_cuda()->cuda_handle_context_query(element, query, context.get());
}

void CudaContext::drop() {
  ContextRef last;  // let go of with no lock held
  const std::lock_guard lock(state_->mutex);
  last = std::move(state_->context);
}

bool CudaContext::propose(GstElement* element, GstQuery* query, int device, unsigned depth) {
  GstCaps* caps = nullptr;
  gst_query_parse_allocation(query, &caps, nullptr);
  GstVideoInfo info;
  if (!caps || !gst_video_info_from_caps(&info, caps) || has_pool(query)) return false;
  if (!cuda_driver()) return false;
  const ContextRef context = state_->make(element, device);
  if (!context) return false;
  const GstCapsFeatures* const features = gst_caps_get_features(caps, 0);
  if (gst_caps_features_contains(features, GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY))
    return propose_cuda_pool(query, caps, info, context.get(), depth);
  return propose_pinned(query, context.get());
}

}  // namespace tv
