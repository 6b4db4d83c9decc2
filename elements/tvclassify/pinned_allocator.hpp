// Pinned memory of the computer's, from which a GPU copies by itself. Private to the cuda_* files.
#pragma once

#include <gst/cuda/gstcudacontext.h>
#include <gst/gst.h>

namespace tv {

/// A new reference. Its memory is system memory to everybody; the allocator and each memory hold
/// the context. Where the driver has none left, gives ordinary memory instead.
GstAllocator* new_pinned_allocator(GstCudaContext* context);

}  // namespace tv
