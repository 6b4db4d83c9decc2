// What the user typed after the command's name.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model_registry/error.hpp"
#include "tools/tvmodels/command.hpp"

namespace tv::cli {

/// Options and operands of one call. A value that cannot be what it should be is an
/// InvalidArgument, which ends the program with kUsage.
class Arguments {
 public:
  /// `argv` begins with the command's name. Options may stand anywhere; "--" ends them. Unambiguous
  /// abbreviations are taken, as getopt_long does. Fails: InvalidArgument, for instance for "-" as
  /// a file, that is where the help calls a value FILE or PATH.
  static Result<Arguments> parse(const Command& command, int argc, char** argv);

  const std::vector<std::string>& operands() const { return operands_; }
  bool has(std::string_view option) const { return values_.contains(option); }
  bool help() const { return has("help"); }
  /// The last value given, or `otherwise`.
  std::string text(std::string_view option, std::string_view otherwise = {}) const;
  /// Every value given, in order.
  std::vector<std::string_view> texts(std::string_view option) const;
  /// Fails: InvalidArgument when the value is no whole number in [low, high].
  Result<std::optional<std::int64_t>> number(std::string_view option, std::int64_t low,
                                             std::int64_t high) const;
  /// A seed as torch.manual_seed() takes it: -2^63 .. 2^64 - 1, negative ones modulo 2^64.
  /// Fails: InvalidArgument when the value is none.
  Result<std::optional<std::uint64_t>> seed(std::string_view option) const;
  /// Fails: InvalidArgument when the option was not given.
  Status require(std::initializer_list<std::string_view> options) const;
  /// Fails: InvalidArgument when more than one of the options was given.
  Status at_most_one(std::initializer_list<std::string_view> options) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> operands_;
};

}  // namespace tv::cli
