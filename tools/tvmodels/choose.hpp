// From what the user typed to weights and models; shared by the commands.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "elements/inference/engine.hpp"
#include "model_registry/error.hpp"
#include "model_registry/hub/hub.hpp"
#include "model_registry/registry/weights.hpp"
#include "tools/tvmodels/arguments.hpp"

namespace tv::cli {

/// Files of user-defined entries that added nothing, as warnings; every command that looks up names
/// calls it first.
void warn_of_user_files();

/// Every entry that NAME stands for: one for "ResNet50_Weights.IMAGENET1K_V2", all of the enum for
/// "resnet50" and "ResNet50_Weights". Any letter case. Fails: NotFound with the nearest names.
Result<std::vector<const Weights*>> entries_of(const std::string& name);

/// Options that several commands have, as rows of a command's table.
// clang-format off
inline constexpr Option kModelOption = {"model", "NAME", "the builder (see tvmodels list; default: the one of --weights)"};
inline constexpr Option kModelWeightsOption = {"weights", "NAME", "its weights: an entry's name, or the entry alone (\"DEFAULT\")"};
inline constexpr Option kWeightsFileOption = {"weights-file", "FILE", "its weights: a local state dict"};
inline constexpr Option kQuantizeOption = {"quantize", nullptr, "a quantized builder in int8; its own weights are int8 without this"};
inline constexpr Option kSeedOption = {"seed", "N", "random weights as after torch.manual_seed(N) (default: 0)"};
inline constexpr Option kNumClassesOption = {"num-classes", "K", "classes of the head (default: the weights' own, the file's, or 1000)"};
inline constexpr Option kImageSizeOption = {"image-size", "PIXELS", "side of the images that vit_* and maxvit_t are built for (default: the weights' own, or 224)"};
inline constexpr Option kDeviceOption = {"device", "WHERE", "auto (default: the first usable GPU, else the CPU), cpu, cuda, cuda:N"};
inline constexpr Option kPrecisionOption = {"precision", "P", "auto (default: fp32 on the CPU, fp16 on a GPU), fp32, fp16 or bf16"};
inline constexpr Option kOfflineOption = {"offline", nullptr, "never download"};
// clang-format on

/// The body of a command that opens one model: demands the options in `required` and --model or
/// --weights, and hands the model that the options ask for, with how to fetch its weights, to
/// `use`. Errors are reported. Returns an Exit.
int with_model(
    const char* command, const Arguments& arguments,
    std::initializer_list<std::string_view> required,
    const std::function<Status(inference::ModelSpec spec, const FetchOptions& options)>& use);

/// --device and --precision into `spec`; `precision` is what counts without the latter.
/// Fails: InvalidArgument.
Status choose_place(const Arguments& arguments, std::string_view precision,
                    inference::ModelSpec& spec);

/// Where a model runs, and in what numbers.
struct Place {
  std::string device;     ///< "cpu", "cuda:0"
  std::string precision;  ///< "fp32", "fp16", "bf16"; "int8" of an int8 network
};
Place place_of(const inference::ModelSpec& spec, const inference::ReadyModel& ready);

/// Download options: progress on a terminal's standard error, stop by Ctrl-C, --offline.
FetchOptions fetch_options(const Arguments& arguments, const std::string& what);

}  // namespace tv::cli
