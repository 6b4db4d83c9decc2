// Errors are values: every fallible function of gst-torchvision returns Result<T>.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace tv {

/// What kind of failure it was; decides the GError domain and code on the bus and the exit status
/// of tvmodels.
enum class Code : std::uint8_t {
  kInvalidArgument,  ///< a value the caller gave is out of range or contradicts another
  kNotFound,         ///< no such weights, builder, entry or file
  kUnreadable,       ///< a file exists but cannot be opened or read (permission, directory, FIFO,
                     ///< network)
  kBadCheckpoint,    ///< the bytes are no weight file, or its tensors do not fit the graph
  kBadDigest,        ///< the bytes are not the ones that the registry promises
  kNoSpace,          ///< disk full, quota, file size limit
  kUnwritable,       ///< cache directory absent, read-only or owned by somebody else
  kUnsupported,      ///< valid, but this version or build cannot do it
  kUnavailable,      ///< a backend library or a device is missing
  kDevice,           ///< the device failed (out of memory); another call may succeed
  kDeviceLost,       ///< the device is of no use to this process any more
  kCancelled,        ///< the caller asked to stop
  kInternal,         ///< a bug of ours: please report
};

/// The stable lower-case name of a code, as printed by tvmodels and asserted by tests
/// ("not-found").
constexpr std::string_view code_name(Code code) {
  constexpr std::string_view kNames[] = {
      "invalid-argument", "not-found",  "unreadable",  "bad-checkpoint", "bad-digest",
      "no-space",         "unwritable", "unsupported", "unavailable",    "device",
      "device-lost",      "cancelled",  "internal"};
  return kNames[static_cast<std::size_t>(code)];
}

/// A failure. `what` names the thing, what was expected and what was found; `hint` says what to do
/// about it (may be empty). Both are single-line UTF-8 without a trailing full stop and never carry
/// a C++ backtrace or a secret.
struct Error {
  Code code = Code::kInternal;
  std::string what;
  std::string hint;

  /// "what (hint)" for one-line output.
  std::string text() const { return hint.empty() ? what : what + " (" + hint + ")"; }
};

/// A T or an Error. Test it before use: `if (!r) return r.error();`.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  T& value() {
    assert(*this);
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    assert(*this);
    return *std::get_if<0>(&state_);
  }
  Error& error() {
    assert(!*this);
    return *std::get_if<1>(&state_);
  }
  const Error& error() const {
    assert(!*this);
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

/// Success, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return !error_; }
  Error& error() { return *error_; }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace tv

/// Returns the error of `expr` (a Result) to the caller, if it has one.
#define TV_RETURN_IF_ERROR(expr)                                                     \
  do {                                                                               \
    if (auto tv_status_ = (expr); !tv_status_) return std::move(tv_status_.error()); \
  } while (false)

#define TV_CONCAT_INNER(a, b) a##b
#define TV_CONCAT(a, b) TV_CONCAT_INNER(a, b)

/// `TV_ASSIGN_OR_RETURN(auto x, f());`: declares x from the value of f(), or returns its error to
/// the caller.
#define TV_ASSIGN_OR_RETURN(decl, expr)                                                            \
  auto TV_CONCAT(tv_result_, __LINE__) = (expr);                                                   \
  if (!TV_CONCAT(tv_result_, __LINE__)) return std::move(TV_CONCAT(tv_result_, __LINE__).error()); \
  decl = std::move(*TV_CONCAT(tv_result_, __LINE__))
