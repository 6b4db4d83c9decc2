// Regions with GStreamer's own analytics: detections and tracks are found, classifications are
// related to them, and a second pass changes what is there. Built where GStreamer has its analytics
// library.
#include <gst/analytics/analytics.h>

#include <map>

#include "elements/tvclassify/analytics.hpp"
#include "elements/tvclassify/regions.hpp"
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

static const ModelIdentity kIdentity{"classify0", "Tiny_Weights.V1", "digest"};
static constexpr GstAnalyticsRelTypes kContains = static_cast<GstAnalyticsRelTypes>(
    GST_ANALYTICS_REL_TYPE_CONTAIN | GST_ANALYTICS_REL_TYPE_RELATE_TO);

// Stands for the library's function, which came with GStreamer 1.30. Tags by the id.
static std::map<guint, std::string> tags;
extern "C" gboolean gst_analytics_mtd_set_semantic_tag(GstAnalyticsMtd* mtd, const gchar* tag) {
  tags[mtd->id] = tag;
  return TRUE;
}

static BufferRef frame() {
  return BufferRef(gst_buffer_new_allocate(nullptr, 12, nullptr));
}

static GstAnalyticsRelationMeta* relations(const BufferRef& buffer) {
  return gst_buffer_add_analytics_relation_meta(buffer.get());
}

static guint add_detection(const BufferRef& buffer, const char* type, int x, int y, int width,
                           int height) {
  GstAnalyticsODMtd detection;
  ck_assert(gst_analytics_relation_meta_add_od_mtd(relations(buffer), g_quark_from_string(type), x,
                                                   y, width, height, 0.5f, &detection));
  return detection.id;
}

static guint add_track(const BufferRef& buffer, guint detection, guint64 object,
                       GstAnalyticsRelTypes relation) {
  GstAnalyticsTrackingMtd track;
  ck_assert(gst_analytics_relation_meta_add_tracking_mtd(relations(buffer), object, 0, &track));
  ck_assert(
      gst_analytics_relation_meta_set_relation(relations(buffer), relation, detection, track.id));
  return track.id;
}

static GstVideoRegionOfInterestMeta* add_roi(const BufferRef& buffer, guint id, guint x, guint y,
                                             guint width, guint height) {
  auto* roi =
      gst_buffer_add_video_region_of_interest_meta(buffer.get(), "dog", x, y, width, height);
  roi->id = static_cast<gint>(id);
  return roi;
}

static std::vector<Region> find(const BufferRef& buffer) {
  return find_regions(buffer.get(), 100, 80);
}

static FrameResult ok(std::vector<Label> labels) {
  FrameResult result;
  result.status = FrameStatus::kOk;
  result.labels = std::move(labels);
  return result;
}

/// A classification as text: "dog 0.5, cat 0.25"
static std::string classes(const BufferRef& buffer, guint id) {
  GstAnalyticsClsMtd mtd;
  if (!gst_analytics_relation_meta_get_cls_mtd(relations(buffer), id, &mtd)) return "none";
  std::string all;
  for (gsize i = 0; i < gst_analytics_cls_mtd_get_length(&mtd); ++i) {
    char each[64];
    g_snprintf(each, sizeof(each), "%s%s %g", i == 0 ? "" : ", ",
               g_quark_to_string(gst_analytics_cls_mtd_get_quark(&mtd, i)),
               static_cast<double>(gst_analytics_cls_mtd_get_level(&mtd, i)));
    all += each;
  }
  return all;
}

static gsize count(const BufferRef& buffer) {
  GstAnalyticsRelationMeta* meta = gst_buffer_get_analytics_relation_meta(buffer.get());
  return meta ? gst_analytics_relation_get_length(meta) : 0;
}

// ---- finding ----------------------------------------------------------------------------------

