// Who waits for jobs in the tests of the concurrency core.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "elements/inference/ordered_queue.hpp"

namespace tv::test {

/// Told of jobs; counts them.
class Told final : public inference::Completion {
 public:
  void complete(std::uint64_t id) override {
    const std::lock_guard lock(mutex_);
    ids_.push_back(id);
    changed_.notify_all();
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ids_.size() >= count; });
  }
  std::vector<std::uint64_t> ids() {
    const std::lock_guard lock(mutex_);
    return ids_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint64_t> ids_;
};

}  // namespace tv::test
