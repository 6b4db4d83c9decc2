// Which device an element runs on, and what it does with a model that takes frames: a stub poses
// as a GPU's backend beside the CPU's.
#include <condition_variable>
#include <mutex>

#include "elements/common/log.hpp"
#include "elements/inference/engine.hpp"
#include "tests/elements/tvclassify/gpu_stub.hpp"

using namespace tv;
using namespace tv::test;

/// The element's lines of the log at level INFO that contain a text, as long as it lives.
class InfoLines {
 public:
  explicit InfoLines(std::string part) : part_(std::move(part)) {
    gst_debug_category_set_threshold(log_category(), GST_LEVEL_INFO);
    (gst_debug_add_log_function)(note, this, nullptr);  // its macro compares with a void*
  }
  ~InfoLines() {
    gst_debug_remove_log_function_by_data(this);
    gst_debug_category_reset_threshold(log_category());
  }
  /// Until there is one: the thread that tells how loading went is no frame's.
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !found_.empty(); });
  }
  std::vector<std::string> found() {
    const std::lock_guard lock(mutex_);
    return found_;
  }

 private:
  static void note(GstDebugCategory*, GstDebugLevel level, const gchar*, const gchar*, gint,
                   GObject*, GstDebugMessage* message, gpointer data) {
    auto* self = static_cast<InfoLines*>(data);
    const std::string line = gst_debug_message_get(message);
    const std::lock_guard lock(self->mutex_);
    if (level == GST_LEVEL_INFO && line.find(self->part_) != std::string::npos)
      self->found_.push_back(line);
    self->changed_.notify_all();
  }
  const std::string part_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> found_;
};

static std::vector<Meta> classify_all(const std::string& settings, int frames) {
  Bench bench(kStub + settings);
  std::vector<Meta> found;
  for (int i = 0; i < frames; ++i) {
    ck_assert_int_eq(bench.push(solid(i, i % 2 * 255)), GST_FLOW_OK);
    while (BufferRef out = bench.pull()) found.push_back(read_meta(out.get()));
  }
  bench.drain();
  while (BufferRef out = bench.pull()) found.push_back(read_meta(out.get()));
  ck_assert_uint_eq(bench.errors().size(), 0);
  return found;
}

static void assert_equal(const std::vector<Meta>& one, const std::vector<Meta>& other) {
  ck_assert_uint_eq(one.size(), other.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    ASSERT_TEXT(one[i].status, other[i].status);
    ck_assert_uint_eq(one[i].labels.size(), other[i].labels.size());
    for (std::size_t k = 0; k < one[i].labels.size(); ++k) {
      ck_assert_int_eq(one[i].labels[k].index, other[i].labels[k].index);
      ASSERT_TEXT(one[i].labels[k].label, other[i].labels[k].label);
      ck_assert_double_eq(one[i].labels[k].score, other[i].labels[k].score);
    }
  }
}

// ---- which device -----------------------------------------------------------------------------

START_TEST(the_gpu_is_taken_where_it_is_usable) {
  for (const char* device : {"auto", "cuda", "cuda:0"}) {
    reset_stubs();
    InfoLines why("is the CPU");
    {
      Bench bench(kStub + "device=" + device);
      ck_assert_int_eq(class_of(bench, 7), 7);
    }
    ck_assert_int_eq(gpu_stub().loads(), 1);
    ck_assert_int_eq(stub().loads(), 0);
    ck_assert_uint_eq(why.found().size(), 0);
  }
}
END_TEST

START_TEST(the_number_of_the_gpu_reaches_its_backend) {
  Bench bench(kStub + "device=cuda:3");
  bench.pass(solid(0));
  ck_assert_int_eq(gpu_stub().device(), 3);
  gpu_stub().unusable("is not there");
  expect_contains(refusal("device=cuda:5").text, "GPU 5: is not there");
}
END_TEST

START_TEST(auto_is_the_cpu_where_no_gpu_is_usable_and_says_so_once) {
  gpu_stub().unusable("its driver is too old");
  InfoLines why("is the CPU");
  {
    Bench bench(kStub + "device=auto");
    for (int i = 0; i < 5; ++i) ck_assert_int_eq(class_of(bench, i), i);
    why.wait();
    ck_assert_int_eq(stub().loads(), 1);
    ck_assert_int_eq(gpu_stub().loads(), 0);
    ck_assert_uint_eq(bench.errors().size() + bench.warnings().size(), 0);
    // Who asks for the CPU is told nothing.
    Bench asked(kStub + "device=cpu");
    asked.pass(solid(0));
  }
  ck_assert_uint_eq(why.found().size(), 1);
  expect_contains(why.found()[0], "device=auto is the CPU: GPU 0: its driver is too old");
}
END_TEST

