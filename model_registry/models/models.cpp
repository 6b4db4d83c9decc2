#include "model_registry/models/builders.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "model_registry/models/families.hpp"
#include "model_registry/models/options.hpp"
#include "model_registry/registry/legacy.hpp"
#include "model_registry/registry/registry.hpp"
#include "model_registry/registry/text.hpp"

namespace tv {
namespace {

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

graph::ImageSizes image_sizes(const models::ModelRow& row, const models::ModelConfig& config) {
  return {.documented = config.image_size.value_or(row.min_size),
          .smallest = row.smallest_size != 0 ? row.smallest_size : row.min_size,
          .one = static_cast<bool>(row.image_size_problem),
          .buildable = [allowed = config.any_image_size ? row.image_size_problem
                                                        : nullptr](std::int64_t side) {
            return allowed && allowed(static_cast<int>(side)).empty();
          }};
}

std::shared_ptr<const graph::Network> make_form(
    const models::ModelRow& row, const models::ModelConfig& config, graph::Form form,
    std::shared_ptr<const graph::Network> source = nullptr) {
  graph::Build build(form, config.backend);
  auto root = row.make(build, config);
  return std::make_shared<const graph::Network>(std::string(row.builder), std::move(build),
                                                std::move(root), config.num_classes,
                                                image_sizes(row, config), std::move(source));
}

std::shared_ptr<const graph::Network> make_network(const models::ModelRow& row,
                                                   models::ModelConfig config) {
  config.quantizable = row.quantization.has_value();
  if (!config.quantize) return make_form(row, config, graph::Form::kFloat);
  const graph::Form source =
      row.quantization->quantization_aware ? graph::Form::kQuantizationAware : graph::Form::kFloat;
  return make_form(row, config, graph::Form::kInt8, make_form(row, config, source));
}

Error no_such_builder(std::string_view name) {
  const std::vector<std::string> names(available_models().begin(), available_models().end());
  const std::vector<std::string> similar = nearest_names(name, names, 3);
  return {Code::kNotFound, "no builder " + in_quotes(name),
          similar.empty() ? "a name looks like resnet50" : "nearest: " + join(similar)};
}

// The element has no quantize: there an entry says it.
std::string int8_weights_of(const std::string& builder) {
  const auto entries = get_model_weights(builder);
  return entries ? "weights=" + std::string(entries->front()->enum_name) + ".DEFAULT" : "";
}

// What to do with a file that another builder's network fits ("" for none).
std::string hint_of(const std::string& likely, const graph::Network& network) {
  const models::ModelRow* const file = find_row(likely);
  if (!file) return "";
  const models::ModelRow* const row = find_row(network.builder());
  if (row && row->quantization && network.int8() && row->quantization->float_builder == likely)
    return "the file is " + likely + " in float: build it, or " + network.builder() +
           " with quantize=false";
  if (file->quantization && !network.int8() &&
      (likely == network.builder() || file->quantization->float_builder == network.builder()))
    return "the file is int8: build " + likely +
           " with quantize=true, or name int8 weights: " + int8_weights_of(likely);
  return likely == network.builder() ? "" : "the file looks like " + likely;
}

// The same names, and parameters of another shape: what an image size decides.
std::string hint_of_size(const graph::Misfit& misfit, const graph::Network& network) {
  const models::ModelRow* const row = find_row(network.builder());
  if (!row || !row->image_size_problem || !misfit.missing.empty() || !misfit.unexpected.empty())
    return "";
  return "the network was built for images of " + std::to_string(network.min_size()) +
         " pixels: for others tvmodels run and save take --image-size, C++ image_size, and a "
         "user-defined entry crop_size (docs/user-weights.md)";
}

// What an old way of choosing means, with its warnings.
Result<const Weights*> chosen_formerly(std::string_view builder, const LegacyArguments& arguments) {
  TV_ASSIGN_OR_RETURN(const LegacyChoice choice, legacy_weights(builder, arguments));
  for (const std::string& warning : choice.warnings) warn(warning);
  return choice.weights;
}

Status resolve_pretrained(const std::string& builder, BuildOptions& options) {
  if (!options.pretrained) return {};
  if (options.weights)
    return Error{Code::kInvalidArgument, builder + ": both weights and pretrained are given",
                 "leave out pretrained, which is deprecated"};
  TV_ASSIGN_OR_RETURN(options.weights, chosen_formerly(builder, {.pretrained = *options.pretrained,
                                                                 .quantize = options.quantize}));
  return {};
}

// Names and shapes agree, but for the number of classes of the head, and auxiliary heads or not.
bool looks_like(const Checkpoint& checkpoint, const models::ModelRow& row) {
  models::ModelConfig config{.own_file = true, .quantize = row.quantization.has_value()};
  auto network = make_network(row, config);
  if (row.file_version != 0) {
    config.file_version = root_version(checkpoint, *network).value_or(row.file_version);
    network = make_network(row, config);
  }
  const graph::Misfit misfit = compare(checkpoint, *network);
  return misfit.empty() || misfit.other_num_classes > 0;
}

// `version`: nothing where the file does not say it. A file of another builder has its own.
Error bad_version(const Checkpoint& checkpoint, const models::ModelRow& row,
                  std::optional<std::int64_t> version) {
  const std::string newest = std::to_string(row.file_version);
  const std::string likely = recognise_builder(checkpoint);
  if (!likely.empty() && likely != row.builder)
    return {Code::kBadCheckpoint, "the tensors do not fit " + std::string(row.builder),
            "the file looks like " + likely};
  if (version)
    return {Code::kBadCheckpoint,
            std::string(row.builder) + ": the file is of version " + std::to_string(*version) +
                ", expected 1.." + newest,
            "a newer torchvision may have saved it"};
  return {Code::kBadCheckpoint,
          std::string(row.builder) +
              ": the file does not say the version of its network, which decides about the first "
              "layers",
          "save model.state_dict() itself: a plain dict made from it loses its _metadata. "
          "Python repairs the file by model.load_state_dict() of an OrderedDict whose _metadata is "
          "{\"\": {\"version\": " +
              newest + "}}"};
}

Status check_state_dict(const Checkpoint& checkpoint) {
  const bool bare = checkpoint.entries.size() == 1 && checkpoint.entries.front().first.empty();
  if (!bare || !checkpoint.entries.front().second.tensor()) return {};
  return Error{Code::kBadCheckpoint,
               "the file holds a single tensor " +
                   shape_text(checkpoint.entries.front().second.tensor()->sizes) +
                   ", expected a state dict",
               "save model.state_dict()"};
}

// The network of an older file, nullptr for today's.
Result<std::shared_ptr<const graph::Network>> older_network(const Checkpoint& checkpoint,
                                                            const graph::Network& network) {
  TV_RETURN_IF_ERROR(check_state_dict(checkpoint));
  std::shared_ptr<const graph::Network> older;
  const models::ModelRow* const row = find_row(network.builder());
  if (!row || row->file_version == 0) return older;
  const auto version = root_version(checkpoint, network);
  if (!version || *version < 1 || *version > row->file_version)
    return bad_version(checkpoint, *row, version);
  if (*version < row->file_version)
    older = make_network(*row, {.num_classes = network.num_classes(), .file_version = *version});
  return older;
}

}  // namespace

Result<Model> get_model(std::string_view builder, const BuildOptions& asked) {
  const std::string name = fold_case(builder);
  const models::ModelRow* row = find_row(name);
  if (!row) return no_such_builder(name);
  BuildOptions options = asked;
  TV_RETURN_IF_ERROR(resolve_pretrained(name, options));
  TV_ASSIGN_OR_RETURN(const models::ModelConfig config, models::make_config(*row, options));
  return Model{make_network(*row, config), options.weights};
}

Result<NamedBuilder> get_model_builder(std::string_view name) {
  const std::string lowered = fold_case(name);
  const models::ModelRow* row = find_row(lowered);
  if (!row) return no_such_builder(lowered);
  return NamedBuilder(row->builder);
}

Result<Model> build_positional(std::string_view builder, bool pretrained, bool progress,
                               bool quantize) {
  BuildOptions options{.progress = progress, .quantize = quantize};
  TV_ASSIGN_OR_RETURN(options.weights, chosen_formerly(builder, {.pretrained = pretrained,
                                                                 .positional = true,
                                                                 .quantize = quantize}));
  return get_model(builder, options);
}

Result<Model> build_positional(std::string_view builder, const Weights* weights, bool progress,
                               bool quantize) {
  warn(positional_warning(builder));
  return get_model(builder, {.weights = weights, .progress = progress, .quantize = quantize});
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

Result<std::shared_ptr<const graph::Network>> network_of_file(
    const Checkpoint& checkpoint, const std::shared_ptr<const graph::Network>& network) {
  TV_ASSIGN_OR_RETURN(auto older, older_network(checkpoint, *network));
  return older ? older : network;
}

Result<graph::BoundTensors> bind_checkpoint(const Checkpoint& checkpoint,
                                            const graph::Network& network) {
  TV_ASSIGN_OR_RETURN(const auto older, older_network(checkpoint, network));
  auto bound = graph::bind(checkpoint, older ? *older : network);
  if (bound || !bound.error().hint.empty()) return bound;
  bound.error().hint = hint_of(recognise_builder(checkpoint), network);
  if (bound.error().hint.empty())
    bound.error().hint = hint_of_size(compare(checkpoint, network), network);
  return bound;
}

}  // namespace tv
