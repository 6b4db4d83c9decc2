// The GPU's executor on the CPU: every float builder against the reference executor.
#include "elements/inference/backend_cuda/device_executor.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "model_registry/models/models.hpp"
#include "tests/elements/inference/cuda/host_ops.hpp"

// After LibTorch: Check has macros with names that it uses.
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::inference;
using namespace tv::inference::test;
using namespace tv::test;

namespace {

// Larger ones have the nodes of their smaller siblings: the suite on a GPU runs them. Of some
// families the smallest one is larger.
constexpr std::int64_t kMostParameters = 30'000'000;
constexpr std::string_view kLargerOnes[] = {"alexnet", "vgg11_bn", "vit_b_32"};

std::vector<std::string_view> builders() {
  std::vector<std::string_view> names;
  for (const std::string_view name : available_models())
    if (!name.starts_with("quantized_")) names.push_back(name);
  return names;
}

std::int64_t count(const graph::Network& network) {
  std::int64_t sum = 0;
  for (const graph::Parameter& parameter : network.parameters()) {
    std::int64_t each = 1;
    for (const std::int64_t side : parameter.shape) each *= side;
    sum += each;
  }
  return sum;
}

/// Numbers under which every part of a network matters: no zero heads, no norms that do nothing.
Parameters lively(const graph::Network& network, std::uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  Parameters parameters;
  std::vector<at::Tensor> initial(network.parameters().size());
  for (const graph::Parameter& declared : network.parameters()) {
    at::Tensor tensor = empty_parameter(declared.shape, declared.dtype);
    if (!tensor.is_floating_point()) {
      tensor.zero_();
    } else if (declared.name.ends_with("running_var")) {
      tensor.uniform_(0.5, 1.5, generator);
    } else if (tensor.dim() == 1) {
      const bool weight = declared.name.ends_with("weight") || declared.name.ends_with("gamma");
      tensor.uniform_(weight ? 0.8 : -0.1, weight ? 1.2 : 0.1, generator);
    } else {
      const double fan = static_cast<double>(tensor.numel()) / static_cast<double>(tensor.size(0));
      tensor.normal_(0, 1 / std::sqrt(fan), generator);
    }
    parameters.push_back(tensor);
  }
  // Tables of indices and coordinates are part of the network.
  for (const graph::InitStep& step : network.init())
    if (step.parameter >= 0 && step.rule == graph::InitRule::kValues) {
      at::Tensor& table = parameters[static_cast<std::size_t>(step.parameter)];
      table.copy_(at::tensor(*step.values).view_as(table));
    }
  return parameters;
}

at::Tensor padded(const at::Tensor& x, const DevicePlace& place) {
  at::Tensor input = at::zeros({x.size(0), place.input_channels, x.size(2), x.size(3)})
                         .to(place.type)
                         .contiguous(at::MemoryFormat::ChannelsLast);
  input.narrow(1, 0, 3).copy_(x);
  return input;
}

std::shared_ptr<const DeviceLayers> layers_of(const graph::Graph& graph,
                                              const Parameters& parameters,
                                              const DevicePlace& place) {
  return *DeviceLayers::make(graph, parameters, place);
}

at::Tensor answer(const graph::Network& network, const Parameters& parameters, const at::Tensor& x,
                  const DevicePlace& place, const LayerOps& ops) {
  graph::Graph graph = device_graph(*network.trace(x.sizes().vec()), place);
  const auto layers = layers_of(graph, parameters, place);
  return make_device_executor(std::move(graph), layers, parameters, place, ops)
      ->run(padded(x, place));
}

/// Of the largest logit.
double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>() / b.abs().max().item<double>();
}

template <typename F>
bool nothrow(F&& body) {
  try {
    body();
    return true;
  } catch (const c10::Error&) {
    return false;
  }
}

/// What LibTorch's attention on a GPU reads without making a copy first.
bool suits_the_kernel(const at::Tensor& bias) {
  for (std::int64_t axis = 0; axis < 3; ++axis)
    if (bias.stride(axis) % 8 != 0) return false;
  return bias.stride(3) == 1;
}

