#include "model_registry/registry/registry.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/choose.hpp"
#include "tools/tvmodels/output.hpp"

namespace tv::cli {
namespace {

constexpr Option kOptions[] = {kOfflineOption};

int run(const Arguments& arguments) {
  warn_of_user_files();
  int status = kOk;
  for (const std::string& name : arguments.operands()) {
    const auto weights = resolve_weights(name);
    if (!weights) {
      status = report(weights.error());
      continue;
    }
    const FetchOptions options = fetch_options(arguments, (*weights)->name());
    const auto file = fetch_weights(**weights, options);
    if (file) {
      print(file->path);
      continue;
    }
    status = report(file.error());
    if (*options.cancel) break;
  }
  return status;
}

}  // namespace

const Command kFetch = {
    .name = "fetch",
    .operands = "NAME...",
    .min_operands = 1,
    .max_operands = -1,
    .summary = "Download weights into the cache and print the paths of the verified files.",
    .details =
        "A file that is there is verified, not fetched again. A builder's name stands for its "
        "DEFAULT entry.\n",
    .options = kOptions,
    .run = run,
};

}  // namespace tv::cli
