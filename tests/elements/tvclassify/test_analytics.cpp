// The labels as GstAnalyticsClsMtd: what a reader of GStreamer's own analytics metas finds, beside
// the custom meta and agreeing with it. Built where GStreamer has its analytics library.
#include <gst/analytics/analytics.h>

#include <cmath>
#include <map>

#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

static const char kTiny[] = "tvclassify weights=Tiny_Weights.V1";

// Stands for the library's function, which came with GStreamer 1.30: the plugin finds this one, as
// this program exports it. Tags by the place of the classification in its buffer.
static std::map<guint, std::string> tags;
extern "C" gboolean gst_analytics_mtd_set_semantic_tag(GstAnalyticsMtd* mtd, const gchar* tag) {
  tags[mtd->id] = tag;
  return TRUE;
}

/// One classification, in the order in which it is stored.
struct Classification {
  struct Class {
    std::string label;
    float level = 0;
  };
  guint id = 0;
  std::vector<Class> classes;
};

static std::vector<Classification> read_classifications(GstBuffer* buffer) {
  std::vector<Classification> found;
  GstAnalyticsRelationMeta* relations = gst_buffer_get_analytics_relation_meta(buffer);
  if (!relations) return found;
  gpointer state = nullptr;
  GstAnalyticsMtd mtd;
  while (gst_analytics_relation_meta_iterate(relations, &state,
                                             gst_analytics_cls_mtd_get_mtd_type(), &mtd)) {
    Classification each{mtd.id, {}};
    for (gsize i = 0; i < gst_analytics_cls_mtd_get_length(&mtd); ++i)
      each.classes.push_back({g_quark_to_string(gst_analytics_cls_mtd_get_quark(&mtd, i)),
                              gst_analytics_cls_mtd_get_level(&mtd, i)});
    found.push_back(each);
  }
  return found;
}

// The first `count` labels of the custom meta, to the last bit: both are written from one float.
static void assert_agrees(const Classification& found, const Meta& meta, std::size_t count) {
  ck_assert_uint_eq(found.classes.size(), count);
  ck_assert_uint_le(count, meta.labels.size());
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_TEXT(found.classes[i].label, meta.labels[i].label);
    ck_assert_float_eq(found.classes[i].level, static_cast<float>(meta.labels[i].score));
  }
}

// The best label alone, then all of them where there are several; nothing else.
static void assert_pair(GstBuffer* buffer, const Meta& meta) {
  const std::vector<Classification> found = read_classifications(buffer);
  ck_assert_uint_eq(found.size(), meta.labels.size() > 1 ? 2 : 1);
  assert_agrees(found[0], meta, 1);
  if (found.size() > 1) assert_agrees(found[1], meta, meta.labels.size());
  GstAnalyticsRelationMeta* relations = gst_buffer_get_analytics_relation_meta(buffer);
  ck_assert_uint_eq(gst_analytics_relation_get_length(relations), found.size());
}

static BufferRef gap_frame() {
  BufferRef frame = rgb_buffer(picture(0));
  GST_BUFFER_FLAG_SET(frame.get(), GST_BUFFER_FLAG_GAP);
  return frame;
}

// ---- what is there ----------------------------------------------------------------------------

START_TEST(labels_and_levels_are_torchvisions) {
  const std::vector<std::string> categories = expected()["categories"];
  Bench bench(kTiny);
  for (int color = 0; color < 4; ++color) {
    const Picture& shown = picture(color);
    const BufferRef out = bench.pass(rgb_buffer(shown));
    assert_pair(out.get(), read_meta(out.get()));
    const std::vector<Classification> found = read_classifications(out.get());
    ck_assert_uint_eq(found.size(), 2);
    // Quotes, braces and umlauts included.
    ASSERT_TEXT(found[0].classes[0].label, categories[static_cast<std::size_t>(color)]);
    ck_assert_uint_eq(found[1].classes.size(), categories.size());
    std::map<std::string, float> levels;
    for (const Classification::Class& each : found[1].classes) levels[each.label] = each.level;
    for (std::size_t i = 0; i < categories.size(); ++i) {
      ck_assert_msg(levels.contains(categories[i]), "no class %s", categories[i].c_str());
      ck_assert_double_eq_tol(levels[categories[i]], shown.scores[i], 1e-4);
    }
  }
}
END_TEST

START_TEST(top_k_decides_the_length) {
  Bench bench(kTiny);
  for (const guint k : {1u, 2u, 3u, 1000u}) {
    g_object_set(bench.element(), "top-k", k, nullptr);
    const BufferRef out = bench.pass(rgb_buffer(picture(2)));
    const Meta meta = read_meta(out.get());
    ck_assert_uint_eq(meta.labels.size(), std::min(k, 4u));
    assert_pair(out.get(), meta);
  }
}
END_TEST

