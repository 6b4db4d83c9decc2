#include "model_registry/registry/user_entry.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>

#include "model_registry/registry/builtin.hpp"
#include "model_registry/registry/text.hpp"
#include "model_registry/registry/user_files.hpp"
#include "model_registry/registry/user_json.hpp"

namespace tv {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kLargestSide = 16384;
constexpr std::size_t kLongestName = 64;
constexpr std::size_t kLongestLink = 2048;
constexpr std::size_t kLongestFileName = 255;
constexpr std::size_t kLongestLabel = 256;
constexpr std::size_t kMostLabels = 100'000;
constexpr std::size_t kLargestLabelFile = 32u << 20;
constexpr std::size_t kDigestDigits = 64;
constexpr std::string_view kHttps = "https://";

/// Where a value stands, for errors, and where relative paths begin.
struct Place {
  const std::string& path;
  std::string key;

  Place at(std::string_view inner) const {
    return {path, key.empty() ? std::string(inner) : key + "." + std::string(inner)};
  }
  Error error(const std::string& expected, const std::string& found) const {
    return entry_error(path, key, expected, found);
  }
  Error error(const std::string& expected, const Json& found) const {
    return error(expected, shown(found));
  }
};

/// How one key of an object is read into an entry.
struct Key {
  std::string_view name;
  Status (*read)(const Place&, const Json&, UserEntry&);
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// ---- values ----

Result<std::string> read_text(const Place& place, const Json& value, std::size_t longest) {
  const std::string expected =
      "a text of 1 to " + std::to_string(longest) + " bytes without control characters";
  if (!value.is_string()) return place.error(expected, value);
  const auto& text = value.get_ref<const std::string&>();
  if (text.empty() || text.size() > longest || text_fault(text))
    return place.error(expected, value);
  return text;
}

/// A name as in Python: letters, digits and "_", not beginning with a digit.
Result<std::string> read_identifier(const Place& place, const Json& value) {
  const std::string expected = "a name of letters, digits and \"_\", at most " +
                               std::to_string(kLongestName) + ", the first no digit";
  if (!value.is_string()) return place.error(expected, value);
  const auto& name = value.get_ref<const std::string&>();
  const bool valid =
      !name.empty() && name.size() <= kLongestName && is_letter(name[0]) &&
      std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || is_digit(c); });
  if (!valid) return place.error(expected, value);
  return name;
}

Status read_size(const Place& place, const Json& value, int& size) {
  const std::string expected = "an integer from 1 to " + std::to_string(kLargestSide);
  if (!value.is_number_integer()) return place.error(expected, value);
  const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= kLargestSide : false;
  if (!fits || value.get<std::uint64_t>() < 1) return place.error(expected, value);
  size = value.get<int>();
  return {};
}

Status read_bool(const Place& place, const Json& value, bool& flag) {
  if (!value.is_boolean()) return place.error("true or false", value);
  flag = value.get<bool>();
  return {};
}

/// Three numbers that a float32 can hold; not zero where they are divisors.
Status read_channels(const Place& place, const Json& value, bool divisors,
                     std::array<double, 3>& channels) {
  const std::string expected = divisors ? "three finite numbers, none of them 0 (R, G, B)"
                                        : "three finite numbers (R, G, B)";
  if (!value.is_array() || value.size() != channels.size()) return place.error(expected, value);
  for (std::size_t i = 0; i < channels.size(); ++i) {
    if (!value[i].is_number()) return place.error(expected, value);
    channels[i] = value[i].get<double>();
    const auto single = static_cast<float>(channels[i]);
    if (!std::isfinite(single) || (divisors && single == 0)) return place.error(expected, value);
  }
  return {};
}

Status read_accuracy(const Place& place, const Json& value, double& accuracy) {
  const std::string expected = "a number from 0 to 100 (percent)";
  if (!value.is_number()) return place.error(expected, value);
  accuracy = value.get<double>();
  if (!(accuracy >= 0 && accuracy <= 100)) return place.error(expected, value);
  return {};
}

/// Reads every key of `value` by its row; a key without a row is an error.
Status read_object(const Place& place, const Json& value, std::span<const Key> keys,
                   UserEntry& entry) {
  if (!value.is_object()) return place.error("an object", value);
  for (const auto& [name, inner] : value.items()) {
    const auto named = [&, &key = name](const Key& row) { return row.name == key; };
    const auto row = std::find_if(keys.begin(), keys.end(), named);
    if (row == keys.end()) {
      std::string expected = "one of";
      for (const Key& known : keys) expected += " " + std::string(known.name);
      return place.at(name).error(expected, std::string("a key that is unknown"));
    }
    TV_RETURN_IF_ERROR(row->read(place.at(name), inner, entry));
  }
  return {};
}

// ---- labels ----

/// nullptr, or what is wrong with a label.
const char* label_fault(std::string_view label) {
  if (label.empty()) return "an empty label";
  if (label.size() > kLongestLabel) return "a label of more than 256 bytes";
  return text_fault(label);
}

