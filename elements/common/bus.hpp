// Errors to the bus: the only place that posts ERROR and WARNING messages. Call with no lock held.
// Threads of ours go through announcer.hpp.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <exception>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include "model_registry/error.hpp"

namespace tv {

/// Where the failure happened; it decides between two readings of the same code.
enum class Stage : std::uint8_t {
  kSettings,  ///< what the user asked for: property values, names
  kLoad,      ///< finding, reading and building the model
  kCaps,      ///< negotiation
  kFrame,     ///< one frame
};

/// A GError's domain and code, which applications compare.
struct BusCode {
  GQuark domain;
  int code;
};

/// The table of docs/element.md.
BusCode bus_code(Code code, Stage stage);

/// Posts one ERROR message: text "what (hint)"; debug text with the source line that reports it,
/// the code's name, the stage, and `about`, which says what it was about ("weights X, sha256 Y").
/// Cancelled is nobody's fault: it posts nothing. Any bytes may be in the texts: what is posted is
/// one line of UTF-8 (\xNN for the rest), long ones without their middle.
void post_error(GstElement* element, const Error& error, Stage stage, std::string_view about = {},
                const std::source_location& where = std::source_location::current());

/// The same as a WARNING: the stream goes on.
void post_warning(GstElement* element, const Error& error, Stage stage, std::string_view about = {},
                  const std::source_location& where = std::source_location::current());

/// The same as an INFO: nothing is wrong, but somebody should know.
void post_info(GstElement* element, const Error& notice, Stage stage,
               const std::source_location& where = std::source_location::current());

/// Runs `body` on behalf of GStreamer, which is C: an exception that passed would end the
/// application. It becomes an Internal error on the bus and the value `otherwise`.
template <typename T, typename F>
T no_throw(GstElement* element, T otherwise, F&& body,
           const std::source_location& where = std::source_location::current()) noexcept {
  const auto report = [element, &where](const char* what) {
    if (!element) return;
    try {
      post_error(element,
                 {Code::kInternal, std::string("internal error: ") + what, "please report it"},
                 Stage::kFrame, {}, where);
    } catch (...) {
      // Not even memory for a message: the return value has to say it.
    }
  };
  try {
    return std::forward<F>(body)();
  } catch (const std::exception& exception) {
    report(exception.what());
  } catch (...) {
    report("exception of unknown type");
  }
  return otherwise;
}

}  // namespace tv
