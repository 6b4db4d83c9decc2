#include <utility>

#include "elements/inference/engine.hpp"
#include "model_registry/checkpoint/checkpoint.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/choose.hpp"

namespace tv::cli {
namespace {

// clang-format off
constexpr Option kOptions[] = {
    kModelOption,
    kModelWeightsOption,
    kWeightsFileOption,
    kQuantizeOption,
    kSeedOption,
    kNumClassesOption,
    kImageSizeOption,
    kOfflineOption,
    {"output", "FILE", "where the state dict goes"},
};
// clang-format on

Status save(inference::ModelSpec spec, const FetchOptions& options, const std::string& path) {
  // The parameters as they are in the file: the fused executor folds some of them.
  spec.executor = inference::Executor::kReference;
  spec.device = inference::Device{};
  TV_ASSIGN_OR_RETURN(const inference::ReadyModel ready, inference::load_model(spec, options));
  TV_ASSIGN_OR_RETURN(const auto tensors, ready.model->state_dict());
  return write_state_dict(path, tensors, ready.network->module_versions());
}

int run(const Arguments& arguments) {
  return with_model("save", arguments, {"output"},
                    [&](inference::ModelSpec spec, const FetchOptions& options) {
                      return save(std::move(spec), options, arguments.text("output"));
                    });
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
