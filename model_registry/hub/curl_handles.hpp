// libcurl's handles with owners.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <optional>

namespace tv::hub {

struct EasyCleanup {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct MultiCleanup {
  void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct StringFree {
  void operator()(char* text) const { curl_free(text); }
};
using EasyHandle = std::unique_ptr<CURL, EasyCleanup>;
using MultiHandle = std::unique_ptr<CURLM, MultiCleanup>;
using CurlString = std::unique_ptr<char, StringFree>;

/// An easy handle inside a multi handle; taken out again before either is destroyed.
class Transfer {
 public:
  /// Initialises libcurl, once a process, on first use. Both handles are nullptr when that fails,
  /// or when the process is exiting.
  Transfer();
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  CURL* easy() const { return easy_.get(); }
  CURLM* multi() const { return multi_.get(); }
  /// Puts the easy handle to work; options come before.
  bool start();
  /// curl_multi_perform(); nothing when the process is exiting.
  std::optional<CURLMcode> perform(int& running);

 private:
  MultiHandle multi_;
  EasyHandle easy_;
  bool started_ = false;
};

}  // namespace tv::hub
