// torchvision.models._utils._make_divisible: channel counts that a factor has made uneven.
#pragma once

#include <algorithm>

namespace tv::nn {

/// The multiple of `divisor` nearest to `channels`, at least one, and the next one where that would
/// take away more than a tenth. channels > 0, divisor > 0.
inline int make_divisible(double channels, int divisor) {
  const int rounded =
      std::max(divisor, static_cast<int>(channels + divisor / 2.0) / divisor * divisor);
  return rounded < 0.9 * channels ? rounded + divisor : rounded;
}

}  // namespace tv::nn
