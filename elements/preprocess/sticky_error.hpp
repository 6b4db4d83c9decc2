// CUDA's errors that stay: of these its manual says that any further work returns the same error,
// and that the process must be ended and started anew. By number, as CUDA's driver and runtime
// share them: LibTorch hands the number on, and no CUDA header is needed.
#pragma once

#include <algorithm>
#include <iterator>

namespace tv {

inline constexpr int kStickyErrors[] = {
    214,  // an ECC error that cannot be corrected
    220,  // the same on NVLink
    226,  // an error that was contained to this process
    700,  // illegal address
    702,  // launch timed out
    709,  // context destroyed
    710,  // assertion on the device
    714,  // hardware stack error
    715,  // illegal instruction
    716,  // misaligned address
    717,  // invalid address space
    718,  // invalid program counter
    719,  // launch failure
    721,  // tensor memory not freed
    810,  // the client of a multi-process server was ended
    911,  // an external device failed
};

constexpr bool is_sticky(int cuda_error) {
  return std::find(std::begin(kStickyErrors), std::end(kStickyErrors), cuda_error) !=
         std::end(kStickyErrors);
}

}  // namespace tv
