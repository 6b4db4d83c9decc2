// Copies of frames into the memory of the model's GPU, for those that kernels cannot read where
// they lie: on another GPU, or in a context whose memory the driver keeps to itself. Private to the
// cuda_* files.
#pragma once

#include <cuda.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "model_registry/error.hpp"

namespace tv {

/// Bytes on a GPU.
struct PeerSource {
  CUdeviceptr at = 0;
  std::size_t bytes = 0;
  CUcontext context = nullptr;  ///< that they belong to
  int device = 0;               ///< the GPU of that context
  CUevent written = nullptr;    ///< behind what writes them; nullptr: they are written
  /// Keeps them as they are. Held until they have been copied.
  std::shared_ptr<const void> owner;
};

/// The same bytes on the model's GPU.
struct PeerCopy {
  CUdeviceptr at = 0;
  CUevent written = nullptr;  ///< behind the copy; owned by `owner`
  /// Keeps the block, and gives it back: on any thread, once the bytes have been read. Waits for
  /// the copy where nobody has, as when a frame is given up.
  std::shared_ptr<const void> owner;
};

/// One stream of frames. A copy costs the caller no waiting, and, but for the first ones, no memory
/// from the driver, whose functions for that wait for the whole GPU: blocks come back and are used
/// again. There are as many as copies were ever held at once, each as large as the largest so far;
/// they go with the last of the object and its copies. Thread-safe.
///
/// Another GPU's memory is always copied, also where kernels could read it directly: they would
/// keep multiprocessors waiting for the link, and read twice what neighbouring tiles share. A copy
/// engine goes over the link once, beside the network of the batch before.
class PeerCopies : public std::enable_shared_from_this<PeerCopies> {
  struct Private {};

 public:
  /// To that GPU, in the context that LibTorch uses. Fails: Device.
  static Result<std::shared_ptr<PeerCopies>> make(int device);
  PeerCopies(Private, int device, CUcontext context, CUstream stream)
      : device_(device), context_(context), stream_(stream) {}
  ~PeerCopies();
  PeerCopies(const PeerCopies&) = delete;
  PeerCopies& operator=(const PeerCopies&) = delete;

  /// Queues a copy behind `source.written`. Fails: Device; nothing is held then.
  Result<PeerCopy> copy(const PeerSource& source);
  int device() const { return device_; }

 private:
  struct Block {
    CUdeviceptr at = 0;
    std::size_t bytes = 0;
    CUevent written = nullptr;
  };
  struct Lease;

  void open_way(const PeerSource& source);
  Result<Block> take(std::size_t bytes);
  Result<Block> make_block(std::size_t bytes);
  void give_back(const Block& block);
  static void release(const Block& block);

  const int device_;
  CUcontext const context_;
  CUstream const stream_;

  std::mutex mutex_;  // guards what follows
  std::vector<Block> idle_;
  std::size_t blocks_ = 0;  // idle or in use
  std::size_t wanted_ = 0;  // bytes of a block; smaller ones are not kept
  CUcontext way_to_ = nullptr;
};

}  // namespace tv
