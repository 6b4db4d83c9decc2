// Where weight files live and how they get there: torch.hub's cache layout, https download,
// digests.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "model_registry/checkpoint/checkpoint.hpp"
#include "model_registry/error.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

struct FetchOptions {
  /// Called from the fetching thread with bytes so far and the total (0 = unknown), at most about
  /// 10 times a second.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
  /// Set to true from any thread to stop within about 100 ms; the call then fails with Cancelled.
  const std::atomic<bool>* cancel = nullptr;
  bool offline = false;  ///< never touch the network
};

/// $TORCH_HOME/hub/checkpoints, else $XDG_CACHE_HOME/torch/hub/checkpoints, else
/// ~/.cache/torch/hub/checkpoints.
std::string cache_dir();

/// Path of an entry's file in the cache (whether it exists or not), or the user-defined entry's own
/// path.
std::string cache_path(const Weights& weights);

/// The entry's verified bytes: from the cache, or downloaded (https only, TLS checks on, temporary
/// file, fsync, rename). An existing file is hashed on every call; a wrong one is renamed to *.bad
/// and fetched once more. Fails: NotFound/Unreadable (offline: names the path where the file can be
/// put by hand), BadDigest, NoSpace, Unwritable, Cancelled.
Result<FileBytes> fetch_weights(const Weights& weights, const FetchOptions& options = {});

/// True when `sha256` (64 digits) begins with `expected` (64 digits, or a prefix of at least 8;
/// empty matches all).
bool digest_matches(std::string_view sha256, std::string_view expected);

}  // namespace tv
