// Graphs on a device whose numbers may be of half precision, channels last. Knows no CUDA: tests
// run it on the CPU. Call inside guarded().
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <variant>
#include <vector>

#include "elements/inference/backend_cuda/layer_ops.hpp"
#include "elements/inference/backend_torch/executor.hpp"
#include "elements/inference/backend_torch/parameters.hpp"
#include "model_registry/cancel.hpp"

namespace tv::inference {

/// Where and in which type the numbers are.
struct DevicePlace {
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;
  /// Of the input; those beyond the third are zeros. Convolutions read memory best in multiples of
  /// 8 or 16 bytes.
  int input_channels = 3;
  /// Plain operators one by one, as the graph has them: the oracle, in float32.
  bool plain = false;
};

/// The parameters of a graph's nodes on the device, for the graphs of every batch size: they differ
/// in shapes alone. Batch norms are folded in float64, then rounded once.
class DeviceLayers {
 public:
  using Layer = std::variant<std::vector<at::Tensor>,  // parameters, for plain operators
                             DeviceConv, Affine>;
  /// Asks `cancelled` at every node. Fails: Cancelled.
  static Result<std::shared_ptr<const DeviceLayers>> make(const graph::Graph& graph,
                                                          const Parameters& parameters,
                                                          const DevicePlace& place,
                                                          const CancelCheck& cancelled = {});
  const Layer& operator[](std::size_t node) const { return layers_[node]; }
  std::size_t size() const { return layers_.size(); }

 private:
  std::vector<Layer> layers_;
};

/// graph::optimize() and graph::merge_biases(): a convolution that adds its bias alone takes a
/// second kernel here. Nothing of it for plain operators.
graph::Graph device_graph(graph::Graph graph, const DevicePlace& place);

/// The bias of an attention with zeros behind each row, up to a multiple of 8 numbers. LibTorch's
/// kernel reads no other rows: of 49 numbers (a window of Swin or MaxViT) it would make a copy of
/// the bias in every run, for every window of every picture.
at::Tensor aligned_rows(const at::Tensor& bias);

/// input: of the place, [N, input_channels, H, W] channels last. Returns logits: float32
/// [N, classes], contiguous. `graph` as device_graph() gave it; `layers`, `ops` and `parameters`
/// (in the computer's memory) are shared and must stay.
std::unique_ptr<GraphExecutor> make_device_executor(graph::Graph graph,
                                                    std::shared_ptr<const DeviceLayers> layers,
                                                    const Parameters& parameters,
                                                    const DevicePlace& place, const LayerOps& ops);

}  // namespace tv::inference
