// Devices, scores, and opening of modules. The modules here pose as the CUDA backend, which this
// build does not have.
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "elements/inference/engine.hpp"
#include "elements/preprocess/sticky_error.hpp"
#include "model_registry/registry/registry.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::inference;
using namespace tv::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kModule = "libtvinference-cuda.so";

/// A folder of its own, gone at the end of the test.
class Folder : public TempFolder {
 public:
  void copy_module(const char* source) const { fs::copy_file(source, path(kModule)); }
};

std::string open_error() {
  const auto backend = open_backend(DeviceKind::kCuda);
  ck_assert(!backend);
  expect_equal(code_name(backend.error().code), "unavailable");
  return backend.error().text();
}

void search_in(const std::string& path) {
  setenv("TV_BACKEND_PATH", path.c_str(), 1);
}

Error load_error(const ModelSpec& spec, const FetchOptions& fetch = {}) {
  const auto model = load_model(spec, fetch);
  ck_assert(!model);
  return model.error();
}

}  // namespace

START_TEST(devices_parse) {
  ck_assert(!parse_device("auto")->has_value());
  ck_assert((*parse_device("cpu"))->kind == DeviceKind::kCpu);
  ck_assert((*parse_device("cuda"))->kind == DeviceKind::kCuda);
  ck_assert_int_eq((*parse_device("cuda:12"))->index, 12);
  for (const char* name : {"auto", "fp32", "fp16", "bf16"})
    expect_equal(precision_name(value_of(parse_precision(name))), name);
  for (const char* name : {"", "FP16", "fp", "int8"})
    ck_assert_msg(!parse_precision(name), "%s is no precision", name);
  for (const char* const text : {"", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:1x", "cuda: 1",
                                 "cuda:99999999999", "cuda:1024", "cpu:0"}) {
    const auto device = parse_device(text);
    ck_assert_msg(!device, "%s", text);
    expect_equal(code_name(device.error().code), "invalid-argument");
    expect_contains(device.error().text(), "no device \"" + std::string(text) + "\"");
  }
}
END_TEST

// D4: what another call may mend is none of them.
START_TEST(errors_that_stay_are_known_by_their_number) {
  for (const int stays : {700, 710, 714, 715, 716, 717, 718, 719}) ck_assert(is_sticky(stays));
  // No error, invalid value, out of memory, no device, driver too old, not ready.
  for (const int passes : {0, 1, 2, 100, 35, 803, 600, -700}) ck_assert(!is_sticky(passes));
}
END_TEST

START_TEST(scores_are_softmax_in_descending_order) {
  const float logits[] = {1, 3, 2, 3, -100};
  const auto scores = top_k(logits, 3);
  ck_assert_uint_eq(scores.size(), 3);
  ck_assert_int_eq(scores[0].index, 1);  // equal scores in order of index
  ck_assert_int_eq(scores[1].index, 3);
  ck_assert_int_eq(scores[2].index, 2);
  const double sum = std::exp(1.0) + 2 * std::exp(3.0) + std::exp(2.0) + std::exp(-100.0);
  ck_assert_float_eq_tol(scores[0].probability, static_cast<float>(std::exp(3.0) / sum), 1e-7f);
  ck_assert_float_eq(scores[0].probability, scores[1].probability);
  ck_assert_float_eq_tol(scores[2].probability, static_cast<float>(std::exp(2.0) / sum), 1e-7f);
}
END_TEST

