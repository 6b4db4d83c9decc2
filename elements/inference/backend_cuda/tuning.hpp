// Choices that measurements on a GPU decide; the benchmarks set them by $TV_CUDA_TUNING.
#pragma once

#include <string>

namespace tv::inference {

struct Tuning {
  bool graphs = true;      ///< CUDA graphs
  bool fused_relu = true;  ///< cuDNN's convolution with bias, residual and ReLU
  bool max_pool = true;    ///< our kernel, which writes no indices; else LibTorch's
  int input_channels = 0;  ///< 3, 4 or 8; 0: 8 in half precision, else 4
};

/// "graphs=0,fused-relu=0,max-pool=0,input-channels=4"; what is unknown or malformed is left at its
/// default.
Tuning tuning_of(const std::string& text);
/// Of $TV_CUDA_TUNING.
Tuning tuning();

}  // namespace tv::inference
