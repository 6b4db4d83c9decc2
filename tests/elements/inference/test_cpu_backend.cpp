// The CPU backend: passes keep results, bad values and sizes are refused, a forked child is told
// so. One process for all tests (Check would fork, and LibTorch's threads do not survive that).
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "elements/inference/engine.hpp"
#include "elements/inference/model_source.hpp"
#include "model_registry/graph/ops.hpp"
#include "model_registry/graph/passes/passes.hpp"
#include "model_registry/registry/registry.hpp"
#include "tests/countdown.hpp"
#include "tests/model_registry/graph/networks.hpp"
#include "tests/suite.hpp"
#include "tests/temp_folder.hpp"

using namespace tv;
using namespace tv::inference;
using namespace tv::test;
using graph::Build;
using graph::Value;

namespace {

Backend* backend() {
  return value_of(open_backend(DeviceKind::kCpu));
}

std::shared_ptr<const graph::Network> network_of(std::string_view builder, int classes = 10) {
  return get_model(builder, {.num_classes = classes})->network;
}

std::unique_ptr<LoadedModel> load(const LoadRequest& request) {
  return value_of(backend()->load(request));
}

/// A picture without symmetries.
std::vector<float> picture(const Shape& shape) {
  std::vector<float> pixels(static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3]));
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i * i % 9973)));
  return pixels;
}

std::vector<float> run(LoadedModel& model, const Shape& shape) {
  return value_of(model.run(picture(shape), shape));
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  ck_assert_uint_eq(a.size(), b.size());
  double difference = 0, scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = std::max<double>(difference, std::abs(a[i] - b[i]));
    scale = std::max<double>(scale, std::abs(a[i]));
  }
  ck_assert(scale > 0);
  return difference / scale;
}

/// The parameters of a random model, with statistics off their defaults, as a file would hold them.
graph::BoundTensors disturbed(const std::shared_ptr<const graph::Network>& network) {
  const auto model = load({.network = network, .seed = 5});
  auto state = model->state_dict();
  ck_assert(static_cast<bool>(state));
  graph::BoundTensors tensors;
  for (auto& [name, view] : *state) {
    auto* const values = reinterpret_cast<float*>(const_cast<std::byte*>(view.data));
    if (view.dtype == DType::kFloat32 && view.sizes.size() == 1)
      for (std::int64_t i = 0; i < view.sizes[0]; ++i)
        values[i] += 0.5f + 0.4f * std::sin(static_cast<float>(i));
    tensors.push_back(view);
  }
  return tensors;
}

void expect_run_error(LoadedModel& model, std::span<const float> input, const Shape& shape,
                      std::string_view code, std::string_view part) {
  const auto logits = model.run(input, shape);
  ck_assert(!logits);
  expect_equal(code_name(logits.error().code), code);
  expect_contains(logits.error().text(), part);
}

float& element(graph::BoundTensors& tensors, const graph::Network& network, std::string_view name) {
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (network.parameters()[i].name == name)
      return *reinterpret_cast<float*>(const_cast<std::byte*>(tensors[i].data));
  ck_abort_msg("no parameter %s", std::string(name).c_str());
}

Error load_error(const LoadRequest& request) {
  const auto model = backend()->load(request);
  ck_assert(!model);
  return model.error();
}

/// Residuals, activations and groups that no model here combines, but the passes may.
graph::Network unusual() {
  return sketch(
      [](SketchModule& m, Build& build) {
        using Options = nn::Conv2dOptions;
        const auto stem = m.make<nn::Conv2d>("stem", build, 3, 8, 3, Options{.padding = 1});
        const auto grouped =
            m.make<nn::Conv2d>("grouped", build, 8, 8, 3, Options{.padding = 1, .groups = 4});
        const auto dilated = m.make<nn::Conv2d>(
            "dilated", build, 8, 8, 3, Options{.padding = 2, .dilation = 2, .bias = false});
        const auto bn = m.make<nn::BatchNorm2d>("bn", build, 8);
        const auto lone = m.make<nn::BatchNorm2d>("lone", build, 3);
        return [=](Value x) {
          x = graph::relu(stem(lone(x)));
          x = graph::relu6(grouped(x) + x);       // groups and relu6: not fused by oneDNN
          const Value kept = bn(dilated(x)) + x;  // fused, without activation
          x = graph::relu(grouped(kept) + kept);
          x = graph::relu(graph::relu6(graph::cat({x, kept})));
          return graph::flatten(graph::adaptive_avg_pool2d(graph::dropout(x), {{1, 1}}));
        };
      },
      16);
}

}  // namespace

