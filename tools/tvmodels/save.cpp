#include "elements/inference/engine.hpp"
#include "model_registry/checkpoint/checkpoint.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/choose.hpp"
#include "tools/tvmodels/output.hpp"

namespace tv::cli {
namespace {

constexpr Option kOptions[] = {
    kModelOption,
    kModelWeightsOption,
    kWeightsFileOption,
    kSeedOption,
    kNumClassesOption,
    kOfflineOption,
    {"output", "FILE", "where the state dict goes"},
};

Status save(const inference::ModelSpec& spec, const FetchOptions& options,
            const std::string& path) {
  TV_ASSIGN_OR_RETURN(const inference::ReadyModel ready, inference::load_model(spec, options));
  TV_ASSIGN_OR_RETURN(const auto tensors, ready.model->state_dict());
  return write_state_dict(path, tensors);
}

int run(const Arguments& arguments) {
  warn_of_user_files();
  if (const Status status = arguments.require({"model", "output"}); !status)
    return report_usage(status.error(), "save");
  bool usage = false;
  auto spec = model_spec(arguments, usage);
  if (!spec) return usage ? report_usage(spec.error(), "save") : report(spec.error());
  // The parameters as they are in the file: the fused executor folds some of them.
  spec->executor = inference::Executor::kReference;
  const Status status =
      save(*spec, fetch_options(arguments, spec->builder), arguments.text("output"));
  return status ? static_cast<int>(kOk) : report(status.error());
}

}  // namespace

const Command kSave = {
    .name = "save",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .summary = "Write a model's state dict so that Python loads it.",
    .details =
        "model.load_state_dict(torch.load(FILE, weights_only=True)) takes it. Without --weights "
        "and\n"
        "--weights-file the weights are random, those that torchvision makes after "
        "torch.manual_seed(N).\n",
    .options = kOptions,
    .run = run,
};

}  // namespace tv::cli
