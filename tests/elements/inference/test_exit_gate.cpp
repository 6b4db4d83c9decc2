// Nothing that LibTorch wants to destroy at exit() may stand behind the gate's handler in the list
// of exit handlers, for exit() goes through that list from its end: every destructor that comes
// with a load or a run must be followed by the gate once more. The C library's function that adds
// to the list is replaced here and tells who came last.
#include <dlfcn.h>

#include <atomic>
#include <string_view>

#include "elements/inference/engine.hpp"
#include "model_registry/graph/ops.hpp"
#include "tests/model_registry/graph/networks.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::inference;
using namespace tv::test;
using graph::Value;

namespace {

std::atomic<int> g_gates = 0;      // handlers of the gate
std::atomic<int> g_others = 0;     // every other one
std::atomic<int> g_unguarded = 0;  // of those, behind the last gate

// atexit() passes no argument, as opposed to whoever registers a destructor.
bool is_gate(void (*handler)(void*), const void* argument) {
  Dl_info found{};
  return argument == nullptr && dladdr(reinterpret_cast<void*>(handler), &found) != 0 &&
         std::string_view(found.dli_fname).find("libtvinference-cpu") != std::string_view::npos;
}

}  // namespace

extern "C" int __cxa_atexit(void (*handler)(void*), void* argument, void* module) {
  static const auto add =
      reinterpret_cast<decltype(&__cxa_atexit)>(dlsym(RTLD_NEXT, "__cxa_atexit"));
  if (is_gate(handler, argument)) {
    ++g_gates;
    g_unguarded = 0;
  } else {
    ++g_others;
    ++g_unguarded;
  }
  return add(handler, argument, module);
}

namespace {

constexpr int kClasses = 4;

std::unique_ptr<LoadedModel> load(const LoadRequest& request) {
  return value_of(value_of(open_backend(DeviceKind::kCpu))->load(request));
}

void run(LoadedModel& model, int images, int side) {
  const std::vector<float> grey(static_cast<std::size_t>(3 * images * side * side), 0.5f);
  expect_ok(model.run(grey, {images, 3, side, side}));
}

/// Other operators for large images, and for several, as window attention pads and rolls for some
/// sizes only.
std::shared_ptr<const graph::Network> choosy() {
  return std::make_shared<const graph::Network>(sketch(
      [](SketchModule& m, graph::Build& build) {
        const auto fc = m.make<nn::Linear>("fc", build, 3, kClasses);
        return [=](Value x) {
          if (x.shape()[0] > 1) x = graph::exp(x);
          if (x.shape()[2] > 8) x = graph::roll(x, {{0, 0, 1, 1}});
          return fc(graph::flatten(graph::adaptive_avg_pool2d(x, {{1, 1}})));
        };
      },
      kClasses));
}

/// What this adds to the list of handlers, besides the gate.
template <typename F>
int added_by(F&& body) {
  const int before = g_others;
  std::forward<F>(body)();
  ck_assert_int_eq(g_unguarded, 0);
  return g_others - before;
}

}  // namespace

START_TEST(the_gate_follows_the_first_use_of_every_operator) {
  const auto model = load({.network = choosy()});
  ck_assert_int_eq(g_unguarded, 0);
  ck_assert_int_gt(g_gates, 0);
  run(*model, 1, 8);
  run(*model, 1, 8);
  // These two bring something to destroy: otherwise nothing is tested here.
  ck_assert_int_gt(added_by([&] { run(*model, 1, 16); }), 0);
  ck_assert_int_gt(added_by([&] { run(*model, 2, 8); }), 0);
}
END_TEST

START_TEST(the_gate_follows_however_many_shapes_came_before) {
  const auto model = load({.network = choosy()});
  for (int side = 1; side <= 8; ++side)
    for (int turn = 0; turn < 20; ++turn) run(*model, 1, side);
  for (int turn = 0; turn < 200; ++turn) run(*model, 1, 1 + turn % 8);
  ck_assert_int_gt(added_by([&] { run(*model, 1, 16); }), 0);
}
END_TEST

START_TEST(the_gate_follows_a_load) {
  const auto network =
      get_model("quantized_shufflenet_v2_x0_5", {.num_classes = kClasses, .quantize = true})
          ->network;
  std::unique_ptr<LoadedModel> model;
  ck_assert_int_gt(added_by([&] { model = load({.network = network}); }), 0);
  ck_assert_int_gt(added_by([&] { run(*model, 1, 64); }), 0);
  added_by([&] { ck_assert(static_cast<bool>(model->state_dict())); });
  added_by([&] { model.reset(); });
}
END_TEST

// The list only grows: a shape that ran before adds nothing, be it prepared still or again.
START_TEST(known_shapes_add_nothing) {
  const auto model = load({.network = choosy()});
  for (int side = 1; side <= 16; ++side) run(*model, 1, side);
  const int gates = g_gates, others = g_others;
  for (int turn = 0; turn < 50; ++turn) run(*model, 1, 1 + turn % 16);
  ck_assert_int_eq(g_gates, gates);
  ck_assert_int_eq(g_others, others);
}
END_TEST

int main() {
  return run_suite("exit gate", 120, the_gate_follows_the_first_use_of_every_operator,
                   the_gate_follows_however_many_shapes_came_before, the_gate_follows_a_load,
                   known_shapes_add_nothing);
}
