// tvclassify with a real, small network: what leaves is what entered, with torchvision's own
// answer.
#include <cmath>
#include <cstring>
#include <set>

#include "elements/preprocess/frame_view.hpp"
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

static const char kTiny[] = "tvclassify weights=Tiny_Weights.V1";

// ---- results ----------------------------------------------------------------------------------

// Scores are torchvision's to 1e-4: float32 in another order of operations.
static void assert_scores(const Meta& meta, const std::vector<double>& expected_scores,
                          const char* what) {
  ck_assert_uint_eq(meta.labels.size(), expected_scores.size());
  double before = 2;
  for (const Meta::Entry& entry : meta.labels) {
    ck_assert_msg(entry.score <= before, "%s: scores must fall", what);
    before = entry.score;
    const double wanted = expected_scores[static_cast<std::size_t>(entry.index)];
    ck_assert_msg(std::fabs(entry.score - wanted) < 1e-4, "%s: class %d has %f, expected %f", what,
                  entry.index, entry.score, wanted);
  }
}

START_TEST(scores_are_torchvisions) {
  Bench bench(kTiny, "");
  for (const Picture& each : pictures()) {
    gst_harness_set_src_caps_str(bench.harness(), rgb_caps(each.width, each.height).c_str());
    const Meta meta = bench.classify(each);
    ASSERT_TEXT(meta.status, "ok");
    assert_scores(meta, each.scores, each.name.c_str());
    ck_assert_int_eq(meta.best(), each.best());
  }
}
END_TEST

START_TEST(reference_executor_agrees) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 executor=reference");
  for (int color = 0; color < 4; ++color)
    assert_scores(bench.classify(picture(color)), picture(color).scores, "reference");
}
END_TEST

// precision=auto takes the weights as they are; fp32 of int8 weights is refused, in test_faults.
START_TEST(int8_weights_are_enough) {
  Bench bench("tvclassify weights=Int8_Weights.V1 precision=auto");
  const Meta meta = bench.classify(picture(1));
  ASSERT_TEXT(meta.status, "ok");
  ck_assert_uint_eq(meta.labels.size(), 4);
}
END_TEST

START_TEST(fp32_is_what_float_weights_are) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 precision=fp32");
  assert_scores(bench.classify(picture(1)), picture(1).scores, "fp32");
}
END_TEST

START_TEST(meta_says_everything) {
  Bench bench("tvclassify name=mine weights=tiny_weights.default");
  const Meta meta = bench.classify(picture(1));
  ck_assert_uint_eq(meta.version, 1);
  ASSERT_TEXT(meta.element, "mine");
  ASSERT_TEXT(meta.weights, "Tiny_Weights.V1");
  const std::string known = digest();
  ASSERT_TEXT(meta.digest, known.c_str());
  ASSERT_TEXT(meta.reason, "");
  ck_assert_uint_eq(meta.age, 0);
  ck_assert_uint_gt(meta.latency, 0);
  ck_assert(meta.top.has_value());
  ck_assert_int_eq(meta.top->index, 1);
  // Quotes, semicolons and braces survive.
  ASSERT_TEXT(meta.top->label, "green, \"quoted\"; {x=1}");
  ASSERT_TEXT(meta.labels[0].label, meta.top->label.c_str());
}
END_TEST

START_TEST(legacy_file_format) {
  const std::string file = fixture("faults/legacy_good.pth");
  Bench bench("tvclassify weights=Tiny_Weights.V1 weights-file=" + file);
  const Meta meta = bench.classify(picture(2));
  assert_scores(meta, picture(2).scores, "legacy");
  const std::string other = digest();
  ck_assert_str_ne(meta.digest.c_str(), other.c_str());
  ck_assert_uint_eq(meta.digest.size(), 64);
}
END_TEST

// ---- untouched --------------------------------------------------------------------------------

