// Results to standard output, problems to standard error.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "model_registry/error.hpp"
#include "tools/tvmodels/command.hpp"

namespace tv::cli {

/// `text` and a newline on standard output.
void print(std::string_view text);

/// One line of JSON (`indent` < 0), or an indented document. Text that is no UTF-8 is repaired, NaN
/// becomes null.
void print_json(const nlohmann::ordered_json& value, int indent = 2);

/// "tvmodels: what (hint)" on standard error. Returns kFailure.
int report(const Error& error);

/// The same for a wrong call; adds where the help is. Returns kUsage.
int report_usage(const Error& error, const char* command);

/// "tvmodels: warning: ..." on standard error.
void warn(std::string_view text);

/// A line on standard error where that is a terminal: nothing that a program would read.
void note(std::string_view text);

/// Replaces the line on standard error that shows how far a download is. The next message, or the
/// end, leaves it.
void show_progress(std::string_view text);

/// `text` without control characters: names inside a weight file must not be able to drive a
/// terminal.
std::string printable(std::string_view text);

/// Writes out what is pending. Fails where standard output is full or closed, so that a cut result
/// is not a success.
Status flush_output();

}  // namespace tv::cli
