// What is said about frames beyond the class of each: smoothed scores, changes with hysteresis,
// regions of interest, statistics.
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

static BufferRef at(const Picture& from, GstClockTime time) {
  BufferRef buffer = rgb_buffer(from);
  GST_BUFFER_PTS(buffer.get()) = time;
  return buffer;
}

/// The names of the classes that class-changed messages tell, oldest first.
static std::vector<int> changes(Bench& bench) {
  std::vector<int> found;
  for (const MessageRef& each : bench.messages(GST_MESSAGE_ELEMENT)) {
    const GstStructure* fields = gst_message_get_structure(each.get());
    int index = 0;
    if (gst_structure_has_name(fields, "class-changed") &&
        gst_structure_get_int(fields, "index", &index))
      found.push_back(index);
  }
  return found;
}

static const GstStructure* fields_of(const BufferRef& buffer) {
  return gst_custom_meta_get_structure(gst_buffer_get_custom_meta(buffer.get(), "TvClassifyMeta"));
}

static std::vector<Meta::Entry> raw_of(const BufferRef& buffer) {
  std::vector<Meta::Entry> raw;
  const GValue* labels = gst_structure_get_value(fields_of(buffer), "raw-labels");
  for (guint i = 0; labels && i < gst_value_array_get_size(labels); ++i)
    raw.push_back(read_entry(gst_value_get_structure(gst_value_array_get_value(labels, i))));
  return raw;
}

// ---- smoothing --------------------------------------------------------------------------------

// Half a second of one colour, then another: after one half-life both weigh the same.
START_TEST(an_average_forgets_by_half_lives) {
  Bench alone("tvclassify weights=Tiny_Weights.V1 top-k=4");
  std::vector<double> red(4), blue(4);
  for (const auto& [color, scores] : {std::pair{0, &red}, std::pair{2, &blue}})
    for (const Meta::Entry& each : alone.classify(picture(color)).labels)
      (*scores)[static_cast<std::size_t>(each.index)] = each.score;

  Bench bench(
      "tvclassify weights=Tiny_Weights.V1 top-k=4 smoothing=ema smoothing-half-life=1000000000");
  bench.pass(at(picture(0), 0));
  const BufferRef out = bench.pass(at(picture(2), GST_SECOND));
  const Meta meta = read_meta(out.get());
  for (const Meta::Entry& each : meta.labels) {
    const auto i = static_cast<std::size_t>(each.index);
    const double expected = (red[i] + blue[i]) / 2;
    ck_assert_msg(std::fabs(each.score - expected) < 1e-6, "class %d: %g, not %g", each.index,
                  each.score, expected);
  }
  // What this frame alone says stays readable, and exact.
  const std::vector<Meta::Entry> raw = raw_of(out);
  ck_assert_uint_eq(raw.size(), 4);
  ck_assert_int_eq(raw[0].index, 2);
  ck_assert(raw[0].score == blue[2]);
}
END_TEST

START_TEST(a_majority_outvotes_a_single_frame) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 smoothing=majority smoothing-window=10000000000");
  for (GstClockTime i = 0; i < 3; ++i) bench.pass(at(picture(1), i * GST_SECOND));
  const BufferRef odd = bench.pass(at(picture(3), 3 * GST_SECOND));
  const Meta meta = read_meta(odd.get());
  ck_assert_int_eq(meta.best(), 1);
  ck_assert(std::fabs(meta.top->score - 0.75) < 1e-6);
  ck_assert_int_eq(raw_of(odd)[0].index, 3);
  ck_assert((changes(bench) == std::vector<int>{1}));
  // A flush forgets the votes.
  bench.flush();
  ck_assert_int_eq(bench.classify(picture(3)).best(), 3);
}
END_TEST

START_TEST(without_smoothing_nothing_is_added) {
  Bench bench("tvclassify weights=Tiny_Weights.V1");
  const BufferRef out = bench.pass(at(picture(0), 0));
  ck_assert(!gst_structure_has_field(fields_of(out), "raw-labels"));
  bench.pass(at(picture(1), 1));
  bench.pass(at(picture(1), 2));
  bench.pass(at(picture(0), 3));
  ck_assert((changes(bench) == std::vector<int>{0, 1, 0}));
}
END_TEST