START_TEST(cuda_that_is_not_usable_is_an_error) {
  gpu_stub().unusable("its driver is too old");
  const Seen error = refusal("device=cuda");
  ck_assert(error.domain == GST_LIBRARY_ERROR && error.code == GST_LIBRARY_ERROR_INIT);
  expect_contains(error.text, "GPU 0: its driver is too old");
  expect_contains(error.text + error.debug, "mend the stub");
  ck_assert_int_eq(stub().loads() + gpu_stub().loads(), 0);
  // It is asked again: a driver may have come.
  gpu_stub().unusable("");
  Bench bench(kStub + "device=cuda");
  ck_assert_int_eq(class_of(bench, 3), 3);
}
END_TEST

// ---- precision --------------------------------------------------------------------------------

// clang-format off
static const struct { const char* name; inference::Precision precision; bool half; } kPrecisions[] = {
  {"auto", inference::Precision::kAuto,     false},
  {"fp32", inference::Precision::kFloat32,  false},
  {"fp16", inference::Precision::kFloat16,  true},
  {"bf16", inference::Precision::kBFloat16, true},
};
// clang-format on

START_TEST(half_precision_is_the_gpus_alone) {
  const auto& row = kPrecisions[_i];
  const std::string setting = std::string("precision=") + row.name;
  Bench gpu(kStub + "device=cuda " + setting);
  ck_assert_int_eq(class_of(gpu, 1), 1);
  ck_assert_int_eq(gpu_stub().precision(), static_cast<int>(row.precision));
  if (!row.half) {
    Bench cpu(kStub + "device=cpu " + setting);
    ck_assert_int_eq(class_of(cpu, 1), 1);
    ck_assert_int_eq(stub().loads(), 1);
    return;
  }
  const Seen error = refusal("device=cpu " + setting);
  expect_contains(error.text, std::string("precision is ") + row.name);
  expect_contains(error.text, "the CPU computes in fp32");
  ck_assert_msg(error.text.find("because") == std::string::npos, "%s", error.text.c_str());
  // Who did not ask for the CPU is told how it came to that.
  gpu_stub().unusable("its driver is too old");
  expect_contains(refusal("device=auto " + setting).text,
                  "it is the CPU because GPU 0: its driver is too old");
  ck_assert_int_eq(stub().loads(), 0);
}
END_TEST

START_TEST(another_precision_is_another_model) {
  Bench one(kStub + "device=cuda precision=fp16"), same(kStub + "device=cuda precision=fp16");
  one.pass(solid(1));
  same.pass(solid(1));
  ck_assert_int_eq(gpu_stub().loads(), 1);
  Bench other(kStub + "device=cuda precision=bf16");
  other.pass(solid(1));
  ck_assert_int_eq(gpu_stub().loads(), 2);
}
END_TEST

// ---- frames -----------------------------------------------------------------------------------

// clang-format off
static const struct { const char* settings; bool all_logits; } kSame[] = {
  {"max-in-flight=8 batch-size=3 top-k=1",                              false},
  {"max-in-flight=8 batch-size=3 top-k=5",                              false},
  {"max-in-flight=1 top-k=3 threshold=0.5",                             false},
  {"top-k=1000 batch-size=2",                                           false},
  {"top-k=3 smoothing=ema smoothing-half-life=100000000 batch-size=2",  true},
  {"top-k=3 class-hysteresis=0.2",                                            true},
};
// clang-format on

// A GPU that finds the best classes by itself, and a CPU whose logits the element sorts.
START_TEST(both_devices_say_the_same) {
  const auto& row = kSame[_i];
  gpu_stub().delay(300);
  const std::string settings = row.settings;
  const std::vector<Meta> gpu = classify_all("device=cuda " + settings, 100);
  ck_assert_uint_eq(gpu.size(), 100);
  ck_assert_int_eq(stub().loads(), 0);
  ck_assert_msg((gpu_stub().whole() > 0) == row.all_logits, "%d batches of all logits",
                gpu_stub().whole());
  ck_assert_msg((gpu_stub().most_classes() > 0) != row.all_logits, "%d classes",
                gpu_stub().most_classes());
  assert_equal(gpu, classify_all("device=cpu " + settings, 100));
  if (!row.all_logits)
    for (int i = 0; i < 100; ++i)
      ck_assert_int_eq(gpu[static_cast<std::size_t>(i)].best(), stub_class(i, i % 2 == 1));
}
END_TEST

