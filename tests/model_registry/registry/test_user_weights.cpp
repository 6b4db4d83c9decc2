// User-defined entries: what a JSON file may say, and that everything else is refused with one
// clear error.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model_registry/registry/builtin.hpp"
#include "model_registry/registry/catalog.hpp"
#include "model_registry/registry/registry.hpp"
#include "model_registry/registry/user_weights.hpp"
#include "tests/suite.hpp"

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using tv::test::TempFolder;

const std::string kDigest(64, 'a');

/// A valid entry; the tests change one thing.
Json flowers() {
  return {{"enum", "MyFlowers_Weights"},
          {"entry", "V1"},
          {"builder", "resnet18"},
          {"file", "flowers.pth"},
          {"categories", {"daisy", "dandelion", "rose", "sunflower", "tulip", "violet"}}};
}

tv::UserWeights load(const TempFolder& folder) {
  return tv::load_user_weights(std::vector<std::string>{folder.path()});
}

bool contains(std::string_view text, std::string_view piece) {
  return text.find(piece) != std::string_view::npos;
}

/// Loads `text` alone: it must add nothing, with one error that names the file and holds every
/// piece.
void expect_refused(const std::string& text, const std::vector<std::string>& pieces) {
  const TempFolder folder;
  folder.write("bad.json", text);
  const auto user = load(folder);
  ck_assert_msg(user.entries.empty(), "accepted: %s", text.c_str());
  ck_assert_uint_eq(user.errors.size(), 1);
  const std::string& what = user.errors[0].what;
  ck_assert_msg(contains(what, "bad.json") && !contains(what, "\n"), "%s", what.c_str());
  for (const auto& piece : pieces)
    ck_assert_msg(contains(what, piece), "%s: no \"%s\"", what.c_str(), piece.c_str());
}

/// The same with flowers() and one key set to `value` (null: removed).
void expect_refused(const std::string& key, const Json& value, const std::string& expected,
                    const std::string& found) {
  Json json = flowers();
  if (value.is_null()) {
    json.erase(key);
  } else if (const auto dot = key.find('.'); dot != std::string::npos) {
    json[key.substr(0, dot)][key.substr(dot + 1)] = value;
  } else {
    json[key] = value;
  }
  expect_refused(json.dump(), {"key \"" + key + "\": expected ", expected, ", found " + found});
}

/// flowers() with one key changed is taken.
tv::UserWeights expect_taken(const std::string& key, const Json& value) {
  const TempFolder folder;
  Json json = flowers();
  json[key] = value;
  folder.write("good.json", json.dump());
  auto user = load(folder);
  ck_assert_msg(user.errors.empty(), "%s", user.errors.empty() ? "" : user.errors[0].what.c_str());
  ck_assert_uint_eq(user.entries.size(), 1);
  return user;
}

// ---- what an entry becomes ----

START_TEST(a_fine_tuned_network_by_its_name) {
  const TempFolder folder;
  folder.write("flowers.json", flowers().dump());
  const tv::Catalog catalog(load(folder));
  const auto found = catalog.get("MyFlowers_Weights.V1");
  ck_assert(static_cast<bool>(found));
  const tv::Weights& weights = **found;
  ck_assert(weights.user_defined && weights.is_default && weights.num_classes() == 6);
  ck_assert(weights.builder == "resnet18" && weights.architecture == "ResNet");
  ck_assert(weights.file == folder.path("flowers.pth") && weights.file_name() == "flowers.pth");
  ck_assert(weights.url.empty() && weights.sha256.empty());
  ck_assert(weights.preset == tv::builtin_default("resnet18")->preset);
  ck_assert(weights.categories[5] == "violet");
  const tv::MetaMap meta = weights.meta();
  for (const char* absent :
       {"acc@1", "_metrics", "num_params", "_ops", "_file_size", "recipe", "license"})
    ck_assert_msg(meta.find(absent) == nullptr, "%s", absent);
  for (const char* name : {"MyFlowers_Weights.DEFAULT", "myflowers_weights.v1", "resnet18.V1"})
    ck_assert_msg(*catalog.resolve(name) == &weights, "%s", name);
  // torchvision's own names mean what they meant.
  ck_assert(*catalog.resolve("resnet18") == tv::builtin_default("resnet18"));
  ck_assert(*catalog.resolve("resnet18.DEFAULT") == tv::builtin_default("resnet18"));
  ck_assert(catalog.model_weights("resnet18")->back() == &weights);
  ck_assert_uint_eq(catalog.model_weights("MyFlowers_Weights")->size(), 1);
  ck_assert(catalog.all().back() == &weights && catalog.all().size() == 130);
  ck_assert(catalog.nearest("MyFlower_Weights.V1", 1)[0] == "MyFlowers_Weights.V1");
  // And nobody else's catalog knows it.
  ck_assert(!tv::Catalog(tv::UserWeights()).get("MyFlowers_Weights.V1"));
}
END_TEST