/// Looks at the biases of LibTorch's attention on this thread while it lives.
class AttentionWatch {
 public:
  AttentionWatch() {
    s_biases = s_unfit = 0;
    handle_ = at::addThreadLocalCallback(
        at::RecordFunctionCallback(see).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  }
  ~AttentionWatch() { at::removeCallback(handle_); }
  AttentionWatch(const AttentionWatch&) = delete;
  AttentionWatch& operator=(const AttentionWatch&) = delete;
  int biases() const { return s_biases; }
  int unfit() const { return s_unfit; }

 private:
  static std::unique_ptr<at::ObserverContext> see(const at::RecordFunction& call) {
    if (std::string_view(call.name()) != "aten::scaled_dot_product_attention") return nullptr;
    const c10::IValue& bias = call.inputs()[3];
    if (!bias.isTensor() || !bias.toTensor().defined()) return nullptr;
    ++s_biases;
    s_unfit += !suits_the_kernel(bias.toTensor());
    return nullptr;
  }
  static inline int s_biases = 0, s_unfit = 0;
  at::CallbackHandle handle_ = 0;
};

std::int64_t side_of(const graph::Network& network) {
  // Small, but not below what a network takes.
  return network.trace({1, 3, 64, 64})   ? 64
         : network.trace({1, 3, 96, 96}) ? 96
                                         : network.min_size();
}

}  // namespace

START_TEST(every_builder_agrees_with_the_reference) {
  const c10::InferenceMode inference;
  const std::string_view name = builders()[static_cast<std::size_t>(_i)];
  const Model model = *get_model(name);
  const graph::Network& network = *model.network;
  const bool small = count(network) <= kMostParameters;
  if (!small && std::ranges::find(kLargerOnes, name) == std::end(kLargerOnes)) return;
  const Parameters parameters = lively(network, 1);
  const std::int64_t side = side_of(network);
  const at::Tensor x = at::randn({2, 3, side, side}, at::detail::createCPUGenerator(2));
  const at::Tensor expected =
      make_reference_executor(*network.trace(x.sizes().vec()), parameters)->run(x);
  ck_assert_msg(expected.std(1).min().item<double>() > 1e-3, "%s: dull logits", name.data());

  // What a GPU does in float32, with cuDNN's fused call and without it.
  for (const bool fused : {true, false}) {
    const HostOps ops(fused);
    const at::Tensor found = answer(network, parameters, x, {.input_channels = 4}, ops);
    const double difference = relative_difference(found, expected);
    std::printf("%-24.*s %s  %.1e\n", static_cast<int>(name.size()), name.data(),
                fused ? "fused  " : "unfused", difference);
    ck_assert_msg(difference < 2e-5, "%s: %g", name.data(), difference);
    ck_assert(found.scalar_type() == at::kFloat);
  }
}
END_TEST

// Half the digits: 11 of float16, 8 of bfloat16. A wrong layer is off by a multiple of that.
START_TEST(half_precision_agrees_roughly) {
  const c10::InferenceMode inference;
  struct Row {
    const char* builder;
    at::ScalarType type;
    double most;
  };
  constexpr Row kRows[] = {
      {"resnet18", at::kHalf, 5e-3},           {"resnet18", at::kBFloat16, 4e-2},
      {"mobilenet_v3_small", at::kHalf, 5e-3}, {"regnet_y_400mf", at::kBFloat16, 4e-2},
      {"densenet121", at::kHalf, 5e-3},        {"swin_t", at::kHalf, 5e-3},
      {"swin_v2_t", at::kBFloat16, 4e-2},
  };
  for (const Row& row : kRows) {
    const Model model = *get_model(row.builder);
    const Parameters parameters = lively(*model.network, 3);
    const std::int64_t side = side_of(*model.network);
    const at::Tensor x = at::randn({1, 3, side, side}, at::detail::createCPUGenerator(4));
    const at::Tensor expected =
        make_reference_executor(*model.network->trace(x.sizes().vec()), parameters)->run(x);
    const HostOps ops(true);
    const at::Tensor found =
        answer(*model.network, parameters, x, {.type = row.type, .input_channels = 8}, ops);
    const double difference = relative_difference(found, expected);
    std::printf("%-24s %s  %.1e\n", row.builder, at::toString(row.type), difference);
    ck_assert_msg(difference < row.most && difference > 0, "%s: %g", row.builder, difference);
  }
}
END_TEST

