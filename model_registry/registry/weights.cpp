#include "model_registry/registry/weights.hpp"

#include <charconv>
#include <cmath>

namespace tv {
namespace {

/// The shortest decimal that reads back as `value`, whatever the locale.
std::string number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return std::string(text, end);
}

std::string channels(const std::array<double, 3>& values) {
  return "(" + number(values[0]) + ", " + number(values[1]) + ", " + number(values[2]) + ")";
}

std::shared_ptr<const MetaMap> mapping(std::vector<MetaMap::Item> items) {
  return std::make_shared<const MetaMap>(std::move(items));
}

/// torchvision lists NaN for an entry that has no accuracy; a user's entry just lacks the key.
bool lists(const Weights& weights, double accuracy) {
  return !weights.user_defined || !std::isnan(accuracy);
}

std::vector<MetaMap::Item> accuracies(const Weights& weights) {
  std::vector<MetaMap::Item> items;
  if (lists(weights, weights.acc1)) items.emplace_back("acc@1", weights.acc1);
  if (lists(weights, weights.acc5)) items.emplace_back("acc@5", weights.acc5);
  return items;
}

void add_text(std::vector<MetaMap::Item>& items, std::string_view key, std::string_view text) {
  if (!text.empty()) items.emplace_back(key, text);
}

}  // namespace

std::string Transforms::describe() const {
  return "resize the shorter side to " + std::to_string(resize_size) + " (" +
         std::string(interpolation_name(interpolation)) + (antialias ? ", antialias" : "") +
         "), crop " + std::to_string(crop_size) + " x " + std::to_string(crop_size) +
         " from the centre, scale to 0..1, normalise with mean " + channels(mean) + " and std " +
         channels(std);
}

std::string Weights::name() const {
  std::string text(enum_name);
  text += '.';
  text += entry;
  return text;
}

std::string_view Weights::file_name() const {
  std::string_view path = file;
  if (path.empty()) path = url.substr(0, url.find_first_of("?#"));
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

Transforms Weights::transforms(const TransformsOverrides& overrides) const {
  Transforms changed = preset;
  if (overrides.crop_size) changed.crop_size = *overrides.crop_size;
  if (overrides.resize_size) changed.resize_size = *overrides.resize_size;
  if (overrides.interpolation) changed.interpolation = *overrides.interpolation;
  if (overrides.antialias) changed.antialias = *overrides.antialias;
  if (overrides.mean) changed.mean = *overrides.mean;
  if (overrides.std) changed.std = *overrides.std;
  return changed;
}

bool takes_one_size(const Weights& weights) {
  return weights.architecture == "VisionTransformer" || weights.architecture == "MaxVit";
}

bool lacks_values(std::string_view tensor, std::string_view without_values) {
  return !without_values.empty() && tensor.starts_with(without_values) &&
         tensor.substr(without_values.size()).starts_with('.');
}

MetaMap Weights::meta() const {
  std::vector<MetaMap::Item> items;
  if (num_params > 0) items.emplace_back("num_params", num_params);
  items.emplace_back("min_size", std::pair(min_size, min_size));
  items.emplace_back("categories", categories.empty() ? MetaValue() : MetaValue(categories));
  add_text(items, "recipe", recipe);
  const auto measured = accuracies(*this);
  if (!measured.empty()) items.emplace_back("_metrics", mapping({{dataset, mapping(measured)}}));
  if (gflops > 0) items.emplace_back("_ops", gflops);
  if (file_size_mib > 0) items.emplace_back("_file_size", file_size_mib);
  add_text(items, "_docs", docs);
  add_text(items, "license", license);
  add_text(items, "backend", backend);
  add_text(items, "unquantized", unquantized);

  items.emplace_back("task", std::string_view("image_classification"));
  items.emplace_back("architecture", architecture);
  items.emplace_back("size", std::pair(preset.crop_size, preset.crop_size));
  items.emplace_back("interpolation", interpolation_name(preset.interpolation));
  items.insert(items.end(), measured.begin(), measured.end());
  return MetaMap(std::move(items));
}

}  // namespace tv
