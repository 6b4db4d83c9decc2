// A recipe applied to a frame size: where each output pixel comes from. Arithmetic only, no pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "model_registry/error.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// Whose arithmetic resizes. kTensor: torchvision on a uint8 tensor (float32 sums, one rounding, half to even).
/// kPil: torchvision on a PIL image (22-bit fixed point, an 8-bit intermediate), the published accuracies' own.
enum class TransformsBackend : std::uint8_t { kTensor, kPil };

/// One axis of a separable resampling: output i is the sum over k < count[i] of source[first[i] + k] * weight.
/// Only the outputs that the crop sees are listed. An axis with `identity` set is not resampled at all.
struct AxisTaps {
  bool identity = false;
  std::vector<std::int32_t> first;   ///< per output, index into the whole source axis
  std::vector<std::int32_t> count;   ///< per output, >= 1
  std::int32_t stride = 0;           ///< weights of output i begin at i * stride
  std::vector<float> weights;        ///< kTensor
  std::vector<std::int32_t> fixed;   ///< kPil: weight * 2^22, rounded half away from zero
};

struct Plan {
  Transforms recipe;
  TransformsBackend backend = TransformsBackend::kTensor;
  int width = 0, height = 0;                  ///< of the frame, pixels
  int resized_width = 0, resized_height = 0;  ///< of the whole resized picture
  /// The crop in the resized picture. It may begin at a negative place or end beyond the picture: torchvision pads
  /// with zero pixels there (only where crop_size > resize_size).
  int crop_left = 0, crop_top = 0, crop_size = 0;
  /// The part of the crop that the picture covers, in crop coordinates: [x0, x1) x [y0, y1).
  int x0 = 0, x1 = 0, y0 = 0, y1 = 0;
  AxisTaps horizontal;  ///< x1 - x0 outputs
  AxisTaps vertical;    ///< y1 - y0 outputs
  /// The part of the frame that is read: [left, right) x [top, bottom).
  int source_left = 0, source_right = 0, source_top = 0, source_bottom = 0;
};

/// torchvision.transforms._presets.ImageClassification for a width x height frame.
/// Fails: InvalidArgument for sizes out of 1..16384, a zero std, or a resized picture beyond 2^28 pixels (torchvision
/// has no such guard and would ask for the memory).
Result<Plan> make_plan(const Transforms& recipe, int width, int height,
                       TransformsBackend backend = TransformsBackend::kTensor);

}  // namespace tv
