#include "model_registry/models/models.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

#include "model_registry/models/families.hpp"
#include "model_registry/registry/registry.hpp"

namespace tv {
namespace {

constexpr int kDefaultClasses = 1000;  // ImageNet-1K
constexpr int kMaxClasses = 1'000'000;
constexpr int kMaxImageSize = 16384;  // pixels: what networks take

// All families' rows, sorted by builder. Leaked, as everything static here: a thread may be loading
// while the process exits.
const std::vector<models::ModelRow>& rows() {
  static const auto* const kRows = new std::vector<models::ModelRow>([] {
    std::vector<models::ModelRow> all;
    for (const auto family : models::kFamilies)
      for (auto& row : family()) all.push_back(std::move(row));
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.builder < b.builder; });
    return all;
  }());
  return *kRows;
}

const models::ModelRow* find_row(std::string_view builder) {
  for (const models::ModelRow& row : rows())
    if (row.builder == builder) return &row;
  return nullptr;
}

std::shared_ptr<const graph::Network> make_form(
    const models::ModelRow& row, const models::ModelConfig& config, graph::Form form,
    graph::QuantizedBackend backend, std::shared_ptr<const graph::Network> source = nullptr) {
  graph::Build build(form, backend);
  auto root = row.make(build, config);
  return std::make_shared<const graph::Network>(
      std::string(row.builder), std::move(build), std::move(root), config.num_classes,
      config.image_size.value_or(row.min_size), std::move(source));
}

std::shared_ptr<const graph::Network> make_network(const models::ModelRow& row,
                                                   models::ModelConfig config,
                                                   graph::QuantizedBackend backend) {
  config.quantizable = row.quantization.has_value();
  if (!config.quantize) return make_form(row, config, graph::Form::kFloat, backend);
  const graph::Form source =
      row.quantization->quantization_aware ? graph::Form::kQuantizationAware : graph::Form::kFloat;
  return make_form(row, config, graph::Form::kInt8, backend,
                   make_form(row, config, source, backend));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> line(b.size() + 1);
  std::iota(line.begin(), line.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(line[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = line[j];
      line[j] = std::min({substituted, line[j] + 1, line[j - 1] + 1});
    }
  }
  return line.back();
}

std::string nearest_builders(const std::string& name) {
  auto names = std::vector<std::string_view>(available_models().begin(), available_models().end());
  std::stable_sort(names.begin(), names.end(), [&](std::string_view a, std::string_view b) {
    return edit_distance(name, a) < edit_distance(name, b);
  });
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, names.size()); ++i)
    text += (i ? ", " : "") + std::string(names[i]);
  return text;
}

