// A recipe applied to a frame size: where each output pixel comes from. Arithmetic only, no pixels.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model_registry/error.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

/// Whose arithmetic resizes. kTensor: torchvision on a uint8 tensor (float32 sums, one rounding,
/// half to even). kPil: torchvision on a PIL image (22-bit fixed point, an 8-bit intermediate), the
/// published accuracies' own.
enum class TransformsBackend : std::uint8_t { kTensor, kPil };

/// "tensor" or "pil".
constexpr std::string_view transforms_backend_name(TransformsBackend backend) {
  return backend == TransformsBackend::kTensor ? "tensor" : "pil";
}

/// How LibTorch's CPU kernels round a sum of products (measured on the x86-64 wheel of 2.11.0). The
/// choice is LibTorch's own dispatch: kGrouped where the CPU has AVX2 and FMA, else kSeparate.
enum class FloatSums : std::uint8_t {
  kSeparate,  ///< every product and every addition is rounded
  kGrouped,   ///< a leading run of whole groups of four is rounded so, the remaining taps are fused
};
/// What LibTorch does on this CPU.
FloatSums native_float_sums();

/// One axis of a separable resampling: output i is the sum over k < count[i] of
/// source[clamp(first[i] + k, 0, source_size - 1)] * weight. Only the outputs that the crop sees
/// are listed. An axis with `identity` set is not resampled at all: output i is source[first[i]].
///
/// The order of a kTensor sum is part of the contract. With s = separate[i]:
///   s > 1:  the product of tap 0, then taps 1, 2, ... s - 1 multiplied, rounded and added, then
///   taps
///           s, s + 1, ... by fused multiply-add;
///   s == 1: the product of tap `lead`, then the other taps in ascending order by fused
///   multiply-add.
struct AxisTaps {
  bool identity = false;
  std::int32_t source_size = 0;        ///< pixels of the whole source axis
  std::vector<std::int32_t> first;     ///< outside the axis only without antialiasing
  std::vector<std::int32_t> count;     ///< >= 1, <= stride
  std::int32_t stride = 0;             ///< weights of output i begin at i * stride
  std::int32_t lead = 0;               ///< 0 or 1
  std::vector<std::int32_t> separate;  ///< kTensor: 1 <= separate[i] <= count[i]
  std::vector<float> weights;          ///< kTensor
  std::vector<std::int32_t> fixed;     ///< kPil: weight * 2^22, rounded half away from zero

  std::int32_t outputs() const { return static_cast<std::int32_t>(first.size()); }
};

struct Plan {
  Transforms recipe;
  TransformsBackend backend = TransformsBackend::kTensor;
  FloatSums sums = FloatSums::kGrouped;       ///< kTensor
  int width = 0, height = 0;                  ///< of the frame, pixels
  int resized_width = 0, resized_height = 0;  ///< of the whole resized picture
  /// The crop in the resized picture. It may begin at a negative place or end beyond the picture:
  /// torchvision pads with zero pixels there (only where crop_size > resize_size).
  int crop_left = 0, crop_top = 0, crop_size = 0;
  /// The part of the crop that the picture covers, in crop coordinates: [x0, x1) x [y0, y1).
  int x0 = 0, x1 = 0, y0 = 0, y1 = 0;
  AxisTaps horizontal;  ///< x1 - x0 outputs
  AxisTaps vertical;    ///< y1 - y0 outputs
  /// The horizontal pass comes first, except here: Pillow (since 13.0; earlier versions never)
  /// begins with the vertical pass where that shrinks the picture by more than twice the pixels
  /// that the horizontal one removes. Matters to kPil alone, which rounds between the passes.
  bool vertical_first = false;
  /// The part of the frame that is read: [left, right) x [top, bottom).
  int source_left = 0, source_right = 0, source_top = 0, source_bottom = 0;
};

/// Largest frame side, crop_size and resize_size, pixels.
inline constexpr int kMaxSide = 16384;
/// Largest resized picture, pixels.
inline constexpr std::int64_t kMaxResizedPixels = std::int64_t{1} << 28;

/// torchvision.transforms._presets.ImageClassification for a width x height frame.
/// `sums` is for tests: the default is what LibTorch does on this CPU.
/// antialias = false has no effect with kPil, as in torchvision. With kTensor and bilinear it is
/// LibTorch's general kernel, the one that it takes with two or more threads where the resized
/// width + height is above 128 (otherwise LibTorch sums in another order: rare differences of
/// 1/255). Fails: InvalidArgument for sizes out of 1..16384, a mean or std that is not finite, a
/// std that is zero in float32, or a resized picture beyond 2^28 pixels (torchvision has no such
/// guard and would ask for the memory).
Result<Plan> make_plan(const Transforms& recipe, int width, int height,
                       TransformsBackend backend = TransformsBackend::kTensor,
                       FloatSums sums = native_float_sums());

}  // namespace tv
