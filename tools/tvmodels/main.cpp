// tvmodels: torchvision's weights from the command line.
#include <exception>
#include <string>

#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/command.hpp"
#include "tools/tvmodels/interrupt.hpp"
#include "tools/tvmodels/output.hpp"

namespace tv::cli {
namespace {

constexpr const Command* kCommands[] = {&kList, &kShow,       &kFetch, &kVerify,   &kClassify,
                                        &kRun,  &kPreprocess, &kSave,  &kEvaluate, &kTable};

std::string overview() {
  std::string text =
      "Usage: tvmodels COMMAND [OPTION]... [OPERAND]...\ntorchvision's models and "
      "weights.\n\nCommands:\n";
  for (const Command* command : kCommands) {
    std::string left = std::string("  ") + command->name;
    left.resize(14, ' ');
    text += left + command->summary + "\n";
  }
  return text +
         "\n`tvmodels COMMAND --help` explains a command, `tvmodels --version` shows the version.\n"
         "Exit status: 0 success, 1 failure, 2 wrong usage.";
}

const Command* find_command(std::string_view name) {
  for (const Command* command : kCommands)
    if (name == command->name) return command;
  return nullptr;
}

int run(int argc, char** argv) {
  if (argc < 2) return report_usage({Code::kInvalidArgument, "no command given", ""}, nullptr);
  const std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") return print(overview()), kOk;
  if (name == "--version") return print("tvmodels " TV_VERSION), kOk;
  const Command* command = find_command(name);
  if (command == nullptr)
    return report_usage(
        {Code::kInvalidArgument, "unknown command \"" + std::string(name) + "\"", ""}, nullptr);
  Result<Arguments> arguments = Arguments::parse(*command, argc - 1, argv + 1);
  if (!arguments) return report_usage(arguments.error(), command->name);
  if (arguments->help()) {
    const std::string text = help_text(*command);
    return print(std::string_view(text).substr(0, text.size() - 1)), kOk;
  }
  return command->run(*arguments);
}

int guarded_run(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& exception) {
    return report(
        {Code::kInternal, std::string("internal error: ") + exception.what(), "please report it"});
  }
}

}  // namespace
}  // namespace tv::cli

int main(int argc, char** argv) {
  using namespace tv::cli;
  const int status = guarded_run(argc, argv);
  if (const tv::Status flushed = flush_output(); !flushed) {
    // A reader that has seen enough (head) is no failure worth a word.
    if (flushed.error().code == tv::Code::kCancelled) return kFailure;
    return report(flushed.error());
  }
  end_if_interrupted();
  return status;
}
