// OpenSSL destroys what it needs when the process exits, whoever is using it.
#pragma once

namespace tv::io {

/// Leave to call OpenSSL, or libcurl, which calls it; for the scope's duration, which should be
/// short: exit() waits for it. False when the process is exiting: what OpenSSL made must then be
/// leaked. Thread-safe.
class OpensslPass {
 public:
  OpensslPass();
  ~OpensslPass();
  OpensslPass(const OpensslPass&) = delete;
  OpensslPass& operator=(const OpensslPass&) = delete;
  explicit operator bool() const { return inside_; }

 private:
  bool inside_;
};

/// True when the process is exiting: the reason why OpenSSL cannot be used. The first call, as the
/// first pass, initialises OpenSSL: make it before starting a thread whose first pass could meet an
/// exit().
bool is_exiting();

}  // namespace tv::io
