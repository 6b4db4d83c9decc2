// A model on its way: one thread that waits for it on behalf of an element, and says how it goes.
// No GStreamer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "elements/inference/shared_model.hpp"
#include "model_registry/cancel.hpp"
#include "model_registry/error.hpp"

namespace tv {

/// Asks for a shared model, which may be there, be loading for somebody else, or be loaded now, and
/// tells a listener. The public functions are thread-safe.
///
/// The source and the listener belong to the thread, which lets go of them when loading has ended.
/// What they refer to must be theirs: a listener may be the one who destroys this, and then runs
/// on.
class Loading {
 public:
  /// Where the model comes from. Called on the thread, key first.
  struct Source {
    /// Of SharedModel::acquire(); may read files, and asks meanwhile whether it still matters.
    std::function<Result<std::string>(const CancelCheck&)> key;
    /// Asked for after the key, since that may have read what is to be loaded.
    std::function<inference::SharedModel::Load()> load;
  };

  /// Called on the thread with no lock held: started first, then exactly one of loaded, failed and
  /// cancelled, once, as the last. A started that finds no thread is followed by failed.
  struct Listener {
    std::function<void()> started;
    std::function<void(const inference::SharedModel&)> loaded;
    std::function<void(const Error&)> failed;
    std::function<void()> cancelled;
    std::function<void(std::uint64_t done, std::uint64_t total)> progress;
  };

  enum class Readiness : std::uint8_t {
    kReady,        ///< model() is there
    kFailed,       ///< the listener has been told why
    kInterrupted,  ///< flushing or closed
  };

  /// Starts the thread. Fails: Unavailable (none can be made); the listener then hears nothing.
  static Result<std::unique_ptr<Loading>> begin(Source source, Listener listener);
  /// The same. Throws std::system_error where no thread can be made.
  Loading(Source source, Listener listener);
  /// Closes, and waits for the thread. Not for the listener that destroys this, nor long for one
  /// that, on the thread, waits for the destroying thread: the thread then ends by itself.
  ~Loading();
  Loading(const Loading&) = delete;
  Loading& operator=(const Loading&) = delete;

  /// Waits for the end of loading, or for an interruption.
  Readiness wait_ready();
  /// Does not wait; kInterrupted: still loading, or closed.
  Readiness readiness() const;
  /// Gives the model away, so that it can end before this does; ready once and for all. nullptr
  /// unless ready, and the second time.
  std::shared_ptr<inference::SharedModel> take_model();
  /// The listener has been told the last; destroying this waits for nobody.
  bool has_ended() const;

  /// While true, wait_ready() returns at once.
  void set_flushing(bool flushing);
  /// Gives up: wait_ready() returns, and a model that nobody else wants is cancelled. Does not
  /// wait.
  void close();

 private:
  struct Shared;
  class Thread;

  const std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace tv
