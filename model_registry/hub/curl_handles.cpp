#include "model_registry/hub/curl_handles.hpp"

namespace tv::hub {

Transfer::Transfer() {
  // Never undone: another user of libcurl in the process may still need it.
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  if (!ready) return;
  multi_.reset(curl_multi_init());
  easy_.reset(curl_easy_init());
}

Transfer::~Transfer() {
  if (started_) curl_multi_remove_handle(multi_.get(), easy_.get());
}

bool Transfer::start() {
  started_ = curl_multi_add_handle(multi_.get(), easy_.get()) == CURLM_OK;
  return started_;
}

}  // namespace tv::hub
