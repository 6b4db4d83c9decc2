// Passes: pure functions Graph -> Graph that keep the result of every input (up to rounding) and
// need no LibTorch. An executor decides which of them it wants.
#pragma once

#include "model_registry/graph/graph.hpp"

namespace tv::graph {

/// Removes nodes that do nothing in inference (dropout).
Graph drop_identities(Graph graph);

/// conv2d -> batch_norm2d becomes one conv2d with derived weight and bias, where nobody else reads
/// the convolution and it has neither residual nor activation. Derived parameters are computed by
/// the executor, in float64.
Graph fold_batch_norm(Graph graph);

/// conv2d or linear (with bias) -> add of equal shapes becomes one layer with a second input, where
/// nobody else reads the layer and it has neither residual nor activation. Runs before
/// fuse_activation: an activation comes after the residual.
Graph fuse_residual(Graph graph);

/// conv2d or linear -> an operator of enum Activation becomes one layer, where nobody else reads
/// the layer and it has no activation yet; a linear layer with a residual takes none. In int8,
/// q_conv2d or q_add -> relu does: the result is the same to the bit, for both clamp at the zero
/// point.
Graph fuse_activation(Graph graph);

/// conv2d that adds what another conv2d made: where both have a bias and nobody else reads the
/// other, the first adds both biases (summed in float64) and the other has none. Runs after
/// fuse_residual; not part of optimize(), for it pays only where a bias alone costs a kernel.
Graph merge_biases(Graph graph);

/// All of the above but merge_biases, in the order in which they help each other.
Graph optimize(Graph graph);

}  // namespace tv::graph