START_TEST(skipped_frames_carry_the_last_labels) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 interval=2");
  bench.classify(picture(0));
  const BufferRef out = bench.pass(rgb_buffer(picture(3)));
  const Meta meta = read_meta(out.get());
  ASSERT_TEXT(meta.status, "skipped");
  assert_pair(out.get(), meta);
  ASSERT_TEXT(read_classifications(out.get())[0].classes[0].label, "red");
}
END_TEST

START_TEST(tags_name_the_weights) {
  Bench bench("tvclassify weights=tiny_weights.default");
  tags.clear();
  const BufferRef out = bench.pass(rgb_buffer(picture(1)));
  const std::vector<Classification> found = read_classifications(out.get());
  ck_assert_uint_eq(found.size(), 2);
  ck_assert_uint_eq(tags.size(), 2);
  ASSERT_TEXT(tags[found[0].id], "Tiny_Weights.V1");
  ASSERT_TEXT(tags[found[1].id], "Tiny_Weights.V1/top-k");
}
END_TEST

// ---- what is not ------------------------------------------------------------------------------

START_TEST(nothing_without_labels) {
  Bench bench(kTiny);
  const struct {
    const char* status;
    BufferRef frame;
    double threshold;
  } kRows[] = {
      {"gap", gap_frame(), 0},
      {"failed", BufferRef(gst_buffer_new_allocate(nullptr, 10, nullptr)), 0},
      {"ok", rgb_buffer(picture(0)), 1},
  };
  tags.clear();
  for (const auto& row : kRows) {
    g_object_set(bench.element(), "threshold", row.threshold, nullptr);
    const BufferRef out = bench.pass(BufferRef(gst_buffer_ref(row.frame.get())));
    const Meta meta = read_meta(out.get());  // the custom meta is there all the same
    ASSERT_TEXT(meta.status, row.status);
    ck_assert_uint_eq(meta.labels.size(), 0);
    ck_assert_msg(!gst_buffer_get_analytics_relation_meta(out.get()),
                  "%s: a frame without labels has an analytics meta", row.status);
  }
  ck_assert_uint_eq(tags.size(), 0);
}
END_TEST

START_TEST(shared_buffers_stay_as_they_are) {
  Bench bench(kTiny);
  const BufferRef original = rgb_buffer(picture(0));
  const BufferRef out = bench.pass(BufferRef(gst_buffer_ref(original.get())));
  ck_assert_uint_eq(read_classifications(out.get()).size(), 2);
  ck_assert(!gst_buffer_get_analytics_relation_meta(original.get()));
}
END_TEST

// ---- beside others ----------------------------------------------------------------------------

START_TEST(detections_of_others_stay) {
  Bench bench(kTiny);
  BufferRef in = rgb_buffer(picture(0));
  GstAnalyticsRelationMeta* before = gst_buffer_add_analytics_relation_meta(in.get());
  GstAnalyticsODMtd face;
  ck_assert(gst_analytics_relation_meta_add_od_mtd(before, g_quark_from_static_string("face"), 1, 2,
                                                   30, 40, 0.5f, &face));
  const BufferRef out = bench.pass(std::move(in));

  GstAnalyticsRelationMeta* relations = gst_buffer_get_analytics_relation_meta(out.get());
  ck_assert_uint_eq(gst_buffer_get_n_meta(out.get(), GST_ANALYTICS_RELATION_META_API_TYPE), 1);
  ck_assert_uint_eq(gst_analytics_relation_get_length(relations), 3);
  GstAnalyticsODMtd kept;
  ck_assert(gst_analytics_relation_meta_get_od_mtd(relations, face.id, &kept));
  gint x = 0, y = 0, width = 0, height = 0;
  gfloat level = 0;
  ck_assert(gst_analytics_od_mtd_get_location(&kept, &x, &y, &width, &height, &level));
  ck_assert(x == 1 && y == 2 && width == 30 && height == 40 && level == 0.5f);
  // The labels are those of the whole frame, not of the face.
  const std::vector<Classification> found = read_classifications(out.get());
  ck_assert_uint_eq(found.size(), 2);
  for (const Classification& each : found) {
    ck_assert_int_eq(gst_analytics_relation_meta_get_relation(relations, face.id, each.id), 0);
    ck_assert_int_eq(gst_analytics_relation_meta_get_relation(relations, each.id, face.id), 0);
  }
}
END_TEST

START_TEST(two_elements_leave_two_results) {
  Bench first("tvclassify name=first weights=Tiny_Weights.V1");
  Bench second("tvclassify name=second weights=Tiny_Weights.V1 top-k=1 executor=reference");
  const BufferRef out = second.pass(first.pass(rgb_buffer(picture(1))));
  const std::vector<Meta> metas = read_metas(out.get());
  ck_assert_uint_eq(metas.size(), 2);
  const std::vector<Classification> found = read_classifications(out.get());
  ck_assert_uint_eq(found.size(), 3);
  assert_agrees(found[0], metas[0], 1);
  assert_agrees(found[1], metas[0], 4);
  assert_agrees(found[2], metas[1], 1);
}
END_TEST