START_TEST(the_backend_says_what_it_is) {
  expect_contains(backend()->description(), "cpu: LibTorch 2.");
  expect_contains(backend()->description(), "oneDNN ");
  expect_contains(backend()->description(), " threads");
}
END_TEST

START_TEST(passes_keep_the_results_of_the_reference) {
  struct Row {
    const char* name;
    graph::Graph (*pass)(graph::Graph);
    double tolerance;  // passes that only move work change no bit
  };
  const Row rows[] = {
      {"drop_identities", graph::drop_identities, 0},
      {"fuse_residual", graph::fuse_residual, 0},
      {"fuse_activation", graph::fuse_activation, 0},
      {"fold_batch_norm", graph::fold_batch_norm, 1e-5},
      {"optimize", graph::optimize, 1e-5},
  };
  const Shape shape = {2, 3, 65, 50};
  auto sketched = std::make_shared<const graph::Network>(unusual());
  for (const auto& network : {network_of("resnet18"), network_of("resnext50_32x4d"),
                              network_of("squeezenet1_1"), network_of("mobilenet_v2"), sketched}) {
    const auto tensors = disturbed(network);
    const auto expected = run(
        *load({.network = network, .tensors = &tensors, .executor = Executor::kReference}), shape);
    for (const Row& row : rows) {
      const auto model = load({.network = network,
                               .tensors = &tensors,
                               .executor = Executor::kReference,
                               .passes = row.pass});
      const double difference = largest_difference(expected, run(*model, shape));
      ck_assert_msg(difference <= row.tolerance, "%s on %s: %g", row.name,
                    network->builder().c_str(), difference);
    }
    const auto fused = load({.network = network, .tensors = &tensors});
    for (int round = 0; round < 2; ++round) {  // the second must not see what the first overwrote
      const double difference = largest_difference(expected, run(*fused, shape));
      ck_assert_msg(difference <= 1e-5, "fused %s: %g", network->builder().c_str(), difference);
    }
  }
}
END_TEST

START_TEST(shapes_may_alternate_beyond_the_number_that_stays_prepared) {
  const auto network = network_of("squeezenet1_1");
  const auto tensors = disturbed(network);
  const auto fused = load({.network = network, .tensors = &tensors});
  const auto reference =
      load({.network = network, .tensors = &tensors, .executor = Executor::kReference});
  for (const int side : {17, 40, 23, 64, 31, 48, 17, 40, 64, 17}) {
    const Shape shape = {1, 3, side, side + 5};
    ck_assert(largest_difference(run(*reference, shape), run(*fused, shape)) <= 1e-5);
  }
}
END_TEST

START_TEST(the_input_is_not_written_to) {
  const Shape shape = {1, 3, 40, 40};
  const auto before = picture(shape);
  for (const Executor executor : {Executor::kReference, Executor::kFused}) {
    const auto model = load({.network = network_of("mobilenet_v2"), .executor = executor});
    auto pixels = before;
    ck_assert(static_cast<bool>(model->run(pixels, shape)));
    ck_assert(pixels == before);
  }
}
END_TEST

START_TEST(seeds_decide_the_numbers) {
  const auto network = network_of("squeezenet1_0");
  const auto bytes = [&](std::uint64_t seed) {
    const auto model = load({.network = network, .seed = seed});
    return contiguous_bytes((*model->state_dict())[0].second);
  };
  ck_assert(bytes(1) == bytes(1));
  ck_assert(bytes(1) != bytes(2));
}
END_TEST

