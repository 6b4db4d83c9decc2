// Names, entries and their meta, without user-defined entries; torchvision itself is the judge in
// test_torchvision.py.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "model_registry/registry/catalog.hpp"
#include "model_registry/registry/fnmatch.hpp"
#include "model_registry/registry/registry.hpp"
#include "model_registry/registry/text.hpp"
#include "tests/suite.hpp"

namespace {

using Names = std::vector<std::string_view>;

/// The name that `name` stands for, or "" and the error's text in `error`.
std::string resolved(std::string_view name, std::string* error = nullptr) {
  const auto found = tv::resolve_weights(name);
  if (!found && error) *error = found.error().text();
  return found ? (*found)->name() : "";
}

const tv::Weights& weights_of(std::string_view name) {
  const auto found = tv::get_weight(name);
  ck_assert_msg(static_cast<bool>(found), "%.*s is missing", static_cast<int>(name.size()),
                name.data());
  return **found;
}

bool contains(std::string_view text, std::string_view piece) {
  return text.find(piece) != std::string_view::npos;
}

void expect_error(std::string_view name, std::string_view piece, std::string_view hint) {
  const auto found = tv::get_weight(name);
  ck_assert(!found);
  ck_assert(found.error().code == tv::Code::kNotFound);
  ck_assert_msg(contains(found.error().what, piece), "%s", found.error().what.c_str());
  ck_assert_msg(contains(found.error().hint, hint), "%s", found.error().hint.c_str());
}

// ---- every row ----

START_TEST(rows_hold_their_promises) {
  std::set<std::string> names, files;
  std::map<std::string_view, std::string_view> builder_of;
  std::map<std::string_view, int> defaults;
  for (const tv::Weights* row : tv::all_weights()) {
    ck_assert(names.insert(row->name()).second);
    ck_assert(files.insert(std::string(row->file_name())).second);
    ck_assert(builder_of.emplace(row->enum_name, row->builder).first->second == row->builder);
    defaults[row->enum_name] += row->is_default;
    ck_assert(row->url.starts_with("https://download.pytorch.org/models/"));
    ck_assert(row->url.ends_with(".pth") && row->file.empty() && !row->user_defined);
    ck_assert(row->sha256.size() == 8 || row->sha256.size() == 10);
    ck_assert(contains(row->file_name(), row->sha256));
    ck_assert(row->num_classes() == 1000);
    ck_assert(row->num_params > 1'000'000 && row->min_size >= 1 && row->gflops > 0);
    ck_assert(row->file_size_mib > 0 && !row->recipe.empty() && !row->docs.empty());
    ck_assert(row->preset.antialias && row->preset.crop_size <= row->preset.resize_size);
    ck_assert(row->preset.crop_size >= row->min_size);
    const bool quantized = row->builder.starts_with("quantized_");
    ck_assert(quantized == !row->backend.empty() && quantized == !row->unquantized.empty());
    if (quantized) ck_assert(weights_of(row->unquantized).builder == row->builder.substr(10));
    ck_assert(contains(row->entry, "SWAG") == !row->license.empty());
    const bool features = row->name() == "VGG16_Weights.IMAGENET1K_FEATURES";
    ck_assert(features == std::isnan(row->acc1) && features == std::isnan(row->acc5));
    ck_assert(features == row->categories.empty());
    ck_assert(features == !row->without_values.empty());
    ck_assert(features == !tv::check_classifier(*row));
    if (!features) ck_assert(row->acc1 > 50 && row->acc1 < row->acc5 && row->acc5 < 99);
  }
  ck_assert_uint_eq(names.size(), 129);
  ck_assert_uint_eq(defaults.size(), 92);
  for (const auto& [name, count] : defaults) ck_assert_int_eq(count, 1);
  ck_assert(tv::user_weights_errors().empty());
}
END_TEST

// ---- get_weight ----

START_TEST(get_weight_is_exact) {
  ck_assert(weights_of("ResNet50_Weights.IMAGENET1K_V2").sha256 == "11ad3fa6");
  ck_assert(&weights_of("ResNet50_Weights.DEFAULT") ==
            &weights_of("ResNet50_Weights.IMAGENET1K_V2"));
  // DEFAULT is neither the first nor the most accurate entry as such.
  ck_assert(weights_of("ViT_B_16_Weights.DEFAULT").entry == "IMAGENET1K_V1");
  ck_assert(weights_of("ViT_H_14_Weights.DEFAULT").entry == "IMAGENET1K_SWAG_E2E_V1");
  ck_assert(weights_of("ResNet50_QuantizedWeights.DEFAULT").entry == "IMAGENET1K_FBGEMM_V2");
  for (const char* name : {"resnet50", "resnet50.DEFAULT", "resnet50_weights.DEFAULT",
                           "ResNet50_Weights.default", "ResNet50_Weights.imagenet1k_v1",
                           " ResNet50_Weights.DEFAULT", "ResNet50_Weights.DEFAULT.x"})
    ck_assert_msg(!tv::get_weight(name), "%s", name);
}
END_TEST

START_TEST(get_weight_says_what_is_wrong) {
  expect_error("ResNet50_Weights", "\"ResNet50_Weights\" is not of the form Enum.ENTRY",
               "ResNet50_Weights.DEFAULT");
  expect_error("A.B.C", "\"A.B.C\" is not of the form", "nearest names");
  expect_error("ResNet51_Weights.DEFAULT", "no weights enum is named \"ResNet51_Weights\"",
               "ResNet50_Weights.DEFAULT");
  expect_error("ResNet50_Weights.IMAGENET1K_V3",
               "\"ResNet50_Weights\" has no entry \"IMAGENET1K_V3\"",
               "ResNet50_Weights.IMAGENET1K_V1, ResNet50_Weights.IMAGENET1K_V2");
  expect_error("resnet50.DEFAULT", "\"resnet50\" is a builder, not a weights enum", "resnet50");
  expect_error("resnet50.DEFAULT", "its enum is ResNet50_Weights", "ResNet50_Weights.DEFAULT");
  expect_error("", "\"\" is not of the form", "ResNet50_Weights.DEFAULT");
}
END_TEST

START_TEST(hostile_names_stay_on_one_line) {
  const std::string hostile("a\n\x1b[31m\xff\x00\"", 10);
  const auto found = tv::get_weight(hostile);
  ck_assert(!found);
  ck_assert(contains(found.error().what, "a\\x0a\\x1b[31m\\xff\\x00\\x22"));
  const auto endless = tv::resolve_weights(std::string(1 << 20, 'x'));
  ck_assert(!endless && endless.error().text().size() < 400);
}
END_TEST

// ---- resolve_weights ----

START_TEST(resolve_takes_what_people_type) {
  const std::string v1 = "ResNet50_Weights.IMAGENET1K_V1", v2 = "ResNet50_Weights.IMAGENET1K_V2";
  for (const char* name :
       {"resnet50", "ResNet50", "RESNET50", "resnet50.DEFAULT", "resnet50.default",
        "ResNet50_Weights.DEFAULT", "resnet50_weights.default", "resnet50.IMAGENET1K_V2",
        "Resnet50.Imagenet1k_v2", "RESNET50_WEIGHTS.IMAGENET1K_V2"})
    ck_assert_msg(resolved(name) == v2, "%s", name);
  ck_assert(resolved("resnet50.imagenet1k_v1") == v1);
  ck_assert(resolved("quantized_resnet50") == "ResNet50_QuantizedWeights.IMAGENET1K_FBGEMM_V2");
  for (const tv::Weights* row : tv::all_weights()) {
    ck_assert(resolved(row->name()) == row->name());
    ck_assert(resolved(tv::fold_case(row->name())) == row->name());
    ck_assert(resolved(std::string(row->builder) + "." + std::string(row->entry)) == row->name());
    if (row->is_default) ck_assert(resolved(row->builder) == row->name());
  }
}
END_TEST

START_TEST(resolve_refuses_the_rest) {
  for (const char* name :
       {"", ".", "resnet5", "resnet50.", ".DEFAULT", "resnet50.V2", "IMAGENET1K_V2", "resnet50 ",
        "resnet50..DEFAULT", "resnet50.DEFAULT.DEFAULT", "ResNet50_Weights",
        "ResNet50_Weights.resnet50"})
    ck_assert_msg(resolved(name).empty(), "%s", name);
  std::string error;
  ck_assert(resolved("resnet5", &error).empty());
  ck_assert_msg(contains(error, "no weights and no builder are named \"resnet5\""), "%s",
                error.c_str());
  ck_assert_msg(contains(error, "nearest names: resnet50, "), "%s", error.c_str());
  ck_assert(resolved("ResNet50.V2", &error).empty());
  ck_assert_msg(contains(error, "builder \"resnet50\" has no entry \"V2\""), "%s", error.c_str());
}
END_TEST

// ---- nearest names ----

START_TEST(nearest_names_first) {
  const std::pair<const char*, const char*> kCases[] = {
      {"resnet5", "resnet50"},
      {"rsenet50", "resnet50"},
      {"RESNET-50", "resnet50"},
      {"vit", "vit_b_16"},
      {"mobilenet_v3_lrage", "mobilenet_v3_large"},
      {"ResNet50_Weight.DEFAULT", "ResNet50_Weights.DEFAULT"},
      {"ResNet50_Weights", "ResNet50_Weights.DEFAULT"},
      {"resnet50_weights.imagenet1k_v3", "ResNet50_Weights.IMAGENET1K_V1"},
      {"EfficientNet_B0_Weights.IMAGNET1K_V1", "EfficientNet_B0_Weights.IMAGENET1K_V1"},
  };
  for (const auto& [typed, nearest] : kCases) {
    const auto names = tv::nearest_weights(typed);
    ck_assert_uint_eq(names.size(), 3);
    ck_assert_msg(names[0] == nearest, "%s -> %s", typed, names[0].c_str());
  }
  ck_assert(tv::nearest_weights("resnet50", 1) == std::vector<std::string>{"resnet50"});
  ck_assert(tv::nearest_weights("resnet50", 0).empty());
  ck_assert(tv::nearest_weights("x", 10'000).size() > 129 + 92);
  ck_assert(tv::nearest_weights(std::string(257, 'x')).empty());
}
END_TEST

using Words = std::vector<std::string>;

START_TEST(nearest_names_are_those_of_the_least_distance) {
  const std::size_t all = tv::nearest_weights("", 10'000).size();
  for (const char* typed :
       {"", "resnet", "VGG16_Weights.DEFAULT", "squeeznet1_1.imagenet1k", "Swin_", "zzzzzzzzzz",
        "a name that is far longer than any of those that there are, and like none of them"}) {
    const auto distance = [&](const std::string& name) {
      return tv::typing_distance(tv::fold_case(typed), tv::fold_case(name));
    };
    const Words complete = tv::nearest_weights(typed, 10'000);
    ck_assert_uint_eq(complete.size(), all);
    ck_assert(std::is_sorted(complete.begin(), complete.end(), [&](const auto& a, const auto& b) {
      return distance(a) < distance(b);
    }));
    for (const std::size_t count : {1, 3, 17}) {
      const Words expected(complete.begin(), complete.begin() + static_cast<int>(count));
      ck_assert_msg(tv::nearest_weights(typed, count) == expected, "%s, %zu", typed, count);
    }
  }
}
END_TEST

START_TEST(distances) {
  ck_assert_int_eq(tv::typing_distance("resnet50", "resnet50"), 0);
  ck_assert_int_eq(tv::typing_distance("", "abc"), 3);          // nothing typed yet
  ck_assert_int_eq(tv::typing_distance("abc", ""), 12);         // three letters too many
  ck_assert_int_eq(tv::typing_distance("ab", "ba"), 4);         // one swap
  ck_assert_int_eq(tv::typing_distance("axc", "abc"), 4);       // one wrong letter
  ck_assert_int_eq(tv::typing_distance("ac", "abc"), 4);        // one letter forgotten
  ck_assert_int_eq(tv::typing_distance("vgg", "vgg16_bn"), 5);  // typed so far
}
END_TEST

// Every pair of words of up to five letters out of two.
START_TEST(distances_stop_no_sooner_than_asked) {
  Words words{""};
  for (std::size_t i = 0; words[i].size() < 5; ++i)
    for (const char letter : {'a', 'b'}) words.push_back(words[i] + letter);
  for (const std::string& typed : words)
    for (const std::string& name : words) {
      const int distance = tv::typing_distance(typed, name);
      for (int enough = 0; enough <= distance + 1; ++enough) {
        const int found = tv::typing_distance(typed, name, enough);
        const bool right = distance < enough ? found == distance : found >= enough;
        ck_assert_msg(right, "%s, %s: %d, with %d enough %d", typed.c_str(), name.c_str(), distance,
                      enough, found);
      }
    }
}
END_TEST

// ---- lists ----

START_TEST(lists_models) {
  ck_assert_uint_eq(tv::list_models().size(), 92);
  const auto names = tv::list_models();
  ck_assert(std::is_sorted(names.begin(), names.end()));
  const Names swins{"swin_t", "swin_v2_t"};
  ck_assert(tv::list_models(Names{"swin_*t"}) == swins);
  ck_assert(tv::list_models(Names{"swin_t", "swin_*", "swin_v2_t"}, Names{"*_[bs]"}) == swins);
  ck_assert(tv::list_models(Names{"SWIN_*"}).empty());
  ck_assert(tv::list_models({}, Names{"*"}).empty());
  ck_assert(tv::list_models(Names{""}).empty());
  ck_assert_uint_eq(tv::list_models(Names{"quantized_*"}).size(), 12);
}
END_TEST

START_TEST(matches_patterns) {
  const struct {
    const char *name, *pattern;
    bool matches;
  } kCases[] = {
      {"vgg11", "vgg1[0-3]", true},
      {"vgg16", "vgg1[0-3]", false},
      {"vgg16", "vgg1[!0-3]", true},
      {"vgg16", "vgg1?", true},
      {"vgg1", "vgg1?", false},
      {"[x", "[x", true},
      {"x^", "x[^]", true},
      {"y", "[^x]", false},
      {"a\\b", "a\\b", true},
      {"]", "[]]", true},
      {"a", "[!]]", true},
      {"-", "[a-]", true},
      {"b", "[z-a]", false},
      {"b", "[!z-a]", true},
      {"c", "[b-a!c]", false},
      {"aXbXc", "a*b*c", true},
      {"", "", true},
      {"", "*", true},
      {"abcabd", "*abd", true},
      {"abc", "ab", false},
  };
  for (const auto& c : kCases)
    ck_assert_msg(tv::fnmatch(c.name, c.pattern) == c.matches, "%s %s", c.name, c.pattern);
  // No pattern makes the search explode.
  std::string stars;
  for (int i = 0; i < 2000; ++i) stars += "*a";
  ck_assert(!tv::fnmatch(std::string(5000, 'a'), stars + "b"));
}
END_TEST

START_TEST(lists_entries_of_a_builder) {
  const auto by_builder = tv::get_model_weights("vit_b_16");
  ck_assert(by_builder && by_builder->size() == 3);
  ck_assert((*by_builder)[1]->entry == "IMAGENET1K_SWAG_E2E_V1");
  ck_assert(*tv::get_model_weights("ViT_B_16_Weights") == *by_builder);
  ck_assert(*tv::get_model_weights("VIT_B_16") == *by_builder);
  const auto unknown = tv::get_model_weights("vit_b_17");
  ck_assert(!unknown && unknown.error().code == tv::Code::kNotFound);
  ck_assert(contains(unknown.error().what, "\"vit_b_17\""));
  ck_assert(contains(unknown.error().hint, "vit_b_16"));
  ck_assert(!tv::get_model_weights("vit_b_16_weights"));
}
END_TEST

// ---- transforms and meta ----

START_TEST(transforms_take_overrides) {
  const tv::Weights& weights = weights_of("ResNet50_Weights.DEFAULT");
  ck_assert(weights.transforms() == weights.preset);
  const tv::Transforms larger = weights.transforms({.crop_size = 400, .resize_size = 400});
  ck_assert_int_eq(larger.crop_size, 400);
  ck_assert_int_eq(larger.resize_size, 400);
  ck_assert(larger.mean == tv::kImageNetMean &&
            larger.interpolation == tv::Interpolation::kBilinear);
  ck_assert_int_eq(weights.transforms().crop_size, 224);  // the entry keeps its own
  const tv::Transforms other = weights.transforms({.interpolation = tv::Interpolation::kBicubic,
                                                   .antialias = false,
                                                   .mean = {{0, 0, 0}},
                                                   .std = {{1, 1, 1}}});
  ck_assert(other.interpolation == tv::Interpolation::kBicubic && !other.antialias);
  ck_assert(other.mean[2] == 0 && other.std[0] == 1 && other.crop_size == 224);
  ck_assert(!(other == weights.preset));
}
END_TEST

START_TEST(transforms_describe_themselves) {
  const std::string text = weights_of("ResNet50_Weights.DEFAULT").preset.describe();
  ck_assert_str_eq(text.c_str(),
                   "resize the shorter side to 232 (bilinear, antialias), crop 224 x 224 from the "
                   "centre, scale to 0..1, normalise with mean (0.485, 0.456, 0.406) and std "
                   "(0.229, 0.224, 0.225)");
  const tv::Transforms plain{.interpolation = tv::Interpolation::kBicubic, .antialias = false};
  ck_assert(contains(plain.describe(), "to 256 (bicubic), crop 224"));
}
END_TEST

START_TEST(meta_by_key) {
  const tv::Weights& weights = weights_of("ResNet50_Weights.IMAGENET1K_V2");
  const tv::MetaMap meta = weights.meta();
  ck_assert(std::get<std::int64_t>(*meta.find("num_params")) == 25557032);
  ck_assert(std::get<double>(*meta.find("acc@1")) == 80.858);
  const auto metrics = std::get<std::shared_ptr<const tv::MetaMap>>(*meta.find("_metrics"));
  const auto imagenet = std::get<std::shared_ptr<const tv::MetaMap>>(*metrics->find("ImageNet-1K"));
  ck_assert(std::get<double>(*imagenet->find("acc@5")) == 95.434);
  ck_assert((std::get<std::pair<int, int>>(*meta.find("size")) == std::pair(224, 224)));
  ck_assert(std::get<std::string_view>(*meta.find("task")) == "image_classification");
  ck_assert(std::get<std::string_view>(*meta.find("architecture")) == "ResNet");
  ck_assert(std::get<std::span<const std::string_view>>(*meta.find("categories"))[11] ==
            "goldfinch");
  for (const char* absent : {"license", "backend", "unquantized", "publication_year", ""})
    ck_assert_msg(meta.find(absent) == nullptr, "%s", absent);
}
END_TEST

START_TEST(meta_in_order) {
  Names keys;
  for (const auto& item : weights_of("ViT_H_14_Weights.DEFAULT").meta()) keys.push_back(item.first);
  const Names expected{"num_params",   "min_size",   "categories",    "recipe",  "_metrics",
                       "_ops",         "_file_size", "_docs",         "license", "task",
                       "architecture", "size",       "interpolation", "acc@1",   "acc@5"};
  ck_assert(keys == expected);
  const tv::MetaMap features = weights_of("VGG16_Weights.IMAGENET1K_FEATURES").meta();
  ck_assert(std::holds_alternative<std::monostate>(*features.find("categories")));
  ck_assert(std::isnan(std::get<double>(*features.find("acc@1"))));
}
END_TEST

START_TEST(an_entry_says_which_tensors_have_no_values) {
  const tv::Weights& features = weights_of("VGG16_Weights.IMAGENET1K_FEATURES");
  ck_assert(tv::lacks_values("classifier.0.weight", features.without_values));
  for (const char* name : {"features.0.weight", "classifier", "classifiers.0.weight", ""})
    ck_assert_msg(!tv::lacks_values(name, features.without_values), "%s", name);
  const tv::Weights& others = weights_of("VGG16_Weights.IMAGENET1K_V1");
  ck_assert(!tv::lacks_values("classifier.0.weight", others.without_values));
  const tv::Status refused = tv::check_classifier(features);
  ck_assert(refused.error().code == tv::Code::kUnsupported);
  ck_assert(contains(refused.error().text(), "VGG16_Weights.IMAGENET1K_FEATURES"));
  ck_assert(contains(refused.error().text(), "choose VGG16_Weights.IMAGENET1K_V1"));
}
END_TEST

}  // namespace

int main() {
  // The entries of the person who runs the test stay out of it.
  unsetenv("TV_WEIGHTS_PATH");
  unsetenv("XDG_DATA_HOME");
  unsetenv("HOME");
  return tv::test::run_suite(
      "registry", 60, rows_hold_their_promises, get_weight_is_exact, get_weight_says_what_is_wrong,
      hostile_names_stay_on_one_line, resolve_takes_what_people_type, resolve_refuses_the_rest,
      nearest_names_first, nearest_names_are_those_of_the_least_distance, distances,
      distances_stop_no_sooner_than_asked, lists_models, matches_patterns,
      lists_entries_of_a_builder, transforms_take_overrides, transforms_describe_themselves,
      meta_by_key, meta_in_order, an_entry_says_which_tensors_have_no_values);
}
