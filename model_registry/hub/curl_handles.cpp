#include "model_registry/hub/curl_handles.hpp"

#include "model_registry/io/openssl_pass.hpp"

namespace tv::hub {

Transfer::Transfer() {
  const io::OpensslPass pass;
  if (!pass) return;
  // Never undone: another user of libcurl in the process may still need it.
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  if (!ready) return;
  multi_.reset(curl_multi_init());
  easy_.reset(curl_easy_init());
}

Transfer::~Transfer() {
  if (const io::OpensslPass pass; pass) {
    if (started_) curl_multi_remove_handle(multi_.get(), easy_.get());
    easy_.reset();
    multi_.reset();
  } else {
    static_cast<void>(easy_.release());
    static_cast<void>(multi_.release());
  }
}

bool Transfer::start() {
  started_ = curl_multi_add_handle(multi_.get(), easy_.get()) == CURLM_OK;
  return started_;
}

std::optional<CURLMcode> Transfer::perform(int& running) {
  const io::OpensslPass pass;
  if (!pass) return std::nullopt;
  return curl_multi_perform(multi_.get(), &running);
}

}  // namespace tv::hub