// No score is more than 1 above another: with that margin the first class stays.
START_TEST(hysteresis_holds_the_class) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 class-hysteresis=1");
  for (const int color : {0, 1, 2, 0})
    ck_assert_int_eq(bench.classify(picture(color)).best(), color);
  ck_assert((changes(bench) == std::vector<int>{0}));
  g_object_set(bench.element(), "class-hysteresis", 0.0, nullptr);
  bench.classify(picture(3));
  ck_assert((changes(bench) == std::vector<int>{3}));
}
END_TEST

// ---- regions ----------------------------------------------------------------------------------

/// Four pictures of 64 x 48 in a row, classes 0 to 3 from the left.
static BufferRef strip() {
  constexpr std::size_t kRow = std::size_t{4} * 64 * 3;
  BufferRef buffer(gst_buffer_new_allocate(nullptr, kRow * 48, nullptr));
  for (int color = 0; color < 4; ++color)
    for (std::size_t y = 0; y < 48; ++y)
      gst_buffer_fill(buffer.get(), y * kRow + static_cast<std::size_t>(color) * 64 * 3,
                      picture(color).rgb.data() + y * 64 * 3, 64 * 3);
  return buffer;
}

static GstVideoRegionOfInterestMeta* add_region(const BufferRef& buffer, const char* type, guint x,
                                                guint width, int object = -1) {
  GstVideoRegionOfInterestMeta* region =
      gst_buffer_add_video_region_of_interest_meta(buffer.get(), type, x, 0, width, 48);
  if (object >= 0)
    gst_video_region_of_interest_meta_add_param(
        region, gst_structure_new("object_id", "id", G_TYPE_INT, object, nullptr));
  return region;
}

/// The result on the n-th region: the parameter with a type of "classification_result".
static const GstStructure* result_on(const BufferRef& buffer, int n) {
  gpointer state = nullptr;
  for (GstMeta* each = nullptr;
       (each = gst_buffer_iterate_meta_filtered(buffer.get(), &state,
                                                GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE));) {
    if (n-- > 0) continue;
    auto* region = reinterpret_cast<GstVideoRegionOfInterestMeta*>(each);
    for (GList* param = region->params; param; param = param->next) {
      auto* fields = static_cast<GstStructure*>(param->data);
      if (text(fields, "type") == "classification_result") return fields;
    }
    return nullptr;
  }
  return nullptr;
}

static int label_on(const BufferRef& buffer, int n) {
  const GstStructure* fields = result_on(buffer, n);
  int label = -1;
  if (!fields || !gst_structure_get_int(fields, "label_id", &label)) return -1;
  return label;
}

constexpr const char* kByRegion = "tvclassify weights=Tiny_Weights.V1 inference-region=roi-list ";

START_TEST(each_region_has_its_own_class) {
  Bench bench(kByRegion, rgb_caps(256, 48));
  BufferRef frame = strip();
  for (const guint color : {2U, 0U, 3U, 1U}) add_region(frame, "box", color * 64, 64);
  const BufferRef out = bench.pass(std::move(frame));
  for (const auto& [n, color] : {std::pair{0, 2}, {1, 0}, {2, 3}, {3, 1}})
    ck_assert_int_eq(label_on(out, n), color);
  const Meta meta = read_meta(out.get());
  ASSERT_TEXT(meta.status, "ok");
  ck_assert_uint_eq(meta.labels.size(), 0);

  // As the same picture alone.
  Bench whole("tvclassify weights=Tiny_Weights.V1");
  double confidence = 0;
  ck_assert(gst_structure_get_double(result_on(out, 0), "confidence", &confidence));
  ck_assert(confidence == whole.classify(picture(2)).top->score);
}
END_TEST

START_TEST(regions_that_are_left_out) {
  Bench bench(std::string(kByRegion) + "object-class=\"face,car\" min-region-size=40",
              rgb_caps(256, 48));
  BufferRef frame = strip();
  add_region(frame, "car", 0, 64);
  add_region(frame, "tree", 64, 64);
  add_region(frame, "face", 128, 30);
  add_region(frame, "face", 5000, 64);
  const BufferRef out = bench.pass(std::move(frame));
  ck_assert_int_eq(label_on(out, 0), 0);
  ck_assert_msg(!result_on(out, 1), "a tree is none of its business");
  ck_assert_int_eq(label_on(out, 2), -1);
  ck_assert_int_eq(label_on(out, 3), -1);

  const Meta none = read_meta(bench.pass(strip()).get());
  ASSERT_TEXT(none.status, "skipped");
  ASSERT_TEXT(none.reason, "no-regions");
  ck_assert_uint_eq(bench.errors().size() + bench.warnings().size(), 0);
}
END_TEST

