// Shapes of the results of layers, shared by their float and int8 operators.
#pragma once

#include "model_registry/graph/module.hpp"

namespace tv::graph {

/// Of a convolution of x [N, in, H, W] with weight [out, in / groups, kh, kw]: [N, out, H', W'].
/// Empty after a complaint to the trace.
Shape conv2d_shape(const Value& x, int weight, const Conv2dAttrs& attrs);

/// Of x [..., in] times weight [out, in]: [..., out]. Empty after a complaint to the trace.
Shape linear_shape(const Value& x, int weight);

/// Of values broadcast against each other as torch does. Empty after a complaint to the trace.
Shape broadcast_shape(const Value& a, const Value& b, Op op);

/// Of values joined along `axis` (negative: from the end). Empty after a complaint to the trace.
Shape cat_shape(const std::vector<Value>& values, int axis, Op op);

}  // namespace tv::graph
