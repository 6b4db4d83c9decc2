#include "elements/tvclassify/cuda_memory.hpp"

#include <cuda.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "elements/common/gst_ptr.hpp"
#include "elements/common/log.hpp"
#include "elements/tvclassify/cuda_driver.hpp"
#include "elements/tvclassify/cuda_peer.hpp"
#include "elements/tvclassify/frame.hpp"
#include "elements/tvclassify/gst_cuda.hpp"

namespace tv {
namespace {

// Those of tv::pixel_formats() that GStreamer's CUDA elements make.
constexpr const char* kFormats =
    "{ NV12, P010_10LE, I420, Y444, RGB, BGR, RGBA, BGRA, RGBx, BGRx, RGBP }";

/// An event in the context of the memory whose writes it follows.
class Event {
 public:
  Event(GstCudaContext* context, CUevent event) : context_(referenced(context)), event_(event) {}
  ~Event() {
    {
      const CurrentContext current(context_);
      // Also without: a context that cannot be made current has lost its events.
      cuda_driver()->destroy_event(event_);
    }
    gst_object_unref(context_);
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  CUevent get() const { return event_; }

 private:
  GstCudaContext* const context_;
  const CUevent event_;
};

/// The stream that writes the memory; nullptr: none, it is written when the buffer arrives.
CUstream stream_of([[maybe_unused]] GstCudaMemory* memory) {
#if GST_CHECK_VERSION(1, 24, 0)
  GstCudaStream* const stream = gst_cuda()->cuda_memory_get_stream(memory);
  return stream ? gst_cuda()->cuda_stream_get_handle(stream) : nullptr;
#else
  // Every element of GStreamer 1.22 waits for its stream before it pushes: the memory has none.
  return nullptr;
#endif
}

/// Records behind what the stream has been given so far; nullptr: nothing to wait for.
Result<std::unique_ptr<Event>> record_written(GstCudaMemory* memory) {
  CUstream const stream = stream_of(memory);
  if (!stream) return std::unique_ptr<Event>();
  const CurrentContext current(memory->context);
  if (!current) return Error{Code::kDevice, "the context of the frame's memory is lost", ""};
  const CudaDriver& driver = *cuda_driver();
  CUevent event = nullptr;
  if (const CUresult result = driver.create_event(&event, CU_EVENT_DISABLE_TIMING);
      result != CUDA_SUCCESS)
    return driver_failed("making an event for the frame's memory", result);
  auto owned = std::make_unique<Event>(memory->context, event);
  if (const CUresult result = driver.record_event(event, stream); result != CUDA_SUCCESS)
    return driver_failed("recording an event behind the frame's writes", result);
  return owned;
}

/// Whether kernels in LibTorch's context can read that address. Contexts of one GPU share its
/// addresses (unified addressing), but the driver has the last word.
bool is_readable(const GstCudaMemory* memory, const void* address, int device) {
  CUcontext const ours = primary_context(device);
  if (!ours) return false;
  if (handle_of(memory->context) == ours) return true;
  const CurrentContext current(ours);
  if (!current) return false;
  CUdeviceptr there = 0;
  const auto here = reinterpret_cast<CUdeviceptr>(address);
  return cuda_driver()->pointer_attribute(&there, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, here) ==
             CUDA_SUCCESS &&
         there == here;
}

/// In the order in which they are let go of, from the last to the first.
struct Held {
  BufferRef buffer;
  Frame frame;
  std::unique_ptr<Event> written;
};

/// From the first byte of the planes to the last; they lie in one memory.
std::span<const std::uint8_t> covered(const Frame& frame) {
  const std::uint8_t *begin = frame.mapped.plane(0).rows.data(), *end = begin;
  for (int p = 0; p < frame.mapped.planes(); ++p) {
    const std::span<const std::uint8_t> rows = frame.mapped.plane(p).rows;
    begin = std::min(begin, rows.data());
    end = std::max(end, rows.data() + rows.size());
  }
  return {begin, end};
}

}  // namespace

void add_cuda_caps(GstCaps* caps, const char* size) {
  const std::string text =
      std::string("video/x-raw(" GST_CAPS_FEATURE_MEMORY_CUDA_MEMORY "), format=(string)") +
      kFormats + size;
  gst_caps_append(caps, gst_caps_from_string(text.c_str()));
}

std::optional<CudaPlace> cuda_place(GstBuffer* buffer) {
  if (gst_buffer_n_memory(buffer) != 1) return std::nullopt;
  GstMemory* const memory = gst_buffer_peek_memory(buffer, 0);
  // By name first: whoever made such memory has opened the library.
  if (!gst_memory_is_type(memory, GST_CUDA_MEMORY_TYPE_NAME) || !gst_cuda() ||
      !gst_cuda()->is_cuda_memory(memory))
    return std::nullopt;
  const GstCudaMemory* const cuda = GST_CUDA_MEMORY_CAST(memory);
  return CudaPlace{.device = device_of(cuda->context), .layout = &cuda->info};
}

struct CudaFrames::State {
  std::shared_ptr<PeerCopies> copies;  // made when the first frame needs it
  bool told_of_failure = false;

