#include "elements/inference/backend_cuda/tuning.hpp"

#include <cstdlib>
#include <sstream>

namespace tv::inference {

Tuning tuning_of(const std::string& text) {
  Tuning tuning;
  std::istringstream settings(text);
  for (std::string setting; std::getline(settings, setting, ',');) {
    if (setting == "graphs=0") tuning.graphs = false;
    if (setting == "fused-relu=0") tuning.fused_relu = false;
    if (setting == "max-pool=0") tuning.max_pool = false;
    for (const int channels : {3, 4, 8})
      if (setting == "input-channels=" + std::to_string(channels)) tuning.input_channels = channels;
  }
  return tuning;
}

Tuning tuning() {
  const char* const text = secure_getenv("TV_CUDA_TUNING");
  return tuning_of(text ? text : "");
}

}  // namespace tv::inference