START_TEST(video_passes_untouched) {
  Bench bench(kTiny);
  BufferRef in = rgb_buffer(picture(0));
  GST_BUFFER_PTS(in.get()) = 12345;
  GST_BUFFER_DTS(in.get()) = 12300;
  GST_BUFFER_DURATION(in.get()) = 77;
  GST_BUFFER_OFFSET(in.get()) = 5;
  GST_BUFFER_OFFSET_END(in.get()) = 6;
  GST_BUFFER_FLAG_SET(in.get(), GST_BUFFER_FLAG_DROPPABLE | GST_BUFFER_FLAG_MARKER);
  gst_buffer_add_video_region_of_interest_meta(in.get(), "face", 1, 2, 3, 4);
  const BufferRef copy(gst_buffer_copy_deep(in.get()));
  const GstMemory* memory = gst_buffer_peek_memory(in.get(), 0);
  const GstBuffer* same = in.get();

  const BufferRef out = bench.pass(std::move(in));
  ck_assert_ptr_eq(out.get(), same);
  ck_assert_ptr_eq(gst_buffer_peek_memory(out.get(), 0), memory);
  ck_assert_uint_eq(GST_BUFFER_PTS(out.get()), 12345);
  ck_assert_uint_eq(GST_BUFFER_DTS(out.get()), 12300);
  ck_assert_uint_eq(GST_BUFFER_DURATION(out.get()), 77);
  ck_assert_uint_eq(GST_BUFFER_OFFSET(out.get()), 5);
  ck_assert_uint_eq(GST_BUFFER_OFFSET_END(out.get()), 6);
  ck_assert_uint_eq(GST_BUFFER_FLAGS(out.get()) & ~GST_BUFFER_FLAG_TAG_MEMORY,
                    GST_BUFFER_FLAGS(copy.get()) & ~GST_BUFFER_FLAG_TAG_MEMORY);
  ck_assert(gst_buffer_get_meta(out.get(), GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));
  GstMapInfo map;
  ck_assert(gst_buffer_map(copy.get(), &map, GST_MAP_READ));
  ck_assert_uint_eq(gst_buffer_get_size(out.get()), map.size);
  ck_assert_int_eq(gst_buffer_memcmp(out.get(), 0, map.data, map.size), 0);
  gst_buffer_unmap(copy.get(), &map);
  read_meta(out.get());
}
END_TEST

START_TEST(odd_timestamps_pass) {
  Bench bench(kTiny);
  const GstClockTime times[] = {GST_CLOCK_TIME_NONE,        500, 500, 100, G_MAXINT64,
                                G_GUINT64_CONSTANT(1) << 63};
  for (const GstClockTime time : times) {
    BufferRef in = rgb_buffer(picture(0));
    GST_BUFFER_PTS(in.get()) = time;
    const BufferRef out = bench.pass(std::move(in));
    ck_assert_uint_eq(GST_BUFFER_PTS(out.get()), time);
    ASSERT_TEXT(read_meta(out.get()).status, "ok");
  }
}
END_TEST

START_TEST(shared_pixels_are_not_copied) {
  Bench bench(kTiny);
  const BufferRef original = rgb_buffer(picture(0));
  const BufferRef out = bench.pass(BufferRef(gst_buffer_ref(original.get())));
  ck_assert_ptr_ne(out.get(), original.get());
  ck_assert_ptr_eq(gst_buffer_peek_memory(out.get(), 0), gst_buffer_peek_memory(original.get(), 0));
  ck_assert_uint_eq(read_metas(original.get()).size(), 0);
  read_meta(out.get());
}
END_TEST

START_TEST(own_meta_is_replaced_others_stay) {
  Bench first("tvclassify name=first weights=Tiny_Weights.V1");
  Bench second("tvclassify name=second weights=Tiny_Weights.V1 top-k=1");
  BufferRef buffer = first.pass(first.pass(rgb_buffer(picture(0))));
  ck_assert_uint_eq(read_metas(buffer.get()).size(), 1);
  buffer = second.pass(std::move(buffer));
  const std::vector<Meta> metas = read_metas(buffer.get());
  ck_assert_uint_eq(metas.size(), 2);
  ASSERT_TEXT(metas[0].element, "first");
  ck_assert_uint_eq(metas[0].labels.size(), 4);
  ASSERT_TEXT(metas[1].element, "second");
  ck_assert_uint_eq(metas[1].labels.size(), 1);
}
END_TEST

// ---- properties -------------------------------------------------------------------------------

