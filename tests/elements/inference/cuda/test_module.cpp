// The CUDA backend's module where there is no GPU, or where all are hidden.
#include <stdlib.h>

#include "elements/inference/engine.hpp"
#include "model_registry/models/models.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::inference;
using namespace tv::test;

namespace {

Backend& module() {
  setenv("CUDA_VISIBLE_DEVICES", "", 1);
  return **open_backend(DeviceKind::kCuda);
}

void expect_versions(const Error& error) {
  expect_equal(code_name(error.code), "unavailable");
  expect_contains(error.what, "no usable GPU: ");
  expect_contains(error.what, "driver");
  expect_contains(error.what, "runtime 13.0");
  expect_contains(error.hint, "device=cpu");
}

}  // namespace

START_TEST(the_module_says_what_it_is) {
  expect_contains(module().description(), "cuda: LibTorch 2.11.0");
}
END_TEST

START_TEST(no_gpu_is_an_error_that_names_both_versions) {
  for (const int index : {0, 1}) {
    const Status usable = module().usable(index);
    ck_assert(!usable);
    expect_versions(usable.error());
  }
  const auto placed = place(Device{DeviceKind::kCuda, 0});
  ck_assert(!placed);
  expect_versions(placed.error());
}
END_TEST

START_TEST(nothing_is_loaded_without_a_gpu) {
  const auto loaded = module().load({.network = get_model("squeezenet1_1")->network});
  ck_assert(!loaded);
  expect_versions(loaded.error());
}
END_TEST

START_TEST(unasked_it_is_the_cpu) {
  module();
  setenv("TV_ASSUME_GPU", "1", 1);  // the module is asked, not the driver's files
  const auto placed = place(std::nullopt);
  expect_ok(placed);
  ck_assert(placed->device.kind == DeviceKind::kCpu);
  expect_contains(placed->why_cpu, "no usable GPU: ");
  // Half precision is not what the CPU has, and the reason is told.
  const auto half = place(std::nullopt, false, Precision::kFloat16);
  ck_assert(!half);
  expect_equal(code_name(half.error().code), "unsupported");
  expect_contains(half.error().what, "no usable GPU: ");
}
END_TEST

int main() {
  return run_suite("cuda module", 60, the_module_says_what_it_is,
                   no_gpu_is_an_error_that_names_both_versions, nothing_is_loaded_without_a_gpu,
                   unasked_it_is_the_cpu);
}