START_TEST(state_dicts_outlive_their_model) {
  auto model = load({.network = network_of("resnet18")});
  const auto state = *model->state_dict();
  model.reset();
  ck_assert_uint_eq(state.size(), 122);
  ck_assert_str_eq(state[4].first.c_str(), "bn1.running_var");
  float one = 0;
  std::memcpy(&one, state[4].second.data, sizeof one);
  ck_assert_float_eq(one, 1);
}
END_TEST

START_TEST(absent_counters_start_at_zero) {
  const auto network = network_of("resnet18");
  auto tensors = disturbed(network);
  for (std::size_t i = 0; i < tensors.size(); ++i)
    if (network->parameters()[i].optional) tensors[i] = {};
  const auto state = *load({.network = network, .tensors = &tensors})->state_dict();
  std::int64_t counter = -1;
  std::memcpy(&counter, state[5].second.data, sizeof counter);
  ck_assert_str_eq(state[5].first.c_str(), "bn1.num_batches_tracked");
  ck_assert_int_eq(counter, 0);
}
END_TEST

START_TEST(other_float_types_become_float32) {
  const auto network = network_of("resnet18");
  auto tensors = disturbed(network);
  // conv1.weight as bfloat16, bn1.weight as float64 with strides
  std::vector<std::uint16_t> half(static_cast<std::size_t>(tensors[0].numel()), 0x3fc0);  // 1.5
  std::vector<double> wide(128, 7);
  for (std::size_t i = 0; i < 128; i += 2) wide[i] = 0.25;
  tensors[0].dtype = DType::kBFloat16;
  tensors[0].data = reinterpret_cast<const std::byte*>(half.data());
  tensors[1].dtype = DType::kFloat64;
  tensors[1].strides = {2};
  tensors[1].data = reinterpret_cast<const std::byte*>(wide.data());
  const auto state = *load({.network = network, .tensors = &tensors})->state_dict();
  for (const auto& [index, expected] : {std::pair(0, 1.5f), std::pair(1, 0.25f)}) {
    const TensorView& view = state[static_cast<std::size_t>(index)].second;
    ck_assert(view.dtype == DType::kFloat32);
    for (std::int64_t i = 0; i < view.numel(); ++i) {
      float value = 0;
      std::memcpy(&value, view.data + i * 4, sizeof value);
      ck_assert_float_eq(value, expected);
    }
  }
}
END_TEST

START_TEST(values_that_are_no_numbers_are_refused_by_name) {
  const auto network = network_of("resnet18");
  struct Row {
    const char* name;
    float value;
    const char* complaint;
  };
  const Row rows[] = {
      {"layer2.0.conv1.weight", std::nanf(""), "holds a NaN or an infinity"},
      {"fc.bias", std::numeric_limits<float>::infinity(), "holds a NaN or an infinity"},
      {"layer4.1.bn2.running_var", -1e-3f, "holds a negative variance"},
  };
  for (const Row& row : rows) {
    auto tensors = disturbed(network);
    element(tensors, *network, row.name) = row.value;
    const Error error = load_error({.network = network, .tensors = &tensors});
    expect_equal(code_name(error.code), "bad-checkpoint");
    expect_contains(error.text(), "tensor " + std::string(row.name) + " " + row.complaint);
  }
}
END_TEST

START_TEST(values_too_large_for_float32_are_refused) {
  const auto network = network_of("resnet18");
  auto tensors = disturbed(network);
  std::vector<double> wide(64, 1e300);
  tensors[1].dtype = DType::kFloat64;
  tensors[1].data = reinterpret_cast<const std::byte*>(wide.data());
  expect_contains(load_error({.network = network, .tensors = &tensors}).text(),
                  "tensor bn1.weight holds a NaN or an infinity");
}
END_TEST

START_TEST(inputs_that_do_not_fit_are_refused) {
  const auto model = load({.network = network_of("squeezenet1_0")});
  const auto pixels = picture({1, 3, 20, 20});
  expect_run_error(*model, pixels, {1, 3, 20, 20}, "invalid-argument", "layer features.11 needs");
  expect_run_error(*model, pixels, {1, 3, 20, 21}, "invalid-argument", "1200 numbers for shape");
  expect_run_error(*model, pixels, {1200}, "invalid-argument", "expected [N, 3, H, W]");
  expect_run_error(*model, {}, {0, 3, 20, 20}, "invalid-argument", "input [0, 3, 20, 20]");
  ck_assert_uint_eq(run(*model, {1, 3, 21, 21}).size(), 10);  // and it still works
}
END_TEST

