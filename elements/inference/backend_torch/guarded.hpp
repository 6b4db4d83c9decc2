// The one door between Result<T> and LibTorch: every call into LibTorch runs inside guarded().
#pragma once

#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "model_registry/error.hpp"

namespace tv::inference {

/// Leave to call LibTorch, from construction to destruction: refused in a forked child (LibTorch's
/// threads are not there) and while the process exits (its static objects are going). Also sets
/// what LibTorch keeps per thread.
class Session {
 public:
  explicit Session(std::string_view doing);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  explicit operator bool() const { return !error_; }
  Error& error() { return *error_; }

 private:
  struct Guards {
    c10::InferenceMode inference;
    c10::WarningUtils::WarningHandlerGuard silence;  // a library prints nothing
    Guards();
  };
  std::optional<Error> error_;
  std::optional<Guards> guards_;
};

/// The exception being handled, as an Error without a backtrace. Call it in a catch block.
Error current_exception_error(std::string_view doing);

/// Whether memory lacked.
bool is_out_of_memory(const Error& error);

/// Runs `body` (returns a Result) with leave to call LibTorch; the only place where exceptions are
/// caught. No tensor may leave the body. `doing` begins the message: "running resnet50".
template <typename F>
std::invoke_result_t<F> guarded(std::string_view doing, F&& body) {
  Session session(doing);
  if (!session) return std::move(session.error());
  try {
    return std::forward<F>(body)();
  } catch (const std::exception&) {  // c10::Error is one
    return current_exception_error(doing);
  }
}

/// Makes exit() wait for the call inside and turn away later ones. LibTorch and oneDNN create
/// static objects on the first use of an operator, and exit() destroys what was created last first:
/// call this after everything that may be a first use (a load, a shape's first run) and before
/// leaving guarded(), so that the wait comes before all of those. Costs some 32 bytes until the
/// process exits.
void arm_exit_gate();

/// Remembers this process as the one in which LibTorch's threads live.
void remember_process();

}  // namespace tv::inference