Error label_error(const Place& place, const char* fault, std::size_t number) {
  return place.error("labels of 1 to 256 bytes without control characters",
                     std::string(fault) + " as label " + std::to_string(number));
}

Error label_count_error(const Place& place, const std::string& found) {
  return place.error("1 to " + std::to_string(kMostLabels) + " labels", found);
}

Result<std::vector<std::string>> labels_of_array(const Place& place, const Json& value) {
  if (value.empty() || value.size() > kMostLabels)
    return label_count_error(place, std::to_string(value.size()));
  std::vector<std::string> labels;
  for (const Json& item : value) {
    if (!item.is_string()) return place.error("a list of texts", item);
    labels.push_back(item.get<std::string>());
    if (const char* fault = label_fault(labels.back()))
      return label_error(place, fault, labels.size());
  }
  return labels;
}

/// One label a line; lines end with "\n" or "\r\n", the last one may have no end.
Result<std::vector<std::string>> labels_of_file(const Place& place, const std::string& path) {
  Result<std::string> bytes = read_small_file(path, kLargestLabelFile);
  if (!bytes) {
    Error error = place.error("a text file with one label a line", bytes.error().what);
    error.code = bytes.error().code;
    return error;
  }
  std::vector<std::string> labels;
  std::string_view rest = *bytes;
  while (!rest.empty()) {
    if (labels.size() == kMostLabels) return label_count_error(place, "more in " + in_quotes(path));
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    labels.emplace_back(line);
    if (const char* fault = label_fault(line)) return label_error(place, fault, labels.size());
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  if (labels.empty()) return label_count_error(place, "none in " + in_quotes(path));
  return labels;
}

// ---- keys ----

Status read_enum(const Place& place, const Json& value, UserEntry& entry) {
  TV_ASSIGN_OR_RETURN(entry.enum_name, read_identifier(place, value));
  if (builtin_default(fold_case(entry.enum_name)))
    return place.error("an enum such as MyFlowers_Weights",
                       "the name of a builder, " + shown(value));
  return {};
}

Status read_entry(const Place& place, const Json& value, UserEntry& entry) {
  TV_ASSIGN_OR_RETURN(entry.entry, read_identifier(place, value));
  if (equal_folded(entry.entry, "DEFAULT")) {
    return place.error("a name other than DEFAULT, which is an alias (see \"default\")", value);
  }
  return {};
}

Status read_builder(const Place& place, const Json& value, UserEntry& entry) {
  const std::string expected = "a builder such as resnet18";
  if (!value.is_string()) return place.error(expected, value);
  entry.base = builtin_default(value.get_ref<const std::string&>());
  if (!entry.base) return place.error(expected, value);
  return {};
}

Status read_file(const Place& place, const Json& value, UserEntry& entry) {
  TV_ASSIGN_OR_RETURN(const std::string file, read_text(place, value, kLongestLink));
  entry.file = absolute_path(parent_folder(place.path), file);
  if (file.back() == '/') return place.error("the path of a file", value);
  return {};
}

Status read_url(const Place& place, const Json& value, UserEntry& entry) {
  const std::string expected = "an https:// address that ends in a file name";
  if (!value.is_string()) return place.error(expected, value);
  const std::string url = value.get<std::string>();
  // An address may hold a password or a token, which errors must not repeat.
  if (url.find('@') != std::string::npos)
    return place.error(expected + ", without user name", std::string("one with \"@\""));
  const std::string without_query = url.substr(0, url.find_first_of("?#"));
  const bool printable =
      std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  const std::string_view path =
      std::string_view(without_query).substr(std::min(kHttps.size(), without_query.size()));
  const auto slash = path.rfind('/');
  const auto name = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  const bool is_file =
      !name.empty() && name != "." && name != ".." && name.size() <= kLongestFileName;
  const bool has_host = !path.empty() && path[0] != '/';
  if (!without_query.starts_with(kHttps) || url.size() > kLongestLink || !printable || !has_host ||
      !is_file)
    return place.error(expected, Json(without_query));
  entry.url = url;
  return {};
}

Status read_sha256(const Place& place, const Json& value, UserEntry& entry) {
  const std::string expected = "64 hexadecimal digits";
  if (!value.is_string()) return place.error(expected, value);
  entry.sha256 = fold_case(value.get_ref<const std::string&>());
  const bool valid = entry.sha256.size() == kDigestDigits &&
                     std::all_of(entry.sha256.begin(), entry.sha256.end(),
                                 [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
  if (!valid) return place.error(expected, value);
  return {};
}

Status read_crop_size(const Place& place, const Json& value, UserEntry& entry) {
  return read_size(place, value, entry.preset.crop_size);
}

Status read_resize_size(const Place& place, const Json& value, UserEntry& entry) {
  return read_size(place, value, entry.preset.resize_size);
}

Status read_interpolation(const Place& place, const Json& value, UserEntry& entry) {
  for (const Interpolation mode : {Interpolation::kBilinear, Interpolation::kBicubic}) {
    if (value != interpolation_name(mode)) continue;
    entry.preset.interpolation = mode;
    return {};
  }
  return place.error("\"bilinear\" or \"bicubic\"", value);
}

Status read_antialias(const Place& place, const Json& value, UserEntry& entry) {
  return read_bool(place, value, entry.preset.antialias);
}

Status read_mean(const Place& place, const Json& value, UserEntry& entry) {
  return read_channels(place, value, /*divisors=*/false, entry.preset.mean);
}

Status read_std(const Place& place, const Json& value, UserEntry& entry) {
  return read_channels(place, value, /*divisors=*/true, entry.preset.std);
}

constexpr Key kTransformsKeys[] = {
    {"crop_size", read_crop_size},
    {"resize_size", read_resize_size},
    {"interpolation", read_interpolation},
    {"antialias", read_antialias},
    {"mean", read_mean},
    {"std", read_std},
};

Status read_transforms(const Place& place, const Json& value, UserEntry& entry) {
  return read_object(place, value, kTransformsKeys, entry);
}

Status read_categories(const Place& place, const Json& value, UserEntry& entry) {
  if (value.is_array()) {
    TV_ASSIGN_OR_RETURN(entry.categories, labels_of_array(place, value));
    return {};
  }
  if (!value.is_string()) return place.error("a list of labels or the path of a text file", value);
  TV_ASSIGN_OR_RETURN(const std::string path, read_text(place, value, kLongestLink));
  TV_ASSIGN_OR_RETURN(entry.categories,
                      labels_of_file(place, absolute_path(parent_folder(place.path), path)));
  return {};
}

Status read_default(const Place& place, const Json& value, UserEntry& entry) {
  return read_bool(place, value, entry.is_default);
}

Status read_acc1(const Place& place, const Json& value, UserEntry& entry) {
  return read_accuracy(place, value, entry.acc1);
}

Status read_acc5(const Place& place, const Json& value, UserEntry& entry) {
  return read_accuracy(place, value, entry.acc5);
}

constexpr Key kMetricsKeys[] = {{"acc@1", read_acc1}, {"acc@5", read_acc5}};

Status read_metrics(const Place& place, const Json& value, UserEntry& entry) {
  if (!value.is_object() || value.size() != 1)
    return place.error("an object with one key, the name of the data set", value);
  TV_ASSIGN_OR_RETURN(entry.dataset, read_text(place, value.items().begin().key(), kLongestLabel));
  return read_object(place.at(entry.dataset), value.front(), kMetricsKeys, entry);
}

Status read_license(const Place& place, const Json& value, UserEntry& entry) {
  TV_ASSIGN_OR_RETURN(entry.license, read_text(place, value, kLongestLink));
  return {};
}

Status read_recipe(const Place& place, const Json& value, UserEntry& entry) {
  TV_ASSIGN_OR_RETURN(entry.recipe, read_text(place, value, kLongestLink));
  return {};
}

constexpr Key kEntryKeys[] = {
    {"enum", read_enum},
    {"entry", read_entry},
    {"builder", read_builder},
    {"file", read_file},
    {"url", read_url},
    {"sha256", read_sha256},
    {"transforms", read_transforms},
    {"categories", read_categories},
    {"default", read_default},
    {"metrics", read_metrics},
    {"license", read_license},
    {"recipe", read_recipe},
};

}  // namespace

Error entry_error(const std::string& path, std::string_view key, const std::string& expected,
                  const std::string& found) {
  const std::string where = key.empty() ? "" : ", key " + in_quotes(key);
  return {Code::kInvalidArgument,
          in_quotes(path) + where + ": expected " + expected + ", found " + found,
          "docs/user-weights.md describes the file"};
}

Result<UserEntry> parse_user_entry(const std::string& path, std::string_view text) {
  TV_ASSIGN_OR_RETURN(const Json json, parse_json(path, text));
  const Place place{path, ""};
  if (!json.is_object()) return place.error("an object", json);
  for (const std::string_view required : {"enum", "entry", "builder"})
    if (!json.contains(required)) return place.at(required).error("a value", std::string("none"));
  UserEntry entry;
  // The builder first: its DEFAULT preset is what "transforms" changes.
  TV_RETURN_IF_ERROR(read_builder(place.at("builder"), json["builder"], entry));
  entry.preset = entry.base->preset;
  TV_RETURN_IF_ERROR(read_object(place, json, kEntryKeys, entry));
  if (entry.file.empty() == entry.url.empty()) {
    return place.at("file").error("either \"file\" or \"url\"",
                                  std::string(entry.file.empty() ? "neither" : "both"));
  }
  if (!entry.url.empty() && entry.sha256.empty())
    return place.at("sha256").error("the digest of what the url leads to", std::string("none"));
  return entry;
}

}  // namespace tv
