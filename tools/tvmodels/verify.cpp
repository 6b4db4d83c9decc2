#include <algorithm>
#include <utility>

#include "model_registry/checkpoint/checkpoint.hpp"
#include "model_registry/checkpoint/tensor.hpp"
#include "model_registry/graph/bind.hpp"
#include "model_registry/hub/hub.hpp"
#include "model_registry/models/models.hpp"
#include "model_registry/registry/registry.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/choose.hpp"
#include "tools/tvmodels/output.hpp"

namespace tv::cli {
namespace {

constexpr Option kOptions[] = {
    {"weights", "NAME", "the entry that the file should be"},
};

constexpr std::size_t kLabelWidth = 12;  // "unexpected" and two spaces

void line(std::string_view name, std::string_view value) {
  std::string left(name);
  left.resize(kLabelWidth, ' ');
  print(left + printable(value));
}

void show_contents(const FileBytes& file, const Checkpoint& checkpoint) {
  std::int64_t tensors = 0, elements = 0;
  for (const auto& [name, value] : checkpoint.entries)
    if (const TensorView* tensor = value.tensor()) {
      ++tensors;
      elements += tensor->numel();
    }
  line("file", file.path);
  line("size", std::to_string(file.size) + " bytes");
  line("format", checkpoint.format == CheckpointFormat::kZip ? "zip" : "legacy");
  line("tensors", std::to_string(tensors) + ", " + std::to_string(elements) + " elements");
  if (const std::size_t others = checkpoint.entries.size() - static_cast<std::size_t>(tensors);
      others != 0)
    line("others", std::to_string(others) + " entries that are no tensors");
  line("sha256", file.sha256);
}

// Without --weights: what the file is, as far as the registry can tell.
void recognise(const FileBytes& file, const Checkpoint& checkpoint) {
  std::string names;
  for (const Weights* weights : all_weights())
    if (!weights->sha256.empty() && digest_matches(file.sha256, weights->sha256))
      names += (names.empty() ? "" : ", ") + weights->name();
  line("known as", names.empty() ? "no entry has this digest" : names);
  const std::string builder = recognise_builder(checkpoint);
  line("fits", builder.empty() ? "no architecture of this version" : builder);
}

int check_digest(const FileBytes& file, const Weights& weights) {
  if (weights.sha256.empty()) return line("digest", "the entry lists none"), kOk;
  const std::string expected(weights.sha256);
  if (digest_matches(file.sha256, expected))
    return line("digest",
                expected.size() == 64 ? "matches" : "matches the known digits " + expected),
           kOk;
  line("digest", "does not match");
  return report(
      {Code::kBadDigest,
       file.path + " is not the file of " + weights.name() + ": found sha256 " + file.sha256 +
           (expected.size() == 64 ? ", expected " : ", expected one beginning with ") + expected,
       "tvmodels fetch " + weights.name()});
}

// An error names the first five.
void show_misfit(const graph::Misfit& misfit) {
  const std::pair<std::string_view, const std::vector<std::string>*> kLists[] = {
      {"missing", &misfit.missing},
      {"unexpected", &misfit.unexpected},
      {"shape", &misfit.shapes},
      {"type", &misfit.types}};
  for (const auto& [what, names] : kLists)
    for (const std::string& name : *names) line(what, name);
}

// Loading refuses a network whose results would be none, unless its entry is one.
int check_numbers(const FileBytes& file, const graph::BoundTensors& tensors,
                  const graph::Network& network, const Weights& weights) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string& name = network.parameters()[i].name;
    if (tensors[i].data && has_nonfinite(tensors[i]) && !lacks_values(name, weights.without_values))
      return report({Code::kBadCheckpoint,
                     file.path + ": tensor " + name + " holds a NaN or an infinity",
                     "it cannot be loaded: train it again, or take an earlier checkpoint"});
  }
  return kOk;
}

int check_fit(const FileBytes& file, const Checkpoint& checkpoint, const Weights& weights) {
  const std::string architecture =
      std::string(weights.builder) + " with " + std::to_string(weights.num_classes()) + " classes";
  const auto model =
      get_model(weights.builder, {.weights = &weights, .quantize = implies_quantize(weights)});
  if (!model) return line("fits", "not checked"), report(model.error());
  auto bound = bind_checkpoint(checkpoint, *model->network);
  if (!bound) {
    line("fits", "no");
    show_misfit(graph::compare(checkpoint, *model->network));
    bound.error().what = file.path + ": " + bound.error().what;
    return report(bound.error());
  }
  line("fits", architecture);
  const auto network = network_of_file(checkpoint, model->network);  // as bind_checkpoint() has it
  if (!network) return report(network.error());
  return check_numbers(file, *bound, graph::bound_network(*bound, **network), weights);
}

int run(const Arguments& arguments) {
  warn_of_user_files();
  const Weights* weights = nullptr;
  if (arguments.has("weights")) {
    const auto found = resolve_weights(arguments.text("weights"));
    if (!found) return report(found.error());
    weights = *found;
  }
  const auto file = read_file(arguments.operands().front());
  if (!file) return report(file.error());
  const auto checkpoint = read_checkpoint(*file);
  if (!checkpoint) return report(checkpoint.error());
  show_contents(*file, *checkpoint);
  if (weights == nullptr) return recognise(*file, *checkpoint), kOk;
  line("weights", weights->name());
  const int digest = check_digest(*file, *weights);
  return std::max(digest, check_fit(*file, *checkpoint, *weights));
}

}  // namespace

const Command kVerify = {
    .name = "verify",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "Read a weight file: format, tensors, digest, and whether it is what it should be.",
    .details =
        "Nothing in the file is executed. Without --weights the registry is asked what the file "
        "is.\n"
        "Fails when the file cannot be read, or is not the entry's file or does not fit its "
        "network.\n",
    .options = kOptions,
    .run = run,
};

}  // namespace tv::cli
