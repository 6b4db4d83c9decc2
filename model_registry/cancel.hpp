// Work that takes long, and who may end it early.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "model_registry/error.hpp"

namespace tv {

/// Asked by who works, on its own thread, between steps that each take less than a second; true:
/// leave with Cancelled. Empty: nobody wants to know.
using CancelCheck = std::function<bool()>;

/// Fails: Cancelled, "`doing` was cancelled".
inline Status check_cancelled(const CancelCheck& cancelled, std::string_view doing) {
  if (!cancelled || !cancelled()) return {};
  return Error{Code::kCancelled, std::string(doing) + " was cancelled", ""};
}

}  // namespace tv