START_TEST(one_set_of_layers_serves_every_batch_size) {
  const c10::InferenceMode inference;
  const Model model = *get_model("mobilenet_v3_small");
  const Parameters parameters = lively(*model.network, 5);
  const DevicePlace place{.input_channels = 4};
  const HostOps ops(true);
  const at::Tensor x = at::randn({3, 3, 64, 64}, at::detail::createCPUGenerator(6));
  const auto graph_of = [&](std::int64_t n) {
    return device_graph(*model.network->trace({n, 3, 64, 64}), place);
  };
  const auto layers = layers_of(graph_of(1), parameters, place);
  const at::Tensor together =
      make_device_executor(graph_of(3), layers, parameters, place, ops)->run(padded(x, place));
  const auto single = make_device_executor(graph_of(1), layers, parameters, place, ops);
  for (std::int64_t i = 0; i < 3; ++i) {
    const at::Tensor one = single->run(padded(x.narrow(0, i, 1), place));
    ck_assert_msg(relative_difference(one, together.narrow(0, i, 1)) < 1e-5, "picture %d",
                  static_cast<int>(i));
  }
  // Of another network they are refused.
  const Model other = *get_model("resnet18");
  ck_assert(!nothrow([&] {
    make_device_executor(device_graph(*other.network->trace({1, 3, 64, 64}), place), layers,
                         lively(*other.network, 1), place, ops);
  }));
}
END_TEST

START_TEST(preparing_can_be_left_at_every_node) {
  const c10::InferenceMode inference;
  const Model model = *get_model("squeezenet1_1");
  const Parameters parameters = lively(*model.network, 1);
  const graph::Graph graph = device_graph(*model.network->trace({1, 3, 64, 64}), {});
  for (std::size_t wanted = 1; wanted < graph.nodes.size(); ++wanted) {
    std::size_t asked = 0;
    const auto made = DeviceLayers::make(graph, parameters, {}, [&] { return ++asked == wanted; });
    ck_assert(!made && made.error().code == Code::kCancelled);
    ck_assert_uint_eq(asked, wanted);
  }
  ck_assert(static_cast<bool>(DeviceLayers::make(graph, parameters, {}, [] { return false; })));
}
END_TEST

START_TEST(only_convolutions_with_relu_are_one_call) {
  const c10::InferenceMode inference;
  const auto calls = [](const char* builder, bool fused) {
    const Model model = *get_model(builder);
    const HostOps ops(fused);
    answer(*model.network, lively(*model.network, 7), at::randn({1, 3, 64, 64}), {}, ops);
    return std::pair(ops.fused_calls, ops.affine_calls);
  };
  // 17 with a ReLU behind the batch norm or the sum. The 3 projections of the shortcut leave their
  // bias to the sum.
  ck_assert(calls("resnet18", true) == std::pair(17, 0));
  ck_assert(calls("resnet18", false) == std::pair(0, 17));
  // No ReLU in it; the depthwise ones would not be in one call either.
  ck_assert_int_eq(calls("efficientnet_b0", true).first, 0);
}
END_TEST