START_TEST(detections_are_regions) {
  const BufferRef buffer = frame();
  ck_assert(find(buffer).empty());
  add_roi(buffer, 9, 1, 2, 3, 4);
  add_detection(buffer, "face", -5, 10, 20, 30);
  const guint second = add_detection(buffer, "car", 95, 0, 20, 200);
  add_detection(buffer, "car", 100, 0, 20, 20);
  const std::vector<Region> regions = find(buffer);
  ck_assert_uint_eq(regions.size(), 4);
  ck_assert_int_eq(regions[0].roi, 0);
  ck_assert(!regions[0].detection);
  ck_assert_int_eq(regions[1].roi, -1);
  ck_assert_str_eq(g_quark_to_string(regions[1].type), "face");
  ck_assert((regions[1].part == Rect{0, 10, 15, 30}));
  ck_assert_int_eq(regions[1].x, -5);
  ck_assert(regions[2].detection == second && regions[2].id == static_cast<int>(second));
  ck_assert((regions[2].part == Rect{95, 0, 5, 80}));
  ASSERT_TEXT(left_out_reason(regions[3], {}), "outside");
}
END_TEST

START_TEST(an_roi_and_its_detection_are_one) {
  const BufferRef buffer = frame();
  const guint dog = add_detection(buffer, "dog", 10, 10, 20, 20);
  const guint cat = add_detection(buffer, "cat", 50, 10, 20, 20);
  add_roi(buffer, cat, 51, 9, 19, 21);  // rounded otherwise
  add_roi(buffer, dog, 10, 10, 20, 20);
  const std::vector<Region> regions = find(buffer);
  ck_assert_uint_eq(regions.size(), 2);
  ck_assert(regions[0].roi == 0 && regions[0].detection == cat);
  ck_assert(regions[1].roi == 1 && regions[1].detection == dog);
  ck_assert_int_eq(regions[0].x, 51);
}
END_TEST

// Elements that give no ids leave 0, which is also the first detection's.
START_TEST(equal_ids_alone_are_chance) {
  const BufferRef buffer = frame();
  ck_assert_uint_eq(add_detection(buffer, "dog", 10, 10, 20, 20), 0);
  add_roi(buffer, 0, 60, 10, 20, 20);
  add_roi(buffer, 0, 10, 10, 20, 22);
  std::vector<Region> regions = find(buffer);
  ck_assert_uint_eq(regions.size(), 3);
  for (const Region& each : regions) ck_assert((each.roi < 0) == each.detection.has_value());
  add_roi(buffer, 1, 10, 10, 20, 20);  // the place, but another id
  ck_assert_uint_eq(find(buffer).size(), 4);
}
END_TEST

