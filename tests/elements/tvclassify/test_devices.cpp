// GPUs that cannot be used, or no longer, played by a stub: faults D2, D4 and D6. One process for
// all tests, and what is lost stays lost: each test has GPUs of its own.
#include <sys/wait.h>
#include <unistd.h>

#include "tests/elements/tvclassify/gpu_stub.hpp"

using namespace tv;
using namespace tv::test;

static std::string on(int gpu) {
  return kStub + "device=cuda:" + std::to_string(gpu) + " ";
}

/// The one ERROR, when all that was pushed has left or been discarded.
static Seen only_error(Bench& bench) {
  bench.drain();
  const std::vector<Seen> errors = bench.errors();
  ck_assert_uint_eq(errors.size(), 1);
  ck_assert(errors[0].domain == GST_RESOURCE_ERROR && errors[0].code == GST_RESOURCE_ERROR_FAILED);
  return errors[0];
}

// ---- a driver that does not fit ---------------------------------------------------------------

// D2: both versions are in the text, and device=auto is the CPU.
START_TEST(a_driver_that_does_not_fit_is_no_gpu) {
  gpu_stub().unusable("its driver is too old (driver 12.2, runtime 13.0)");
  const Seen error = refusal("device=cuda:8");
  ck_assert(error.domain == GST_LIBRARY_ERROR && error.code == GST_LIBRARY_ERROR_INIT);
  expect_contains(error.text, "driver 12.2, runtime 13.0");
  Bench unasked(kStub);
  ck_assert_int_eq(class_of(unasked, 4), 4);
  ck_assert_uint_eq(unasked.errors().size(), 0);
  ck_assert_int_eq(gpu_stub().loads(), 0);
  // That is no loss: with another driver the same GPU works, without a new process here.
  gpu_stub().unusable("");
  Bench again(on(8));
  ck_assert_int_eq(class_of(again, 5), 5);
}
END_TEST

// ---- a forked process -------------------------------------------------------------------------

// D6: the backend's threads are not there. One ERROR, and no hang: the alarm is what a hang meets.
START_TEST(a_forked_child_is_refused) {
  Bench bench(on(9));
  ck_assert_int_eq(class_of(bench, 1), 1);
  for (const std::string& device :
       {std::string("cuda:9"), std::string("auto"), std::string("cpu")}) {
    Bench cpu(kStub + "device=cpu");  // both backends are open
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      GstElement* element = gst_element_factory_make("tvclassify", nullptr);
      gst_object_ref_sink(element);
      GstBus* bus = gst_bus_new();
      gst_element_set_bus(element, bus);
      g_object_set(element, "model", "squeezenet1_1", "weights", "none", "device", device.c_str(),
                   nullptr);
      const bool refused =
          gst_element_set_state(element, GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE;
      std::vector<Seen> errors;
      while (GstMessage* message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR))
        errors.push_back(read_error(message));
      const bool told = errors.size() == 1 && errors[0].domain == GST_LIBRARY_ERROR &&
                        errors[0].code == GST_LIBRARY_ERROR_INIT &&
                        errors[0].text.find("forked") != std::string::npos;
      _exit(refused && told ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status of the child %x",
                  device.c_str(), static_cast<unsigned>(status));
  }
  ck_assert_int_eq(class_of(bench, 2), 2);  // its parent goes on
}
END_TEST

// ---- a device that is lost --------------------------------------------------------------------

/// Meets the loss: blue is what the stub cannot stand.
static Seen lose(Bench& bench) {
  gpu_stub().fail(3);
  ck_assert_int_eq(bench.push(solid(0, 0, 255)), GST_FLOW_OK);
  const Seen error = only_error(bench);
  gpu_stub().fail(0);  // whoever called it now would be served
  ck_assert_int_eq(bench.push(solid(1)), GST_FLOW_ERROR);
  return error;
}

// D4: once an element, the same text for all, and nobody calls the device again.
START_TEST(every_element_on_it_fails_once_and_nothing_is_called) {
  Bench one(on(1)), same(on(1)), another(on(1) + "model=resnet18"), elsewhere(on(2)),
      cpu(kStub + "device=cpu");
  for (Bench* bench : {&one, &same, &another, &elsewhere, &cpu})
    ck_assert_int_eq(class_of(*bench, 7), 7);
  ck_assert_int_eq(gpu_stub().loads(), 3);
  const Seen error = lose(one);
  ASSERT_TEXT(error.text,
              "cannot classify a frame: device cuda:1 is lost to this process: the stub fell off "
              "the bus at blue (restart the process; until then use device=cpu)");
  const int calls = gpu_stub().calls(), models = gpu_stub().models();
  for (Bench* bench : {&same, &another}) {
    ck_assert_int_eq(bench->push(solid(9)), GST_FLOW_OK);
    ASSERT_TEXT(only_error(*bench).text, error.text);
    BufferRef out(gst_harness_pull(bench->harness()));
    while (read_meta(out.get()).status == "ok") out.reset(gst_harness_pull(bench->harness()));
    ASSERT_TEXT(read_meta(out.get()).status, "failed");
    ck_assert_int_eq(bench->push(solid(9)), GST_FLOW_ERROR);
  }
  // A flush lets frames in again, not the device. It was told once.
  one.flush();
  ck_assert_int_eq(one.flow_of(solid(9)), GST_FLOW_ERROR);
  ck_assert_uint_eq(one.errors().size(), 0);
  for (Bench* bench : {&one, &same, &another}) bench->set_state(GST_STATE_NULL);
  ck_assert_int_eq(gpu_stub().calls(), calls);
  ck_assert_int_eq(gpu_stub().models(), models);  // not even to free memory
  ck_assert_int_eq(class_of(elsewhere, 8), 8);
  ck_assert_int_eq(class_of(cpu, 8), 8);
  for (Bench* bench : {&elsewhere, &cpu}) ck_assert_uint_eq(bench->errors().size(), 0);
}
END_TEST

