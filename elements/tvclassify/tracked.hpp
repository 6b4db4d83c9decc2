// What is known of tracked objects, for the streaming thread and the source thread.
#pragma once

#include <cstdint>
#include <mutex>

#include "elements/tvclassify/reclassify.hpp"

namespace tv {

/// Reclassify under a lock. Thread-safe.
class TrackedObjects {
  template <typename F>
  auto locked(F&& body) {
    const std::lock_guard lock(mutex_);
    return body(all_);
  }

 public:
  std::uint64_t enter() {
    return locked([](Reclassify& all) { return all.enter(); });
  }
  void see(std::uint64_t object) {
    locked([&](Reclassify& all) { all.see(object); });
  }
  bool due(std::uint64_t object, unsigned interval) {
    return locked([&](Reclassify& all) { return all.due(object, interval); });
  }
  void note(std::uint64_t frame, std::uint64_t object, const FrameResult& result) {
    locked([&](Reclassify& all) { all.note(frame, object, result); });
  }
  FrameResult reused(std::uint64_t frame, std::uint64_t object) {
    return locked([&](Reclassify& all) { return all.reused(frame, object); });
  }
  void forget() {
    locked([](Reclassify& all) { all.forget(); });
  }

 private:
  std::mutex mutex_;
  Reclassify all_;
};

}  // namespace tv