// Against the plain way, with few different logits so that many are equal.
START_TEST(the_best_classes_are_those_of_a_full_sort) {
  std::mt19937 random(1);
  std::vector<Score> found = {{7, 0.5F}};  // what was there before does not show
  for (const std::size_t classes : {1, 2, 7, 1000}) {
    for (const int different : {1, 3, 50, 100000}) {
      std::vector<float> logits(classes);
      for (float& logit : logits)
        logit = static_cast<float>(std::uniform_int_distribution(1, different)(random)) / 8192;
      std::vector<int> order(classes);
      std::iota(order.begin(), order.end(), 0);
      const auto logit = [&](int i) { return logits[static_cast<std::size_t>(i)]; };
      std::stable_sort(order.begin(), order.end(),
                       [&](int a, int b) { return logit(a) > logit(b); });
      std::vector<float> scores;
      softmax(logits, scores);
      for (const int k : {1, 2, 5, 999, 1000, 1001}) {
        top_k(logits, k, found);
        ck_assert_uint_eq(found.size(), std::min(classes, static_cast<std::size_t>(k)));
        for (std::size_t i = 0; i < found.size(); ++i) {
          ck_assert_int_eq(found[i].index, order[i]);
          ck_assert_float_eq(found[i].probability, scores[static_cast<std::size_t>(order[i])]);
        }
      }
    }
  }
}
END_TEST

START_TEST(scores_of_large_logits_do_not_overflow) {
  const float logits[] = {3e38f, -3e38f, 2.9e38f};
  const auto scores = top_k(logits, 3);
  ck_assert_float_eq(scores[0].probability, 1);
  ck_assert_int_eq(scores[1].index, 2);  // both are 0 as probabilities: the logits decide
  ck_assert_int_eq(scores[2].index, 1);
}
END_TEST

START_TEST(scores_are_as_many_as_there_are) {
  const float logits[] = {1, 2};
  ck_assert_uint_eq(top_k(logits, 5).size(), 2);
  ck_assert_uint_eq(top_k(logits, 0).size(), 0);
  ck_assert_uint_eq(top_k(logits, -1).size(), 0);
  ck_assert_uint_eq(top_k({}, 5).size(), 0);
}
END_TEST

START_TEST(logits_that_are_no_numbers_have_no_scores) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const float bad : {std::nanf(""), kInf, -kInf}) {
    const float logits[] = {1, bad, 2};
    ck_assert_uint_eq(top_k(logits, 2).size(), 0);
  }
}
END_TEST

START_TEST(a_missing_module_is_named_with_every_place) {
  const Folder first, second;
  search_in(first.path() + "::" + second.path());
  const std::string text = open_error();
  expect_contains(text, "no cuda backend");
  expect_contains(text, first.path(kModule) + ": no such file");
  expect_contains(text, second.path(kModule) + ": no such file");
  expect_contains(text, std::string("gst-torchvision/") + kModule);  // the installed place
}
END_TEST

START_TEST(a_module_of_another_version_is_refused) {
  const Folder folder;
  folder.copy_module(OTHER_VERSION_MODULE);
  search_in(folder.path());
  expect_contains(open_error(), kModule + std::string(": is a module of another version"));
}
END_TEST

START_TEST(a_damaged_module_is_told_in_the_loaders_words) {
  const Folder folder;
  folder.write(kModule, "no ELF at all");
  search_in(folder.path());
  expect_contains(open_error(), folder.path(kModule));
  expect_contains(open_error(), "file too short");
}
END_TEST

START_TEST(a_library_that_is_no_backend_is_refused) {
  const Folder folder;
  fs::copy_file(UNRELATED_MODULE, folder.path(kModule));
  search_in(folder.path());
  expect_contains(open_error(), "is no backend module");
}
END_TEST

START_TEST(the_first_good_module_on_the_path_is_opened_once) {
  const Folder bad, good;
  bad.write(kModule, "no ELF at all");
  good.copy_module(SAME_VERSION_MODULE);
  search_in(bad.path() + ":" + good.path());
  const auto backend = open_backend(DeviceKind::kCuda);
  expect_ok(backend);
  expect_equal((*backend)->description(), "fake");
  search_in("");
  ck_assert_ptr_eq(*open_backend(DeviceKind::kCuda), *backend);
}
END_TEST

