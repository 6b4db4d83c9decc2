#include "model_registry/models/nn/relative_position.hpp"

#include <cmath>

namespace tv::nn {
namespace {

// In float32, operation by operation as torchvision computes it.
float log_spaced(int distance, int window) {
  const float x = static_cast<float>(distance) / static_cast<float>(window - 1) * 8.0F;
  const float magnitude = std::log2(std::abs(x) + 1.0F) / 3.0F;
  return x < 0 ? -magnitude : magnitude;
}

}  // namespace

std::vector<double> relative_position_index(int height, int width) {
  const int tokens = height * width;
  std::vector<double> index;
  index.reserve(static_cast<std::size_t>(tokens) * static_cast<std::size_t>(tokens));
  for (int to = 0; to < tokens; ++to)
    for (int from = 0; from < tokens; ++from) {
      const int down = to / width - from / width + height - 1;
      const int right = to % width - from % width + width - 1;
      index.push_back(down * (2 * width - 1) + right);
    }
  return index;
}

std::vector<double> log_spaced_coords(int height, int width) {
  std::vector<double> coords;
  for (int down = 1 - height; down < height; ++down)
    for (int right = 1 - width; right < width; ++right) {
      coords.push_back(log_spaced(down, height));
      coords.push_back(log_spaced(right, width));
    }
  return coords;
}

Value relative_position_bias(const Value& rows, int index, int tokens) {
  const Value picked = index_rows(rows, index);  // [tokens * tokens, heads]
  const std::int64_t heads = picked.shape().back();
  return reshape(permute(picked, {1, 0}), {1, heads, tokens, tokens});
}

}  // namespace tv::nn
