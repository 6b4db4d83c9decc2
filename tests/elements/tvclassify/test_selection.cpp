// weights, model, pretrained and seed: what they choose together, what they refuse, and what they
// say on the bus.
#include "elements/tvclassify/selection.hpp"

#include <cmath>
#include <cstdio>
#include <memory>

#include "elements/inference/engine.hpp"
#include "elements/tvclassify/contradictions.hpp"
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

// ---- names ------------------------------------------------------------------------------------

// clang-format off
struct ChoiceRow {
  const char* weights; const char* model; std::optional<bool> pretrained; const char* file;
  const char* builder;
  const char* entry;        ///< "": no entry
  const char* deprecation;  ///< "": none
};
static const ChoiceRow kChoices[] = {
  {"resnet50", "", {}, "", "resnet50", "ResNet50_Weights.IMAGENET1K_V2", ""},
  {"resnet50", "", false, "", "resnet50", "ResNet50_Weights.IMAGENET1K_V2", ""},
  {"resnet50", "resnet50", {}, "", "resnet50", "ResNet50_Weights.IMAGENET1K_V2", ""},
  {"DEFAULT", "resnet50", {}, "", "resnet50", "ResNet50_Weights.IMAGENET1K_V2", ""},
  {"imagenet1k_v1", "ResNet50", {}, "", "resnet50", "ResNet50_Weights.IMAGENET1K_V1", ""},
  {"ResNet50_Weights.IMAGENET1K_V1", "resnet50", {}, "", "resnet50", "ResNet50_Weights.IMAGENET1K_V1", ""},
  {"Tiny_Weights.V1", "squeezenet1_1", {}, "", "squeezenet1_1", "Tiny_Weights.V1", ""},
  {"none", "resnet50", {}, "", "resnet50", "", ""},
  {"None", "resnet50", false, "", "resnet50", "", ""},
  {"", "resnet50", {}, "x.pth", "resnet50", "", ""},
  {"", "resnet50", true, "", "resnet50", "ResNet50_Weights.IMAGENET1K_V1",
   "resnet50: pretrained=true is deprecated and means weights=ResNet50_Weights.IMAGENET1K_V1; "
   "ResNet50_Weights.DEFAULT names the most up-to-date weights "
   "(say weights=ResNet50_Weights.IMAGENET1K_V1 instead of pretrained)"},
  {"", "resnet50", false, "", "resnet50", "",
   "resnet50: pretrained=false is deprecated and means weights=none (say weights=none instead of pretrained)"},
  {"", "resnet50", false, "x.pth", "resnet50", "",
   "resnet50: pretrained=false is deprecated and means weights=none (say weights=none instead of pretrained)"},
  // In the form made for quantisation, whose activations are ReLU where mobilenet_v2 has ReLU6.
  {"", "quantized_mobilenet_v2", true, "", "quantized_mobilenet_v2", "MobileNet_V2_Weights.IMAGENET1K_V1",
   "quantized_mobilenet_v2: pretrained=true is deprecated and means weights=MobileNet_V2_Weights.IMAGENET1K_V1; "
   "MobileNet_V2_Weights.DEFAULT names the most up-to-date weights "
   "(say weights=MobileNet_V2_Weights.IMAGENET1K_V1 instead of pretrained)"},
  {"MobileNet_V2_Weights.IMAGENET1K_V1", "quantized_mobilenet_v2", {}, "",
   "quantized_mobilenet_v2", "MobileNet_V2_Weights.IMAGENET1K_V1", ""},
  {"imagenet1k_v2", "quantized_resnet50", {}, "", "quantized_resnet50", "ResNet50_Weights.IMAGENET1K_V2", ""},
  // Both enums have it: the builder's own comes first.
  {"DEFAULT", "quantized_resnet50", {}, "", "quantized_resnet50", "ResNet50_QuantizedWeights.IMAGENET1K_FBGEMM_V2", ""},
};

