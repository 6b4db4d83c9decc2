// Which of LibTorch's int8 kernels run. Call inside guarded().
#pragma once

#include <c10/core/QEngine.h>

#include <vector>

#include "model_registry/graph/module.hpp"

namespace tv::inference {

/// The first engine that this LibTorch has: for fbgemm's numbers fbgemm, x86, onednn, qnnpack, for
/// qnnpack's the other way round. Python asks for the engine of the same name and fails without it;
/// the others compute the same network. Throws c10::Error where there is none.
at::QEngine engine_for(graph::QuantizedBackend backend);
/// The same of other engines than this LibTorch's, in any order.
at::QEngine engine_for(graph::QuantizedBackend backend, const std::vector<at::QEngine>& supported);

/// LibTorch's engine is a setting of the process: packing chooses by it, and additions and poolings
/// look at it when they run. While a lease lives the setting is this engine; leases of one engine
/// live together, another engine waits until they are gone.
class EngineLease {
 public:
  explicit EngineLease(at::QEngine engine);
  ~EngineLease();
  EngineLease(const EngineLease&) = delete;
  EngineLease& operator=(const EngineLease&) = delete;
};

}  // namespace tv::inference
