// exit() destroys static objects while other threads run on. A gate lets threads into a library
// until the process exits; the exit then waits for those inside.
#pragma once

#include <unistd.h>

#include <atomic>

namespace tv::io {

/// Leak it: it must outlive everything. No function takes a lock, so that a forked child can use
/// it.
class ExitGate {
 public:
  /// False once the process is exiting; else leave() must follow.
  bool enter() {
    if ((state_.fetch_add(1) & kClosed) == 0) return true;
    leave();
    return false;
  }
  void leave() {
    state_.fetch_sub(1);
    state_.notify_all();
  }
  bool is_closed() const { return (state_.load() & kClosed) != 0; }

  /// Turns everybody away from now on and waits until `own` are inside, those of the calling
  /// thread. Call it from an atexit handler that was registered after the library's own. In a
  /// forked child it does nothing: the threads inside stayed in the parent.
  void close(unsigned own = 0) {
    if (process_ != getpid()) return;
    unsigned state = state_.fetch_or(kClosed) | kClosed;
    for (; (state & ~kClosed) > own; state = state_.load()) state_.wait(state);
  }

 private:
  static constexpr unsigned kClosed = 1U << 31;
  std::atomic<unsigned> state_{0};
  const pid_t process_ = getpid();
};

}  // namespace tv::io