START_TEST(without_a_wish_the_gpu_comes_first) {
  const Folder good;
  good.copy_module(SAME_VERSION_MODULE);
  search_in(good.path());
  setenv("TV_ASSUME_GPU", "1", 1);
  const auto placement = place(std::nullopt);
  expect_ok(placement);
  ck_assert(placement->device.kind == DeviceKind::kCuda);
  expect_equal(placement->backend->description(), "fake");
  expect_equal(placement->why_cpu, "");
}
END_TEST

START_TEST(where_no_gpu_can_be_no_module_is_opened) {
  const Folder good;
  good.copy_module(SAME_VERSION_MODULE);
  search_in(good.path());
  unsetenv("TV_ASSUME_GPU");
  for (const char* hidden : {"", "-1"}) {
    setenv("CUDA_VISIBLE_DEVICES", hidden, 1);
    // The CPU's module is not there either: the text would be the GPU's, had it been looked for.
    const auto placement = place(std::nullopt);
    ck_assert(!placement);
    expect_contains(placement.error().what, "no cpu backend");
  }
  // Who asks for it gets it.
  ck_assert(static_cast<bool>(place(Device{DeviceKind::kCuda, 0})));
}
END_TEST

START_TEST(half_precision_needs_a_gpu) {
  const Folder good;
  good.copy_module(SAME_VERSION_MODULE);
  search_in(good.path());
  const Device cuda{DeviceKind::kCuda, 0};
  for (const Precision half : {Precision::kFloat16, Precision::kBFloat16}) {
    ck_assert(static_cast<bool>(place(cuda, false, half)));
    const auto int8 = place(cuda, true, half);
    ck_assert(!int8);
    expect_equal(code_name(int8.error().code), "unsupported");
  }
}
END_TEST

START_TEST(int8_networks_stay_on_the_cpu) {
  const Folder good;
  good.copy_module(SAME_VERSION_MODULE);  // a GPU's module is there: it is not the reason
  search_in(good.path());
  const Device cuda{DeviceKind::kCuda, 1};
  ck_assert(static_cast<bool>(place(cuda)));
  const Error error =
      load_error({.builder = "quantized_resnet18", .quantize = true, .device = cuda});
  expect_equal(code_name(error.code), "unsupported");
  expect_equal(error.what, "device is cuda:1, but int8 networks run on the CPU alone");
  expect_contains(error.hint, "set device=cpu");
  const auto named = get_weight("ResNet18_QuantizedWeights.DEFAULT");
  expect_equal(load_error({.weights = *named, .device = cuda}).what, error.what);
}
END_TEST

START_TEST(loading_fails_before_anything_is_downloaded) {
  search_in("");
  const auto cuda = Device{DeviceKind::kCuda, 0};
  expect_equal(code_name(load_error({.builder = "resnet18", .device = cuda}).code), "unavailable");
  expect_equal(code_name(load_error({.builder = "resnet19"}).code), "not-found");
  const Error error = load_error({.builder = "resnet18", .num_classes = 0});
  expect_equal(code_name(error.code), "invalid-argument");
}
END_TEST

int main() {
  return run_suite(
      "engine", 60, devices_parse, errors_that_stay_are_known_by_their_number,
      scores_are_softmax_in_descending_order, the_best_classes_are_those_of_a_full_sort,
      scores_of_large_logits_do_not_overflow, scores_are_as_many_as_there_are,
      logits_that_are_no_numbers_have_no_scores, a_missing_module_is_named_with_every_place,
      a_module_of_another_version_is_refused, a_damaged_module_is_told_in_the_loaders_words,
      a_library_that_is_no_backend_is_refused, the_first_good_module_on_the_path_is_opened_once,
      without_a_wish_the_gpu_comes_first, where_no_gpu_can_be_no_module_is_opened,
      half_precision_needs_a_gpu, int8_networks_stay_on_the_cpu,
      loading_fails_before_anything_is_downloaded);
}
