#include "model_registry/io/openssl_pass.hpp"

#include <openssl/crypto.h>

#include <cstdlib>

#include "model_registry/io/exit_gate.hpp"

namespace tv::io {
namespace {

ExitGate& gate() {
  static auto* const kGate = [] {
    auto* const made = new ExitGate;
    // First OpenSSL's own atexit handler, then ours, which therefore runs before it. Options of 0
    // would initialise nothing.
    OPENSSL_init_crypto(OPENSSL_INIT_ADD_ALL_DIGESTS | OPENSSL_INIT_LOAD_CONFIG, nullptr);
    std::atexit([] { gate().close(); });
    return made;
  }();
  return *kGate;
}

}  // namespace

OpensslPass::OpensslPass() : inside_(gate().enter()) {}

OpensslPass::~OpensslPass() {
  if (inside_) gate().leave();
}

bool is_exiting() {
  return gate().is_closed();
}

}  // namespace tv::io