std::string joined(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

Error no_such_builder(const std::string& name) {
  const std::vector<std::string_view> registered = list_models();
  if (std::find(registered.begin(), registered.end(), name) != registered.end())
    return {Code::kUnsupported, "the architecture of " + name + " is not in this version",
            "available: " + joined(available_models())};
  return {Code::kNotFound, "no builder \"" + name + "\"", "nearest: " + nearest_builders(name)};
}

Result<int> checked_classes(const models::ModelRow& row, const BuildOptions& options) {
  const std::string builder(row.builder);
  if (const int classes = options.num_classes.value_or(kDefaultClasses);
      classes < 1 || classes > kMaxClasses)
    return Error{Code::kInvalidArgument, builder + ": num_classes is " + std::to_string(classes),
                 "expected 1.." + std::to_string(kMaxClasses)};
  if (!options.weights) return options.num_classes.value_or(kDefaultClasses);
  const Weights& weights = *options.weights;
  if (row.quantization && !options.quantize && weights.builder == row.builder)
    return Error{Code::kInvalidArgument,
                 builder + ": weights " + weights.name() + " are int8, but quantize=false",
                 "build with quantize=true, or choose an entry of " +
                     std::string(row.quantization->float_builder)};
  if (row.quantization && options.quantize && weights.builder == row.quantization->float_builder)
    return Error{Code::kInvalidArgument,
                 builder + ": weights " + weights.name() + " are float, but quantize=true",
                 "build with quantize=false, or choose an entry of " + builder};
  const std::string_view owner =
      row.quantization && !options.quantize ? row.quantization->float_builder : row.builder;
  if (weights.builder != owner)
    return Error{
        Code::kInvalidArgument,
        builder + ": weights " + weights.name() + " belong to " + std::string(weights.builder),
        "choose an entry of " + std::string(owner) + ", or build " + std::string(weights.builder)};
  const int own = weights.num_classes();
  if (options.num_classes && *options.num_classes != own)
    return Error{Code::kInvalidArgument,
                 builder + ": num_classes is " + std::to_string(*options.num_classes) + ", but " +
                     weights.name() + " has " + std::to_string(own),
                 "leave num_classes out, or build without weights"};
  return own;
}

Error bad_image_size(const models::ModelRow& row, int image_size, const std::string& why,
                     std::string hint) {
  return {Code::kInvalidArgument,
          std::string(row.builder) + ": image_size is " + std::to_string(image_size) + why,
          std::move(hint)};
}

// Absent where the builder takes images of many sizes, or its default is wanted.
Result<std::optional<int>> checked_image_size(const models::ModelRow& row,
                                              const BuildOptions& options) {
  if (!row.image_size_problem) {
    if (!options.image_size) return std::optional<int>();
    return bad_image_size(row, *options.image_size, ", but it takes images of many sizes",
                          "leave image_size out");
  }
  if (!options.weights && !options.image_size) return std::optional<int>();
  const int wanted = options.weights ? options.weights->min_size : *options.image_size;
  if (options.image_size && *options.image_size != wanted)
    return bad_image_size(row, *options.image_size,
                          ", but " + options.weights->name() + " has " + std::to_string(wanted),
                          "leave image_size out, or build without weights");
  if (wanted < 1 || wanted > kMaxImageSize)
    return bad_image_size(row, wanted, "", "expected 1.." + std::to_string(kMaxImageSize));
  if (const std::string problem = row.image_size_problem(wanted); !problem.empty())
    return bad_image_size(row, wanted, ": " + problem, "");
  return std::optional<int>(wanted);
}

// The kernels that the numbers of an int8 network are made for.
Result<graph::QuantizedBackend> checked_backend(const models::ModelRow& row,
                                                const BuildOptions& options) {
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

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// Names and shapes agree, but for the number of classes of the head.
bool looks_like(const Checkpoint& checkpoint, const models::ModelRow& row) {
  const graph::Misfit misfit = compare(
      checkpoint,
      *make_network(row, {.num_classes = kDefaultClasses, .quantize = row.quantization.has_value()},
                    graph::QuantizedBackend::kFbgemm));
  return misfit.empty() || misfit.other_num_classes > 0;
}

}  // namespace

Result<Model> get_model(std::string_view builder, const BuildOptions& options) {
  const std::string name = lower(builder);
  const models::ModelRow* row = find_row(name);
  if (!row) return no_such_builder(name);
  TV_ASSIGN_OR_RETURN(const int num_classes, checked_classes(*row, options));
  TV_ASSIGN_OR_RETURN(const auto image_size, checked_image_size(*row, options));
  TV_ASSIGN_OR_RETURN(const graph::QuantizedBackend backend, checked_backend(*row, options));
  return Model{make_network(*row,
                            {.num_classes = num_classes,
                             .has_weights = options.weights != nullptr,
                             .image_size = image_size,
                             .quantize = options.quantize},
                            backend),
               options.weights};
}

bool implies_quantize(const Weights& weights) {
  const models::ModelRow* const row = find_row(weights.builder);
  return row && row->quantization;
}

std::span<const std::string_view> available_models() {
  static const auto* const kNames = new std::vector<std::string_view>([] {
    std::vector<std::string_view> names;
    for (const models::ModelRow& row : rows()) names.push_back(row.builder);
    return names;
  }());
  return *kNames;
}

std::string recognise_builder(const Checkpoint& checkpoint) {
  for (const models::ModelRow& row : rows())
    if (looks_like(checkpoint, row)) return std::string(row.builder);
  return "";
}

Result<graph::BoundTensors> bind_checkpoint(const Checkpoint& checkpoint,
                                            const graph::Network& network) {
  auto bound = graph::bind(checkpoint, network);
  if (bound || !bound.error().hint.empty()) return bound;
  const std::string likely = recognise_builder(checkpoint);
  if (!likely.empty() && likely != network.builder())
    bound.error().hint = "the file looks like " + likely;
  return bound;
}

}  // namespace tv
