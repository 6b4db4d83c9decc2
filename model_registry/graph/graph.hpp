// A network as data: parameters, the recipe of their random initialisation, and the nodes of one
// traced input size. No tensors and no LibTorch: executors (elements/inference/backend_*) turn a
// Graph into calls.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model_registry/checkpoint/tensor.hpp"
#include "model_registry/error.hpp"

namespace tv::graph {

/// A parameter or persistent buffer; its name is the checkpoint key.
struct Parameter {
  std::string name;
  Shape shape;
  DType dtype = DType::kFloat32;
  bool is_buffer = false;
  /// Absent from old files without harm (BatchNorm's num_batches_tracked): stays at its initial
  /// value.
  bool optional = false;
};

/// torch.nn.init, one row each. Rules marked * draw from the generator.
enum class InitRule : std::uint8_t {
  kConstant,     ///< a = value
  kUniform,      ///< * a = low, b = high
  kNormal,       ///< * a = mean, b = std
  kTruncNormal,  ///< * a = mean, b = std, c = low, d = high
  kValues,       ///< the numbers of InitStep::values, row-major
};

/// One step of initialisation. A network's steps run in the order in which Python would have drawn
/// the numbers; kaiming and xavier rules are resolved to kUniform/kNormal with their bounds when
/// the step is recorded. A parameter may be written more than once (default initialisation first,
/// the family's own after it).
struct InitStep {
  InitRule rule = InitRule::kConstant;
  int parameter = 0;  ///< index into Network::parameters(); -1 = a tensor that Python draws and
                      ///< then throws away
  Shape shape;        ///< of the tensor drawn
  double a = 0, b = 0, c = 0, d = 0;
  std::shared_ptr<const std::vector<double>> values = {};  ///< kValues: index and coordinate tables
};

enum class Op : std::uint8_t {
  kInput,
  kConv2d,       ///< inputs x [, residual: set by passes only]; params weight [, bias]
  kBatchNorm2d,  ///< params weight, bias, running_mean, running_var
  kRelu,
  kRelu6,
  kSigmoid,
  kSilu,
  kHardswish,
  kHardsigmoid,
  kGelu,  ///< by the error function
  kTanh,
  kMaxPool2d,
  kAvgPool2d,  ///< padding counts as zeros in the mean
  kAdaptiveAvgPool2d,
  kFlatten,    ///< all dimensions from 1 on
  kLinear,     ///< params weight, bias: inputs x [, residual: by passes only]; else x [, bias]
  kLayerNorm,  ///< over the last dimension; params weight, bias
  kAdd,        ///< broadcasts
  kMultiply,   ///< broadcasts
  kConcat,
  kDropout,    ///< identity in inference; passes remove it
  kParameter,  ///< no input; the tensor of params[0]
  kConstant,   ///< no input; numbers that the forward computed
  kReshape,    ///< row-major, to the node's own shape
  kPermute,
  kSlice,
  kExpand,  ///< dimensions of size 1, to the node's own shape
  kPad,     ///< with zeros
  kRoll,
  kMean,       ///< over some dimensions, which disappear
  kIndexRows,  ///< input table [T, ...]; params index int64, K numbers -> [K, ...]
  kNormalize,  ///< by the Euclidean length of the last dimension, at least 1e-12
  kClampMax,
  kExp,
  kAttention,  ///< inputs q, k, v [, additive bias [, factors of the products]]
  // int8: scale and zero point of the result are the last two parameters
  kQuantize,
  kDequantize,
  kQConv2d,  ///< params weight, bias, scale, zero point
  kQLinear,  ///< params weight, bias, scale, zero point
  kQAdd,
  kQMultiply,
  kQConcat,
  kQHardswish,
};
std::string_view op_name(Op op);

enum class Activation : std::uint8_t { kNone, kRelu, kRelu6, kSigmoid, kSilu, kHardswish, kGelu };

struct Conv2dAttrs {
  std::array<int, 2> stride{1, 1}, padding{0, 0}, dilation{1, 1};
  int groups = 1;
  Activation activation = Activation::kNone;  ///< set by passes only; applied after the residual
};
struct NormAttrs {
  double eps = 1e-5;
};
struct PoolAttrs {
  std::array<int, 2> kernel{1, 1}, stride{1, 1}, padding{0, 0}, dilation{1, 1};
  bool ceil_mode = false;
};
struct OutputSizeAttrs {
  std::array<int, 2> size{1, 1};
};
struct FusedAttrs {
  Activation activation = Activation::kNone;  ///< set by passes only; applied after the residual
};
struct AxesAttrs {
  std::vector<int> axes;  ///< kConcat: one; kMean: those that disappear; kPermute: the new order
};
struct SliceAttrs {
  int axis = 0;
  std::int64_t start = 0, step = 1;  ///< the node's own shape says how many
};
struct PadAttrs {
  std::vector<std::int64_t> before, after;  ///< one an axis, each >= 0
};
struct RollAttrs {
  std::vector<std::int64_t> shifts;  ///< one an axis; positive moves towards higher indices
};
struct ScalarAttrs {
  double value = 0;  ///< kClampMax: the bound; kAttention: factor of the products
};
struct ConstantAttrs {
  std::shared_ptr<const std::vector<float>> values;  ///< row-major
};

using Attrs =
    std::variant<std::monostate, Conv2dAttrs, NormAttrs, PoolAttrs, OutputSizeAttrs, AxesAttrs,
                 SliceAttrs, PadAttrs, RollAttrs, ScalarAttrs, ConstantAttrs, FusedAttrs>;

struct Node {
  Op op = Op::kInput;
  std::vector<int> inputs;  ///< node ids, all smaller than this node's
  std::vector<int>
      params;  ///< parameter ids; from Graph::first_derived on they index Graph::derived
  Attrs attrs;
  Shape shape;        ///< of the result, batch first
  std::string scope;  ///< module path, for messages: "layer1.0.conv1"
};

/// A parameter that a pass computes from others, in float64, when a model is loaded.
struct DerivedParameter {
  enum class Kind : std::uint8_t {
    kFoldedWeight,
    kFoldedBias,
    kSummedBias,  ///< of terms, and of nothing below
  } kind = Kind::kFoldedWeight;
  int weight = -1, bias = -1;                           ///< the convolution's; bias -1 = none
  int gamma = -1, beta = -1, mean = -1, variance = -1;  ///< the batch norm's
  double eps = 1e-5;
  std::array<int, 2> terms{-1, -1};  ///< parameter ids, of derived biases too
  bool operator==(const DerivedParameter&) const = default;
};

/// The nodes for one input shape, in an order in which they can run. Node 0 is the input, the last
/// one the output; every node is needed for the output.
struct Graph {
  std::vector<Node> nodes;
  int first_derived = 0;  ///< number of the network's own parameters
  std::vector<DerivedParameter> derived;
  const Shape& input_shape() const { return nodes.front().shape; }
  const Shape& output_shape() const { return nodes.back().shape; }
};

/// The graph without the nodes that `output` does not need, renumbered; the input stays node 0,
/// `output` becomes the last node.
Graph without_dead_nodes(Graph graph, int output);

/// How many nodes read each node's result; the output counts one reader more.
std::vector<int> count_readers(const Graph& graph);

/// One line a node, for debugging and for the tests of passes:
/// "%4 = conv2d(%3; p5, d0) 3x3 stride 2x2 padding 1x1 relu -> [1, 64, 56, 56]  layer1.0.conv1".
std::string to_string(const Graph& graph);

}  // namespace tv::graph
