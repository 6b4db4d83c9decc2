#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "model_registry/hub/hub.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/choose.hpp"
#include "tools/tvmodels/output.hpp"

namespace tv::cli {
namespace {

using nlohmann::ordered_json;

constexpr Option kOptions[] = {
    {"json", nullptr, "an object for an entry, an array for a builder or an enum"},
};

// ---- JSON --------------------------------------------------------------------------------------

ordered_json json_of(const MetaMap& map);

ordered_json json_of(const MetaValue& value) {
  struct Visitor {
    ordered_json operator()(std::monostate) const { return nullptr; }
    ordered_json operator()(std::int64_t number) const { return number; }
    ordered_json operator()(double number) const { return number; }
    ordered_json operator()(std::string_view text) const { return text; }
    ordered_json operator()(const std::pair<int, int>& size) const {
      return {size.first, size.second};
    }
    ordered_json operator()(std::span<const std::string_view> list) const {
      ordered_json array = ordered_json::array();
      for (const std::string_view text : list) array.push_back(text);
      return array;
    }
    ordered_json operator()(const std::shared_ptr<const MetaMap>& map) const {
      return json_of(*map);
    }
  };
  return std::visit(Visitor{}, value);
}

ordered_json json_of(const MetaMap& map) {
  ordered_json object = ordered_json::object();
  for (const auto& [key, value] : map) object[std::string(key)] = json_of(value);
  return object;
}

ordered_json json_of(const Transforms& recipe) {
  return {{"crop_size", recipe.crop_size},
          {"resize_size", recipe.resize_size},
          {"interpolation", interpolation_name(recipe.interpolation)},
          {"antialias", recipe.antialias},
          {"mean", recipe.mean},
          {"std", recipe.std}};
}

ordered_json text_or_null(std::string_view text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}

ordered_json json_of(const Weights& weights) {
  return {{"name", weights.name()},
          {"enum", weights.enum_name},
          {"entry", weights.entry},
          {"builder", weights.builder},
          {"is_default", weights.is_default},
          {"user_defined", weights.user_defined},
          {"url", text_or_null(weights.url)},
          {"file", text_or_null(weights.file)},
          {"sha256", text_or_null(weights.sha256)},
          {"cache_path", cache_path(weights)},
          {"transforms", json_of(weights.preset)},
          {"meta", json_of(weights.meta())}};
}

// ---- text for people ---------------------------------------------------------------------------

constexpr std::size_t kNameWidth = 18;
constexpr std::size_t kLineWidth = 100;
constexpr std::size_t kCategoriesShown = 5;

// Name and value in two columns; a long value goes on below its beginning.
void line(std::size_t indent, std::string_view name, std::string_view value) {
  const std::size_t column = indent + kNameWidth;
  std::string text = std::string(indent, ' ') + printable(name);
  std::size_t width = text.size();
  std::istringstream words{std::string(value)};
  for (std::string word; words >> word;) {
    const bool first = width <= column;
    if (!first && width + 1 + word.size() > kLineWidth) {
      text += '\n';
      width = 0;
    }
    const std::size_t gap = width < column ? column - width : 1;
    text += std::string(gap, ' ') + printable(word);
    width += gap + word.size();
  }
  print(text);
}

std::string text_of(double number) {
  if (std::isnan(number)) return "not published";
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, number);
  return error == std::errc() ? std::string(text, end) : std::string();
}

std::string text_of(std::span<const std::string_view> list) {
  std::string text = std::to_string(list.size()) + ": ";
  for (std::size_t i = 0; i < std::min(list.size(), kCategoriesShown); ++i)
    text += (i == 0 ? "" : ", ") + std::string(list[i]);
  return text + (list.size() > kCategoriesShown ? ", ... (all of them with --json)" : "");
}

void show_map(std::size_t indent, const MetaMap& map);

void show_value(std::size_t indent, std::string_view name, const MetaValue& value) {
  struct Visitor {
    std::size_t indent;
    std::string_view name;
    void operator()(std::monostate) const { line(indent, name, "none"); }
    void operator()(std::int64_t number) const { line(indent, name, std::to_string(number)); }
    void operator()(double number) const { line(indent, name, text_of(number)); }
    void operator()(std::string_view text) const { line(indent, name, text); }
    void operator()(const std::pair<int, int>& size) const {
      line(indent, name, std::to_string(size.first) + " x " + std::to_string(size.second));
    }
    void operator()(std::span<const std::string_view> list) const {
      line(indent, name, text_of(list));
    }
    void operator()(const std::shared_ptr<const MetaMap>& map) const {
      line(indent, name, "");
      show_map(indent + 2, *map);
    }
  };
  std::visit(Visitor{indent, name}, value);
}

void show_map(std::size_t indent, const MetaMap& map) {
  for (const auto& [key, value] : map) show_value(indent, key, value);
}

void show(const Weights& weights) {
  print(weights.name() + (weights.is_default ? "  (DEFAULT)" : ""));
  line(2, "builder", weights.builder);
  if (!weights.url.empty()) line(2, "url", weights.url);
  if (!weights.sha256.empty())
    line(2, "sha256",
         std::string(weights.sha256) +
             (weights.sha256.size() < 64 ? "... (the digits that are known)" : ""));
  line(2, weights.file.empty() ? "cache path" : "file", cache_path(weights));
  line(2, "transforms", weights.preset.describe());
  show_map(2, weights.meta());
}

int run(const Arguments& arguments) {
  warn_of_user_files();
  const std::string& name = arguments.operands().front();
  const auto entries = entries_of(name);
  if (!entries) return report(entries.error());
  if (!arguments.has("json")) {
    for (std::size_t i = 0; i < entries->size(); ++i) {
      if (i != 0) print("");
      show(*(*entries)[i]);
    }
    return kOk;
  }
  if (name.find('.') != std::string::npos) return print_json(json_of(*entries->front())), kOk;
  ordered_json array = ordered_json::array();
  for (const Weights* weights : *entries) array.push_back(json_of(*weights));
  print_json(array);
  return kOk;
}

}  // namespace

const Command kShow = {
    .name = "show",
    .operands = "NAME",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "Show every field of an entry, or of all entries of a builder or an enum.",
    .details =
        "NAME is for instance ResNet50_Weights.IMAGENET1K_V2, resnet50.DEFAULT, resnet50 or "
        "ResNet50_Weights.\n",
    .options = kOptions,
    .run = run,
};

}  // namespace tv::cli
