#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "model_registry/registry/registry.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/output.hpp"

namespace tv::cli {
namespace {

constexpr Option kOptions[] = {
    {"all", nullptr, "also builders whose second weights came after the announcement"},
    {"json", nullptr, "an array of {builder, old, old_acc1, new, new_acc1}"},
};

// Its V2 weights are younger than the announcement, whose table has 25 rows.
constexpr std::string_view kYounger[] = {"mobilenet_v2"};

struct Row {
  std::string_view builder;
  const Weights* old_weights;
  const Weights* new_weights;
};

const Weights* entry_with(const std::vector<const Weights*>& entries, std::string_view suffix) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Weights* weights) {
    return !weights->user_defined && weights->entry.ends_with(suffix);
  });
  return found == entries.end() ? nullptr : *found;
}

std::vector<Row> rows(bool all) {
  std::vector<Row> rows;
  for (const std::string_view builder : list_models()) {
    const bool younger =
        std::find(std::begin(kYounger), std::end(kYounger), builder) != std::end(kYounger);
    if (younger && !all) continue;
    const auto entries = get_model_weights(builder);
    if (!entries) continue;
    // IMAGENET1K_V1 and IMAGENET1K_V2; for int8 also the engine, as in IMAGENET1K_FBGEMM_V2.
    const Row row{builder, entry_with(*entries, "_V1"), entry_with(*entries, "_V2")};
    if (row.old_weights != nullptr && row.new_weights != nullptr) rows.push_back(row);
  }
  return rows;
}

int run(const Arguments& arguments) {
  const std::vector<Row> table = rows(arguments.has("all"));
  if (arguments.has("json")) {
    nlohmann::ordered_json array = nlohmann::ordered_json::array();
    for (const Row& row : table)
      array.push_back({{"builder", row.builder},
                       {"old", row.old_weights->name()},
                       {"old_acc1", row.old_weights->acc1},
                       {"new", row.new_weights->name()},
                       {"new_acc1", row.new_weights->acc1}});
    return print_json(array), kOk;
  }
  const auto line = [](const std::string& builder, const std::string& old_weights,
                       const std::string& old_acc1, const std::string& new_weights,
                       const std::string& new_acc1) {
    char text[160];
    std::snprintf(text, sizeof text, "%-27s %-23s %-7s %-23s %s", builder.c_str(),
                  old_weights.c_str(), old_acc1.c_str(), new_weights.c_str(), new_acc1.c_str());
    print(text);
  };
  const auto percent = [](double accuracy) {
    char text[16];
    std::snprintf(text, sizeof text, "%.3f", accuracy);
    return std::string(text);
  };
  line("builder", "old weights", "acc@1", "new weights", "acc@1");
  for (const Row& row : table)
    line(std::string(row.builder), std::string(row.old_weights->entry),
         percent(row.old_weights->acc1), std::string(row.new_weights->entry),
         percent(row.new_weights->acc1));
  return kOk;
}

}  // namespace

const Command kTable = {
    .name = "table",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .summary = "Compare the old and the new weights of every builder that has both.",
    .details =
        "The table of the announcement of torchvision's multi-weight API, from the registry:\n"
        "accuracies in percent on ImageNet-1K.\n",
    .options = kOptions,
    .run = run,
};

}  // namespace tv::cli
