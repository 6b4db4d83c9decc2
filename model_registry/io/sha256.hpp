// SHA-256 of bytes as they arrive.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;

namespace tv::io {

/// Feed bytes in any pieces, then ask once for the digest. OpenSSL's implementation.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> bytes);
  /// 64 lower-case hex digits; empty when OpenSSL failed (out of memory, digest disabled by its
  /// configuration, the process is exiting), which no expected digest matches.
  std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
  bool ok_ = false;
};

}  // namespace tv::io