START_TEST(an_entry_in_an_enum_of_torchvisions) {
  const TempFolder folder;
  folder.write("caffe.json", Json{{"enum", "SqueezeNet1_1_Weights"},
                                  {"entry", "CAFFE_V1"},
                                  {"builder", "squeezenet1_1"},
                                  {"file", "/srv/squeezenet.pth"},
                                  {"sha256", std::string(64, 'B')}}
                                 .dump());
  const tv::Catalog catalog(load(folder));
  const auto found = catalog.get("SqueezeNet1_1_Weights.CAFFE_V1");
  ck_assert(static_cast<bool>(found));
  ck_assert((*found)->file == "/srv/squeezenet.pth" && (*found)->sha256 == std::string(64, 'b'));
  ck_assert((*found)->num_classes() == 1000 && (*found)->categories[0] == "tench");
  ck_assert(!(*found)->is_default);
  ck_assert((*catalog.get("SqueezeNet1_1_Weights.DEFAULT"))->entry == "IMAGENET1K_V1");
  ck_assert_uint_eq(catalog.model_weights("squeezenet1_1")->size(), 2);
}
END_TEST

START_TEST(every_optional_key) {
  const TempFolder folder;
  Json json = flowers();
  json.erase("file");
  json["url"] = "https://example.org/a/flowers-v1.pth?download=1";
  json["sha256"] = kDigest;
  json["transforms"] = {{"crop_size", 320},           {"resize_size", 16384},
                        {"interpolation", "bicubic"}, {"antialias", false},
                        {"mean", {0.5, 0, -0.5}},     {"std", {1, 0.25, 2}}};
  json["categories"] = "labels.txt";
  json["metrics"] = {{"my flowers", {{"acc@1", 97.5}}}};
  json["license"] = "MIT";
  json["recipe"] = "https://example.org/recipe";
  folder.write("labels.txt", std::string("r\xc3\xb6schen\r\ntwo words\nlast"));
  folder.write("flowers.json", json.dump());
  const auto user = load(folder);
  ck_assert_msg(user.errors.empty(), "%s", user.errors.empty() ? "" : user.errors[0].what.c_str());
  const tv::Weights& weights = user.entries.at(0);
  ck_assert(weights.url.ends_with("?download=1") && weights.file_name() == "flowers-v1.pth");
  const tv::Transforms expected{.crop_size = 320,
                                .resize_size = 16384,
                                .interpolation = tv::Interpolation::kBicubic,
                                .antialias = false,
                                .mean = {0.5, 0, -0.5},
                                .std = {1, 0.25, 2}};
  ck_assert(weights.preset == expected);
  ck_assert_uint_eq(weights.categories.size(), 3);
  ck_assert(weights.categories[0] == "r\xc3\xb6schen" && weights.categories[1] == "two words" &&
            weights.categories[2] == "last");
  const tv::MetaMap meta = weights.meta();
  ck_assert(std::get<std::string_view>(*meta.find("license")) == "MIT");
  const auto metrics = std::get<std::shared_ptr<const tv::MetaMap>>(*meta.find("_metrics"));
  ck_assert(metrics->find("ImageNet-1K") == nullptr && metrics->find("my flowers") != nullptr);
  ck_assert(std::get<double>(*meta.find("acc@1")) == 97.5 && meta.find("acc@5") == nullptr);
}
END_TEST

