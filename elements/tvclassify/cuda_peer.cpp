#include "elements/tvclassify/cuda_peer.hpp"

#include <string>
#include <utility>

#include "elements/common/log.hpp"
#include "elements/tvclassify/cuda_driver.hpp"

namespace tv {
namespace {

Error lost(int device) {
  return {Code::kDevice, "the primary context of GPU " + std::to_string(device) + " is lost", ""};
}

}  // namespace

/// A block in use.
struct PeerCopies::Lease {
  std::shared_ptr<PeerCopies> copies;
  Block block;
  std::shared_ptr<const void> source;

  Lease(std::shared_ptr<PeerCopies> from, const Block& taken, std::shared_ptr<const void> held)
      : copies(std::move(from)), block(taken), source(std::move(held)) {}
  ~Lease() {
    {
      const CurrentContext current(copies->context_);
      // Who has read the block has waited for the event, and this returns at once. The frame was
      // given up else, and its producer must not write into it while it is copied: a part of a
      // millisecond, once, rather than memory held back from a producer that waits for it.
      if (current) cuda_driver()->synchronize_event(block.written);
    }
    source.reset();
    copies->give_back(block);
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
};

Result<std::shared_ptr<PeerCopies>> PeerCopies::make(int device) {
  CUcontext const context = primary_context(device);
  if (!context) return lost(device);
  const CurrentContext current(context);
  if (!current) return lost(device);
  CUstream stream = nullptr;
  // Non-blocking: others wait for the legacy default stream, and it for them.
  if (const CUresult result = cuda_driver()->create_stream(&stream, CU_STREAM_NON_BLOCKING);
      result != CUDA_SUCCESS)
    return driver_failed("making a stream for copies of frames", result);
  return std::make_shared<PeerCopies>(Private{}, device, context, stream);
}

PeerCopies::~PeerCopies() {
  const CurrentContext current(context_);
  if (!current) return;  // lost, and all its memory with it
  for (const Block& block : idle_) release(block);
  cuda_driver()->destroy_stream(stream_);
}

/// Without it the driver leads copies between GPUs through the computer's memory, by itself.
/// A context that was made anew at the same place is missed, which costs time alone.
void PeerCopies::open_way(const PeerSource& source) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(way_to_, source.context) == source.context) return;
  }
  bool direct = source.device == device_;
  int can = 0;
  if (!direct && cuda_driver()->can_access_peer(&can, device_, source.device) == CUDA_SUCCESS &&
      can != 0) {
    const CUresult result = cuda_driver()->enable_peer_access(source.context, 0);
    direct = result == CUDA_SUCCESS || result == CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
  }
  GST_INFO("frames of another context, on GPU %d, are copied to GPU %d%s", source.device, device_,
           direct ? "" : ", by the driver's way through the computer's memory");
}

Result<PeerCopies::Block> PeerCopies::make_block(std::size_t bytes) {
  const CudaDriver& driver = *cuda_driver();
  Block block{.bytes = bytes};
  if (const CUresult result = driver.alloc(&block.at, bytes); result != CUDA_SUCCESS)
    return driver_failed("memory for a copy of a frame of " + std::to_string(bytes) +
                             " bytes on GPU " + std::to_string(device_),
                         result);
  // Whoever waits for it sleeps.
  if (const CUresult result =
          driver.create_event(&block.written, CU_EVENT_DISABLE_TIMING | CU_EVENT_BLOCKING_SYNC);
      result != CUDA_SUCCESS) {
    driver.free(block.at);
    return driver_failed("making an event for a copy of a frame", result);
  }
  return block;
}

void PeerCopies::release(const Block& block) {
  cuda_driver()->destroy_event(block.written);
  cuda_driver()->free(block.at);
}

/// Needs the context.
Result<PeerCopies::Block> PeerCopies::take(std::size_t bytes) {
  std::vector<Block> small;
  std::size_t wanted = 0;
  {
    const std::lock_guard lock(mutex_);
    if (bytes > wanted_) {
      wanted_ = bytes;
      small.swap(idle_);
      blocks_ -= small.size();
    }
    if (!idle_.empty()) {
      const Block found = idle_.back();
      idle_.pop_back();
      return found;
    }
    idle_.reserve(blocks_ + 1);  // so that giving back never fails
    ++blocks_;
    wanted = wanted_;
  }
  for (const Block& block : small) release(block);
  Result<Block> made = make_block(wanted);
  if (!made) {
    const std::lock_guard lock(mutex_);
    --blocks_;
  }
  return made;
}

void PeerCopies::give_back(const Block& block) {
  {
    const std::lock_guard lock(mutex_);
    if (block.bytes == wanted_) {
      idle_.push_back(block);
      return;
    }
    --blocks_;
  }
  const CurrentContext current(context_);
  if (current) release(block);
}

Result<PeerCopy> PeerCopies::copy(const PeerSource& source) {
  const CudaDriver& driver = *cuda_driver();
  const CurrentContext current(context_);
  if (!current) return lost(device_);
  open_way(source);
  TV_ASSIGN_OR_RETURN(const Block block, take(source.bytes));
  // Gives the block back, however this ends.
  auto lease = std::make_shared<Lease>(shared_from_this(), block, source.owner);
  if (source.written)
    if (const CUresult result = driver.wait_event(stream_, source.written, 0);
        result != CUDA_SUCCESS)
      return driver_failed(
          "waiting for what writes a frame on GPU " + std::to_string(source.device), result);
  if (const CUresult result =
          driver.copy_peer(block.at, context_, source.at, source.context, source.bytes, stream_);
      result != CUDA_SUCCESS)
    return driver_failed("copying a frame of GPU " + std::to_string(source.device) + " to GPU " +
                             std::to_string(device_),
                         result);
  // Fails after an error alone that ended the context, in which nothing is copied any longer.
  if (const CUresult result = driver.record_event(block.written, stream_); result != CUDA_SUCCESS)
    return driver_failed("recording an event behind a copy of a frame", result);
  return PeerCopy{.at = block.at, .written = block.written, .owner = std::move(lease)};
}

}  // namespace tv
