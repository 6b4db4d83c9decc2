// The executors of the CPU. Call inside guarded().
#pragma once

#include <memory>

#include "elements/inference/backend_torch/executor.hpp"
#include "model_registry/graph/module.hpp"

namespace tv::inference {

/// Runs graph::optimize() first; then oneDNN convolutions with activation and residual inside,
/// channels last, weights reordered once for this shape. Keeps copies of what it needs of the
/// parameters.
std::unique_ptr<GraphExecutor> make_fused_executor(graph::Graph graph,
                                                   const Parameters& parameters);

/// int8 operators of the engine that fits the numbers, as the graph has them, channels last. Packs
/// its own copies of the weights.
std::unique_ptr<GraphExecutor> make_quantized_executor(graph::Graph graph,
                                                       const Parameters& parameters,
                                                       graph::QuantizedBackend backend);

}  // namespace tv::inference