struct RefusalRow {
  const char* weights; const char* model; std::optional<bool> pretrained; const char* file;
  Code code;
  std::vector<const char*> names;
};
static const RefusalRow kRefusals[] = {
  {"", "", {}, "", Code::kInvalidArgument, {"no weights chosen", "weights=resnet50"}},
  {"", "", false, "", Code::kInvalidArgument, {"no weights chosen", "weights=resnet50"}},
  {"", "", true, "", Code::kInvalidArgument, {"pretrained=true without a model", "weights=resnet50"}},
  {"none", "", {}, "", Code::kInvalidArgument, {"weights=none without a model", "model=resnet50"}},
  {"", "resnet50", {}, "", Code::kInvalidArgument, {"model=resnet50 says nothing of weights", "weights=DEFAULT", "weights=none"}},
  {"resnet18", "resnet50", {}, "", Code::kInvalidArgument,
   {"ResNet18_Weights.IMAGENET1K_V1 belong to resnet18, not to model=resnet50", "leave model out"}},
  {"ResNet50_QuantizedWeights.DEFAULT", "resnet50", {}, "", Code::kInvalidArgument, {"belong to quantized_resnet50"}},
  {"ResNet18_Weights.DEFAULT", "quantized_resnet50", {}, "", Code::kInvalidArgument, {"belong to resnet18"}},
  {"Tiny_Weights.V1", "resnet50", {}, "", Code::kInvalidArgument, {"Tiny_Weights.V1 belong to squeezenet1_1"}},
  {"DEFAULT", "resnet50", true, "", Code::kInvalidArgument,
   {"weights=DEFAULT and pretrained=true contradict each other", "leave pretrained out"}},
  {"none", "resnet50", true, "", Code::kInvalidArgument, {"weights=none and pretrained=true contradict"}},
  {"none", "resnet50", {}, "x.pth", Code::kInvalidArgument, {"weights=none and weights-file contradict", "leave weights out"}},
  {"none", "resnet51", {}, "", Code::kNotFound, {"resnet51", "resnet50"}},
  {"IMAGENET1K_V9", "resnet50", {}, "", Code::kNotFound, {"IMAGENET1K_V9"}},
  {"", "vit_h_14", true, "", Code::kNotFound, {"vit_h_14", "IMAGENET1K_V1", "ViT_H_14_Weights.IMAGENET1K_SWAG"}},
};
// clang-format on

template <typename Row>
static Result<Selection> select_row(const Row& row) {
  Settings settings;
  settings.weights = row.weights;
  settings.model = row.model;
  settings.pretrained = row.pretrained;
  settings.weights_file = row.file;
  return select(settings);
}

START_TEST(names_that_fit) {
  const ChoiceRow& row = kChoices[_i];
  const Result<Selection> selection = select_row(row);
  ck_assert_msg(static_cast<bool>(selection), "%s",
                selection ? "" : selection.error().text().c_str());
  ASSERT_TEXT(selection->builder, row.builder);
  ASSERT_TEXT(selection->weights ? selection->weights->name() : "", row.entry);
  ASSERT_TEXT(selection->name(), *row.entry ? row.entry : row.builder);
  ASSERT_TEXT(selection->deprecation.text(), row.deprecation);
}
END_TEST

START_TEST(names_that_do_not) {
  const RefusalRow& row = kRefusals[_i];
  const Result<Selection> selection = select_row(row);
  ck_assert(!selection);
  ck_assert_int_eq(static_cast<int>(selection.error().code), static_cast<int>(row.code));
  for (const char* name : row.names) expect_contains(selection.error().text(), name);
}
END_TEST

START_TEST(networks_without_an_entry_see_small_pictures) {
  struct Row {
    const char* builder;
    int crop, resize;
  };
  for (const Row& row : {Row{"resnet50", 224, 256},
                         {"inception_v3", 299, 342},
                         {"vit_h_14", 224, 224},     // not 518
                         {"vit_b_16", 224, 256}}) {  // V1's, not the SWAG entries'
    const Result<Transforms> recipe = recipe_of_builder(row.builder);
    ck_assert(recipe);
    ck_assert_msg(recipe->crop_size == row.crop && recipe->resize_size == row.resize, "%s: %s",
                  row.builder, recipe->describe().c_str());
  }
  ck_assert(!recipe_of_builder("resnet51"));
}
END_TEST

