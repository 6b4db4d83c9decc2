// How a fuzz target says that a promise does not hold.
#pragma once

#include <cstdlib>

namespace tv::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace tv::fuzz