START_TEST(memory_that_cannot_be_had_is_an_error) {
  // Two petabytes: the fully connected layer of a billion-class head, were there one.
  const auto network = std::make_shared<const graph::Network>(sketch(
      [](SketchModule& m, Build& build) {
        const auto fc = m.make<nn::Linear>("fc", build, 3 * 1000 * 1000, 100 * 1000 * 1000);
        return [fc](Value x) { return fc(graph::flatten(x)); };
      },
      100 * 1000 * 1000));
  const Error error = load_error({.network = network});
  expect_equal(code_name(error.code), "device");
  expect_contains(error.text(), "loading sketch: ");
  expect_contains(error.text(), "out of memory");
  ck_assert(error.text().find('\n') == std::string::npos);
  ck_assert(error.text().find("frame #") == std::string::npos);
}
END_TEST

START_TEST(a_forked_child_gets_an_error_not_a_hang) {
  const auto model = load({.network = network_of("resnet18")});
  const Shape shape = {1, 3, 64, 64};
  const auto pixels = picture(shape);
  run(*model, shape);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a hang ends here
    const auto again = open_backend(DeviceKind::kCpu);
    const auto logits = model->run(pixels, shape);
    const bool told = !again && again.error().code == Code::kUnavailable && !logits &&
                      logits.error().code == Code::kUnavailable &&
                      logits.error().text().find("forked") != std::string::npos;
    _exit(told ? 0 : 1);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status of the child: %x",
                static_cast<unsigned>(status));
  run(*model, shape);
}
END_TEST

START_TEST(int8_models_run_on_the_cpu_unasked) {
  const auto ready = load_model(
      {.builder = "quantized_shufflenet_v2_x0_5", .num_classes = 4, .quantize = true}, {}, 32);
  expect_ok(ready);
  ck_assert(ready->network->int8());
  expect_equal(ready->device, "cpu");
  expect_equal(ready->why_cpu, "int8 networks run on the CPU alone");
  ck_assert_uint_eq(run(*ready->model, {2, 3, 32, 40}).size(), 8);
  // Without quantize=true it is the float network: its conv1.0.weight is no int8.
  const auto floats = load_model({.builder = "quantized_shufflenet_v2_x0_5"});
  ck_assert(!floats->network->int8());
}
END_TEST

/// Every way to the numbers of a model.
struct LoadRow {
  const char* what;
  const char* builder;
  bool quantize = false, from_tensors = false;
  Executor executor = Executor::kFused;
  bool asks_while_preparing = true;  ///< the reference executor has nothing to prepare
};
constexpr LoadRow kLoads[] = {
    {.what = "random", .builder = "squeezenet1_1"},
    {.what = "of a file", .builder = "resnet18", .from_tensors = true},
    {.what = "reference",
     .builder = "squeezenet1_1",
     .executor = Executor::kReference,
     .asks_while_preparing = false},
    {.what = "calibrated", .builder = "quantized_shufflenet_v2_x0_5", .quantize = true},
    {.what = "converted", .builder = "quantized_mobilenet_v2", .quantize = true},
};

std::shared_ptr<const graph::Network> network_of(const LoadRow& row) {
  return value_of(get_model(row.builder, {.num_classes = 10, .quantize = row.quantize})).network;
}

/// Which questions are answered with yes: all would take minutes.
std::vector<int> moments(int questions) {
  constexpr int kMost = 24;
  std::vector<int> chosen;
  for (int i = 0; i < std::min(kMost, questions); ++i)
    chosen.push_back(i * (questions - 1) / std::max(1, std::min(kMost, questions) - 1));
  return chosen;
}

