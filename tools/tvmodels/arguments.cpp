#include "tools/tvmodels/arguments.hpp"

#include <getopt.h>

#include <algorithm>
#include <charconv>

namespace tv::cli {
namespace {

constexpr Option kHelp = {"help", nullptr, "show this text"};

Error usage(std::string what) {
  return {Code::kInvalidArgument, std::move(what), ""};
}

std::vector<Option> with_help(const Command& command) {
  std::vector<Option> options(command.options.begin(), command.options.end());
  options.push_back(kHelp);
  return options;
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

// "-" is no file: weights and tensors are read in any order and written at once when they are
// whole, which pipes do not allow. A file of that name would be a surprise.
Status check_file(std::string_view kind, std::string_view value) {
  if (value != "-" || !(kind.starts_with("FILE") || kind == "PATH")) return {};
  return Error{Code::kInvalidArgument,
               "\"-\" does not stand for standard input or output: a file is needed",
               "a file of that name is \"./-\""};
}

// All of `text` as a number of this type.
template <typename Number>
std::optional<Number> whole(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string help_text(const Command& command) {
  std::string text = std::string("Usage: tvmodels ") + command.name + " [OPTION]...";
  if (command.operands[0] != '\0') text += std::string(" ") + command.operands;
  text += std::string("\n") + command.summary + "\n" + command.details + "\nOptions:\n";
  for (const Option& option : with_help(command)) {
    std::string left = std::string("  --") + option.name;
    if (option.value != nullptr) left += std::string(" ") + option.value;
    left.resize(std::max<std::size_t>(left.size() + 2, 26), ' ');
    text += left + option.help + "\n";
  }
  return text;
}

Result<Arguments> Arguments::parse(const Command& command, int argc, char** argv) {
  const std::vector<Option> options = with_help(command);
  std::vector<option> table;
  for (const Option& known : options)
    table.push_back(
        {known.name, known.value != nullptr ? required_argument : no_argument, nullptr, 0});
  table.push_back({});
  Arguments arguments;
  optind = 0;  // glibc: begin anew
  opterr = 0;
  // "-": operands come in order as options of code 1; ":": a missing value has a code of its own.
  for (int index = -1, code = 0; (code = getopt_long(argc, argv, "-:", table.data(), &index)) != -1;
       index = -1) {
    if (code == 1) {
      arguments.operands_.emplace_back(optarg);
    } else if (code == 0) {
      const Option& known = options[static_cast<std::size_t>(index)];
      if (known.value != nullptr) TV_RETURN_IF_ERROR(check_file(known.value, optarg));
      arguments.values_[known.name].emplace_back(optarg != nullptr ? optarg : "");
    } else {
      const std::string typed = optopt > 0 && optopt < 256
                                    ? std::string("-") + static_cast<char>(optopt)
                                    : std::string(argv[optind - 1]);
      return usage(code == ':' ? "option " + quoted(typed) + " needs a value"
                               : "unknown or ambiguous option " + quoted(typed) +
                                     ", or a value it does not take");
    }
  }
  for (; optind < argc; ++optind) arguments.operands_.emplace_back(argv[optind]);  // after "--"
  if (arguments.help()) return arguments;
  const int count = static_cast<int>(arguments.operands_.size());
  if (count < command.min_operands)
    return usage(std::string("missing operand: ") + command.operands);
  if (command.max_operands >= 0 && count > command.max_operands)
    return usage("too many operands: " +
                 quoted(arguments.operands_[static_cast<std::size_t>(command.max_operands)]));
  for (const std::string& operand : arguments.operands_)
    TV_RETURN_IF_ERROR(check_file(command.operands, operand));
  return arguments;
}

std::string Arguments::text(std::string_view option, std::string_view otherwise) const {
  const auto found = values_.find(option);
  return found == values_.end() ? std::string(otherwise) : found->second.back();
}

std::vector<std::string_view> Arguments::texts(std::string_view option) const {
  const auto found = values_.find(option);
  if (found == values_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

Result<std::optional<std::int64_t>> Arguments::number(std::string_view option, std::int64_t low,
                                                      std::int64_t high) const {
  if (!has(option)) return std::optional<std::int64_t>();
  const std::string value = text(option);
  const std::optional<std::int64_t> number = whole<std::int64_t>(value);
  if (!number || *number < low || *number > high)
    return usage("--" + std::string(option) + " takes a whole number from " + std::to_string(low) +
                 " to " + std::to_string(high) + ", found " + quoted(value));
  return number;
}

Result<std::optional<std::uint64_t>> Arguments::seed(std::string_view option) const {
  if (!has(option)) return std::optional<std::uint64_t>();
  const std::string value = text(option);
  if (const auto number = whole<std::uint64_t>(value)) return number;
  if (const auto number = whole<std::int64_t>(value))
    return std::optional(static_cast<std::uint64_t>(*number));
  return usage("--" + std::string(option) + " takes a whole number from -2^63 to 2^64 - 1, found " +
               quoted(value));
}

Status Arguments::require(std::initializer_list<std::string_view> options) const {
  for (const std::string_view option : options)
    if (!has(option)) return usage("--" + std::string(option) + " is missing");
  return {};
}

Status Arguments::at_most_one(std::initializer_list<std::string_view> options) const {
  std::string_view first;
  for (const std::string_view option : options) {
    if (!has(option)) continue;
    if (!first.empty())
      return usage("--" + std::string(first) + " and --" + std::string(option) +
                   " exclude each other");
    first = option;
  }
  return {};
}

}  // namespace tv::cli
