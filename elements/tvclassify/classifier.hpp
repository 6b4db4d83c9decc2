// The door between the streaming thread and the model: one worker thread that loads, then
// classifies. No GStreamer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "elements/inference/engine.hpp"
#include "elements/tvclassify/classify.hpp"

namespace tv {

/// Owns the worker. All calls of the model happen on it, so that LibTorch sees one thread however
/// often the streaming thread changes. The public functions are thread-safe; classify() serves one
/// caller at a time.
class Classifier {
 public:
  /// Blocks until the model is ready; called on the worker. FetchOptions carry progress and the
  /// cancel flag.
  using Loader = std::function<Result<inference::ReadyModel>(const FetchOptions&)>;

  /// Called on the worker with no lock held. Exactly one of loaded, failed and cancelled is called,
  /// once.
  struct Listener {
    std::function<void(const inference::ReadyModel&)> loaded;
    std::function<void(const Error&)> failed;
    std::function<void()> cancelled;
    std::function<void(std::uint64_t done, std::uint64_t total)> progress;
  };

  enum class Readiness : std::uint8_t {
    kReady,        ///< classify() can be called
    kFailed,       ///< the listener has been told why
    kInterrupted,  ///< flushing or closed
  };

  /// Starts the worker, which starts loading. Throws std::system_error where no thread can be made.
  Classifier(Loader loader, const Transforms& recipe, TransformsBackend backend, Listener listener);
  ~Classifier();
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  /// Waits for the end of loading, or for an interruption.
  Readiness wait_ready();

  /// Classifies one frame and waits for it; the frame must stay mapped meanwhile. Not
  /// interruptible: it takes as long as one inference. Call it after wait_ready() said kReady.
  /// Fails: Cancelled after close(), Flow::classify()'s.
  Result<Scores> classify(const FrameView& frame, int k);

  /// While true, wait_ready() returns at once.
  void set_flushing(bool flushing);
  /// Cancels a download, lets a running inference end, and makes everybody return. Does not wait.
  void close();

 private:
  enum class Phase : std::uint8_t { kLoading, kReady, kFailed };
  struct Job {
    const FrameView* frame = nullptr;
    int k = 0;
  };

  void work();
  std::optional<Flow> load();
  Result<Scores> run_guarded(Flow& flow, const Job& job);

  const Loader loader_;
  const Transforms recipe_;
  const TransformsBackend backend_;
  const Listener listener_;

  std::mutex mutex_;                 // guards what follows
  std::condition_variable changed_;  // any of it changed
  Phase phase_ = Phase::kLoading;
  bool flushing_ = false;
  bool closed_ = false;
  std::optional<Job> job_;               // taken by the worker
  std::optional<Result<Scores>> reply_;  // taken by classify()

  std::atomic<bool> cancel_{false};  // read by the download
  std::thread worker_;               // last: it sees everything above
};

}  // namespace tv
