// How long and how much: every bound of a download in one place, so that tests can shorten them.
#pragma once

#include <chrono>
#include <cstdint>

namespace tv::hub {

struct Limits {
  std::chrono::milliseconds connect_timeout{20'000};  ///< name look-up, TCP and TLS together
  std::int64_t low_speed_bytes =
      1024;  ///< bytes per second below which a transfer counts as stalled
  std::chrono::seconds low_speed_time{30};  ///< how long it may stay below that
  int max_redirects = 5;
  int attempts = 3;  ///< in all; only transient failures are tried again
  std::chrono::milliseconds first_back_off{
      500};                                 ///< before the second attempt; doubles from then on
  std::uint64_t size_tolerance = 64 << 10;  ///< bytes beyond the size that the registry lists
  std::uint64_t size_unlisted = std::uint64_t{8}
                                << 30;     ///< bytes, where the registry lists no size
  std::chrono::hours stale_temporary{24};  ///< age at which a temporary file of ours is swept
};

}  // namespace tv::hub