START_TEST(tracked_objects_are_classified_now_and_then) {
  Bench bench(std::string(kByRegion) + "reclassify-interval=3", rgb_caps(256, 48));
  // The object moves on to another class at once; that is seen in the fourth frame.
  const int expected[] = {0, 0, 0, 1, 1};
  for (int i = 0; i < 5; ++i) {
    BufferRef frame = strip();
    add_region(frame, "car", i == 0 ? 0 : 64, 64, 7);
    const BufferRef out = bench.pass(std::move(frame));
    ck_assert_msg(label_on(out, 0) == expected[i], "frame %d: %d", i, label_on(out, 0));
    int age = -1;
    ck_assert(gst_structure_get_int(result_on(out, 0), "frames_ago", &age));
    ck_assert_int_eq(age, i % 3);
  }
}
END_TEST

START_TEST(regions_post_messages) {
  Bench bench(std::string(kByRegion) + "post-messages=true", rgb_caps(256, 48));
  BufferRef frame = strip();
  add_region(frame, "car", 64, 64, 11);
  add_region(frame, "car", 192, 64);
  bench.pass(std::move(frame));
  std::vector<std::pair<int, int>> told;
  for (const MessageRef& each : bench.messages(GST_MESSAGE_ELEMENT)) {
    const GstStructure* fields = gst_message_get_structure(each.get());
    int x = -1, index = -1;
    if (gst_structure_has_name(fields, "tvclassify") && gst_structure_get_int(fields, "x", &x) &&
        gst_structure_get_int(fields, "index", &index))
      told.emplace_back(x, index);
    ASSERT_TEXT(text(fields, "region-type"), "car");
  }
  ck_assert((told == std::vector<std::pair<int, int>>{{64, 1}, {192, 3}}));
}
END_TEST

// ---- statistics -------------------------------------------------------------------------------

START_TEST(statistics_come_as_messages) {
  Bench bench("tvclassify weights=Tiny_Weights.V1 stats-interval=1");
  for (int i = 0; i < 3; ++i) bench.classify(picture(0));
  guint64 last = 0;
  int count = 0;
  for (const MessageRef& each : bench.messages(GST_MESSAGE_ELEMENT)) {
    const GstStructure* fields = gst_message_get_structure(each.get());
    if (!gst_structure_has_name(fields, "tvclassify-stats")) continue;
    ++count;
    ck_assert(gst_structure_get_uint64(fields, "ok", &last));
    guint64 memory = 0, p50 = 0, p99 = 0;
    ck_assert(gst_structure_get_uint64(fields, "memory", &memory) && memory > 1000000);
    ck_assert(gst_structure_get_uint64(fields, "inference-p50", &p50));
    ck_assert(gst_structure_get_uint64(fields, "inference-p99", &p99));
    ck_assert(p50 > 0 && p99 >= p50);
  }
  ck_assert_int_ge(count, 1);
  ck_assert_uint_eq(last, 3);

  Bench silent("tvclassify weights=Tiny_Weights.V1");
  silent.classify(picture(0));
  for (const MessageRef& each : silent.messages(GST_MESSAGE_ELEMENT))
    ck_assert(!gst_structure_has_name(gst_message_get_structure(each.get()), "tvclassify-stats"));
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify scores");
  TCase* smoothing = tcase_create("smoothing");
  tcase_add_test(smoothing, an_average_forgets_by_half_lives);
  tcase_add_test(smoothing, a_majority_outvotes_a_single_frame);
  tcase_add_test(smoothing, without_smoothing_nothing_is_added);
  tcase_add_test(smoothing, hysteresis_holds_the_class);
  suite_add_tcase(suite, smoothing);
  TCase* regions = tcase_create("regions");
  tcase_add_test(regions, each_region_has_its_own_class);
  tcase_add_test(regions, regions_that_are_left_out);
  tcase_add_test(regions, tracked_objects_are_classified_now_and_then);
  tcase_add_test(regions, regions_post_messages);
  suite_add_tcase(suite, regions);
  TCase* statistics = tcase_create("statistics");
  tcase_add_test(statistics, statistics_come_as_messages);
  suite_add_tcase(suite, statistics);
  return suite;
}

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite());
}
