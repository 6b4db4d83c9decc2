#include "model_registry/io/sha256.hpp"

#include <openssl/evp.h>

#include <array>

#include "model_registry/io/openssl_pass.hpp"

namespace tv::io {

void Sha256::Free::operator()(evp_md_ctx_st* context) const {
  if (const OpensslPass pass; pass) EVP_MD_CTX_free(context);
}

Sha256::Sha256() {
  const OpensslPass pass;
  if (!pass) return;
  context_.reset(EVP_MD_CTX_new());
  ok_ = context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
}

void Sha256::update(std::span<const std::byte> bytes) {
  const OpensslPass pass;
  ok_ = ok_ && pass && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
}

std::string Sha256::finish() {
  std::array<unsigned char, 32> digest{};
  const OpensslPass pass;
  if (!ok_ || !pass || EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) != 1) return {};
  ok_ = false;
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : digest) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

}  // namespace tv::io
