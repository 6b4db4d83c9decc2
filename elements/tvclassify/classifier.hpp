// The door between the streaming thread and the model: one worker thread that loads, then
// classifies. No GStreamer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "elements/inference/engine.hpp"
#include "elements/tvclassify/classify.hpp"

namespace tv {

/// Owns the worker. All calls of the model happen on it, so that LibTorch sees one thread however
/// often the streaming thread changes. The public functions are thread-safe; classify() serves one
/// caller at a time.
///
/// The loader and the listener belong to the worker, which lets go of them when loading has ended.
/// What they refer to must be theirs: a listener may be the one who destroys the classifier, and
/// then runs on.
class Classifier {
 public:
  /// Blocks until the model is ready; called on the worker. FetchOptions carry progress and the
  /// cancel flag.
  using Loader = std::function<Result<inference::ReadyModel>(const FetchOptions&)>;

  /// Called on the worker with no lock held: started first, then exactly one of loaded, failed and
  /// cancelled, once, as the last. loaded sees all but the model itself, which is in use by then.
  struct Listener {
    std::function<void()> started;
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
  /// Waits for the worker: for an inference to its end, for loading until it notices the cancel.
  /// Not for the listener that destroys the classifier, nor long for one that, on the worker, waits
  /// for the destroying thread: the worker then ends by itself.
  ~Classifier();
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  /// Waits for the end of loading, or for an interruption.
  Readiness wait_ready();

  /// Classifies one frame and waits for it; the frame must stay mapped meanwhile. Not
  /// interruptible: it takes as long as one inference. Call it after wait_ready() said kReady.
  /// Fails: Cancelled after close(), Flow::classify()'s.
  Result<Scores> classify(const FrameView& frame, int k);

  /// sha256 of the weight file, empty for random initialisation. Call it after wait_ready() said
  /// kReady.
  std::string sha256() const;

  /// While true, wait_ready() returns at once.
  void set_flushing(bool flushing);
  /// Cancels a download, lets a running inference end, and makes everybody return. Does not wait.
  void close();

 private:
  struct Shared;
  class Worker;

  const std::shared_ptr<Shared> shared_;
  std::thread worker_;
};

}  // namespace tv