START_TEST(defaults_of_a_new_enum) {
  const TempFolder folder;
  Json json = flowers();
  folder.write("1.json", json.dump());
  json["entry"] = "V2";
  folder.write("2.json", json.dump());
  ck_assert(load(folder).entries[0].is_default);  // nobody says: the first
  ck_assert(!load(folder).entries[1].is_default);
  json["default"] = true;
  folder.write("2.json", json.dump());
  ck_assert(!load(folder).entries[0].is_default);
  ck_assert(load(folder).entries[1].is_default);
  json["entry"] = "V3";
  folder.write("3.json", json.dump());  // a second one that says so
  const auto user = load(folder);
  ck_assert_uint_eq(user.entries.size(), 2);
  ck_assert_uint_eq(user.errors.size(), 1);
  ck_assert(contains(user.errors[0].what, "3.json") &&
            contains(user.errors[0].what, "\"default\""));
  ck_assert(contains(user.errors[0].what, "MyFlowers_Weights.V2"));
}
END_TEST

// ---- names ----

START_TEST(refuses_names) {
  for (const char* key : {"enum", "entry", "builder"})
    expect_refused(key, nullptr, "a value", "none");
  for (const char* key : {"enum", "entry"}) {
    for (const char* name : {"", "1st", "a b", "a.b", "a-b", "\xc3\xa9t\xc3\xa9", "a\n"})
      expect_refused(key, name, "a name of letters, digits", "\"");
    expect_refused(key, std::string(65, 'a'), "at most 64", "\"aaa");
    expect_refused(key, 7, "a name of letters, digits", "7");
    expect_taken(key, std::string(64, 'a'));
  }
  expect_refused("enum", "ResNet50", "an enum such as", "the name of a builder, \"ResNet50\"");
  expect_refused("entry", "Default", "a name other than DEFAULT", "\"Default\"");
  expect_refused("builder", "resnet19", "a builder such as resnet18", "\"resnet19\"");
  expect_refused("builder", "ResNet18", "a builder such as resnet18", "\"ResNet18\"");
  expect_refused("builder", true, "a builder such as resnet18", "true");
}
END_TEST

START_TEST(refuses_clashes_with_torchvision) {
  Json json = flowers();
  json["enum"] = "ResNet50_Weights";
  expect_refused(json.dump(), {"\"builder\": expected resnet50", "found resnet18"});
  json["enum"] = "resnet18_weights";
  expect_refused(json.dump(), {"\"enum\"", "more than letter case", "\"ResNet18_Weights\""});
  json["enum"] = "ResNet18_Weights";
  json["entry"] = "IMAGENET1K_V1";
  expect_refused(json.dump(), {"\"entry\"", "one of torchvision's"});
  json["entry"] = "imagenet1k_v1";
  expect_refused(json.dump(), {"\"entry\"", "one of torchvision's"});
  json["entry"] = "MINE";
  json["default"] = true;
  expect_refused(json.dump(), {"\"default\": expected false", "found true"});
  json["default"] = false;
  const TempFolder folder;
  folder.write("good.json", json.dump());
  ck_assert_uint_eq(load(folder).entries.size(), 1);
}
END_TEST

START_TEST(refuses_duplicates_and_keeps_the_first) {
  const TempFolder folder;
  folder.write("a.json", flowers().dump());
  Json json = flowers();
  json["file"] = "other.pth";
  folder.write("b.json", json.dump());
  json["enum"] = "Other_Weights";
  folder.write("c.json", json.dump());
  json["enum"] = "MYFLOWERS_Weights";
  folder.write("d.json", json.dump());
  json = flowers();
  json["entry"] = "V2";
  json["builder"] = "resnet34";
  folder.write("e.json", json.dump());
  const auto user = load(folder);
  ck_assert_uint_eq(user.entries.size(), 2);
  ck_assert(user.entries[0].file == folder.path("flowers.pth"));
  ck_assert(user.entries[1].name() == "Other_Weights.V1");
  ck_assert_uint_eq(user.errors.size(), 3);
  ck_assert(contains(user.errors[0].what, "b.json") && contains(user.errors[0].what, "already"));
  ck_assert(contains(user.errors[1].what, "d.json") &&
            contains(user.errors[1].what, "letter case"));
  ck_assert(contains(user.errors[2].what, "e.json") &&
            contains(user.errors[2].what, "resnet18, to"));
}
END_TEST

