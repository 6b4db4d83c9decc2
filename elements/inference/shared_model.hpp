// A loaded model with its thread, for all streams that want the same one. No GLib, no LibTorch.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

#include "elements/inference/batcher.hpp"
#include "elements/inference/job.hpp"
#include "model_registry/error.hpp"

namespace tv::inference {

/// What loading gives.
struct Runnable {
  std::unique_ptr<BatchRunner> runner;
  std::size_t input_size = 0;  ///< floats of one picture; 0 for one that takes frames
  bool takes_frames = false;   ///< jobs have pictures instead of inputs
  std::string sha256 = {};     ///< of the weight file; empty for random initialisation
  std::string device = {};     ///< "cpu", "cuda:0"
  std::string why_cpu = {};    ///< when nobody asked for the CPU: why it is no GPU; else empty
  std::chrono::nanoseconds first_inference{0};  ///< measured while warming up; 0: not known
};

/// Loads on a thread of its own and then runs every batch there, because LibTorch keeps caches by
/// thread. Ends with its last owner, who waits: for an inference to its end, for loading until it
/// notices the cancel. Thread-safe.
class SharedModel {
 public:
  /// What a loader sees of those who wait for it.
  struct Progress {
    const std::atomic<bool>& cancelled;
    std::function<void(std::uint64_t done, std::uint64_t total)> report;
  };
  /// Called once, on the model's thread. An exception becomes an Internal error.
  using Load = std::function<Result<Runnable>(const Progress&)>;

  /// Told, on the model's thread and with no lock held, that phase() or progress() is another.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void model_changed() = 0;
  };

  /// The model of that key which this process has or is loading; else a new one. One that failed
  /// is not given out again, nor one of a process that forked this one. An empty key is nobody
  /// else's. Fails: Unavailable (no thread can be made).
  static Result<std::shared_ptr<SharedModel>> acquire(const std::string& key, Load load);

  ~SharedModel();
  SharedModel(const SharedModel&) = delete;
  SharedModel& operator=(const SharedModel&) = delete;

  enum class Phase : std::uint8_t { kLoading, kReady, kFailed };
  Phase phase() const;
  /// Why it failed.
  Error error() const;
  /// How far a download is: bytes so far, and of all (0: unknown).
  std::pair<std::uint64_t, std::uint64_t> progress() const;
  /// Tells the watcher of every change from now on, as long as it lives.
  void watch(std::weak_ptr<Watcher> watcher);

  // Ready alone:
  /// Jobs are to have a picture instead of an input.
  bool takes_frames() const { return loaded_.takes_frames; }
  const std::string& sha256() const { return loaded_.sha256; }
  const std::string& device() const { return loaded_.device; }
  const std::string& why_cpu() const { return loaded_.why_cpu; }
  std::chrono::nanoseconds first_inference() const { return loaded_.first_inference; }
  /// A job with room for a picture.
  JobRef make_job() { return pool_->make(); }
  /// Batcher::submit(). In a process that was forked from the one that loaded the model, which has
  /// no thread of it, the jobs fail with Unavailable.
  void submit(Batcher::StreamId stream, std::span<JobRef> jobs);
  void submit(Batcher::StreamId stream, JobRef job) { submit(stream, std::span(&job, 1)); }

  /// The streams; usable in every phase.
  Batcher& batcher() { return batcher_; }

 private:
  SharedModel(std::string key, Load load);
  void serve(const Load& load);
  void tell();

  const std::string key_;
  const pid_t process_;
  Batcher batcher_;
  std::atomic<bool> cancelled_{false};
  mutable std::mutex mutex_;  // guards what follows up to the next line
  Phase phase_ = Phase::kLoading;
  Error error_;
  std::uint64_t done_ = 0, total_ = 0;
  std::vector<std::weak_ptr<Watcher>> watchers_;
  // Written before the phase is ready, read after.
  Runnable loaded_;
  std::unique_ptr<JobPool> pool_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace tv::inference
