// Streams that belong to one model alone. Call inside guarded().
#pragma once

#include <c10/cuda/CUDAStream.h>

namespace tv::inference {

/// LibTorch has 32 streams a device and gives them out in turn: two models could get the same one,
/// and what one launches would be recorded in the other's graph. Throws c10::Error. `urgent`: its
/// kernels go first.
c10::cuda::CUDAStream lease_stream(c10::DeviceIndex device, bool urgent);
/// For the next one who wants such a stream: LibTorch's allocator and workspaces know it by then.
/// Nothing is under way on it.
void return_stream(c10::cuda::CUDAStream stream, bool urgent);

}  // namespace tv::inference