START_TEST(ambiguous_names_are_answered_with_choices) {
  const TempFolder folder;
  folder.write("a.json", flowers().dump());
  Json json = flowers();
  json["enum"] = "MyTrees_Weights";
  folder.write("b.json", json.dump());
  const tv::Catalog catalog(load(folder));
  ck_assert((*catalog.resolve("MyTrees_Weights.v1"))->enum_name == "MyTrees_Weights");
  const auto found = catalog.resolve("resnet18.v1");
  ck_assert(!found && contains(found.error().what, "ambiguous"));
  ck_assert(contains(found.error().hint, "MyFlowers_Weights.V1, MyTrees_Weights.V1"));
}
END_TEST

// ---- values ----

START_TEST(refuses_files_and_addresses) {
  expect_refused("file", nullptr, "either \"file\" or \"url\"", "neither");
  expect_refused("file", "", "a text of 1 to 2048 bytes", "\"\"");
  expect_refused("file", "folder/", "the path of a file", "\"folder/\"");
  expect_refused("file", "a\nb", "without control characters", "\"a\\nb\"");
  expect_refused("file", std::string(2049, 'a'), "a text of 1 to 2048 bytes", "\"aaa");
  Json json = flowers();
  json["url"] = "https://example.org/a.pth";
  json["sha256"] = kDigest;
  expect_refused(json.dump(), {"\"file\"", "found both"});
  json.erase("file");
  Json unchecked = json;
  unchecked.erase("sha256");
  expect_refused(unchecked.dump(), {"key \"sha256\": expected the digest", "found none"});
  for (const char* url : {"http://example.org/a.pth", "HTTPS://example.org/a.pth", "ftp://x/a",
                          "a.pth", "file:///a.pth", "https://example.org", "https://example.org/",
                          "https:///a.pth", "https://example.org/..", "https://example.org/a b",
                          "https://example.org/?a.pth", "https://example.org#/a.pth", ""}) {
    json["url"] = url;
    const std::string shown = std::string(url).substr(0, std::string(url).find_first_of("?#"));
    expect_refused(json.dump(), {"key \"url\": expected an https:// address", "found \"" + shown});
  }
  for (const char* url : {"https://me:secret@example.org/a.pth", "http://x.org/a.pth?key=secret"}) {
    json["url"] = url;
    const TempFolder folder;
    folder.write("bad.json", json.dump());
    ck_assert_uint_eq(load(folder).errors.size(), 1);
    ck_assert(!contains(load(folder).errors[0].text(), "secret"));
  }
  for (const std::string& digest :
       {std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'g'),
        std::string("0x") + std::string(62, 'a'), std::string()})
    expect_refused("sha256", digest, "64 hexadecimal digits", "\"" + digest.substr(0, 50));
}
END_TEST

START_TEST(refuses_names_that_the_cache_holds_for_others) {
  const tv::Weights& official = *tv::builtin_default("resnet18");
  Json json = flowers();
  json.erase("file");
  json["url"] = "https://example.org/" + std::string(official.file_name());
  json["sha256"] = kDigest;
  expect_refused(json.dump(), {"key \"url\"", "ResNet18_Weights.IMAGENET1K_V1's"});
  // The same bytes, as far as is known, may have a second name.
  json["sha256"] = std::string(official.sha256) + std::string(56, '0');
  const TempFolder folder;
  folder.write("a.json", json.dump());
  ck_assert_uint_eq(load(folder).entries.size(), 1);
  json["entry"] = "V2";
  json["sha256"] = std::string(official.sha256) + std::string(56, '1');
  folder.write("b.json", json.dump());
  ck_assert_uint_eq(load(folder).entries.size(), 1);
  ck_assert(contains(load(folder).errors.at(0).what, "MyFlowers_Weights.V1's"));
}
END_TEST

