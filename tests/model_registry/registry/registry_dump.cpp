// Answers questions about the registry in JSON, so that a test in Python can hold it against
// torchvision. One JSON object on stdin, one on stdout; every key of the question is answered under
// the same key:
//   "weights": true                                  every field of every entry, in order
//   "enums": ["ResNet50_Weights"]                    names of get_model_weights
//   "list": [{"include": [..], "exclude": [..]}]     names of list_models
//   "fnmatch": [["name", "pattern"]]                 booleans
//   "get", "resolve": ["name"]                       the entry's name, or {"code", "what", "hint"}
//   "transforms": [["name", {overrides}]]            presets
//   "legacy": [["builder", pretrained, quantize]]     the entry's name, null, or the error
//   "load": ["path"]                                 {"weights": [..], "errors": [..]} of
//   load_user_weights
#include <cmath>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "model_registry/registry/fnmatch.hpp"
#include "model_registry/registry/legacy.hpp"
#include "model_registry/registry/registry.hpp"
#include "model_registry/registry/user_weights.hpp"

namespace {

using Json = nlohmann::ordered_json;

/// JSON has no NaN; null is None already.
Json number(double value) {
  return std::isnan(value) ? Json("NaN") : Json(value);
}

Json to_json(const tv::MetaMap& map);

struct ToJson {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(std::int64_t value) const { return value; }
  Json operator()(double value) const { return number(value); }
  Json operator()(std::string_view value) const { return std::string(value); }
  Json operator()(std::pair<int, int> value) const { return {value.first, value.second}; }
  Json operator()(std::span<const std::string_view> labels) const {
    Json list = Json::array();
    for (const auto label : labels) list.push_back(std::string(label));
    return list;
  }
  Json operator()(const std::shared_ptr<const tv::MetaMap>& map) const { return to_json(*map); }
};

// Pairs instead of an object: the order is part of the answer.
Json to_json(const tv::MetaMap& map) {
  Json items = Json::array();
  for (const auto& [key, value] : map)
    items.push_back({std::string(key), std::visit(ToJson(), value)});
  return items;
}

Json to_json(const tv::Transforms& recipe) {
  return {{"crop_size", recipe.crop_size},
          {"resize_size", recipe.resize_size},
          {"interpolation", tv::interpolation_name(recipe.interpolation)},
          {"antialias", recipe.antialias},
          {"mean", recipe.mean},
          {"std", recipe.std}};
}

Json to_json(const tv::Weights& weights) {
  return {{"name", weights.name()},
          {"enum", weights.enum_name},
          {"entry", weights.entry},
          {"builder", weights.builder},
          {"is_default", weights.is_default},
          {"url", weights.url},
          {"file", weights.file},
          {"file_name", weights.file_name()},
          {"sha256", weights.sha256},
          {"num_classes", weights.num_classes()},
          {"user_defined", weights.user_defined},
          {"transforms", to_json(weights.transforms())},
          {"describe", weights.transforms().describe()},
          {"meta", to_json(weights.meta())}};
}

Json to_json(const tv::Error& error) {
  return {{"code", tv::code_name(error.code)}, {"what", error.what}, {"hint", error.hint}};
}

tv::TransformsOverrides overrides_of(const Json& json) {
  tv::TransformsOverrides overrides;
  const auto read = [&]<typename T>(const char* key, std::optional<T>& value) {
    if (json.contains(key)) value = json[key].get<T>();
  };
  read("crop_size", overrides.crop_size);
  read("resize_size", overrides.resize_size);
  read("antialias", overrides.antialias);
  read("mean", overrides.mean);
  read("std", overrides.std);
  if (json.contains("interpolation"))
    overrides.interpolation = json["interpolation"] == "bicubic" ? tv::Interpolation::kBicubic
                                                                 : tv::Interpolation::kBilinear;
  return overrides;
}

Json names_of(const tv::Result<const tv::Weights*>& found) {
  return found ? Json((*found)->name()) : to_json(found.error());
}

Json list(const Json& query) {
  const auto include = query["include"].get<std::vector<std::string>>();
  const auto exclude = query["exclude"].get<std::vector<std::string>>();
  const std::vector<std::string_view> includes(include.begin(), include.end());
  const std::vector<std::string_view> excludes(exclude.begin(), exclude.end());
  return tv::list_models(includes, excludes);
}

Json load(const Json& query) {
  const auto paths = query.get<std::vector<std::string>>();
  const tv::UserWeights user = tv::load_user_weights(paths);
  Json answer = {{"weights", Json::array()}, {"errors", Json::array()}};
  for (const auto& weights : user.entries) answer["weights"].push_back(to_json(weights));
  for (const auto& error : user.errors) answer["errors"].push_back(to_json(error));
  return answer;
}

Json answer_one(const std::string& topic, const Json& query) {
  const std::string text = query.is_string() ? query.get<std::string>() : "";
  if (topic == "get") return names_of(tv::get_weight(text));
  if (topic == "resolve") return names_of(tv::resolve_weights(text));
  if (topic == "list") return list(query);
  if (topic == "fnmatch")
    return tv::fnmatch(query[0].get<std::string>(), query[1].get<std::string>());
  if (topic == "transforms") {
    const auto found = tv::get_weight(query[0].get<std::string>());
    return found ? to_json((*found)->transforms(overrides_of(query[1]))) : to_json(found.error());
  }
  if (topic == "legacy") {
    const auto choice =
        tv::legacy_weights(query[0].get<std::string>(),
                           {.pretrained = query[1].get<bool>(), .quantize = query[2].get<bool>()});
    if (!choice) return to_json(choice.error());
    return choice->weights ? Json(choice->weights->name()) : Json(nullptr);
  }
  if (topic == "enums") {
    const auto found = tv::get_model_weights(text);
    if (!found) return to_json(found.error());
    Json names = Json::array();
    for (const tv::Weights* weights : *found) names.push_back(weights->name());
    return names;
  }
  throw std::invalid_argument("unknown topic " + topic);
}

}  // namespace

int main() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  const Json question = Json::parse(text);
  Json answer = Json::object();
  for (const auto& [topic, queries] : question.items()) {
    if (topic == "load") {
      answer[topic] = load(queries);
      continue;
    }
    answer[topic] = Json::array();
    if (topic == "weights") {
      for (const tv::Weights* weights : tv::all_weights())
        answer[topic].push_back(to_json(*weights));
    } else {
      for (const auto& query : queries) answer[topic].push_back(answer_one(topic, query));
    }
  }
  std::cout << answer.dump() << '\n';
  return 0;
}