START_TEST(top_k_and_threshold_are_live) {
  Bench bench(kTiny);
  const Picture& green = picture(1);
  ck_assert_uint_eq(bench.classify(green).labels.size(), 4);
  g_object_set(bench.element(), "top-k", 2, nullptr);
  ck_assert_uint_eq(bench.classify(green).labels.size(), 2);
  g_object_set(bench.element(), "top-k", 1000, "threshold", green.scores[0] - 1e-3, nullptr);
  const Meta two = bench.classify(green);
  ck_assert_uint_eq(two.labels.size(), 2);
  ck_assert_int_eq(two.labels[1].index, 0);
  g_object_set(bench.element(), "threshold", 1.0, nullptr);
  const Meta none = bench.classify(green);
  ASSERT_TEXT(none.status, "ok");
  ck_assert_uint_eq(none.labels.size(), 0);
  ck_assert(!none.top);
  ck_assert_uint_eq(bench.warnings().size(), 0);
}
END_TEST

START_TEST(interval_carries_the_last_result) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 interval=3");
  for (int i = 0; i < 7; ++i) {
    // The colour changes with every frame; the label only when a frame is classified.
    const Meta meta = bench.classify(picture(i % 4));
    const unsigned age = static_cast<unsigned>(i % 3);
    ck_assert_uint_eq(meta.age, age);
    ASSERT_TEXT(meta.status, age == 0 ? "ok" : "skipped");
    ASSERT_TEXT(meta.reason, age == 0 ? "" : "interval");
    ck_assert_int_eq(meta.best(), (i - static_cast<int>(age)) % 4);
    ck_assert((meta.latency > 0) == (age == 0));
  }
}
END_TEST

START_TEST(flush_forgets_the_last_result) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 interval=100");
  ck_assert_int_eq(bench.classify(picture(0)).best(), 0);
  ck_assert_int_eq(bench.classify(picture(1)).best(), 0);
  bench.flush();
  const Meta meta = bench.classify(picture(1));
  ASSERT_TEXT(meta.status, "ok");
  ck_assert_int_eq(meta.best(), 1);
}
END_TEST

START_TEST(overrides_change_the_recipe) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 crop-size=96 resize-size=100");
  for (int color = 0; color < 4; ++color) {
    const Picture& each = picture(color, 320, 240);
    gst_harness_set_src_caps_str(bench.harness(), rgb_caps(320, 240).c_str());
    assert_scores(bench.classify(each), each.scores_96_100, each.name.c_str());
  }
}
END_TEST

START_TEST(pil_arithmetic_differs_a_little) {
  Bench tensor(kTiny, rgb_caps(320, 240));
  Bench pil("tvclassify weights=Tiny_Weights.V1 transforms-backend=pil", rgb_caps(320, 240));
  const Picture& each = picture(2, 320, 240);
  const Meta one = tensor.classify(each), other = pil.classify(each);
  ck_assert_int_eq(one.best(), other.best());
  ck_assert(one.labels[0].score != other.labels[0].score);
  ck_assert(std::fabs(one.labels[0].score - other.labels[0].score) < 0.01);
}
END_TEST

// clang-format off
struct Default { const char* property; const char* value; };
static const Default kDefaults[] = {
  {"weights", ""}, {"model", ""}, {"pretrained", "false"}, {"seed", "0"}, {"weights-file", ""}, {"device", "auto"}, {"precision", "auto"}, {"top-k", "5"}, {"threshold", "0"},
  {"interval", "1"}, {"crop-size", "0"}, {"resize-size", "0"}, {"transforms-backend", "tensor"},
  {"post-messages", "false"}, {"max-consecutive-failures", "30"}, {"executor", "fused"}, {"offline", "false"},
  {"qos", "false"}, {"share", "true"}, {"model-id", ""}, {"batch-size", "1"}, {"batch-timeout", "0"},
  {"max-in-flight", "4"}, {"latency-mode", "complete"}, {"max-latency", "0"}, {"stats-interval", "0"},
  {"inference-region", "full-frame"}, {"object-class", ""}, {"min-region-size", "1"}, {"reclassify-interval", "1"},
  {"smoothing", "none"}, {"smoothing-half-life", "500000000"}, {"smoothing-window", "1000000000"}, {"class-hysteresis", "0"},
};
// Set with gst_util_set_object_arg and read back.
static const Default kOthers[] = {
  {"weights", "resnet18"}, {"model", "resnet18"}, {"pretrained", "true"}, {"seed", "18446744073709551615"}, {"weights-file", "/a/b"}, {"device", "cuda:1"}, {"precision", "fp32"}, {"top-k", "1000"},
  {"threshold", "0.25"}, {"interval", "7"}, {"crop-size", "384"}, {"resize-size", "400"},
  {"transforms-backend", "pil"}, {"post-messages", "true"}, {"max-consecutive-failures", "0"},
  {"executor", "reference"}, {"offline", "true"}, {"qos", "true"},
  {"share", "false"}, {"model-id", "cameras"}, {"batch-size", "32"}, {"batch-timeout", "20000000"},
  {"max-in-flight", "64"}, {"latency-mode", "live"}, {"max-latency", "5000000"}, {"stats-interval", "1000000000"},
  {"inference-region", "roi-list"}, {"object-class", "face,car"}, {"min-region-size", "32"}, {"reclassify-interval", "10"},
  {"smoothing", "majority"}, {"smoothing-half-life", "1"}, {"smoothing-window", "18446744073709551615"}, {"class-hysteresis", "0.125"},
};
// clang-format on