START_TEST(refuses_transforms) {
  for (const char* key : {"transforms.crop_size", "transforms.resize_size"}) {
    for (const Json& size : {Json(0), Json(-1), Json(16385), Json(1e3), Json("224"), Json(true),
                             Json(18446744073709551615u), Json({224})})
      expect_refused(key, size, "an integer from 1 to 16384", size.dump());
  }
  expect_refused("transforms.interpolation", "nearest", "\"bilinear\" or \"bicubic\"",
                 "\"nearest\"");
  expect_refused("transforms.interpolation", 2, "\"bilinear\" or \"bicubic\"", "2");
  expect_refused("transforms.antialias", 1, "true or false", "1");
  for (const char* key : {"transforms.mean", "transforms.std"}) {
    for (const Json& values : {Json(0.5), Json({0.5, 0.5}), Json({1, 1, 1, 1}), Json({1, 1, "1"}),
                               Json({1e39, 1, 1}), Json({1, nullptr, 1})})
      expect_refused(key, values, "three finite numbers", "");
  }
  for (const Json& zero : {Json({1, 0, 1}), Json({1, 1, -0.0}), Json({1e-60, 1, 1})})
    expect_refused("transforms.std", zero, "none of them 0", "");
  expect_refused("transforms.crop", 224, "one of crop_size resize_size", "a key that is unknown");
}
END_TEST