// The batch is asked for what the greedier one wants; the other gets no more than its own.
START_TEST(streams_of_one_batch_get_as_many_classes_as_they_want) {
  const std::string both = kStub + "device=cuda batch-size=2 batch-timeout=60000000000 ";
  Bench modest(both + "top-k=1"), greedy(both + "top-k=4", rgb_caps(32, 32));
  modest.push(solid(10));
  greedy.push(solid(20, 0, 0, 32 * 32));  // of another size, and so with another plan
  const Meta one = next_meta(modest), four = next_meta(greedy);
  ck_assert_int_eq(gpu_stub().largest_batch(), 2);
  ck_assert_int_eq(gpu_stub().most_classes(), 4);
  ck_assert_uint_eq(one.labels.size(), 1);
  ck_assert_uint_eq(four.labels.size(), 4);
  ck_assert_int_eq(one.best(), 10);
  ck_assert_int_eq(four.best(), 20);
}
END_TEST

START_TEST(regions_are_frames_of_their_own) {
  Bench bench(kStub + "device=cuda inference-region=roi-list batch-size=4 top-k=1");
  BufferRef buffer = columns({{50}, {100}, {150}, {200}});
  for (guint i = 0; i < 4; ++i)
    gst_buffer_add_video_region_of_interest_meta(buffer.get(), "face", 16 * i, 8, 16, 32);
  const BufferRef out = bench.pass(std::move(buffer));
  ck_assert_int_eq(gpu_stub().largest_batch(), 4);
  gpointer state = nullptr;
  int found = 0;
  while (GstMeta* each = gst_buffer_iterate_meta_filtered(
             out.get(), &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)) {
    auto* roi = reinterpret_cast<GstVideoRegionOfInterestMeta*>(each);
    const auto i = static_cast<int>(roi->x / 16);
    for (GList* one = roi->params; one; one = one->next) {
      const auto* fields = static_cast<const GstStructure*>(one->data);
      int best = -1;
      if (!gst_structure_get_int(fields, "label_id", &best)) continue;
      ck_assert_int_eq(best, 50 * (i + 1));
      ++found;
    }
  }
  ck_assert_int_eq(found, 4);
}
END_TEST

START_TEST(a_frame_that_the_gpu_refuses_fails_alone) {
  gpu_stub().fail(1);
  Bench bench(kStub + "device=cuda batch-size=1 max-consecutive-failures=9");
  bench.push(solid(1));
  bench.push(solid(2, 0, 255));
  bench.push(solid(3));
  ck_assert_int_eq(next_meta(bench).best(), 1);
  ASSERT_TEXT(next_meta(bench).status, "failed");
  ck_assert_int_eq(next_meta(bench).best(), 3);
}
END_TEST

START_TEST(a_batch_that_the_gpu_cannot_hold_is_tried_in_parts) {
  gpu_stub().fail(2);
  Bench bench(kStub + "device=cuda batch-size=4 batch-timeout=60000000000");
  for (int i = 0; i < 4; ++i) bench.push(solid(i));
  for (int i = 0; i < 4; ++i) ck_assert_int_eq(next_meta(bench).best(), i);
  ck_assert_int_eq(gpu_stub().largest_batch(), 4);
}
END_TEST

// Two batches inside the model, a third one at the batcher: all of them are let go of.
START_TEST(a_flush_waits_for_no_batch_that_is_under_way) {
  Bench bench(kStub + "device=cuda max-in-flight=8");
  bench.pass(solid(0));
  gpu_stub().reset();
  gpu_stub().hold(1);
  for (int i = 1; i <= 3; ++i) bench.push(solid(i));
  gpu_stub().wait_inside(2);
  bench.flush();
  ck_assert_int_eq(bench.push(solid(9)), GST_FLOW_OK);
  gpu_stub().hold(0);
  ck_assert_int_eq(next_meta(bench).best(), 9);
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify placement");
  TCase* all = tcase_create("placement");
  tcase_add_checked_fixture(all, reset_stubs, reset_stubs);
  for (const TTest* test :
       {the_gpu_is_taken_where_it_is_usable, the_number_of_the_gpu_reaches_its_backend,
        auto_is_the_cpu_where_no_gpu_is_usable_and_says_so_once,
        cuda_that_is_not_usable_is_an_error, another_precision_is_another_model,
        streams_of_one_batch_get_as_many_classes_as_they_want, regions_are_frames_of_their_own,
        a_frame_that_the_gpu_refuses_fails_alone,
        a_batch_that_the_gpu_cannot_hold_is_tried_in_parts,
        a_flush_waits_for_no_batch_that_is_under_way})
    tcase_add_test(all, test);
  tcase_add_loop_test(all, half_precision_is_the_gpus_alone, 0, std::size(kPrecisions));
  tcase_add_loop_test(all, both_devices_say_the_same, 0, std::size(kSame));
  suite_add_tcase(suite, all);
  return suite;
}

int main(int argc, char** argv) {
  return run_with_gpus(argc, argv, make_suite);
}
