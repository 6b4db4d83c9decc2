// A command of tvmodels as a row: its words, its options, what it does.
#pragma once

#include <span>
#include <string>

namespace tv::cli {

class Arguments;

/// A long option. Every value is text until Arguments is asked for it.
struct Option {
  const char* name;   ///< without the dashes
  const char* value;  ///< what the help calls its value; nullptr: a switch
  const char* help;
};

/// What a process of Unix returns.
enum Exit : int { kOk = 0, kFailure = 1, kUsage = 2 };

struct Command {
  const char* name;
  const char* operands;  ///< as the help shows them, "NAME..."; empty: none
  int min_operands;
  int max_operands;  ///< -1: any number
  const char* summary;
  const char* details;  ///< further lines of the help, each ending in a newline
  std::span<const Option> options;
  int (*run)(const Arguments& arguments);  ///< returns an Exit
};

// One file each.
extern const Command kList, kShow, kFetch, kVerify, kSave, kClassify, kRun, kPreprocess, kEvaluate,
    kTable;

/// The text of `tvmodels COMMAND --help`.
std::string help_text(const Command& command);

}  // namespace tv::cli