static std::string get_text(GstElement* element, const char* property) {
  GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), property);
  ck_assert_msg(spec != nullptr, "no property %s", property);
  Value value(spec->value_type);
  g_object_get_property(G_OBJECT(element), property, value.get());
  if (G_VALUE_HOLDS_STRING(value.get())) return g_value_get_string(value.get());
  if (G_VALUE_HOLDS_ENUM(value.get()))
    return g_enum_get_value(G_ENUM_CLASS(g_type_class_peek(spec->value_type)),
                            g_value_get_enum(value.get()))
        ->value_nick;
  return GCharPtr(gst_value_serialize(value.get())).get();
}

START_TEST(every_property_has_its_default_and_keeps_its_value) {
  GstElement* element = gst_element_factory_make("tvclassify", nullptr);
  gst_object_ref_sink(element);
  for (const Default& row : kDefaults) ASSERT_TEXT(get_text(element, row.property), row.value);
  for (const Default& row : kOthers) {
    gst_util_set_object_arg(G_OBJECT(element), row.property, row.value);
    ASSERT_TEXT(get_text(element, row.property), row.value);
  }
  // The tables above know all that can be written.
  std::set<std::string> known = {"name", "parent"};
  for (const Default& row : kDefaults) known.insert(row.property);
  guint count = 0;
  GParamSpec** specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count);
  for (guint i = 0; i < count; ++i)
    ck_assert_msg(!(specs[i]->flags & G_PARAM_WRITABLE) || known.contains(specs[i]->name),
                  "property %s is not tested", specs[i]->name);
  g_free(specs);
  gst_object_unref(element);
}
END_TEST

START_TEST(read_only_properties_before_any_start) {
  GstElement* element = gst_element_factory_make("tvclassify", nullptr);
  gst_object_ref_sink(element);
  gchar** texts = nullptr;
  GstStructure* info = nullptr;
  g_object_get(element, "categories", &texts, "weights-info", &info, nullptr);
  ck_assert(texts && !texts[0]);
  ck_assert(!info);
  g_strfreev(texts);

  g_object_set(element, "weights", "tiny_weights.v1", "crop-size", 96, nullptr);
  g_object_get(element, "categories", &texts, "weights-info", &info, nullptr);
  ck_assert_uint_eq(g_strv_length(texts), 4);
  ck_assert_str_eq(texts[2], "blü");
  g_strfreev(texts);
  ck_assert_str_eq(gst_structure_get_string(info, "name"), "Tiny_Weights.V1");
  ck_assert_str_eq(gst_structure_get_string(info, "builder"), "squeezenet1_1");
  const GstStructure* transforms =
      gst_value_get_structure(gst_structure_get_value(info, "transforms"));
  int size = 0;
  ck_assert(gst_structure_get_int(transforms, "crop_size", &size) && size == 96);
  ck_assert(gst_structure_get_int(transforms, "resize_size", &size) && size == 72);
  gst_structure_free(info);

  // torchvision's own nesting.
  g_object_set(element, "weights", "resnet50", nullptr);
  g_object_get(element, "categories", &texts, "weights-info", &info, nullptr);
  ck_assert_uint_eq(g_strv_length(texts), 1000);
  ck_assert_str_eq(texts[0], "tench");
  g_strfreev(texts);
  const GstStructure* metrics = gst_value_get_structure(gst_structure_get_value(info, "_metrics"));
  const GstStructure* imagenet =
      gst_value_get_structure(gst_structure_get_value(metrics, "ImageNet-1K"));
  double accuracy = 0;
  ck_assert(gst_structure_get_double(imagenet, "acc@1", &accuracy));
  ck_assert(accuracy == 80.858);
  gint64 parameters = 0;
  ck_assert(gst_structure_get_int64(info, "num_params", &parameters) && parameters == 25557032);
  const GValue* min_size = gst_structure_get_value(info, "min_size");
  ck_assert(GST_VALUE_HOLDS_ARRAY(min_size) && gst_value_array_get_size(min_size) == 2);
  gst_structure_free(info);

  g_object_get(element, "available-weights", &texts, nullptr);
  ck_assert(g_strv_contains(texts, "ResNet50_Weights.IMAGENET1K_V2"));
  ck_assert(g_strv_contains(texts, "Tiny_Weights.V1"));
  ck_assert(!g_strv_contains(texts, "resnet50"));
  ck_assert(g_strv_contains(texts, "VGG16_Weights.IMAGENET1K_V1"));
  ck_assert(!g_strv_contains(texts, "VGG16_Weights.IMAGENET1K_FEATURES"));
  g_strfreev(texts);
  gst_object_unref(element);
}
END_TEST