// ---- random initialisation --------------------------------------------------------------------

// As torchvision's builder makes it after torch.manual_seed, to 1e-4: float32 in another order.
START_TEST(random_networks_are_torchvisions) {
  const auto& row = expected()["random"][static_cast<std::size_t>(_i)];
  const std::string builder = row["builder"];
  const std::uint64_t seed = row["seed"];
  Bench bench(
      "tvclassify weights=none top-k=1000 model=" + builder + " seed=" + std::to_string(seed),
      rgb_caps(320, 240));
  const Meta meta = bench.classify(picture(2, 320, 240));
  const std::vector<double> scores = row["scores"];
  ck_assert_uint_eq(meta.labels.size(), 1000);
  for (const Meta::Entry& entry : meta.labels) {
    const double wanted = scores[static_cast<std::size_t>(entry.index)];
    ck_assert_msg(std::fabs(entry.score - wanted) < 1e-4 * wanted + 1e-9,
                  "%s: class %d has %.9f, expected %.9f", builder.c_str(), entry.index, entry.score,
                  wanted);
    ASSERT_TEXT(entry.label, std::to_string(entry.index));
  }
  const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
  ck_assert_int_eq(meta.best(), static_cast<int>(best));
  ASSERT_TEXT(meta.weights, builder);
  ASSERT_TEXT(meta.digest, "");

  const std::vector<Seen> warnings = bench.warnings();
  ck_assert_uint_eq(warnings.size(), 1);
  ck_assert(warnings[0].domain == GST_LIBRARY_ERROR);
  ck_assert_int_eq(warnings[0].code, GST_LIBRARY_ERROR_SETTINGS);
  expect_contains(warnings[0].text, builder + " is initialised at random (seed " +
                                        std::to_string(seed) + "): its classes mean nothing");
  gchar** texts = nullptr;
  GstStructure* info = nullptr;
  g_object_get(bench.element(), "categories", &texts, "weights-info", &info, nullptr);
  ck_assert(texts && !texts[0] && !info);
  g_strfreev(texts);
}
END_TEST

START_TEST(seeds_decide) {
  const auto top = [](const std::string& seed) {
    Bench bench("tvclassify weights=none model=squeezenet1_1 seed=" + seed);
    return bench.classify(picture(0)).top.value().score;
  };
  ck_assert(top("1") == top("1"));
  ck_assert(top("1") != top("2"));
}
END_TEST

START_TEST(a_local_file_needs_no_entry) {
  const std::string file = fixture("faults/resnet18.pth");
  Bench bench("tvclassify model=squeezenet1_1 weights-file=" + file);
  ck_assert_int_eq(bench.push(rgb_buffer(picture(0))), GST_FLOW_ERROR);
  const std::vector<Seen> errors = bench.errors();
  ck_assert_uint_eq(errors.size(), 1);
  for (const char* name : {"cannot load weights \"squeezenet1_1\"", "resnet18.pth", "looks like"})
    expect_contains(errors[0].text, name);
  ck_assert_uint_eq(bench.warnings().size(), 0);  // nothing is random
}
END_TEST

// ---- quantized builders with float weights ----------------------------------------------------

/// A file with random numbers of that network. In float every bias is far above 6, so that ReLU6
/// cuts.
static std::string random_file(const std::string& builder, bool quantize) {
  const auto ready = inference::load_model({.builder = builder, .quantize = quantize, .seed = 7});
  ck_assert(ready);
  const auto state = ready->model->state_dict();
  ck_assert(state);
  for (const auto& [name, view] : *state) {
    if (quantize || !name.ends_with(".bias")) continue;
    auto* const values = reinterpret_cast<float*>(const_cast<std::byte*>(view.data));
    for (std::int64_t i = 0; i < view.sizes[0]; ++i) values[i] += 5 + static_cast<float>(i % 5);
  }
  const std::string path = fixture("random_" + builder + ".pth");
  ck_assert(write_state_dict(path, *state, ready->network->module_versions()));
  return path;
}

