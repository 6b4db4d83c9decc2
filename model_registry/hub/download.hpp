// One https GET: bounded, cancellable, no retries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "model_registry/error.hpp"
#include "model_registry/hub/hub.hpp"
#include "model_registry/hub/limits.hpp"

namespace tv::hub {

/// Receives the body piece by piece; an error of its own ends the transfer and is what download()
/// returns.
using Sink = std::function<Status(std::span<const std::byte>)>;

struct DownloadFailure {
  Error error;  ///< `what` is the mere cause ("HTTP status 404"); the caller adds URL and remedy
  bool transient = false;  ///< worth another attempt
};

/// Fetches `url`, at most `max_bytes`. https only, also after redirects; peer and host are always
/// verified, against the system's certificates or the bundle that CURL_CA_BUNDLE or SSL_CERT_FILE
/// names. Proxies come from the usual environment variables. Returns nothing on success: every byte
/// of a complete answer with status 200 went to `sink`.
std::optional<DownloadFailure> download(const std::string& url, std::uint64_t max_bytes,
                                        const Limits& limits, const FetchOptions& options,
                                        const Sink& sink);

/// The URL without user name, password, query and fragment, for messages.
std::string printable_url(const std::string& url);

}  // namespace tv::hub