static guint64 count_of(GstElement* element, const char* field) {
  GstStructure* stats = nullptr;
  g_object_get(element, "stats", &stats, nullptr);
  guint64 value = 0;
  ck_assert_msg(gst_structure_get_uint64(stats, field, &value), "no counter %s", field);
  gst_structure_free(stats);
  return value;
}

START_TEST(stats_add_up) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 interval=2");
  for (int i = 0; i < 5; ++i) bench.classify(picture(0));
  BufferRef gap = rgb_buffer(picture(0));
  GST_BUFFER_FLAG_SET(gap.get(), GST_BUFFER_FLAG_GAP);
  bench.pass(std::move(gap));
  bench.pass(BufferRef(gst_buffer_new_allocate(nullptr, 10, nullptr)));
  GstElement* element = bench.element();
  ck_assert_uint_eq(count_of(element, "frames-in"), 7);
  ck_assert_uint_eq(count_of(element, "ok"), 3);
  ck_assert_uint_eq(count_of(element, "skipped"), 2);
  ck_assert_uint_eq(count_of(element, "gap"), 1);
  ck_assert_uint_eq(count_of(element, "failed"), 1);
  ck_assert_uint_eq(count_of(element, "in-flight"), 0);
  ck_assert_uint_eq(count_of(element, "flushed"), 0);
  ck_assert_uint_eq(count_of(element, "batch-max"), 1);
  for (const char* what : {"preprocess", "queue", "inference", "total"}) {
    const std::string name = what;
    const guint64 mean = count_of(element, (name + "-mean").c_str());
    ck_assert_uint_gt(mean, 0);
    ck_assert_uint_ge(count_of(element, (name + "-max").c_str()), mean);
  }
}
END_TEST

START_TEST(settings_of_the_next_start_warn) {
  Bench bench(kTiny);
  ck_assert_int_eq(bench.classify(picture(0)).best(), 0);
  g_object_set(bench.element(), "device", "nonsense", nullptr);
  const std::vector<Seen> seen = bench.warnings();
  ck_assert_uint_eq(seen.size(), 1);
  ck_assert(seen[0].domain == GST_LIBRARY_ERROR && seen[0].code == GST_LIBRARY_ERROR_SETTINGS);
  ck_assert(seen[0].text.find("\"device\"") != std::string::npos);
  ck_assert_int_eq(bench.classify(picture(1)).best(), 1);
}
END_TEST

// ---- messages ---------------------------------------------------------------------------------

/// How many categories, the name and the crop size that the properties tell.
static std::string described(Bench& bench) {
  gchar** texts = nullptr;
  GstStructure* info = nullptr;
  g_object_get(bench.element(), "categories", &texts, "weights-info", &info, nullptr);
  const GstStructure* transforms =
      gst_value_get_structure(gst_structure_get_value(info, "transforms"));
  int crop = 0;
  ck_assert(gst_structure_get_int(transforms, "crop_size", &crop));
  const std::string text = std::to_string(g_strv_length(texts)) + " " + test::text(info, "name") +
                           " " + std::to_string(crop);
  g_strfreev(texts);
  gst_structure_free(info);
  return text;
}

// What runs and what is set for the next start are two things.
START_TEST(properties_speak_of_what_runs) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 crop-size=32");
  bench.classify(picture(0));
  g_object_set(bench.element(), "crop-size", 0, nullptr);
  ASSERT_TEXT(described(bench), "4 Tiny_Weights.V1 32");
  bench.set_state(GST_STATE_READY);
  g_object_set(bench.element(), "weights", "resnet50", nullptr);
  ASSERT_TEXT(described(bench), "1000 ResNet50_Weights.IMAGENET1K_V2 224");
}
END_TEST

