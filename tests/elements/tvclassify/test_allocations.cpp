// What a frame allocates: nothing but what GStreamer needs for the metadata on its buffer, and the
// backend for its answer. Counted with a stub that makes one vector a batch.
#include <cstdint>
#include <limits>

#include "elements/tvclassify/metadata.hpp"
#include "tests/count_allocations.hpp"
#include "tests/elements/tvclassify/support.hpp"

using namespace tv;
using namespace tv::test;

// Names that no string holds without memory of its own are among them.
static const std::string kTiny = "tvclassify weights=Tiny_Weights.V1 top-k=5 ";

/// Of one call. What comes only now and then (a message, a table that grows) is not its own: the
/// fewest of many rounds. A thread that is still busy with the last call of a round may be counted
/// in the next one, so each round has many calls, and the mean is rounded.
template <typename F>
static std::uint64_t allocations_of(F&& call) {
  constexpr std::uint64_t kCalls = 32;
  std::uint64_t fewest = std::numeric_limits<std::uint64_t>::max();
  for (int round = 0; round < 20; ++round) {
    const std::uint64_t before = allocations;
    for (std::uint64_t i = 0; i < kCalls; ++i) call();
    fewest = std::min<std::uint64_t>(fewest, allocations - before);
  }
  return (fewest + kCalls / 2) / kCalls;
}

/// Of a frame that goes through an element, without what it takes to bring and to fetch it.
static std::uint64_t allocations_of_frame(const std::string& element) {
  const BufferRef frame = rgb_buffer(picture(0));
  const auto through = [&](const std::string& line) {
    Bench bench(line);
    return allocations_of([&] { bench.pass(BufferRef(gst_buffer_copy(frame.get()))); });
  };
  const std::uint64_t with = through(element), without = through("identity");
  ck_assert_uint_ge(with, without);
  return with - without;
}

/// Of add_metadata() for five labels.
static std::uint64_t allocations_of_metadata() {
  const ModelIdentity identity{"element", "Some_Weights.V1", digest()};
  FrameResult result;
  result.status = FrameStatus::kOk;
  for (int i = 0; i < 5; ++i) result.labels.push_back({i, "a name that is long enough", 0.1F});
  const BufferRef plain(gst_buffer_new());
  const std::uint64_t copy =
      allocations_of([&] { BufferRef buffer(gst_buffer_copy(plain.get())); });
  return allocations_of([&] {
           const BufferRef buffer(gst_buffer_copy(plain.get()));
           add_metadata(buffer.get(), identity, result);
         }) -
         copy;
}

START_TEST(a_classified_frame_allocates_its_metadata_and_the_answer) {
  ck_assert_uint_le(allocations_of_frame(kTiny), allocations_of_metadata() + 1);
}
END_TEST

START_TEST(a_frame_that_is_left_out_allocates_its_metadata) {
  ck_assert_uint_le(allocations_of_frame(kTiny + "interval=1000000"), allocations_of_metadata());
}
END_TEST

// The counting itself: a message for each frame is seen.
START_TEST(a_message_is_counted) {
  ck_assert_uint_gt(allocations_of_frame(kTiny + "post-messages=true"),
                    allocations_of_metadata() + 1);
}
END_TEST

// What is left is GStreamer's: fields of the same types, written without any code of ours.
START_TEST(metadata_allocates_what_its_fields_need) {
#ifndef TV_WITH_ANALYTICS  // labels are then on the buffer a second time, in GStreamer's own meta
  const BufferRef plain(gst_buffer_new());
  const std::uint64_t copy =
      allocations_of([&] { BufferRef buffer(gst_buffer_copy(plain.get())); });
  const std::uint64_t fields = allocations_of([&] {
    const BufferRef buffer(gst_buffer_copy(plain.get()));
    GstStructure* structure =
        gst_custom_meta_get_structure(gst_buffer_add_custom_meta(buffer.get(), kMetaName));
    for (const char* field : {"version", "age", "latency", "element", "status", "weights",
                              "model-digest", "label", "index", "score"})
      gst_structure_set(structure, field, G_TYPE_INT, 1, nullptr);
    GValue array = G_VALUE_INIT;
    g_value_init(&array, GST_TYPE_ARRAY);
    for (int i = 0; i < 5; ++i) {
      GValue item = G_VALUE_INIT;
      g_value_init(&item, GST_TYPE_STRUCTURE);
      g_value_take_boxed(&item, gst_structure_new("class", "index", G_TYPE_INT, 1, "label",
                                                  G_TYPE_INT, 1, "score", G_TYPE_INT, 1, nullptr));
      gst_value_array_append_and_take_value(&array, &item);
    }
    gst_structure_take_value(structure, "labels", &array);
  });
  ck_assert_uint_gt(fields, copy);
  ck_assert_uint_le(allocations_of_metadata(), fields - copy);
#endif
}
END_TEST

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  // The meta is known once the class exists.
  ElementRef element(
      GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("tvclassify", nullptr))));
  element.reset();
  Suite* suite = suite_create("tvclassify allocations");
  TCase* all = tcase_create("allocations");
  tcase_add_test(all, a_classified_frame_allocates_its_metadata_and_the_answer);
  tcase_add_test(all, a_frame_that_is_left_out_allocates_its_metadata);
  tcase_add_test(all, a_message_is_counted);
  tcase_add_test(all, metadata_allocates_what_its_fields_need);
  suite_add_tcase(suite, all);
  return run_suite(suite);
}
