#include "model_registry/models/options.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace tv::models {
namespace {

constexpr int kMaxClasses = 1'000'000;
constexpr int kMaxImageSize = 16384;  // pixels: what networks take

/// One member of BuildOptions and the member of ModelConfig that it goes to.
struct OptionRow {
  Option option;
  std::string_view name;                                 // Python's
  std::string (*text)(const BuildOptions&);              // the value that is asked for; "" = none
  void (*copy)(const BuildOptions&, ModelConfig&);       // nullptr: the network is the same
  double (*probability)(const BuildOptions&) = nullptr;  // where the value is one
};

template <typename T>
std::string value_text(const T& value) {
  if constexpr (std::is_same_v<T, bool>)
    return value ? "true" : "false";
  else {
    char text[32];  // as short as it can be: 0.1
    return {text, std::to_chars(std::begin(text), std::end(text), value).ptr};
  }
}

template <auto Asked>
std::string asked_text(const BuildOptions& options) {
  return options.*Asked ? value_text(*(options.*Asked)) : std::string();
}

template <auto Asked, auto Configured>
constexpr OptionRow option_row(Option option, std::string_view name) {
  return {option, name, asked_text<Asked>, [](const BuildOptions& options, ModelConfig& config) {
            if (options.*Asked) config.*Configured = *(options.*Asked);
          }};
}

// A probability, which only training reads.
template <auto Asked>
constexpr OptionRow probability(Option option, std::string_view name) {
  return {option, name, asked_text<Asked>, nullptr,
          [](const BuildOptions& options) { return (options.*Asked).value_or(0); }};
}

// clang-format off
constexpr OptionRow kOptions[] = {
    probability<&BuildOptions::attention_dropout>    (Option::kAttentionDropout,    "attention_dropout"),
    option_row<&BuildOptions::aux_logits,         &ModelConfig::aux_logits>        (Option::kAuxLogits,        "aux_logits"),
    probability<&BuildOptions::drop_rate>            (Option::kDropRate,            "drop_rate"),
    probability<&BuildOptions::dropout>              (Option::kDropout,             "dropout"),
    probability<&BuildOptions::dropout_aux>          (Option::kDropoutAux,          "dropout_aux"),
    option_row<&BuildOptions::image_size,         &ModelConfig::image_size>        (Option::kImageSize,        "image_size"),
    option_row<&BuildOptions::init_weights,       &ModelConfig::init_weights>      (Option::kInitWeights,      "init_weights"),
    probability<&BuildOptions::mlp_dropout>          (Option::kMlpDropout,          "mlp_dropout"),
    probability<&BuildOptions::stochastic_depth_prob>(Option::kStochasticDepthProb, "stochastic_depth_prob"),
    option_row<&BuildOptions::transform_input,    &ModelConfig::transform_input>   (Option::kTransformInput,   "transform_input"),
    option_row<&BuildOptions::zero_init_residual, &ModelConfig::zero_init_residual>(Option::kZeroInitResidual, "zero_init_residual"),
};
// clang-format on

bool is_own_file(const BuildOptions& options) {
  return options.own_file || (options.weights && options.weights->user_defined);
}

std::string taken_names(const ModelRow& row) {
  std::string names = "weights, progress, num_classes";
  for (const OptionRow& option : kOptions)
    if (std::ranges::find(row.options, option.option, &TakenOption::option) != row.options.end())
      names += ", " + std::string(option.name);
  return names;
}

Status check_option(const ModelRow& row, const OptionRow& option, const BuildOptions& options) {
  const std::string builder(row.builder), name(option.name);
  const std::string value = option.text(options);
  if (value.empty()) return {};
  const auto taken = std::ranges::find(row.options, option.option, &TakenOption::option);
  if (taken == row.options.end())
    return Error{Code::kInvalidArgument, builder + " has no option " + name,
                 "it takes " + taken_names(row)};
  // Not a number is out of range, too.
  if (option.probability && !(option.probability(options) >= 0 && option.probability(options) <= 1))
    return Error{Code::kInvalidArgument, builder + ": " + name + " is " + value, "expected 0..1"};
  const bool published = options.weights && !is_own_file(options);
  if (published && !taken->with_weights.empty() && value != taken->with_weights)
    return Error{Code::kInvalidArgument,
                 builder + ": " + name + " is " + value + ", but with weights it is " +
                     std::string(taken->with_weights),
                 "leave " + name + " out, or build without weights"};
  return {};
}

Status check_weights(const ModelRow& row, const Weights& weights, bool quantize) {
  const std::string builder(row.builder);
  if (row.quantization && !quantize && weights.builder == row.builder)
    return Error{Code::kInvalidArgument,
                 builder + ": weights " + weights.name() + " are int8, but quantize=false",
                 "build with quantize=true, or choose an entry of " +
                     std::string(row.quantization->float_builder)};
  if (row.quantization && quantize && weights.builder == row.quantization->float_builder)
    return Error{Code::kInvalidArgument,
                 builder + ": weights " + weights.name() + " are float, but quantize=true",
                 "build with quantize=false, or choose an entry of " + builder};
  const std::string_view owner =
      row.quantization && !quantize ? row.quantization->float_builder : row.builder;
  if (weights.builder == owner) return {};
  return Error{
      Code::kInvalidArgument,
      builder + ": weights " + weights.name() + " belong to " + std::string(weights.builder),
      "choose an entry of " + std::string(owner) + ", or build " + std::string(weights.builder)};
}

Result<int> checked_classes(const ModelRow& row, const BuildOptions& options) {
  const std::string builder(row.builder);
  const Weights* const weights = options.weights;
  const int own = weights ? weights->num_classes() : ModelConfig().num_classes;
  const int classes = options.num_classes.value_or(own);
  if (classes < 1 || classes > kMaxClasses)
    return Error{Code::kInvalidArgument, builder + ": num_classes is " + std::to_string(classes),
                 "expected 1.." + std::to_string(kMaxClasses)};
  // As in Python, entries without categories (VGG16's features) allow any number.
  if (weights && !options.own_file && !weights->categories.empty() && classes != own)
    return Error{Code::kInvalidArgument,
                 builder + ": num_classes is " + std::to_string(classes) + ", but " +
                     weights->name() + " has " + std::to_string(own),
                 "leave num_classes out, or build without weights"};
  return classes;
}

Error bad_image_size(const ModelRow& row, int image_size, const std::string& why,
                     std::string hint) {
  return {Code::kInvalidArgument,
          std::string(row.builder) + ": image_size is " + std::to_string(image_size) + why,
          std::move(hint)};
}

// The next sizes below and above that can be built.
std::string nearest_sizes(const ModelRow& row, int size) {
  std::string text;
  for (const int step : {-1, 1}) {
    int near = size + step;
    while (near >= 1 && near <= kMaxImageSize && !row.image_size_problem(near).empty())
      near += step;
    if (near >= 1 && near <= kMaxImageSize)
      text += (text.empty() ? "the nearest: " : ", ") + std::to_string(near);
  }
  return text;
}

// Absent where the builder takes images of many sizes, or its default is wanted.
Result<std::optional<int>> checked_image_size(const ModelRow& row, const BuildOptions& options) {
  const Weights* const weights = options.weights;
  if (!row.image_size_problem || (!weights && !options.image_size)) return std::optional<int>();
  const int size = options.image_size ? *options.image_size : weights->min_size;
  if (weights && !options.own_file && size != weights->min_size)
    return bad_image_size(row, size,
                          ", but " + weights->name() + " has " + std::to_string(weights->min_size),
                          "leave image_size out, or build without weights");
  if (size < 1 || size > kMaxImageSize)
    return bad_image_size(row, size, "", "expected 1.." + std::to_string(kMaxImageSize));
  if (const std::string problem = row.image_size_problem(size); !problem.empty())
    return bad_image_size(row, size, ": " + problem,
                          weights && weights->user_defined && !options.image_size
                              ? "it is the crop_size of " + weights->name()
                              : nearest_sizes(row, size));
  return std::optional<int>(size);
}

// The kernels that the numbers of an int8 network are made for.
Result<graph::QuantizedBackend> checked_backend(const ModelRow& row, const BuildOptions& options) {
  using graph::QuantizedBackend;
  const std::string builder(row.builder);
  if (!row.quantization && (options.quantize || options.backend))
    return Error{Code::kInvalidArgument, builder + " takes neither quantize nor backend",
                 "quantized builders do: quantized_" + builder +
                     " where there is one; tvmodels list --include 'quantized_*'"};
  if (!row.quantization || !options.quantize) return QuantizedBackend::kFbgemm;
  QuantizedBackend backend = row.quantization->backend;
  if (options.weights && !options.weights->backend.empty())
    backend = options.weights->backend == "qnnpack" ? QuantizedBackend::kQnnpack
                                                    : QuantizedBackend::kFbgemm;
  if (!options.backend) return backend;
  const std::string& asked = *options.backend;
  if (asked != "fbgemm" && asked != "qnnpack")
    return Error{Code::kInvalidArgument, builder + ": backend is \"" + asked + "\"",
                 "expected fbgemm or qnnpack"};
  if (options.weights && asked != backend_name(backend))
    return Error{Code::kInvalidArgument,
                 builder + ": backend is " + asked + ", but " + options.weights->name() +
                     " are for " + std::string(backend_name(backend)),
                 "leave backend out"};
  return asked == "fbgemm" ? QuantizedBackend::kFbgemm : QuantizedBackend::kQnnpack;
}

}  // namespace

Result<ModelConfig> make_config(const ModelRow& row, const BuildOptions& options) {
  ModelConfig config{.has_weights = options.weights != nullptr,
                     .own_file = is_own_file(options),
                     .any_image_size = !options.weights || options.own_file,
                     .quantize = options.quantize};
  for (const OptionRow& option : kOptions) {
    TV_RETURN_IF_ERROR(check_option(row, option, options));
    if (option.copy) option.copy(options, config);
  }
  if (options.weights) TV_RETURN_IF_ERROR(check_weights(row, *options.weights, options.quantize));
  TV_ASSIGN_OR_RETURN(config.num_classes, checked_classes(row, options));
  TV_ASSIGN_OR_RETURN(config.backend, checked_backend(row, options));
  TV_ASSIGN_OR_RETURN(config.image_size, checked_image_size(row, options));
  return config;
}

}  // namespace tv::models
