// What the backend that takes frames saw of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tv::test {

struct SeenFrame {
  const std::uint8_t* plane = nullptr;  ///< the first one's
  std::ptrdiff_t stride = 0;
  bool on_device = false;
  const void* written = nullptr;
  int frames = 0;  ///< seen since the process began
};

}  // namespace tv::test
