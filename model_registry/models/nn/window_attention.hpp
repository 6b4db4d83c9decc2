// Attention within shifted windows: torchvision's ShiftedWindowAttention (Swin, arXiv 2103.14030)
// and ShiftedWindowAttentionV2 (Swin V2, arXiv 2111.09883).
#pragma once

#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::nn {

enum class SwinVersion { kV1, kV2 };

struct WindowAttentionOptions {
  int channels;
  int heads;   ///< divides channels
  int window;  ///< tokens, height and width
  int shift;   ///< tokens that the windows move down and right; less than a window
};

/// [N, H, W, channels] -> the same, for any H and W: it pads to whole windows, and does not shift
/// along an axis that one window covers.
class WindowAttention final : public Module {
 public:
  WindowAttention(Build& build, SwinVersion version, const WindowAttentionOptions& options);
  Value forward(Value x) const override;

 private:
  void define_tables(Build& build);
  Value bias(const Value& x) const;
  Value attend(const Value& windows, const Value& bias) const;
  Value cosine_attention(const Value& windows, const Value& bias) const;

  SwinVersion version_;
  WindowAttentionOptions options_;
  int bias_table_ = graph::kNoParameter;   // V1
  int logit_scale_ = graph::kNoParameter;  // V2, and below
  int coords_table_ = graph::kNoParameter;
  int index_ = graph::kNoParameter;
  Ref<Linear> qkv_, proj_;
  Ref<Sequential> cpb_mlp_;  // V2: distances -> biases
};

}  // namespace tv::nn
