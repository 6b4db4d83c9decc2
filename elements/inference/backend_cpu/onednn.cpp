#include "elements/inference/backend_cpu/onednn.hpp"

namespace tv::inference {

Post post_of(graph::Activation activation) {
  const Scalars none;
  switch (activation) {
    case graph::Activation::kNone:
      return {"none", none, std::nullopt};
    case graph::Activation::kRelu:
      return {"relu", none, std::nullopt};
    case graph::Activation::kRelu6:
      return {"hardtanh", Scalars({at::Scalar(0.0), at::Scalar(6.0)}), std::nullopt};
    case graph::Activation::kSigmoid:
      return {"sigmoid", none, std::nullopt};
    case graph::Activation::kSilu:
      return {"swish", none, std::nullopt};
    case graph::Activation::kHardswish:
      return {"hardswish", none, std::nullopt};
    case graph::Activation::kGelu:
      return {"gelu", none, "none"};
  }
  return {"none", none, std::nullopt};
}

}  // namespace tv::inference