// Between parameters, layers and nodes: no step of a large network takes longer than a second.
START_TEST(loading_asks_whether_to_go_on) {
  const LoadRow& row = kLoads[_i];
  const auto network = network_of(row);
  const auto tensors = row.from_tensors ? disturbed(network) : graph::BoundTensors{};
  LoadRequest request{.network = network, .executor = row.executor};
  if (row.from_tensors) request.tensors = &tensors;
  Countdown never;
  request.cancelled = never.check();
  load(request);
  const std::size_t least = row.from_tensors ? network->parameters().size() : 2;
  ck_assert_uint_ge(static_cast<std::size_t>(never.asked()), least);
  for (const int after : moments(never.asked())) {
    Countdown countdown(after);
    request.cancelled = countdown.check();
    const auto model = backend()->load(request);
    ck_assert_msg(!model, "%s: a yes after %d questions was not heard", row.what, after);
    expect_equal(code_name(model.error().code), "cancelled");
    ck_assert_int_eq(countdown.asked(), after + 1);
  }
}
END_TEST

START_TEST(preparing_asks_whether_to_go_on_and_leaves_nothing) {
  const LoadRow& row = kLoads[_i];
  const Shape shape = {1, 3, 64, 64};
  const auto network = network_of(row);
  const auto model = load({.network = network, .executor = row.executor});
  const auto expected = run(*load({.network = network, .executor = row.executor}), shape);
  Countdown never;
  expect_ok(load({.network = network, .executor = row.executor})->prepare(shape, never.check()));
  ck_assert_msg((never.asked() > 1) == row.asks_while_preparing, "%s: asked %d times", row.what,
                never.asked());
  for (const int after : moments(never.asked())) {
    Countdown countdown(after);
    const Status prepared = model->prepare(shape, countdown.check());
    ck_assert_msg(!prepared, "%s: a yes after %d questions was not heard", row.what, after);
    expect_equal(code_name(prepared.error().code), "cancelled");
  }
  // The next one begins anew, and what is prepared is not prepared again.
  Countdown again, known;
  expect_ok(model->prepare(shape, again.check()));
  ck_assert_int_eq(again.asked(), never.asked());
  expect_ok(model->prepare(shape, known.check()));
  ck_assert_int_eq(known.asked(), 0);
  ck_assert(run(*model, shape) == expected);
}
END_TEST

START_TEST(a_shape_that_does_not_fit_is_not_prepared) {
  const auto model = load({.network = network_of("squeezenet1_0")});
  const Status prepared = model->prepare({1, 3, 20, 20}, {});
  ck_assert(!prepared);
  expect_equal(code_name(prepared.error().code), "invalid-argument");
  expect_contains(prepared.error().text(), "layer features.11 needs");
}
END_TEST

START_TEST(models_load_from_an_application_in_one_call) {
  const auto ready = load_model({.builder = "squeezenet1_1", .num_classes = 4, .seed = 3}, {}, 32);
  ck_assert(static_cast<bool>(ready));
  expect_equal(ready->device, "cpu");
  expect_contains(ready->why_cpu, "no GPU");
  for (const Precision half : {Precision::kFloat16, Precision::kBFloat16}) {
    const auto refused =
        load_model({.builder = "squeezenet1_1", .device = Device{}, .precision = half});
    ck_assert(!refused);
    expect_equal(code_name(refused.error().code), "unsupported");
    expect_contains(refused.error().what, precision_name(half));
  }
  const auto asked = load_model({.builder = "squeezenet1_1", .device = Device{}});
  ck_assert(static_cast<bool>(asked));
  expect_equal(asked->device, "cpu");
  expect_equal(asked->why_cpu, "");
  expect_equal(ready->sha256, "");
  ck_assert_uint_eq(run(*ready->model, {2, 3, 32, 40}).size(), 8);
  const auto missing = load_model({.builder = "resnet18", .weights_file = "absent/file.pth"});
  ck_assert(!missing);
  expect_equal(code_name(missing.error().code), "not-found");
  expect_contains(missing.error().text(), "absent/file.pth");
  const std::atomic<bool> stop = true;
  FetchOptions options;
  options.cancel = &stop;
  const auto cancelled = load_model({.builder = "resnet18"}, options);
  ck_assert(!cancelled);
  expect_equal(code_name(cancelled.error().code), "cancelled");
}
END_TEST