// 1 and half of the last place of 1, twice: in float32 both halves are lost.
START_TEST(summed_biases_are_rounded_once) {
  const c10::InferenceMode inference;
  using Kind = graph::DerivedParameter::Kind;
  constexpr float kHalf = 0x1p-24F;
  enum { kBias, kGamma, kBeta, kMean, kVariance, kFolded, kSum };
  const Parameters parameters = {at::tensor({kHalf, 3.0F}), at::tensor({1.0F, 1.0F}),
                                 at::tensor({1.0F, 4.0F}), at::tensor({-kHalf, 0.0F}),
                                 at::tensor({0.5F, 0.5F})};
  const graph::Graph graph{.nodes = {},
                           .first_derived = kFolded,
                           .derived = {{.kind = Kind::kFoldedBias,
                                        .gamma = kGamma,
                                        .beta = kBeta,
                                        .mean = kMean,
                                        .variance = kVariance,
                                        .eps = 0.5},
                                       {.kind = Kind::kSummedBias, .terms = {kFolded, kBias}}}};
  const auto derived = [&](int id) { return derived_parameter(graph, id, parameters); };
  ck_assert(derived(kFolded).equal(at::tensor({1.0F, 4.0F})));
  ck_assert(derived(kSum).equal(at::tensor({1 + 2 * kHalf, 7.0F})));
}
END_TEST

// A bias for all windows is read where it lies; one for each window is copied where there are more
// pictures, for no stride says "from the start again".
START_TEST(biases_of_attention_are_repeated_by_strides) {
  const c10::InferenceMode inference;
  struct Row {
    std::int64_t pictures, windows_of_bias, keys;
    bool copied;
  };
  constexpr Row kRows[] = {
      {1, 1, 49, false}, {3, 1, 49, false}, {1, 4, 49, false},
      {3, 4, 49, true},  {3, 1, 64, false}, {3, 4, 64, true},
  };
  constexpr std::int64_t kWindows = 4, kHeads = 3, kDepth = 5;
  at::Generator generator = at::detail::createCPUGenerator(10);
  for (const Row& row : kRows) {
    const auto random = [&](std::int64_t depth) {
      return at::randn({row.pictures, kWindows, kHeads, row.keys, depth}, generator);
    };
    const at::Tensor q = random(kDepth), k = random(kDepth), v = random(kDepth);
    const at::Tensor bias = at::randn({row.windows_of_bias, kHeads, row.keys, row.keys}, generator);
    const at::Tensor wide = aligned_rows(bias);
    ck_assert_int_eq(wide.size(-1), (row.keys + 7) / 8 * 8);

    const at::Tensor given = attention_bias(wide, q, row.keys);
    ck_assert(given.equal(bias.expand({row.pictures, kWindows, kHeads, row.keys, row.keys})
                              .reshape({-1, kHeads, row.keys, row.keys})));
    ck_assert(suits_the_kernel(given));
    ck_assert(given.is_alias_of(wide) != row.copied);
    ck_assert(suits_the_kernel(attention_bias(bias, q, row.keys)) == (row.keys == 64));

    graph::Node node;
    node.op = graph::Op::kAttention;
    node.attrs = graph::ScalarAttrs{0.5};
    const std::array with_wide = {q, k, v, wide}, with_bias = {q, k, v, bias};
    ck_assert(fused_attention(node, with_wide).equal(fused_attention(node, with_bias)));
  }
}
END_TEST

START_TEST(attention_never_gets_a_bias_that_it_would_copy) {
  const c10::InferenceMode inference;
  struct Row {
    const char* builder;
    std::int64_t side;
    int biases;
  };
  // V2's attention has factors and is done by plain operators.
  constexpr Row kRows[] = {
      {"swin_t", 128, 12}, {"swin_v2_t", 64, 0}, {"maxvit_t", 224, 22}, {"vit_b_32", 224, 0}};
  for (const Row& row : kRows) {
    const Model model = *get_model(row.builder);
    const HostOps ops(true);
    const AttentionWatch watch;
    answer(*model.network, lively(*model.network, 11),
           at::randn({2, 3, row.side, row.side}, at::detail::createCPUGenerator(12)), {}, ops);
    ck_assert_msg(watch.biases() == row.biases, "%s: %d biases", row.builder, watch.biases());
    ck_assert_msg(watch.unfit() == 0, "%s: %d unfit", row.builder, watch.unfit());
  }
}
END_TEST

