// GStreamer without its CUDA library: no frame lies in CUDA memory, and no context is known.
#include "elements/tvclassify/cuda_context.hpp"
#include "elements/tvclassify/cuda_memory.hpp"

namespace tv {

void add_cuda_caps(GstCaps*, const char*) {}

std::optional<CudaPlace> cuda_place(GstBuffer*) {
  return std::nullopt;
}

struct CudaFrames::State {};

CudaFrames::CudaFrames() = default;
CudaFrames::~CudaFrames() = default;
Result<std::optional<inference::Picture>> CudaFrames::map(GstBuffer*, const GstVideoInfo&,
                                                          const CudaPlace&, int) {
  return std::optional<inference::Picture>();
}

struct CudaContext::State {};

CudaContext::CudaContext() = default;
CudaContext::~CudaContext() = default;
void CudaContext::take(GstElement*, GstContext*, int) {}
bool CudaContext::ensure(GstElement*, int) {
  return false;
}
bool CudaContext::answer(GstElement*, GstQuery*, int) {
  return false;
}
void CudaContext::drop() {}
bool CudaContext::propose(GstElement*, GstQuery*, int, unsigned) {
  return false;
}

}  // namespace tv
