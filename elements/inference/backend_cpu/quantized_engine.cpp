#include "elements/inference/backend_cpu/quantized_engine.hpp"

#include <ATen/Context.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>

namespace tv::inference {
namespace {

constexpr std::array kForFbgemm = {at::QEngine::FBGEMM, at::QEngine::X86, at::QEngine::ONEDNN,
                                   at::QEngine::QNNPACK};
// fbgemm and x86 come last: without VNNI they add pairs of products in 16 bits, which activations
// of 0..255 overflow.
constexpr std::array kForQnnpack = {at::QEngine::QNNPACK, at::QEngine::ONEDNN, at::QEngine::X86,
                                    at::QEngine::FBGEMM};

struct Leases {
  std::mutex mutex;
  std::condition_variable none_left;
  int count = 0;
};

Leases& leases() {
  static auto* const kLeases = new Leases;  // outlives every static object
  return *kLeases;
}

}  // namespace

at::QEngine engine_for(graph::QuantizedBackend backend) {
  return engine_for(backend, at::globalContext().supportedQEngines());
}

at::QEngine engine_for(graph::QuantizedBackend backend, const std::vector<at::QEngine>& supported) {
  const auto& wanted = backend == graph::QuantizedBackend::kFbgemm ? kForFbgemm : kForQnnpack;
  const auto found =
      std::find_first_of(wanted.begin(), wanted.end(), supported.begin(), supported.end());
  TORCH_CHECK(found != wanted.end(), "this LibTorch has no int8 kernels");
  return *found;
}

EngineLease::EngineLease(at::QEngine engine) {
  Leases& all = leases();
  std::unique_lock lock(all.mutex);
  all.none_left.wait(lock,
                     [&] { return all.count == 0 || at::globalContext().qEngine() == engine; });
  at::globalContext().setQEngine(engine);
  ++all.count;
}

EngineLease::~EngineLease() {
  Leases& all = leases();
  const std::scoped_lock lock(all.mutex);
  if (--all.count == 0) all.none_left.notify_all();
}

}  // namespace tv::inference