// The largest of some numbers is one of them: no value may differ. The last ones no model has.
START_TEST(pooling_is_that_of_libtorch) {
  const c10::InferenceMode inference;
  const graph::PoolAttrs kPools[] = {
      {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
      {.kernel = {3, 3}, .stride = {2, 2}},
      {.kernel = {2, 2}, .stride = {2, 2}},
      {.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true},
      {.kernel = {2, 2}, .stride = {2, 2}, .ceil_mode = true},
      {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}, .ceil_mode = true},
      {.kernel = {3, 2}, .stride = {1, 3}, .padding = {1, 0}, .dilation = {2, 1}},
      {.kernel = {2, 3}, .stride = {3, 1}, .padding = {0, 1}, .dilation = {1, 2}},
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  at::Generator generator = at::detail::createCPUGenerator(13);
  for (const auto type : {at::kFloat, at::kHalf, at::kBFloat16})
    for (const graph::PoolAttrs& attrs : kPools)
      for (const std::int64_t channels : {3, 16}) {
        at::Tensor x = at::randn({2, channels, 11, 14}, generator);
        x.view({-1}).slice(0, 5, std::nullopt, 97).fill_(kNan);
        x.view({-1}).slice(0, 0, std::nullopt, 41).fill_(kInfinity);
        x.narrow(2, 6, 5).fill_(-kInfinity);  // padding is no larger
        x = x.to(type).contiguous(at::MemoryFormat::ChannelsLast);
        graph::Node pool;
        pool.op = graph::Op::kMaxPool2d;
        pool.inputs = {0};
        pool.attrs = attrs;
        const at::Tensor expected = run_plain(pool, std::span(&x, 1), {});
        pool.shape = expected.sizes().vec();
        graph::Graph graph{.nodes = {graph::Node{}, pool}, .first_derived = 0, .derived = {}};
        graph.nodes.front().shape = x.sizes().vec();
        for (const bool ours : {true, false}) {
          const HostOps ops(ours);
          const DevicePlace place{.type = type};
          const at::Tensor found =
              make_device_executor(graph, layers_of(graph, {}, place), {}, place, ops)->run(x);
          ck_assert_int_eq(ops.pool_calls, ours ? 1 : 0);
          ck_assert_msg(at::allclose(found, expected.to(at::kFloat), 0, 0, /*equal_nan=*/true),
                        "%s, %dx%d of %d channels", at::toString(type), attrs.kernel[0],
                        attrs.kernel[1], static_cast<int>(channels));
        }
      }
}
END_TEST

START_TEST(plain_operators_are_the_reference) {
  const c10::InferenceMode inference;
  const Model model = *get_model("googlenet");  // whose input goes through slices
  const Parameters parameters = lively(*model.network, 8);
  const at::Tensor x = at::randn({1, 3, 64, 64}, at::detail::createCPUGenerator(9));
  const HostOps ops(true);
  const at::Tensor found =
      answer(*model.network, parameters, x, {.input_channels = 8, .plain = true}, ops);
  const at::Tensor expected =
      make_reference_executor(*model.network->trace(x.sizes().vec()), parameters)->run(x);
  ck_assert(relative_difference(found, expected) < 1e-5);
  ck_assert_int_eq(ops.affine_calls + ops.fused_calls + ops.pool_calls, 0);
}
END_TEST

int main() {
  return run_suite(
      "device executor", 600,
      Loop{every_builder_agrees_with_the_reference, static_cast<int>(builders().size())},
      half_precision_agrees_roughly, one_set_of_layers_serves_every_batch_size,
      preparing_can_be_left_at_every_node, only_convolutions_with_relu_are_one_call,
      summed_biases_are_rounded_once, biases_of_attention_are_repeated_by_strides,
      attention_never_gets_a_bias_that_it_would_copy, pooling_is_that_of_libtorch,
      plain_operators_are_the_reference);
}