// D4
START_TEST(who_starts_later_is_refused_at_once) {
  Bench lost(on(3));
  class_of(lost, 1);
  lose(lost);
  const int calls = gpu_stub().calls();
  Bench late(kStub + "device=cpu");
  late.set_state(GST_STATE_NULL);
  g_object_set(late.element(), "device", "cuda:3", nullptr);
  ck_assert_int_eq(gst_element_set_state(late.element(), GST_STATE_PAUSED),
                   GST_STATE_CHANGE_FAILURE);
  const std::vector<Seen> errors = late.errors();
  ck_assert_uint_eq(errors.size(), 1);
  ck_assert(errors[0].domain == GST_RESOURCE_ERROR && errors[0].code == GST_RESOURCE_ERROR_FAILED);
  expect_contains(errors[0].text, "device cuda:3 is lost");
  expect_contains(errors[0].text, "restart the process");
  ck_assert_int_eq(gpu_stub().calls(), calls);
  // The same element works on the CPU.
  late.set_state(GST_STATE_NULL);
  g_object_set(late.element(), "device", "cpu", nullptr);
  late.set_state(GST_STATE_PLAYING);
  gst_harness_set_src_caps_str(late.harness(), rgb_caps().c_str());
  ck_assert_int_eq(class_of(late, 5), 5);
}
END_TEST

// D4
START_TEST(the_loss_may_be_met_while_loading) {
  gpu_stub().fail(4);
  Bench one(on(4));
  ck_assert_int_eq(one.push(solid(1)), GST_FLOW_ERROR);
  expect_contains(only_error(one).text, "device cuda:4 is lost to this process: the stub fell off");
  gpu_stub().reset();
  refusal("device=cuda:4");
  ck_assert_int_eq(gpu_stub().calls(), 0);
}
END_TEST

// D4: the frame is as good as its best region, and still the stream ends.
START_TEST(one_region_may_meet_it) {
  Bench bench(on(5) + "inference-region=roi-list");
  gpu_stub().fail(3);
  BufferRef buffer = columns({{6}, {6, 0, 255}});
  for (const guint x : {0U, 32U})
    gst_buffer_add_video_region_of_interest_meta(buffer.get(), "face", x, 0, 32, 48)->id =
        static_cast<gint>(x);
  ck_assert_int_eq(bench.push(std::move(buffer)), GST_FLOW_OK);
  expect_contains(only_error(bench).text, "device cuda:5 is lost");
  ASSERT_TEXT(read_meta(BufferRef(gst_harness_pull(bench.harness())).get()).status, "ok");
  ck_assert_int_eq(bench.push(solid(1)), GST_FLOW_ERROR);
}
END_TEST

// D4: the frame has left before; several results come to nothing together.
START_TEST(live_video_hears_of_it_once) {
  Bench bench(on(6) + "latency-mode=live inference-region=roi-list");
  BufferRef gap = solid(0);
  GST_BUFFER_FLAG_SET(gap.get(), GST_BUFFER_FLAG_GAP);
  bench.pass(std::move(gap));  // the model is there
  gpu_stub().reset();
  gpu_stub().fail(3);
  gpu_stub().hold(1);
  BufferRef buffer = solid(1, 0, 255);
  for (const guint x : {0U, 16U, 32U})
    gst_buffer_add_video_region_of_interest_meta(buffer.get(), "face", x, 0, 16, 48)->id =
        static_cast<gint>(x);
  ck_assert_int_eq(bench.push(std::move(buffer)), GST_FLOW_OK);
  ck_assert(BufferRef(gst_harness_pull(bench.harness())) != nullptr);
  gpu_stub().hold(0);
  while (bench.push(solid(1)) == GST_FLOW_OK) {
  }
  expect_contains(only_error(bench).text, "device cuda:6 is lost");
}
END_TEST

// D4: device=auto is the first GPU until that is lost, and then the CPU; models are not mixed up.
START_TEST(auto_becomes_the_cpu) {
  Bench before(kStub);
  ck_assert_int_eq(class_of(before, 3), 3);
  ck_assert_int_eq(gpu_stub().loads(), 1);
  lose(before);
  Bench after(kStub);
  ck_assert_int_eq(class_of(after, 4), 4);
  ck_assert_int_eq(stub().loads(), 1);
  ck_assert_int_eq(gpu_stub().loads(), 1);
  ck_assert_uint_eq(after.errors().size(), 0);
}
END_TEST

static Suite* make_suite() {
  Suite* suite = suite_create("tvclassify devices");
  TCase* tests = tcase_create("devices");
  tcase_add_checked_fixture(tests, reset_stubs, reset_stubs);
  tcase_add_test(tests, a_driver_that_does_not_fit_is_no_gpu);
  tcase_add_test(tests, a_forked_child_is_refused);
  tcase_add_test(tests, every_element_on_it_fails_once_and_nothing_is_called);
  tcase_add_test(tests, who_starts_later_is_refused_at_once);
  tcase_add_test(tests, the_loss_may_be_met_while_loading);
  tcase_add_test(tests, one_region_may_meet_it);
  tcase_add_test(tests, live_video_hears_of_it_once);
  tcase_add_test(tests, auto_becomes_the_cpu);
  suite_add_tcase(suite, tests);
  return suite;
}

int main(int argc, char** argv) {
  return run_with_gpus(argc, argv, make_suite);
}