// Other weights take over at once; what was announced for the next start stays out of it, also
// where it would contradict what runs.
START_TEST(other_weights_keep_the_settings_of_the_start) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 crop-size=32");
  const double score = bench.classify(picture(0)).top->score;
  bench.warnings();
  g_object_set(bench.element(), "crop-size", 48, "device", "nonsense", "max-latency", guint64{5},
               nullptr);
  ck_assert_uint_eq(bench.warnings().size(), 3);
  g_object_set(bench.element(), "weights", "Tiny_Weights.CHECKED", nullptr);
  const std::vector<Seen> refused = bench.warnings();
  ck_assert_msg(refused.empty(), "%s", refused.empty() ? "" : refused[0].text.c_str());
  Meta meta;
  do meta = bench.classify(picture(0));
  while (meta.weights != "Tiny_Weights.CHECKED");
  ck_assert(meta.top->score == score);  // the same file: another crop would say something else
  ASSERT_TEXT(described(bench), "4 Tiny_Weights.CHECKED 32");

  // They do act at the next start.
  g_object_set(bench.element(), "device", "auto", "max-latency", guint64{0}, nullptr);
  bench.set_state(GST_STATE_READY);
  bench.set_state(GST_STATE_PLAYING);
  ASSERT_TEXT(described(bench), "4 Tiny_Weights.CHECKED 48");
}
END_TEST

START_TEST(messages_for_results_and_changes) {
  Bench bench(kTiny);
  // No meta is lost when nobody asks for messages.
  bench.classify(picture(0));
  std::vector<std::string> names;
  for (const MessageRef& each : bench.messages(GST_MESSAGE_ELEMENT))
    names.emplace_back(gst_structure_get_name(gst_message_get_structure(each.get())));
  ck_assert((names == std::vector<std::string>{"class-changed"}));

  g_object_set(bench.element(), "post-messages", TRUE, nullptr);
  bench.classify(picture(0));
  BufferRef frame = rgb_buffer(picture(3));
  GST_BUFFER_PTS(frame.get()) = 3 * GST_SECOND;
  GST_BUFFER_DURATION(frame.get()) = 40;
  bench.pass(std::move(frame));
  const std::vector<MessageRef> messages = bench.messages(GST_MESSAGE_ELEMENT);
  ck_assert_uint_eq(messages.size(), 3);
  for (int i = 0; i < 2; ++i) {
    const GstStructure* result =
        gst_message_get_structure(messages[static_cast<std::size_t>(i)].get());
    ck_assert(gst_structure_has_name(result, "tvclassify"));
    const Meta meta = read_fields(result);
    ASSERT_TEXT(meta.status, "ok");
    ck_assert_int_eq(meta.best(), i == 0 ? 0 : 3);
  }
  const GstStructure* last = gst_message_get_structure(messages[1].get());
  guint64 time = 0;
  for (const char* field : {"timestamp", "stream-time", "running-time"})
    ck_assert(gst_structure_get_uint64(last, field, &time) && time == 3 * GST_SECOND);
  ck_assert(gst_structure_get_uint64(last, "duration", &time) && time == 40);

  const GstStructure* change = gst_message_get_structure(messages[2].get());
  ck_assert(gst_structure_has_name(change, "class-changed"));
  int index = -2;
  ck_assert(gst_structure_get_int(change, "previous-index", &index) && index == 0);
  ck_assert(gst_structure_get_int(change, "index", &index) && index == 3);
  ASSERT_TEXT(text(change, "previous-label"), "red");
  ASSERT_TEXT(text(change, "label"), "white");
}
END_TEST

START_TEST(progress_begins_and_ends_once) {
  Bench bench(kTiny);
  bench.classify(picture(0));
  std::vector<GstProgressType> types;
  for (const MessageRef& each : bench.messages(GST_MESSAGE_PROGRESS)) {
    GstProgressType type;
    gchar* code = nullptr;
    gst_message_parse_progress(each.get(), &type, &code, nullptr);
    ck_assert_str_eq(code, "load");
    g_free(code);
    types.push_back(type);
  }
  ck_assert(
      (types == std::vector<GstProgressType>{GST_PROGRESS_TYPE_START, GST_PROGRESS_TYPE_COMPLETE}));
}
END_TEST

