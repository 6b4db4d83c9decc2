// The error of a thread that the system refuses. No GLib, no LibTorch.
#pragma once

#include <string>
#include <string_view>
#include <system_error>

#include "model_registry/error.hpp"

namespace tv::inference {

/// Unavailable: what std::thread's constructor threw, and what the thread was for ("that loads").
inline Error no_thread(std::string_view purpose, const std::system_error& error) {
  return {Code::kUnavailable,
          "cannot start a thread " + std::string(purpose) + ": " + error.code().message(),
          "this process, its user or its container has too many threads: end some, or raise the "
          "limit (ulimit -u, pids.max)"};
}

}  // namespace tv::inference
