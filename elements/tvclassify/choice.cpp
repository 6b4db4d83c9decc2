#include "elements/tvclassify/choice.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "elements/tvclassify/contradictions.hpp"
#include "model_registry/hub/hub.hpp"
#include "model_registry/io/openssl_pass.hpp"
#include "model_registry/models/models.hpp"
#include "model_registry/registry/registry.hpp"

namespace tv {
namespace {

Status check_file(const std::string& path, std::string_view what) {
  const auto refuse = [&](std::string why) {
    return Error{Code::kUnreadable, std::string(what) + " \"" + path + "\": " + why,
                 "give the path of a file that torch.save wrote"};
  };
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return refuse(std::strerror(errno));
  if (S_ISDIR(info.st_mode)) return refuse("is a directory, expected a regular file");
  if (!S_ISREG(info.st_mode)) return refuse("is a FIFO, socket or device, expected a regular file");
  if (info.st_size == 0) return refuse("is empty");
  if (::access(path.c_str(), R_OK) != 0) return refuse(std::strerror(errno));
  return {};
}

/// What the file system alone can say about the weight file.
Status check_source(const Weights* weights, const Settings& settings) {
  if (!settings.weights_file.empty()) return check_file(settings.weights_file, "weights-file");
  if (!weights) return {};
  if (!weights->file.empty())
    return check_file(std::string(weights->file), "file of " + weights->name());
  if (!settings.offline || ::access(cache_path(*weights).c_str(), F_OK) == 0) return {};
  // Not there and not to be fetched: the hub says at once where the file can be put by hand.
  FetchOptions options;
  options.offline = true;
  Result<FileBytes> none = fetch_weights(*weights, options);
  if (none) return {};
  // The name is known: what is missing is a file.
  if (none.error().code == Code::kNotFound) none.error().code = Code::kUnreadable;
  return none.error();
}

/// int8 numbers are not widened: the network would be another one than was measured and published.
Status check_precision(const Weights* weights, inference::Precision precision) {
  if (precision == inference::Precision::kAuto || !weights || !implies_quantize(*weights))
    return {};
  return Error{Code::kInvalidArgument,
               "properties precision=" + std::string(inference::precision_name(precision)) +
                   " and weights=" + weights->name() +
                   " contradict each other: these weights are int8",
               "leave precision at auto, or choose weights of a float network"};
}

Result<Transforms> recipe_of(const Selection& selection, const Settings& settings) {
  Weights without;  // overrides act on it as on an entry
  if (selection.weights) return selection.weights->transforms(settings.overrides());
  TV_ASSIGN_OR_RETURN(without.preset, recipe_of_builder(selection.builder));
  return without.transforms(settings.overrides());
}

}  // namespace

bool is_runnable(std::string_view builder) {
  return std::ranges::binary_search(available_models(), builder);
}

Result<Choice> choose(const Settings& settings) {
  Choice choice;
  TV_RETURN_IF_ERROR(check_contradictions(settings));
  TV_ASSIGN_OR_RETURN(choice.selection, select(settings));
  const auto& [weights, builder, deprecation] = choice.selection;
  if (!is_runnable(builder)) return get_model(builder).error();
  if (weights) TV_RETURN_IF_ERROR(check_classifier(*weights));
  TV_RETURN_IF_ERROR(check_precision(weights, settings.precision));
  TV_ASSIGN_OR_RETURN(choice.spec.device, inference::parse_device(settings.device));
  TV_ASSIGN_OR_RETURN(choice.recipe, recipe_of(choice.selection, settings));
  // A square picture of the resized size: the recipe itself is judged, not a frame.
  const Result<Plan> plan = make_plan(choice.recipe, choice.recipe.resize_size,
                                      choice.recipe.resize_size, settings.transforms_backend);
  if (!plan) return plan.error();
  TV_RETURN_IF_ERROR(check_source(weights, settings));
  // OpenSSL is initialised here: on the loading thread that could meet an exit().
  if (io::is_exiting()) return Error{Code::kCancelled, "the process is exiting", ""};
  // Now, not on the loading thread: a backend that is missing fails the state change itself, which
  // an application cannot overlook.
  const bool int8 = weights != nullptr && implies_quantize(*weights);
  TV_ASSIGN_OR_RETURN(const inference::Placement placement,
                      inference::place(choice.spec.device, int8, settings.precision));
  if (placement.device.kind == inference::DeviceKind::kCuda) choice.gpu = placement.device.index;
  choice.spec.weights = weights;
  choice.spec.builder = builder;
  choice.spec.weights_file = settings.weights_file;
  choice.spec.seed = settings.seed;
  choice.spec.executor = settings.executor;
  choice.spec.precision = settings.precision;
  return choice;
}

}  // namespace tv
