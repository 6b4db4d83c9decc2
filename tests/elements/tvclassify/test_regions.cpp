// Regions of interest: found, clipped, filtered, and labelled as readers expect it.
#include "elements/tvclassify/regions.hpp"

#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

static const ModelIdentity kIdentity{"classify0", "ResNet50_Weights.IMAGENET1K_V2", "digest"};

static BufferRef frame() {
  return BufferRef(gst_buffer_new_allocate(nullptr, 12, nullptr));
}

static GstVideoRegionOfInterestMeta* add_roi(const BufferRef& buffer, const char* type, guint x,
                                             guint y, guint width, guint height) {
  return gst_buffer_add_video_region_of_interest_meta(buffer.get(), type, x, y, width, height);
}

static FrameResult ok(std::vector<Label> labels) {
  FrameResult result;
  result.status = FrameStatus::kOk;
  result.labels = std::move(labels);
  return result;
}

/// The parameters of the ROI at a place.
static std::vector<const GstStructure*> parameters(const BufferRef& buffer, int place = 0) {
  gpointer state = nullptr;
  GstMeta* meta = nullptr;
  for (int i = 0; i <= place; ++i)
    meta = gst_buffer_iterate_meta_filtered(buffer.get(), &state,
                                            GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
  ck_assert(meta != nullptr);
  std::vector<const GstStructure*> found;
  auto* roi = reinterpret_cast<GstVideoRegionOfInterestMeta*>(meta);
  for (GList* each = roi->params; each; each = each->next)
    found.push_back(static_cast<const GstStructure*>(each->data));
  return found;
}

static int int_of(const GstStructure* structure, const char* field) {
  int value = 0;
  ck_assert_msg(gst_structure_get_int(structure, field, &value), "no int %s", field);
  return value;
}

// ---- finding ----------------------------------------------------------------------------------

START_TEST(every_region_in_order) {
  const BufferRef buffer = frame();
  ck_assert(find_regions(buffer.get(), 100, 80).empty());
  auto* face = add_roi(buffer, "face", 10, 20, 30, 40);
  face->id = 4;
  face->parent_id = 2;
  // Something else between them does not count.
  gst_buffer_add_video_crop_meta(buffer.get());
  gst_buffer_add_video_region_of_interest_meta_id(buffer.get(), 0, 90, 70, 20, 20);
  const std::vector<Region> regions = find_regions(buffer.get(), 100, 80);
  ck_assert_uint_eq(regions.size(), 2);
  const Region& first = regions[0];
  ck_assert_str_eq(g_quark_to_string(first.type), "face");
  ck_assert_int_eq(first.id, 4);
  ck_assert_int_eq(first.parent_id, 2);
  ck_assert(first.x == 10 && first.y == 20 && first.width == 30 && first.height == 40);
  ck_assert((first.part == Rect{10, 20, 30, 40}));
  ck_assert_int_eq(first.roi, 0);
  ck_assert(!first.object && !first.detection);
  ck_assert_uint_eq(regions[1].type, 0);
  ck_assert((regions[1].part == Rect{90, 70, 10, 10}));
  ck_assert_int_eq(regions[1].roi, 1);
}
END_TEST

// clang-format off
static const struct { guint x, y, width, height; Rect part; } kClipRows[] = {
  {0, 0, 100, 80,                  {0, 0, 100, 80}},
  {0, 0, 101, 81,                  {0, 0, 100, 80}},
  {99, 79, 1, 1,                   {99, 79, 1, 1}},
  {99, 79, 5, 5,                   {99, 79, 1, 1}},
  {100, 0, 5, 5,                   {}},
  {0, 80, 5, 5,                    {}},
  {50, 0, 0, 5,                    {}},
  {50, 0, 5, 0,                    {}},
  {0, 0, G_MAXUINT, G_MAXUINT,     {0, 0, 100, 80}},
  {G_MAXUINT, 0, G_MAXUINT, 10,    {}},
  {4294967290u, 0, 20, 10,         {}},  // as -6 would be
};
// clang-format on

START_TEST(regions_are_clipped) {
  const auto& row = kClipRows[_i];
  const BufferRef buffer = frame();
  add_roi(buffer, "car", row.x, row.y, row.width, row.height);
  const Region region = find_regions(buffer.get(), 100, 80).at(0);
  ck_assert_msg(region.part == row.part, "%ux%u at (%u, %u): %dx%d at (%d, %d)", row.width,
                row.height, row.x, row.y, region.part.width, region.part.height, region.part.x,
                region.part.y);
  ck_assert_int_eq(region.width, row.width);
  ASSERT_TEXT(left_out_reason(region, {}), row.part.width == 0 ? "outside" : "");
}
END_TEST

START_TEST(tracked_objects) {
  const auto object = [](const char* parameter) {
    const BufferRef buffer = frame();
    auto* roi = add_roi(buffer, "car", 0, 0, 5, 5);
    roi->id = 77;  // is no tracker's number
    gst_video_region_of_interest_meta_add_param(
        roi, gst_structure_from_string("other, id=(int)3", nullptr));
    if (parameter)
      gst_video_region_of_interest_meta_add_param(roi,
                                                  gst_structure_from_string(parameter, nullptr));
    return find_regions(buffer.get(), 10, 10).at(0).object;
  };
  ck_assert(object("object_id, id=(int)9") == 9u);
  ck_assert(object("object_id, id=(int)0") == 0u);
  ck_assert(object("object_id, id=(uint)4000000000") == 4'000'000'000u);
  ck_assert(object("object_id, id=(gint64)5000000000") == 5'000'000'000u);
  ck_assert(object("object_id, id=(guint64)6000000000") == 6'000'000'000u);
  for (const char* none : {static_cast<const char*>(nullptr), "object_id, id=(int)-1", "object_id",
                           "object_id, id=(string)x", "object_id, id=(fraction)1/2"})
    ck_assert_msg(!object(none), "%s", none ? none : "no parameter");
}
END_TEST

// ---- filter -----------------------------------------------------------------------------------

START_TEST(class_lists) {
  const auto names = [](std::string_view list) {
    std::string all;
    for (const GQuark quark : parse_classes(list))
      all += std::string("[") + g_quark_to_string(quark) + "]";
    return all;
  };
  ASSERT_TEXT(names("face"), "[face]");
  ASSERT_TEXT(names("face,car"), "[face][car]");
  ASSERT_TEXT(names(" face ,\tlicense plate,"), "[face][license plate]");
  ASSERT_TEXT(names(""), "");
  ASSERT_TEXT(names(" , ,,"), "");
}
END_TEST

START_TEST(filters) {
  const BufferRef buffer = frame();
  add_roi(buffer, "face", 0, 0, 20, 30);
  add_roi(buffer, "car", 95, 0, 20, 30);  // 5 x 30 of it inside
  gst_buffer_add_video_region_of_interest_meta_id(buffer.get(), 0, 0, 0, 20, 30);
  const std::vector<Region> regions = find_regions(buffer.get(), 100, 80);
  const struct {
    const char* classes;
    int min_width, min_height;
    const char* expected[3];
  } kRows[] = {
      {"", 1, 1, {"", "", ""}},
      {"face", 1, 1, {"", "object-class", "object-class"}},
      {"car,face", 1, 1, {"", "", "object-class"}},
      {"Face", 1, 1, {"object-class", "object-class", "object-class"}},
      {"", 5, 30, {"", "", ""}},
      {"", 6, 30, {"", "too-small", ""}},
      {"", 20, 31, {"too-small", "too-small", "too-small"}},
      {"face", 21, 1, {"too-small", "object-class", "object-class"}},
  };
  for (const auto& row : kRows) {
    const RegionFilter filter{parse_classes(row.classes), row.min_width, row.min_height};
    for (std::size_t i = 0; i < 3; ++i)
      ASSERT_TEXT(left_out_reason(regions[i], filter), row.expected[i]);
  }
}
END_TEST

// ---- results ----------------------------------------------------------------------------------

START_TEST(a_result_as_readers_expect_it) {
  const BufferRef buffer = frame();
  add_roi(buffer, "dog", 0, 0, 5, 5);
  add_roi(buffer, "dog", 5, 0, 5, 5);
  const std::vector<Region> regions = find_regions(buffer.get(), 10, 10);
  attach_to_region(buffer.get(), regions[1], kIdentity,
                   ok({{207, "golden \"retriever\"", 0.75f}, {208, "Labrador", 0.125f}}), 3);
  ck_assert(parameters(buffer, 0).empty());
  ck_assert_uint_eq(parameters(buffer, 1).size(), 1);
  const GstStructure* found = parameters(buffer, 1)[0];
  ASSERT_TEXT(gst_structure_get_name(found), "ResNet50_Weights.IMAGENET1K_V2");
  ASSERT_TEXT(text(found, "attribute_name"), "ResNet50_Weights.IMAGENET1K_V2");
  ASSERT_TEXT(text(found, "model_name"), "ResNet50_Weights.IMAGENET1K_V2");
  ASSERT_TEXT(text(found, "type"), "classification_result");
  ASSERT_TEXT(text(found, "converter"), "label");
  ASSERT_TEXT(text(found, "method"), "softmax");
  ASSERT_TEXT(text(found, "layer_name"), "logits");
  ASSERT_TEXT(text(found, "label"), "golden \"retriever\"");
  ck_assert_int_eq(int_of(found, "label_id"), 207);
  ck_assert_int_eq(int_of(found, "tensor_id"), 3);
  ck_assert_int_eq(int_of(found, "frames_ago"), 0);
  double confidence = 0;
  ck_assert(gst_structure_get_double(found, "confidence", &confidence));
  ck_assert_double_eq(confidence, 0.75);
  ASSERT_TEXT(text(found, "element"), "classify0");
  ASSERT_TEXT(text(found, "status"), "ok");
  ck_assert(!gst_structure_has_field(found, "reason"));
  const GValue* labels = gst_structure_get_value(found, "labels");
  ck_assert_uint_eq(gst_value_array_get_size(labels), 2);
  ck_assert_int_eq(read_entry(gst_value_get_structure(gst_value_array_get_value(labels, 1))).index,
                   208);
}
END_TEST

START_TEST(regions_that_were_not_classified) {
  const BufferRef buffer = frame();
  add_roi(buffer, "dog", 0, 0, 5, 5);
  const Region region = find_regions(buffer.get(), 10, 10).at(0);
  FrameResult result;
  result.status = FrameStatus::kFailed;
  result.reason = "no memory";
  attach_to_region(buffer.get(), region, kIdentity, result);
  const GstStructure* found = parameters(buffer).at(0);
  ASSERT_TEXT(text(found, "status"), "failed");
  ASSERT_TEXT(text(found, "reason"), "no memory");
  for (const char* field : {"label", "label_id", "confidence"})
    ck_assert_msg(!gst_structure_has_field(found, field), "%s", field);
  // An earlier result of the object: labels with their age.
  result = ok({{1, "cat", 0.5f}});
  result.status = FrameStatus::kSkipped;
  result.reason = "reclassify-interval";
  result.age = 7;
  attach_to_region(buffer.get(), region, kIdentity, result);
  found = parameters(buffer).at(0);
  ASSERT_TEXT(text(found, "status"), "skipped");
  ASSERT_TEXT(text(found, "label"), "cat");
  ck_assert_int_eq(int_of(found, "frames_ago"), 7);
  result.age = G_MAXUINT32;
  attach_to_region(buffer.get(), region, kIdentity, result);
  ck_assert_int_eq(int_of(parameters(buffer).at(0), "frames_ago"), G_MAXINT);
}
END_TEST

START_TEST(one_result_of_each_element) {
  const BufferRef buffer = frame();
  auto* roi = add_roi(buffer, "dog", 0, 0, 5, 5);
  const char* others[] = {
      "detection, confidence=(double)0.5, label_id=(int)1",
      "ResNet50_Weights.IMAGENET1K_V2, type=(string)classification_result, label=(string)theirs",
      "other, element=(string)classify0",
  };
  for (const char* other : others)
    gst_video_region_of_interest_meta_add_param(roi, gst_structure_from_string(other, nullptr));
  const Region region = find_regions(buffer.get(), 10, 10).at(0);
  const ModelIdentity second{"classify1", kIdentity.weights, "digest"};
  ModelIdentity swapped = kIdentity;
  swapped.weights = "Swin_T_Weights.IMAGENET1K_V1";
  attach_to_region(buffer.get(), region, kIdentity, ok({{1, "one", 0.5f}}));
  attach_to_region(buffer.get(), region, second, ok({{2, "two", 0.5f}}));
  attach_to_region(buffer.get(), region, kIdentity, ok({{3, "three", 0.5f}}));
  attach_to_region(buffer.get(), region, swapped, ok({{4, "four", 0.5f}}));
  const std::vector<const GstStructure*> found = parameters(buffer);
  ck_assert_uint_eq(found.size(), 5);
  for (std::size_t i = 0; i < 3; ++i) {
    const StructurePtr before(gst_structure_from_string(others[i], nullptr));
    ck_assert(gst_structure_is_equal(found[i], before.get()));
  }
  ASSERT_TEXT(text(found[3], "label"), "two");
  ASSERT_TEXT(text(found[4], "label"), "four");
  ASSERT_TEXT(text(found[4], "model_name"), "Swin_T_Weights.IMAGENET1K_V1");
}
END_TEST

// Regions are found where a frame comes in, and get their result on a copy of its struct.
START_TEST(regions_stay_true_for_copies) {
  BufferRef original = frame();
  for (guint i = 0; i < 3; ++i) add_roi(original, "dog", i, 0, 5, 5);
  const std::vector<Region> regions = find_regions(original.get(), 10, 10);
  const BufferRef copy(gst_buffer_make_writable(gst_buffer_ref(original.get())));
  ck_assert_ptr_ne(copy.get(), original.get());
  attach_to_region(copy.get(), regions[1], kIdentity, ok({{1, "one", 0.5f}}));
  for (int i = 0; i < 3; ++i) {
    ck_assert(parameters(original, i).empty());
    ck_assert_uint_eq(parameters(copy, i).size(), i == 1 ? 1 : 0);
  }
}
END_TEST

START_TEST(regions_that_are_gone) {
  const BufferRef buffer = frame();
  auto* roi = add_roi(buffer, "dog", 0, 0, 5, 5);
  const Region region = find_regions(buffer.get(), 10, 10).at(0);
  const FrameResult result = ok({{1, "one", 0.5f}});
  roi->x = 1;
  attach_to_region(buffer.get(), region, kIdentity, result);
  ck_assert(parameters(buffer).empty());
  roi->x = 0;
  roi->id = 5;
  attach_to_region(buffer.get(), region, kIdentity, result);
  ck_assert(parameters(buffer).empty());
  roi->id = region.id;
  Region other = region;
  other.roi = 1;
  attach_to_region(buffer.get(), other, kIdentity, result);
  ck_assert(parameters(buffer).empty());
  attach_to_region(frame().get(), region, kIdentity, result);
  attach_to_region(buffer.get(), region, kIdentity, result);
  ck_assert_uint_eq(parameters(buffer).size(), 1);
}
END_TEST

START_TEST(any_weights_name_makes_a_parameter) {
  const struct {
    const char *weights, *name;
  } kRows[] = {{"resnet50", "resnet50"},
               {"My Flowers_Weights.V1", "My_Flowers_Weights.V1"},
               {"3d, \"x\"", "weights_3d___x_"},
               {"", "weights_"},
               {"\xC3\xA4pfel", "weights___pfel"}};
  for (const auto& row : kRows) {
    const BufferRef buffer = frame();
    add_roi(buffer, "dog", 0, 0, 5, 5);
    const Region region = find_regions(buffer.get(), 10, 10).at(0);
    attach_to_region(buffer.get(), region, {"e", row.weights, ""}, ok({{1, "one", 0.5f}}));
    const GstStructure* found = parameters(buffer).at(0);
    ASSERT_TEXT(gst_structure_get_name(found), row.name);
    ASSERT_TEXT(text(found, "model_name"), row.weights);
  }
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  Suite* suite = make_suite("tvclassify regions", 60, every_region_in_order,
                            Loop{regions_are_clipped, static_cast<int>(std::size(kClipRows))},
                            tracked_objects, class_lists, filters, a_result_as_readers_expect_it,
                            regions_that_were_not_classified, one_result_of_each_element,
                            regions_stay_true_for_copies, regions_that_are_gone,
                            any_weights_name_makes_a_parameter);
  return run_suite(suite);
}