// A buffer that comes past again has the labels of now, and only those.
START_TEST(second_passes_leave_one_pair) {
  Bench first("tvclassify name=first weights=Tiny_Weights.V1");
  Bench second("tvclassify name=second weights=Tiny_Weights.V1");
  BufferRef buffer = second.pass(first.pass(rgb_buffer(picture(0))));
  const auto show = [&](int color) {  // another picture in the same buffer
    const Picture& shown = picture(color);
    ck_assert_uint_eq(gst_buffer_fill(buffer.get(), 0, shown.rgb.data(), shown.rgb.size()),
                      shown.rgb.size());
  };
  for (const int color : {0, 2, 1}) {
    show(color);
    buffer = first.pass(std::move(buffer));
    const std::vector<Meta> metas = read_metas(buffer.get());
    ck_assert_uint_eq(metas.size(), 2);
    const Meta& now = metas[1];  // a new one comes last
    ASSERT_TEXT(now.element, "first");
    ck_assert_int_eq(now.best(), color);
    const std::vector<Classification> found = read_classifications(buffer.get());
    ck_assert_uint_eq(found.size(), 4);
    assert_agrees(found[0], now, 1);
    assert_agrees(found[1], now, 4);
    assert_agrees(found[2], metas[0], 1);
    assert_agrees(found[3], metas[0], 4);
    ASSERT_TEXT(found[2].classes[0].label, "red");
  }
  g_object_set(first.element(), "threshold", 1.0, nullptr);
  buffer = first.pass(std::move(buffer));
  std::vector<Classification> found = read_classifications(buffer.get());
  ck_assert_uint_eq(found.size(), 4);
  for (std::size_t i = 0; i < 2; ++i)
    for (const Classification::Class& each : found[i].classes) ck_assert_float_eq(each.level, 0);
  g_object_set(first.element(), "threshold", 0.0, nullptr);
  buffer = first.pass(std::move(buffer));
  found = read_classifications(buffer.get());
  ck_assert_uint_eq(found.size(), 4);
  assert_agrees(found[1], read_metas(buffer.get())[1], 4);
}
END_TEST

START_TEST(ids_lead_from_the_meta_to_its_classifications) {
  Bench bench(kTiny);
  const auto ids = [](GstBuffer* buffer) {
    const GstStructure* fields =
        gst_custom_meta_get_structure(gst_buffer_get_custom_meta(buffer, "TvClassifyMeta"));
    std::vector<guint> found;
    guint id = 0;
    for (const char* field : {"classification-id", "top-k-id"})
      if (gst_structure_get_uint(fields, field, &id)) found.push_back(id);
    return found;
  };
  const BufferRef out = bench.pass(rgb_buffer(picture(0)));
  const std::vector<Classification> found = read_classifications(out.get());
  ck_assert((ids(out.get()) == std::vector<guint>{found[0].id, found[1].id}));
  g_object_set(bench.element(), "top-k", 1u, nullptr);
  ck_assert_uint_eq(ids(bench.pass(rgb_buffer(picture(0))).get()).size(), 1);
  ck_assert_uint_eq(ids(bench.pass(gap_frame()).get()).size(), 0);
}
END_TEST

START_TEST(copies_and_scaled_pictures_keep_them) {
  Bench bench(kTiny);
  const BufferRef out = bench.pass(rgb_buffer(picture(3)));
  const Meta meta = read_meta(out.get());
  const BufferRef copy(gst_buffer_copy_deep(out.get()));
  assert_pair(copy.get(), meta);

  Bench scaler("videoscale", "");
  gst_harness_set_sink_caps_str(scaler.harness(), rgb_caps(32, 24).c_str());
  gst_harness_set_src_caps_str(scaler.harness(), rgb_caps().c_str());
  const BufferRef scaled = scaler.pass(BufferRef(gst_buffer_ref(out.get())));
  ck_assert_ptr_ne(scaled.get(), out.get());
  assert_pair(scaled.get(), meta);
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify analytics");
  // clang-format off
  const struct { const char* name; std::vector<const TTest*> tests; } kCases[] = {
    {"present", {labels_and_levels_are_torchvisions, top_k_decides_the_length, skipped_frames_carry_the_last_labels,
                 tags_name_the_weights, ids_lead_from_the_meta_to_its_classifications}},
    {"absent",  {nothing_without_labels, shared_buffers_stay_as_they_are}},
    {"others",  {detections_of_others_stay, two_elements_leave_two_results, second_passes_leave_one_pair, copies_and_scaled_pictures_keep_them}},
  };
  // clang-format on
  for (const auto& row : kCases) {
    TCase* tests = tcase_create(row.name);
    tcase_set_timeout(tests, 60);
    for (const TTest* each : row.tests) tcase_add_test(tests, each);
    suite_add_tcase(suite, tests);
  }
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}
