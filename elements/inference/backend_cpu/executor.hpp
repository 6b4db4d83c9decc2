// The executors of the CPU. Call inside guarded(). Each asks before every node that it prepares
// whether to go on, and fails with Cancelled.
#pragma once

#include <memory>

#include "elements/inference/backend_torch/executor.hpp"
#include "model_registry/graph/module.hpp"

namespace tv::inference {

/// Runs graph::optimize() first; then oneDNN convolutions with activation and residual inside,
/// channels last, weights reordered once for this shape. Keeps copies of what it needs of the
/// parameters.
Result<std::unique_ptr<GraphExecutor>> make_fused_executor(graph::Graph graph,
                                                           const Parameters& parameters,
                                                           const CancelCheck& cancelled = {});

/// int8 operators of the engine that fits the numbers, as the graph has them, channels last. Packs
/// its own copies of the weights.
Result<std::unique_ptr<GraphExecutor>> make_quantized_executor(graph::Graph graph,
                                                               const Parameters& parameters,
                                                               graph::QuantizedBackend backend,
                                                               const CancelCheck& cancelled = {});

}  // namespace tv::inference
