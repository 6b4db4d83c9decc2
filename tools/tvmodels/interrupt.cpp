#include "tools/tvmodels/interrupt.hpp"

#include <csignal>
#include <initializer_list>

namespace tv::cli {
namespace {

std::atomic<bool> stop{false};
std::atomic<int> caught{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may touch lock-free atomics only");

void on_signal(int signal) {
  caught = signal;
  stop = true;
}

}  // namespace

const std::atomic<bool>& interrupted() {
  static const bool installed = [] {
    for (const int signal : {SIGINT, SIGTERM}) {
      struct sigaction action {};
      action.sa_handler = on_signal;
      action.sa_flags = static_cast<int>(SA_RESETHAND);
      sigaction(signal, &action, nullptr);
    }
    return true;
  }();
  static_cast<void>(installed);
  return stop;
}

void end_if_interrupted() {
  if (caught == 0) return;
  std::signal(caught, SIG_DFL);
  std::raise(caught);
}

}  // namespace tv::cli