// Offline nothing is fetched, and the files are not there: another error would say so.
START_TEST(a_size_that_the_network_does_not_take_is_found_before_the_weights) {
  setenv("TORCH_HOME", "absent", 1);
  struct Row {
    const char *builder, *entry;
    int side;
    const char *what, *hint;
  };
  for (const Row& row :
       {Row{"vit_b_16", "ViT_B_16_Weights.IMAGENET1K_V1", 300, "expects images of 224x224",
            "it was built for images of 224x224; with crop-size=0"},
        Row{"squeezenet1_1", "SqueezeNet1_1_Weights.IMAGENET1K_V1", 16, "squeezenet1_1: layer ",
            "the smallest image for squeezenet1_1 is 17x17, this one is 16x16; with "
            "crop-size=0"}}) {
    ModelSpec entry{.weights = value_of(get_weight(row.entry))}, file{.builder = row.builder};
    file.weights_file = "absent/file.pth";
    FetchOptions offline;
    offline.offline = true;
    for (const ModelSpec& spec : {entry, file}) {
      const auto refused = load_model(spec, offline, row.side);
      ck_assert(!refused);
      expect_equal(code_name(refused.error().code), "invalid-argument");
      expect_contains(refused.error().what, row.what);
      expect_contains(refused.error().hint, row.hint);
      expect_equal(check_input_size(spec, row.side).error().text(), refused.error().text());
      expect_equal(code_name(load_model(spec, offline, 224).error().code), "not-found");
      expect_ok(check_input_size(spec, 224));
    }
    const auto key = model_key(file, row.side, "");
    ck_assert(!key);
    expect_equal(code_name(key.error().code), "invalid-argument");
  }
}
END_TEST

START_TEST(a_file_without_an_entry_says_its_classes_itself) {
  const TempFolder folder;
  const std::string path = folder.path("three.pth");
  const auto made = load_model({.builder = "squeezenet1_1", .num_classes = 3, .seed = 3});
  expect_ok(write_state_dict(path, value_of(made->model->state_dict())));
  const ModelSpec spec{.builder = "squeezenet1_1", .weights_file = path};
  const auto found = load_model(spec, {}, 32);
  expect_ok(found);
  ck_assert_int_eq(found->network->num_classes(), 3);
  ck_assert(run(*found->model, {1, 3, 32, 40}) == run(*made->model, {1, 3, 32, 40}));
  // Who names a number, an entry or another builder means it.
  ModelSpec four = spec, entry = spec, other = spec;
  four.num_classes = 4;
  entry.builder.clear();
  entry.weights = value_of(get_weight("SqueezeNet1_1_Weights.IMAGENET1K_V1"));
  other.builder = "squeezenet1_0";
  for (const ModelSpec& wrong : {four, entry, other}) {
    const auto refused = load_model(wrong);
    ck_assert(!refused);
    expect_equal(code_name(refused.error().code), "bad-checkpoint");
    expect_contains(refused.error().what, path);
  }
}
END_TEST

int main() {
  setenv("CK_FORK", "no", 1);
  return run_suite(
      "cpu backend", 300, the_backend_says_what_it_is, passes_keep_the_results_of_the_reference,
      shapes_may_alternate_beyond_the_number_that_stays_prepared, the_input_is_not_written_to,
      seeds_decide_the_numbers, state_dicts_outlive_their_model, absent_counters_start_at_zero,
      other_float_types_become_float32, values_that_are_no_numbers_are_refused_by_name,
      values_too_large_for_float32_are_refused, inputs_that_do_not_fit_are_refused,
      memory_that_cannot_be_had_is_an_error, a_forked_child_gets_an_error_not_a_hang,
      int8_models_run_on_the_cpu_unasked,
      Loop{loading_asks_whether_to_go_on, static_cast<int>(std::size(kLoads))},
      Loop{preparing_asks_whether_to_go_on_and_leaves_nothing, static_cast<int>(std::size(kLoads))},
      a_shape_that_does_not_fit_is_not_prepared,
      a_size_that_the_network_does_not_take_is_found_before_the_weights,
      a_file_without_an_entry_says_its_classes_itself, models_load_from_an_application_in_one_call);
}
