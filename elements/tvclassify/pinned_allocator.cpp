#include "elements/tvclassify/pinned_allocator.hpp"

#include <memory>

#include "elements/common/log.hpp"
#include "elements/tvclassify/cuda_driver.hpp"

struct TvPinnedAllocator {
  GstAllocator parent;
  GstCudaContext* context;  // owned
};
struct TvPinnedAllocatorClass {
  GstAllocatorClass parent_class;
};

G_DEFINE_TYPE(TvPinnedAllocator, tv_pinned_allocator, GST_TYPE_ALLOCATOR)

namespace {

using namespace tv;

/// What a memory gives back.
struct Block {
  GstCudaContext* context;
  void* data;
};

void free_block(gpointer data) {
  const std::unique_ptr<Block> block(static_cast<Block*>(data));
  {
    const CurrentContext current(block->context);
    cuda_driver()->free_host(block->data);
  }
  gst_object_unref(block->context);
}

GstMemory* alloc(GstAllocator* allocator, gsize size, GstAllocationParams* params) {
  GstCudaContext* const context = reinterpret_cast<TvPinnedAllocator*>(allocator)->context;
  // Pages are aligned better than anybody asks.
  const gsize whole = params->prefix + size + params->padding;
  void* data = nullptr;
  {
    const CurrentContext current(context);
    if (!current || cuda_driver()->alloc_host(&data, whole) != CUDA_SUCCESS) data = nullptr;
  }
  if (!data) {
    GST_DEBUG("no pinned memory of %" G_GSIZE_FORMAT " bytes", whole);
    return gst_allocator_alloc(nullptr, size, params);
  }
  auto* const block = new Block{referenced(context), data};
  return gst_memory_new_wrapped(params->flags, data, whole, params->prefix, size, block,
                                free_block);
}

void finalize(GObject* object) {
  gst_object_unref(reinterpret_cast<TvPinnedAllocator*>(object)->context);
  G_OBJECT_CLASS(tv_pinned_allocator_parent_class)->finalize(object);
}

}  // namespace

static void tv_pinned_allocator_class_init(TvPinnedAllocatorClass* klass) {
  G_OBJECT_CLASS(klass)->finalize = finalize;
  // Its memories free themselves, as system memory.
  GST_ALLOCATOR_CLASS(klass)->alloc = alloc;
}

static void tv_pinned_allocator_init(TvPinnedAllocator* self) {
  GST_ALLOCATOR(self)->mem_type = GST_ALLOCATOR_SYSMEM;
}

namespace tv {

GstAllocator* new_pinned_allocator(GstCudaContext* context) {
  auto* const made = g_object_new(tv_pinned_allocator_get_type(), nullptr);
  reinterpret_cast<TvPinnedAllocator*>(made)->context = referenced(context);
  return GST_ALLOCATOR(gst_object_ref_sink(made));
}

}  // namespace tv
