// One picture on its way through the network. No GLib, no LibTorch.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "elements/inference/ordered_queue.hpp"
#include "elements/inference/picture.hpp"
#include "elements/inference/score.hpp"
#include "model_registry/error.hpp"

namespace tv::inference {

/// Who makes it fills input, or picture where the model takes frames, submits it, and reads the
/// rest when the completion has come.
struct Job {
  using Clock = std::chrono::steady_clock;

  std::vector<float> input;        ///< [3, side, side]
  std::optional<Picture> picture;  ///< empty again when it has been read
  /// With a picture: how many classes are asked for; 0: all logits.
  unsigned top_k = 0;

  /// Told once, when the job is done; then let go of.
  std::shared_ptr<Completion> completion;
  std::uint64_t id = 0;  ///< what the completion calls it

  std::vector<float> logits;   ///< [classes]; empty when there is an error, or in favour of `top`
  std::vector<Score> top;      ///< the top_k best ones, best first, where some were asked for
  std::optional<Error> error;  ///< Cancelled: the model has ended
  unsigned batch = 0;          ///< pictures that ran together with it, itself included
  Clock::time_point submitted, begun, ended;
  /// Set before the completion is told, for who no longer waits for it. False for a cancelled job.
  std::atomic<bool> done{false};

  bool answered() const { return !logits.empty() || !top.empty(); }

  /// What finishes a job: tells its completion, with nothing of it touched afterwards. However it
  /// ended, its pixels are not needed any longer.
  void finish() {
    picture.reset();
    const std::shared_ptr<Completion> told = std::move(completion);
    const std::uint64_t told_id = id;
    done.store(true, std::memory_order_release);
    if (told) told->complete(told_id);
  }
};

using JobRef = std::shared_ptr<Job>;

/// Gives jobs out and takes them back when nobody holds them: their memory, about a megabyte each,
/// is used again, and with it that of the count of their owners. Thread-safe; may go before its
/// jobs.
class JobPool {
 public:
  explicit JobPool(std::size_t input_size) : shared_(std::make_shared<Shared>()) {
    shared_->input_size = input_size;
  }

  JobRef make() {
    std::unique_ptr<Pooled> job;
    {
      const std::lock_guard lock(shared_->mutex);
      if (!shared_->idle.empty()) {
        job = std::move(shared_->idle.back());
        shared_->idle.pop_back();
      }
    }
    if (!job) job = std::make_unique<Pooled>(shared_);
    job->input.resize(shared_->input_size);
    Pooled* const given = job.release();
    // What comes last in the life of a shared_ptr is that the memory of its count is given back.
    return {given, [](Job*) {}, InPlace<Job>(given)};
  }

 private:
  static constexpr std::size_t kMostIdle = 64;
  struct Pooled;
  struct Shared {
    Shared() { idle.reserve(kMostIdle); }
    std::mutex mutex;
    std::vector<std::unique_ptr<Pooled>> idle;
    std::size_t input_size = 0;
  };
  /// A job with room for the count of its owners.
  struct Pooled : Job {
    explicit Pooled(std::weak_ptr<Shared> its) : pool(std::move(its)) {}
    const std::weak_ptr<Shared> pool;
    alignas(std::max_align_t) std::array<std::byte, 64> owners;
  };
  /// Allocates in the job, and takes the job back where std::allocator would free.
  template <typename T>
  struct InPlace {
    using value_type = T;
    explicit InPlace(Pooled* its) : job(its) {}
    template <typename U>
    InPlace(const InPlace<U>& other) : job(other.job) {}
    template <typename U>
    bool operator==(const InPlace<U>& other) const {
      return job == other.job;
    }
    T* allocate(std::size_t) {
      static_assert(sizeof(T) <= sizeof(Pooled::owners) && alignof(T) <= alignof(std::max_align_t));
      return reinterpret_cast<T*>(job->owners.data());
    }
    void deallocate(T*, std::size_t) { take_back(std::unique_ptr<Pooled>(job)); }
    Pooled* job;
  };

  static void take_back(std::unique_ptr<Pooled> used) {
    used->completion.reset();
    used->picture.reset();
    used->top_k = 0;
    used->logits.clear();
    used->top.clear();
    used->error.reset();
    used->done.store(false, std::memory_order_relaxed);
    const std::shared_ptr<Shared> pool = used->pool.lock();
    if (!pool) return;
    const std::lock_guard lock(pool->mutex);
    if (pool->idle.size() < kMostIdle) pool->idle.push_back(std::move(used));
  }

  std::shared_ptr<Shared> shared_;
};

}  // namespace tv::inference