START_TEST(tracks) {
  for (const auto relation : {GST_ANALYTICS_REL_TYPE_RELATE_TO, GST_ANALYTICS_REL_TYPE_CONTAIN}) {
    const BufferRef buffer = frame();
    const guint dog = add_detection(buffer, "dog", 10, 10, 20, 20);
    const guint cat = add_detection(buffer, "cat", 50, 10, 20, 20);
    const guint car = add_detection(buffer, "car", 70, 10, 20, 20);
    add_track(buffer, cat, 5'000'000'000, relation);
    add_track(buffer, car, 6, relation);
    auto* roi = add_roi(buffer, car, 70, 10, 20, 20);
    gst_video_region_of_interest_meta_add_param(
        roi, gst_structure_new("object_id", "id", G_TYPE_INT, 3, nullptr));
    const std::vector<Region> regions = find(buffer);
    ck_assert_uint_eq(regions.size(), 3);
    ck_assert(regions[0].object == 6u);  // the detection's track comes first
    ck_assert(regions[1].detection == dog && !regions[1].object);
    ck_assert(regions[2].detection == cat && regions[2].object == 5'000'000'000u);
  }
}
END_TEST

// ---- results ----------------------------------------------------------------------------------

START_TEST(classifications_belong_to_their_detection) {
  const BufferRef buffer = frame();
  const guint dog = add_detection(buffer, "dog", 10, 10, 20, 20);
  const guint cat = add_detection(buffer, "cat", 50, 10, 20, 20);
  tags.clear();
  attach_to_region(buffer.get(), find(buffer)[1], kIdentity,
                   ok({{3, "tabby", 0.5f}, {4, "lynx", 0.25f}}));
  ck_assert_uint_eq(count(buffer), 3);
  ASSERT_TEXT(classes(buffer, 2), "tabby 0.5");
  ck_assert_int_eq(gst_analytics_relation_meta_get_relation(relations(buffer), cat, 2), kContains);
  ck_assert_int_eq(gst_analytics_relation_meta_get_relation(relations(buffer), 2, cat),
                   GST_ANALYTICS_REL_TYPE_IS_PART_OF);
  ck_assert_int_eq(gst_analytics_relation_meta_get_relation(relations(buffer), dog, 2), 0);
  ASSERT_TEXT(tags[2], "Tiny_Weights.V1");
  ck_assert_uint_eq(tags.size(), 1);
  // As GStreamer's own overlay looks for it.
  gpointer state = nullptr;
  GstAnalyticsMtd found;
  ck_assert(gst_analytics_relation_meta_get_direct_related(
      relations(buffer), cat, GST_ANALYTICS_REL_TYPE_RELATE_TO,
      gst_analytics_cls_mtd_get_mtd_type(), &state, &found));
  ck_assert_uint_eq(found.id, 2);
}
END_TEST

START_TEST(nothing_is_said_without_labels) {
  const BufferRef buffer = frame();
  const guint dog = add_detection(buffer, "dog", 10, 10, 20, 20);
  add_roi(buffer, dog, 10, 10, 20, 20);
  FrameResult failed;
  failed.status = FrameStatus::kFailed;
  const Region region = find(buffer).at(0);
  attach_to_region(buffer.get(), region, kIdentity, failed);
  ck_assert_uint_eq(count(buffer), 1);
  // A detection that is not there, or is none.
  Region gone = region;
  gone.detection = 7;
  attach_to_region(buffer.get(), gone, kIdentity, ok({{1, "one", 0.5f}}));
  ck_assert_uint_eq(count(buffer), 1);
  gone.detection = add_track(buffer, dog, 1, GST_ANALYTICS_REL_TYPE_RELATE_TO);
  attach_to_region(buffer.get(), gone, kIdentity, ok({{1, "one", 0.5f}}));
  ck_assert_uint_eq(count(buffer), 2);
  const BufferRef bare = frame();
  attach_to_region(bare.get(), gone, kIdentity, ok({{1, "one", 0.5f}}));
  ck_assert_uint_eq(count(bare), 0);
}
END_TEST

START_TEST(a_second_pass_changes_the_classification) {
  const BufferRef buffer = frame();
  const guint dog = add_detection(buffer, "dog", 10, 10, 20, 20);
  add_roi(buffer, dog, 10, 10, 20, 20);
  const Region region = find(buffer).at(0);
  attach_to_region(buffer.get(), region, kIdentity, ok({{1, "one", 0.5f}}));
  attach_to_region(buffer.get(), region, {"classify1", "Other", ""}, ok({{1, "one", 0.5f}}));
  attach_to_region(buffer.get(), region, kIdentity, ok({{2, "two", 0.25f}}));
  ASSERT_TEXT(classes(buffer, 1), "two 0.25");
  FrameResult failed;
  failed.status = FrameStatus::kFailed;
  attach_to_region(buffer.get(), region, kIdentity, failed);
  ASSERT_TEXT(classes(buffer, 1), "two 0");
  attach_to_region(buffer.get(), region, kIdentity, failed);
  attach_to_region(buffer.get(), region, kIdentity, ok({{3, "three", 0.75f}}));
  ASSERT_TEXT(classes(buffer, 1), "three 0.75");
  ck_assert_int_eq(gst_analytics_relation_meta_get_relation(relations(buffer), dog, 1), kContains);
}
END_TEST

START_TEST(the_same_is_said_once) {
  const BufferRef buffer = frame();
  add_detection(buffer, "dog", 10, 10, 20, 20);
  add_detection(buffer, "dog", 50, 10, 20, 20);
  for (int pass = 0; pass < 3; ++pass)
    for (const Region& region : find(buffer))
      attach_to_region(buffer.get(), region, kIdentity, ok({{1, "one", 0.5f}}));
  ck_assert_uint_eq(count(buffer), 4);  // one for each
  attach_to_region(buffer.get(), find(buffer)[0], kIdentity, ok({{1, "one", 0.25f}}));
  ck_assert_uint_eq(count(buffer), 5);
}
END_TEST

// ---- whole frames that come past twice --------------------------------------------------------

static AnalyticsTrace say(const BufferRef& buffer, const std::vector<Label>& labels,
                          const AnalyticsTrace& earlier = {}) {
  return add_analytics(buffer.get(), "W", labels, earlier);
}

START_TEST(lengths_stay) {
  const std::vector<Label> four = {
      {0, "a", 0.5f}, {1, "b", 0.25f}, {2, "c", 0.125f}, {3, "d", 0.0625f}};
  const std::vector<Label> two = {{5, "f", 0.75f}, {6, "g", 0.125f}};
  const std::vector<Label> one = {{7, "h", 0.875f}};
  const BufferRef buffer = frame();
  AnalyticsTrace trace = say(buffer, two);
  ck_assert(trace.best == 0u && trace.all == 1u);
  trace = say(buffer, four, trace);
  ASSERT_TEXT(classes(buffer, 0), "a 0.5");
  ASSERT_TEXT(classes(buffer, 1), "a 0.5, b 0.25");
  trace = say(buffer, one, trace);
  ASSERT_TEXT(classes(buffer, 0), "h 0.875");
  ASSERT_TEXT(classes(buffer, 1), "h 0.875, b 0");
  trace = say(buffer, {}, trace);
  ASSERT_TEXT(classes(buffer, 0), "h 0");
  ASSERT_TEXT(classes(buffer, 1), "h 0, b 0");
  trace = say(buffer, {}, trace);
  trace = say(buffer, two, trace);
  ASSERT_TEXT(classes(buffer, 0), "f 0.75");
  ASSERT_TEXT(classes(buffer, 1), "f 0.75, g 0.125");
  ck_assert_uint_eq(count(buffer), 2);
  // A single label at first: the longer one is added when there is one to say.
  const BufferRef other = frame();
  trace = say(other, one);
  ck_assert(!trace.all);
  trace = say(other, two, trace);
  ASSERT_TEXT(classes(other, 0), "f 0.75");
  ASSERT_TEXT(classes(other, 1), "f 0.75, g 0.125");
  ck_assert_uint_eq(count(other), 2);
}
END_TEST

// Somebody put another relation meta in place of ours: what is there now is not ours to change.
START_TEST(what_others_wrote_stays) {
  const std::vector<Label> mine = {{0, "a", 0.5f}, {1, "b", 0.25f}};
  const BufferRef first = frame();
  const AnalyticsTrace trace = say(first, mine);

  const BufferRef elsewhere = frame();
  add_detection(elsewhere, "dog", 0, 0, 1, 1);  // id 0
  gfloat level = 0.5f;
  GQuark quark = g_quark_from_string("theirs");
  GstAnalyticsClsMtd theirs;
  gst_analytics_relation_meta_add_cls_mtd(relations(elsewhere), 1, &level, &quark, &theirs);
  ck_assert_uint_eq(theirs.id, 1);
  const AnalyticsTrace now = say(elsewhere, {{3, "c", 0.75f}, {1, "b", 0.125f}}, trace);
  ck_assert(now.best == 2u && now.all == 3u);
  ASSERT_TEXT(classes(elsewhere, 1), "theirs 0.5");
  ASSERT_TEXT(classes(elsewhere, 2), "c 0.75");
  // Fewer entries than the trace speaks of, and none at all.
  const BufferRef shorter = frame();
  add_detection(shorter, "dog", 0, 0, 1, 1);
  say(shorter, mine, now);
  ck_assert_uint_eq(count(shorter), 3);
  const BufferRef bare = frame();
  say(bare, {}, now);
  ck_assert_uint_eq(count(bare), 0);
  say(bare, mine, now);
  ck_assert_uint_eq(count(bare), 2);
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  return run_suite(make_suite(
      "tvclassify region analytics", 60, detections_are_regions, an_roi_and_its_detection_are_one,
      equal_ids_alone_are_chance, tracks, classifications_belong_to_their_detection,
      nothing_is_said_without_labels, a_second_pass_changes_the_classification,
      the_same_is_said_once, lengths_stay, what_others_wrote_stays));
}
