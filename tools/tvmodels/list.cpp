#include <algorithm>
#include <nlohmann/json.hpp>

#include "model_registry/models/models.hpp"
#include "model_registry/registry/registry.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/choose.hpp"
#include "tools/tvmodels/output.hpp"

namespace tv::cli {
namespace {

constexpr Option kOptions[] = {
    {"include", "PATTERN",
     "only names that match (* ? [seq] [!seq]); may be repeated: any of them"},
    {"exclude", "PATTERN", "no names that match; may be repeated"},
    {"json", nullptr, "an array of {builder, runs, default, weights}"},
};

nlohmann::ordered_json row(std::string_view builder) {
  const auto runnable = available_models();
  nlohmann::ordered_json row = {
      {"builder", builder},
      {"runs", std::find(runnable.begin(), runnable.end(), builder) != runnable.end()},
      {"default", nullptr},
      {"weights", nlohmann::ordered_json::array()}};
  if (const auto entries = get_model_weights(builder))
    for (const Weights* weights : *entries) {
      row["weights"].push_back(weights->name());
      if (weights->is_default) row["default"] = weights->name();
    }
  return row;
}

int run(const Arguments& arguments) {
  warn_of_user_files();
  const auto builders = list_models(arguments.texts("include"), arguments.texts("exclude"));
  if (!arguments.has("json")) {
    for (const std::string_view builder : builders) print(builder);
    return kOk;
  }
  nlohmann::ordered_json document = nlohmann::ordered_json::array();
  for (const std::string_view builder : builders) document.push_back(row(builder));
  print_json(document);
  return kOk;
}

}  // namespace

const Command kList = {
    .name = "list",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .summary = "List the builders, sorted.",
    .details =
        "As torchvision.models.list_models(include=..., exclude=...) over the classification "
        "models.\n",
    .options = kOptions,
    .run = run,
};

}  // namespace tv::cli
