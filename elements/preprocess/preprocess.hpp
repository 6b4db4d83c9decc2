// Frame in, network input out: the only door of this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "elements/preprocess/frame_view.hpp"
#include "model_registry/error.hpp"
#include "model_registry/transforms/plan.hpp"

namespace tv {

enum class PreprocessPath : std::uint8_t {
  kFast,       ///< SIMD
  kReference,  ///< scalar, obvious: the oracle of every other path
};

/// Applies one Plan to frames of its size. Not thread-safe (it owns scratch rows); make one a
/// thread.
class Preprocessor {
 public:
  virtual ~Preprocessor() = default;
  virtual const Plan& plan() const = 0;
  /// Colour conversion to 8-bit RGB, antialiased resize of what the crop sees, crop, normalise.
  /// `out`: float32 [3, crop, crop], RGB planes, (v / 255 - mean) / std; exactly 3 * crop * crop
  /// elements. Bit-equal to `weights.transforms()` of torchvision for RGB frames. Fails:
  /// InvalidArgument when the view's size is not the plan's.
  virtual Status run(const FrameView& frame, std::span<float> out) = 0;
};

namespace preprocess {
/// What run() asks first: whether `frame` has the plan's size, lies in its planes and has all of
/// them. Does not read them. Fails: InvalidArgument.
Status check_frame(const Plan& plan, const FrameView& frame);
}  // namespace preprocess

Result<std::unique_ptr<Preprocessor>> make_preprocessor(
    Plan plan, PreprocessPath path = PreprocessPath::kFast);

}  // namespace tv