START_TEST(refuses_categories) {
  expect_refused("categories", Json::array(), "1 to 100000 labels", "0");
  expect_refused("categories", Json(std::vector<std::string>(100'001, "a")), "1 to 100000 labels",
                 "100001");
  expect_refused("categories", {"a", 1}, "a list of texts", "1");
  expect_refused("categories", {"a", ""}, "labels of 1 to 256 bytes", "an empty label as label 2");
  expect_refused("categories", {std::string(257, 'a')}, "labels of",
                 "a label of more than 256 bytes");
  for (const char* label : {"a\nb", "a\x7f", "\xc2\x85", "\xe2\x80\xa8", "\x1b[31m"})
    expect_refused("categories", {"a", label}, "labels of", "a control character as label 2");
  expect_refused("categories", 6, "a list of labels or the path", "6");
  expect_taken("categories", {std::string(256, 'a'), "crane", "crane"});
  ck_assert_int_eq(
      expect_taken("categories", std::vector<std::string>(100'000, "a")).entries[0].num_classes(),
      100'000);
}
END_TEST

START_TEST(refuses_label_files) {
  const TempFolder folder;
  Json json = flowers();
  const auto refused = [&](const std::string& labels, const std::string& piece) {
    folder.write("labels.txt", labels);
    json["categories"] = "labels.txt";
    folder.write("bad.json", json.dump());
    const auto user = load(folder);
    ck_assert_uint_eq(user.errors.size(), 1);
    ck_assert_msg(user.entries.empty() && contains(user.errors[0].what, piece), "%s",
                  user.errors[0].what.c_str());
  };
  refused("", "found none in");
  refused("a\n\nb\n", "an empty label as label 2");
  refused("a\r\r\n", "a control character as label 1");
  refused("a\n\xff\n", "bytes that are not UTF-8 as label 2");
  refused("a\n\xc0\xaf\n", "bytes that are not UTF-8 as label 2");
  refused("a\n\xed\xa0\x80\n", "bytes that are not UTF-8 as label 2");
  refused("a\n" + std::string(257, 'b'), "more than 256 bytes as label 2");
  std::string many;
  for (int i = 0; i <= 100'000; ++i) many += "a\n";
  refused(many, "expected 1 to 100000 labels");
  ck_assert_int_eq(::truncate(folder.path("labels.txt").c_str(), (32 << 20) + 1), 0);
  json["categories"] = folder.path("labels.txt");
  folder.write("bad.json", json.dump());
  ck_assert(contains(load(folder).errors.at(0).what, "at most 33554432 bytes"));
  for (const char* path : {"absent.txt", "..", "pipe"}) {
    if (!fs::exists(folder.path("pipe")))
      ck_assert_int_eq(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
    json["categories"] = path;
    folder.write("bad.json", json.dump());
    const auto user = load(folder);
    ck_assert_uint_eq(user.errors.size(), 1);
    ck_assert(user.errors[0].code != tv::Code::kInvalidArgument);
    ck_assert(contains(user.errors[0].what, "key \"categories\""));
  }
  folder.write("labels.txt", "a\nb\n");
  json["categories"] = "./x/../labels.txt";
  folder.write("bad.json", json.dump());
  ck_assert_uint_eq(load(folder).entries.at(0).categories.size(), 2);
}
END_TEST

START_TEST(refuses_the_other_values) {
  expect_refused("default", "yes", "true or false", "\"yes\"");
  for (const char* key : {"license", "recipe"}) {
    expect_refused(key, "", "a text of 1 to 2048 bytes", "\"\"");
    expect_refused(key, Json::object(), "a text of 1 to 2048 bytes", "{}");
    expect_refused(key, "a\tb", "without control characters", "\"a\\tb\"");
  }
  expect_refused("metrics", Json::object(), "one key, the name of the data set", "{}");
  expect_refused("metrics", 97.2, "one key, the name of the data set", "97.2");
  expect_refused("metrics", Json{{"a", Json::object()}, {"b", Json::object()}}, "one key", "{");
  expect_refused("metrics.mine", 97.2, "an object", "97.2");
  for (const Json& accuracy : {Json(-0.1), Json(100.1), Json("97"), Json(nullptr)}) {
    Json json = flowers();
    json["metrics"] = {{"mine", {{"acc@5", accuracy}}}};
    expect_refused(json.dump(), {"key \"metrics.mine.acc@5\": expected a number from 0 to 100"});
  }
  expect_refused("unknown", 1, "one of enum entry builder", "a key that is unknown");
  expect_taken("metrics", Json{{"mine", {{"acc@1", 0}, {"acc@5", 100}}}});
}
END_TEST

// ---- files ----

START_TEST(refuses_text_that_is_no_entry) {
  expect_refused("", {"expected JSON", "line 1, column 1"});
  expect_refused("{\n  \"enum\": ,\n}", {"expected JSON", "line 2, column 11"});
  expect_refused("{} {}", {"expected JSON"});
  expect_refused("{\"enum\": \"\xff\"}", {"expected JSON"});
  expect_refused("{\"enum\": 1e999}", {"expected JSON", "range of a double"});
  expect_refused("[]", {"expected an object, found []"});
  expect_refused("null", {"expected an object, found null"});
  std::string twice = flowers().dump();
  twice.insert(1, "\"entry\":\"V0\",");
  expect_refused(twice, {"key \"entry\" stands twice"});
  expect_refused(std::string(100'000, '[') + std::string(100'000, ']'), {"nested deeper than 8"});
  expect_refused(std::string(1'000'000, '['), {"bad.json"});
  std::string large = flowers().dump();
  large.resize(1u << 20, ' ');
  const TempFolder folder;
  folder.write("good.json", large);
  ck_assert_uint_eq(load(folder).entries.size(), 1);
  expect_refused(large + " ", {"expected at most 1048576 bytes"});
}
END_TEST

START_TEST(reads_folders_files_and_nothing_else) {
  const TempFolder folder;
  folder.write("b.json", flowers().dump());
  Json json = flowers();
  json["entry"] = "V2";
  folder.write("a.json", json.dump());
  for (const char* name : {".hidden.json", "c.jso", "d.json~", "json"}) folder.write(name, "no");
  fs::create_directory(folder.path("e.json"));
  ck_assert_int_eq(::mkfifo(folder.path("f.json").c_str(), 0600), 0);
  fs::create_symlink("b.json", folder.path("g.json"));
  fs::create_symlink("absent", folder.path("h.json"));
  const std::vector<std::string> paths{folder.path(), folder.path("b.json"), folder.path() + "/.",
                                       folder.path("absent")};
  const auto user = tv::load_user_weights(paths);
  ck_assert_uint_eq(user.entries.size(), 2);  // once each, in the order of the names
  ck_assert(user.entries[0].entry == "V2" && user.entries[1].entry == "V1");
  ck_assert_uint_eq(user.errors.size(), 4);
  const std::pair<const char*, tv::Code> kExpected[] = {{"e.json", tv::Code::kUnreadable},
                                                        {"f.json", tv::Code::kUnreadable},
                                                        {"h.json", tv::Code::kNotFound},
                                                        {"absent", tv::Code::kNotFound}};
  for (std::size_t i = 0; i < 4; ++i) {
    ck_assert(contains(user.errors[i].what, kExpected[i].first));
    ck_assert_msg(user.errors[i].code == kExpected[i].second, "%s", user.errors[i].what.c_str());
  }
}
END_TEST

START_TEST(one_bad_file_leaves_the_others) {
  const TempFolder folder;
  folder.write("a.json", "{");
  folder.write("b.json", flowers().dump());
  const tv::Catalog catalog(load(folder));
  ck_assert(static_cast<bool>(catalog.get("MyFlowers_Weights.V1")));
  ck_assert_uint_eq(catalog.user_errors().size(), 1);
  // Whoever looks for the missing one is told.
  const auto missing = catalog.resolve("MyFlowers_Weights.V9");
  ck_assert(!missing && contains(missing.error().hint, "a.json"));
}
END_TEST

START_TEST(places_to_look) {
  using Paths = std::vector<std::string>;
  const TempFolder home;
  ck_assert(tv::user_weights_paths(nullptr, nullptr, nullptr).empty());
  ck_assert(tv::user_weights_paths("", "", "").empty());
  ck_assert((tv::user_weights_paths("/a:b::/c:", nullptr, nullptr) == Paths{"/a", "b", "/c"}));
  // A default folder that does not exist is no error, so it is not listed.
  ck_assert(tv::user_weights_paths(nullptr, nullptr, home.path().c_str()).empty());
  const std::string by_home = home.path(".local/share/gst-torchvision/weights");
  const std::string by_data = home.path("data/gst-torchvision/weights");
  fs::create_directories(by_home);
  fs::create_directories(by_data);
  const std::string data = home.path("data");
  ck_assert(tv::user_weights_paths(nullptr, nullptr, home.path().c_str()) == Paths{by_home});
  ck_assert(tv::user_weights_paths(nullptr, data.c_str(), home.path().c_str()) == Paths{by_data});
  ck_assert(tv::user_weights_paths(nullptr, "data", home.path().c_str()) == Paths{by_home});
  ck_assert((tv::user_weights_paths("/a", data.c_str(), nullptr) == Paths{"/a", by_data}));
}
END_TEST

START_TEST(the_process_reads_its_environment) {
  const TempFolder folder;
  folder.write("flowers.json", flowers().dump());
  folder.write("bad.json", "{");
  setenv("TV_WEIGHTS_PATH", folder.path().c_str(), 1);
  setenv("HOME", folder.path().c_str(), 1);
  unsetenv("XDG_DATA_HOME");
  ck_assert(static_cast<bool>(tv::get_weight("MyFlowers_Weights.V1")));
  ck_assert_uint_eq(tv::all_weights().size(), 130);
  ck_assert_uint_eq(tv::user_weights_errors().size(), 1);
  ck_assert_uint_eq(tv::list_models().size(), 92);
}
END_TEST

}  // namespace

int main() {
  return tv::test::run_suite(
      "user-defined weights", 60, a_fine_tuned_network_by_its_name,
      an_entry_in_an_enum_of_torchvisions, every_optional_key, defaults_of_a_new_enum,
      refuses_names, refuses_clashes_with_torchvision, refuses_duplicates_and_keeps_the_first,
      ambiguous_names_are_answered_with_choices, refuses_files_and_addresses,
      refuses_names_that_the_cache_holds_for_others, refuses_transforms, refuses_categories,
      refuses_label_files, refuses_the_other_values, refuses_text_that_is_no_entry,
      reads_folders_files_and_nothing_else, one_bad_file_leaves_the_others, places_to_look,
      the_process_reads_its_environment);
}