START_TEST(float_weights_of_a_quantized_builder_build_its_own_float_network) {
  const std::string file = random_file("mobilenet_v2", false);
  const auto seen = [&](const std::string& settings) {
    Bench bench("tvclassify weights-file=" + file + " " + settings, rgb_caps(64, 48));
    return bench.classify(picture(0)).top.value();
  };
  const std::string weights = " weights=MobileNet_V2_Weights.IMAGENET1K_V1";
  const auto plain = seen("model=mobilenet_v2" + weights);
  const auto quantizable = seen("model=quantized_mobilenet_v2" + weights);
  // ReLU6 cuts what ReLU lets pass, and neither is the other's shared model.
  ck_assert(plain.score != quantizable.score);
  // Without an entry it is the same network.
  ck_assert(quantizable.score == seen("model=quantized_mobilenet_v2").score);
  // What pretrained=true means, and what its warning names.
  ck_assert(quantizable.score == seen("model=quantized_mobilenet_v2 pretrained=true").score);
  std::remove(file.c_str());
}
END_TEST

START_TEST(an_int8_file_tells_how_this_element_reads_it) {
  const std::string file = random_file("quantized_shufflenet_v2_x0_5", true);
  Bench bench("tvclassify model=quantized_shufflenet_v2_x0_5 weights-file=" + file);
  ck_assert_int_eq(bench.push(rgb_buffer(picture(0))), GST_FLOW_ERROR);
  const std::vector<Seen> errors = bench.errors();
  ck_assert_uint_eq(errors.size(), 1);
  const std::string entry = "weights=ShuffleNet_V2_X0_5_QuantizedWeights.DEFAULT";
  expect_contains(errors[0].text, "the file is int8");
  expect_contains(errors[0].text, entry);
  // It does what it says.
  Bench followed("tvclassify " + entry + " weights-file=" + file);
  ck_assert_int_eq(followed.push(rgb_buffer(picture(0))), GST_FLOW_OK);
  ck_assert_uint_eq(followed.errors().size(), 0);
  std::remove(file.c_str());
}
END_TEST

// ---- on the bus -------------------------------------------------------------------------------

/// Starts twice, with a file that loads into nothing: what is said before that, and how often.
static std::unique_ptr<Bench> started_twice(const std::string& settings) {
  auto bench = std::make_unique<Bench>(
      "tvclassify " + settings + " weights-file=" + fixture("faults/text.pth"), "");
  bench->set_state(GST_STATE_READY);
  bench->set_state(GST_STATE_PAUSED);
  return bench;
}

START_TEST(pretrained_warns_once) {
  const std::vector<Seen> warnings = started_twice("model=resnet50 pretrained=true")->warnings();
  ck_assert_uint_eq(warnings.size(), 1);
  ck_assert(warnings[0].domain == GST_LIBRARY_ERROR);
  ck_assert_int_eq(warnings[0].code, GST_LIBRARY_ERROR_SETTINGS);
  ASSERT_TEXT(warnings[0].text, kChoices[10].deprecation);
}
END_TEST

START_TEST(licences_are_named_once) {
  const std::string swag = "RegNet_Y_16GF_Weights.IMAGENET1K_SWAG_LINEAR_V1";
  const std::vector<Seen> infos = started_twice("weights=" + swag)->infos();
  ck_assert_uint_eq(infos.size(), 1);
  for (const std::string& name :
       {swag, std::string("licence"),
        std::string("https://github.com/facebookresearch/SWAG/blob/main/LICENSE")})
    expect_contains(infos[0].text, name);

  Bench plain("tvclassify weights=Tiny_Weights.V1", "");
  ck_assert_uint_eq(plain.infos().size(), 0);
}
END_TEST

/// The element alone, with a bus, not started.
class Lone {
 public:
  explicit Lone(const std::string& settings)
      : element_(gst_parse_launch(("tvclassify " + settings).c_str(), nullptr)) {
    gst_object_ref_sink(element_);
    gst_element_set_bus(element_, bus_);
  }
  ~Lone() {
    gst_element_set_state(element_, GST_STATE_NULL);
    gst_element_set_bus(element_, nullptr);
    gst_object_unref(bus_);
    gst_object_unref(element_);
  }
  Lone(const Lone&) = delete;
  Lone& operator=(const Lone&) = delete;

