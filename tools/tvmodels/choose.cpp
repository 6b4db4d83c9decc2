#include "tools/tvmodels/choose.hpp"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "model_registry/registry/legacy.hpp"
#include "model_registry/registry/registry.hpp"
#include "tools/tvmodels/interrupt.hpp"
#include "tools/tvmodels/output.hpp"

namespace tv::cli {
namespace {

// --weights of a command that has --model: an entry's name, or as in Python the entry alone
// ("DEFAULT"). A quantized builder also takes the float builder's, as in Python with
// quantize=False.
Result<const Weights*> weights_of_model(const std::string& builder, const std::string& name) {
  // Neither enums nor entries nor builders have a dot in them.
  const bool entry_alone = name.find('.') == std::string::npos;
  const std::string_view twin = float_builder(builder);
  auto found = resolve_weights(entry_alone ? builder + "." + name : name);
  if (!found && entry_alone && twin != builder)
    if (auto floats = resolve_weights(std::string(twin) + "." + name)) found = floats;
  if (!found) return found;
  const Weights* const weights = *found;
  if (weights->builder == builder || weights->builder == twin) return weights;
  return Error{
      Code::kInvalidArgument,
      weights->name() + " is for " + std::string(weights->builder) + ", not for " + builder,
      "tvmodels show " + builder + " lists its weights"};
}

// Without --model the entry says whose it is; an entry alone does not.
Result<const Weights*> weights_with_builder(const std::string& name, bool& usage) {
  auto found = resolve_weights(name);
  if (found || name.find('.') != std::string::npos) return found;
  usage = true;
  found.error().code = Code::kInvalidArgument;
  found.error().hint = "--model is missing, or an entry's whole name";
  return found;
}

// The model that the options ask for; `usage` tells a wrong call from a name that does not exist.
Result<inference::ModelSpec> model_spec(const Arguments& arguments, bool& usage) {
  usage = true;
  TV_RETURN_IF_ERROR(arguments.at_most_one({"weights", "weights-file", "seed"}));
  if (!arguments.has("weights")) TV_RETURN_IF_ERROR(arguments.require({"model"}));
  TV_ASSIGN_OR_RETURN(const auto classes, arguments.number("num-classes", 1, 1'000'000));
  TV_ASSIGN_OR_RETURN(const auto image_size, arguments.number("image-size", 1, 16384));
  TV_ASSIGN_OR_RETURN(const auto seed, arguments.seed("seed"));
  inference::ModelSpec spec;
  const std::string executor = arguments.text("executor", "fused");
  if (executor != "fused" && executor != "reference")
    return Error{Code::kInvalidArgument,
                 "--executor is fused or reference, found \"" + executor + "\"", ""};
  TV_RETURN_IF_ERROR(choose_place(arguments, "auto", spec));
  usage = false;
  spec.builder = arguments.text("model");
  spec.weights_file = arguments.text("weights-file");
  if (classes) spec.num_classes = static_cast<int>(*classes);
  if (image_size) spec.image_size = static_cast<int>(*image_size);
  spec.quantize = arguments.has("quantize");
  spec.seed = seed.value_or(0);
  spec.executor =
      executor == "fused" ? inference::Executor::kFused : inference::Executor::kReference;
  if (arguments.has("weights")) {
    const std::string name = arguments.text("weights");
    TV_ASSIGN_OR_RETURN(spec.weights, arguments.has("model") ? weights_of_model(spec.builder, name)
                                                             : weights_with_builder(name, usage));
    if (spec.builder.empty()) spec.builder = spec.weights->builder;
  }
  return spec;
}

}  // namespace

void warn_of_user_files() {
  for (const Error& error : user_weights_errors()) warn(error.text());
}

Result<std::vector<const Weights*>> entries_of(const std::string& name) {
  if (name.find('.') == std::string::npos) {
    if (auto entries = get_model_weights(name)) return entries;
    // Another letter case: the resolver knows the builder's own spelling.
    TV_ASSIGN_OR_RETURN(const Weights* entry, resolve_weights(name));
    return get_model_weights(entry->enum_name);
  }
  TV_ASSIGN_OR_RETURN(const Weights* entry, resolve_weights(name));
  return std::vector<const Weights*>{entry};
}

Status choose_place(const Arguments& arguments, std::string_view precision,
                    inference::ModelSpec& spec) {
  TV_ASSIGN_OR_RETURN(spec.device, inference::parse_device(arguments.text("device", "auto")));
  TV_ASSIGN_OR_RETURN(spec.precision,
                      inference::parse_precision(arguments.text("precision", precision)));
  return {};
}

Place place_of(const inference::ModelSpec& spec, const inference::ReadyModel& ready) {
  using inference::Precision;
  if (ready.network->int8()) return {ready.device, "int8"};
  Precision precision = spec.precision;
  if (precision == Precision::kAuto)
    precision = ready.device == "cpu" ? Precision::kFloat32 : Precision::kFloat16;
  return {ready.device, std::string(inference::precision_name(precision))};
}

FetchOptions fetch_options(const Arguments& arguments, const std::string& what) {
  FetchOptions options;
  options.cancel = &interrupted();
  options.offline = arguments.has("offline");
  if (isatty(STDERR_FILENO) == 0) return options;
  options.progress = [what](std::uint64_t done, std::uint64_t total) {
    constexpr double kMebibyte = 1048576;
    char text[64];
    int length = std::snprintf(text, sizeof text, ": %.1f", static_cast<double>(done) / kMebibyte);
    if (total != 0)
      std::snprintf(text + length, sizeof text - static_cast<std::size_t>(length), " of %.1f",
                    static_cast<double>(total) / kMebibyte);
    show_progress(what + text + " MiB");
  };
  return options;
}

int with_model(
    const char* command, const Arguments& arguments,
    std::initializer_list<std::string_view> required,
    const std::function<Status(inference::ModelSpec spec, const FetchOptions& options)>& use) {
  warn_of_user_files();
  if (const Status complete = arguments.require(required); !complete)
    return report_usage(complete.error(), command);
  bool usage = false;
  auto spec = model_spec(arguments, usage);
  if (!spec) return usage ? report_usage(spec.error(), command) : report(spec.error());
  const FetchOptions options = fetch_options(arguments, spec->builder);
  const Status status = use(std::move(*spec), options);
  return status ? static_cast<int>(kOk) : report(status.error());
}

}  // namespace tv::cli
