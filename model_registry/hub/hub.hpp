// Where weight files live and how they get there: torch.hub's cache layout, https download,
// digests.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "model_registry/error.hpp"
#include "model_registry/io/file.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

struct FetchOptions {
  /// Called from the fetching thread with bytes so far and the total (0 = unknown), at most about
  /// 10 times a second.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
  /// Set to true from any thread to stop within about 100 ms; the call then fails with Cancelled.
  const std::atomic<bool>* cancel = nullptr;
  bool is_cancelled() const { return cancel != nullptr && *cancel; }
  bool offline = false;  ///< never touch the network
};

/// $TORCH_HOME/hub/checkpoints, else $XDG_CACHE_HOME/torch/hub/checkpoints, else
/// ~/.cache/torch/hub/checkpoints.
std::string cache_dir();

/// Path of an entry's file in the cache (whether it exists or not), or the user-defined entry's own
/// path.
std::string cache_path(const Weights& weights);

/// The entry's verified bytes, those that were hashed. Thread-safe; blocks; never asks questions.
///
/// From the cache: the file is hashed on every call. A wrong one is renamed to *.bad (replacing an
/// older one) and fetched once more. A user-defined entry's own file is read in place.
///
/// From the network: https alone, also after redirects (at most 5); peer and host are always
/// verified, against the system's certificates or the bundle that CURL_CA_BUNDLE or SSL_CERT_FILE
/// names; proxies as curl takes them from the environment. The size is bounded by what the registry
/// lists. The bytes go to a temporary file in the cache folder, which gets its name when digest,
/// disk and folder agree; it is removed on every failure. Transient failures are tried three times.
/// Any number of processes may do this at once.
///
/// Fails, naming the URL (or the user's file), where a file can be put by hand, expected and found:
///  - NotFound: `offline` and not in the cache; a user-defined file that does not exist
///  - Unreadable: the network, the server's answer, or a cached path that is no readable file
///  - BadDigest: other bytes or more bytes than the entry's
///  - NoSpace, Unwritable: the cache folder, also one that somebody else owns or may write to:
///  neither
///    is a file taken from it nor put there
///  - InvalidArgument: a url that is not https or has no file name;  Cancelled
Result<FileBytes> fetch_weights(const Weights& weights, const FetchOptions& options = {});

/// True when `sha256` (64 digits) begins with `expected` (64 digits, or a prefix of at least 8;
/// empty matches all).
bool digest_matches(std::string_view sha256, std::string_view expected);

}  // namespace tv