  /// The same view of a copy on that GPU. Fails: Device.
  Result<inference::Picture> copy(const GstCudaMemory* memory, const std::shared_ptr<Held>& held,
                                  int from, int gpu) {
    if (!copies || copies->device() != gpu) {
      TV_ASSIGN_OR_RETURN(copies, PeerCopies::make(gpu));
    }
    const std::span<const std::uint8_t> bytes = covered(held->frame);
    TV_ASSIGN_OR_RETURN(PeerCopy copy,
                        copies->copy({.at = reinterpret_cast<CUdeviceptr>(bytes.data()),
                                      .bytes = bytes.size(),
                                      .context = handle_of(memory->context),
                                      .device = from,
                                      .written = held->written ? held->written->get() : nullptr,
                                      .owner = held}));
    inference::Picture picture{.view = held->frame.view,
                               .on_device = true,
                               .written = copy.written,
                               .plan = nullptr,
                               .pixels = std::move(copy.owner)};
    for (auto& plane : picture.view.planes)
      if (plane.data)
        plane.data = reinterpret_cast<const std::uint8_t*>(copy.at) + (plane.data - bytes.data());
    return picture;
  }
};

CudaFrames::CudaFrames() : state_(std::make_unique<State>()) {}
CudaFrames::~CudaFrames() = default;

Result<std::optional<inference::Picture>> CudaFrames::map(GstBuffer* buffer,
                                                          const GstVideoInfo& info,
                                                          const CudaPlace& place, int gpu) {
  if (!cuda_driver()) return std::optional<inference::Picture>();
  GstCudaMemory* const memory = GST_CUDA_MEMORY_CAST(gst_buffer_peek_memory(buffer, 0));
  const Mapping mapping{.flags = guint{GST_MAP_READ} | guint{GST_MAP_CUDA}, .layout = place.layout};
  TV_ASSIGN_OR_RETURN(Frame frame, map_frame(buffer, info, mapping));
  const bool readable =
      place.device == gpu && is_readable(memory, frame.view.planes[0].data, place.device);
  // After mapping: that may have uploaded what the CPU wrote.
  TV_ASSIGN_OR_RETURN(std::unique_ptr<Event> written, record_written(memory));
  const auto held = std::make_shared<Held>(
      Held{BufferRef(gst_buffer_ref(buffer)), std::move(frame), std::move(written)});
  if (readable)
    return std::optional(
        inference::Picture{.view = held->frame.view,
                           .on_device = true,
                           .written = held->written ? held->written->get() : nullptr,
                           .plan = nullptr,
                           .pixels = held});
  Result<inference::Picture> copy = state_->copy(memory, held, place.device, gpu);
  if (copy) return std::optional(std::move(*copy));
  if (!std::exchange(state_->told_of_failure, true))
    GST_WARNING("no copy from GPU to GPU: %s", copy.error().text().c_str());
  return std::optional<inference::Picture>();
}

}  // namespace tv