  GstElement* element() { return element_; }
  GstStateChangeReturn pause() { return gst_element_set_state(element_, GST_STATE_PAUSED); }
  std::vector<Seen> errors() {
    std::vector<Seen> seen;
    while (const MessageRef message{gst_bus_pop_filtered(bus_, GST_MESSAGE_ERROR)})
      seen.push_back(read_error(message.get()));
    return seen;
  }

 private:
  GstElement* const element_;
  GstBus* const bus_ = gst_bus_new();
};

START_TEST(contradictions_fail_the_start_with_one_error) {
  Lone element("weights=resnet18 model=resnet50");
  ck_assert_int_eq(element.pause(), GST_STATE_CHANGE_FAILURE);
  const std::vector<Seen> errors = element.errors();
  ck_assert_uint_eq(errors.size(), 1);
  ck_assert(errors[0].domain == GST_LIBRARY_ERROR);
  ck_assert_int_eq(errors[0].code, GST_LIBRARY_ERROR_SETTINGS);
  expect_contains(errors[0].text, "belong to resnet18, not to model=resnet50");
  // Where it was noticed, and what had been asked for.
  expect_contains(errors[0].debug, "elements/tvclassify/element.cpp(");
  expect_contains(
      errors[0].debug,
      "code invalid-argument, stage settings, weights \"resnet18\", model \"resnet50\"");
}
END_TEST

/// "max-latency" of "max-latency=1"
static std::string property_of(const std::string& text) {
  return text.substr(0, text.find('='));
}

// Every row, a new one included.
START_TEST(pairs_that_make_no_sense_fail_the_start) {
  const Contradiction& row = contradictions()[static_cast<std::size_t>(_i)];
  Lone element("weights=Tiny_Weights.V1 " + std::string(row.example));
  for (const char* const each : {row.first, row.second}) {
    const std::string name = property_of(each);
    ck_assert_msg(g_object_class_find_property(G_OBJECT_GET_CLASS(element.element()), name.c_str()),
                  "there is no property %s", name.c_str());
  }
  ck_assert_int_eq(element.pause(), GST_STATE_CHANGE_FAILURE);
  const std::vector<Seen> errors = element.errors();
  ck_assert_uint_eq(errors.size(), 1);
  ck_assert(errors[0].domain == GST_LIBRARY_ERROR);
  ck_assert_int_eq(errors[0].code, GST_LIBRARY_ERROR_SETTINGS);
  expect_equal(errors[0].text, std::string("cannot load weights \"Tiny_Weights.V1\": properties ") +
                                   row.first + " and " + row.second +
                                   " contradict each other: " + row.why + " (" + row.hint + ")");
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify selection");
  TCase* names = tcase_create("names");
  tcase_add_loop_test(names, names_that_fit, 0, static_cast<int>(std::size(kChoices)));
  tcase_add_loop_test(names, names_that_do_not, 0, static_cast<int>(std::size(kRefusals)));
  tcase_add_test(names, networks_without_an_entry_see_small_pictures);
  suite_add_tcase(suite, names);
  TCase* random = tcase_create("random");
  tcase_add_loop_test(random, random_networks_are_torchvisions, 0, 2);
  tcase_add_test(random, seeds_decide);
  tcase_add_test(random, a_local_file_needs_no_entry);
  suite_add_tcase(suite, random);
  TCase* quantized = tcase_create("quantized");
  tcase_add_test(quantized, float_weights_of_a_quantized_builder_build_its_own_float_network);
  tcase_add_test(quantized, an_int8_file_tells_how_this_element_reads_it);
  suite_add_tcase(suite, quantized);
  TCase* bus = tcase_create("bus");
  tcase_add_test(bus, pretrained_warns_once);
  tcase_add_test(bus, licences_are_named_once);
  tcase_add_test(bus, contradictions_fail_the_start_with_one_error);
  tcase_add_loop_test(bus, pairs_that_make_no_sense_fail_the_start, 0,
                      static_cast<int>(contradictions().size()));
  suite_add_tcase(suite, bus);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}