// ---- formats ----------------------------------------------------------------------------------

// The colour survives every format: planes in the right order, the right matrix and range.
START_TEST(every_format_is_classified) {
  ck_assert_uint_eq(pixel_formats().size(), 22);
  const PixelFormatInfo& format = pixel_formats()[static_cast<std::size_t>(_i)];
  const std::string name(format.name);
  Bench bench(kTiny, "");
  Bench converter("videoconvert dither=none", "");
  for (const auto& [width, height] : {std::pair{64, 48}, {33, 57}, {1, 1}, {41, 1}, {1, 40}})
    for (int color = 0; color < 4; ++color) {
      if (name == "GRAY8" && color < 3) continue;  // has no colour to tell
      const std::string caps = "video/x-raw,format=" + name + ",width=" + std::to_string(width) +
                               ",height=" + std::to_string(height) + ",framerate=30/1";
      gst_harness_set_sink_caps_str(converter.harness(), caps.c_str());
      gst_harness_set_src_caps_str(converter.harness(), rgb_caps(width, height).c_str());
      BufferRef frame = converter.pass(rgb_buffer(picture(color, width, height)));
      gst_harness_set_src_caps_str(bench.harness(), caps.c_str());
      const Meta meta = read_meta(bench.pass(std::move(frame)).get());
      ASSERT_TEXT(meta.status, "ok");
      // A single noisy row loses much of its colour in 4:2:0.
      if (width > 1 && height > 1)
        ck_assert_msg(meta.best() == color, "%s: class %d is taken for %d", caps.c_str(), color,
                      meta.best());
    }
}
END_TEST

// Limited and full range, BT.601 and BT.709 are told apart by their caps.
START_TEST(colorimetry_of_the_caps_counts) {
  Bench bench(kTiny, "");
  const auto score = [&](const char* colorimetry) {
    gst_harness_set_src_caps_str(
        bench.harness(), (std::string("video/x-raw,format=I420,width=64,height=48,framerate=30/1,"
                                      "colorimetry=") +
                          colorimetry)
                             .c_str());
    BufferRef frame(gst_buffer_new_allocate(nullptr, 64 * 48 * 3 / 2, nullptr));
    gst_buffer_memset(frame.get(), 0, 120, 64 * 48);
    gst_buffer_memset(frame.get(), 64 * 48, 100, 32 * 24);
    gst_buffer_memset(frame.get(), 64 * 48 * 5 / 4, 200, 32 * 24);
    return read_meta(bench.pass(std::move(frame)).get()).top.value().score;
  };
  const std::set<double> different = {score("bt601"), score("bt709"), score("bt2020"),
                                      score("1:4:0:0")};
  ck_assert_uint_eq(different.size(), 4);
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify");
  // clang-format off
  const struct { const char* name; std::vector<const TTest*> tests; } kCases[] = {
    {"results",    {scores_are_torchvisions, reference_executor_agrees, int8_weights_are_enough,
                    fp32_is_what_float_weights_are, meta_says_everything, legacy_file_format}},
    {"untouched",  {video_passes_untouched, odd_timestamps_pass, shared_pixels_are_not_copied,
                    own_meta_is_replaced_others_stay}},
    {"properties", {top_k_and_threshold_are_live, interval_carries_the_last_result, flush_forgets_the_last_result,
                    overrides_change_the_recipe, pil_arithmetic_differs_a_little,
                    every_property_has_its_default_and_keeps_its_value, read_only_properties_before_any_start,
                    stats_add_up, settings_of_the_next_start_warn, properties_speak_of_what_runs,
                    other_weights_keep_the_settings_of_the_start}},
    {"messages",   {messages_for_results_and_changes, progress_begins_and_ends_once}},
    {"formats",    {colorimetry_of_the_caps_counts}},
  };
  // clang-format on
  for (const auto& row : kCases) {
    TCase* tests = tcase_create(row.name);
    tcase_set_timeout(tests, 60);
    for (const TTest* each : row.tests) tcase_add_test(tests, each);
    suite_add_tcase(suite, tests);
  }
  TCase* formats = tcase_create("each format");
  tcase_set_timeout(formats, 60);
  tcase_add_loop_test(formats, every_format_is_classified, 0,
                      static_cast<int>(pixel_formats().size()));
  suite_add_tcase(suite, formats);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}
