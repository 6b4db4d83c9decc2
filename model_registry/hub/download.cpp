#include "model_registry/hub/download.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string_view>

#include "model_registry/hub/curl_handles.hpp"
#include "model_registry/io/openssl_pass.hpp"

namespace tv::hub {
namespace {

using Clock = std::chrono::steady_clock;

// A cancel is noticed within this time, progress is reported no more often than twice this.
constexpr int kPollMilliseconds = 50;
constexpr auto kProgressInterval = std::chrono::milliseconds(100);

// What the callbacks of one transfer share.
struct Exchange {
  CURL* easy;
  const Sink& sink;
  const FetchOptions& options;
  std::uint64_t max_bytes;
  std::uint64_t received = 0;
  // The write callback ended the transfer, set one of these:
  std::optional<DownloadFailure> refused{};
  std::exception_ptr thrown{};
  Clock::time_point last_progress{};

  long status() const {
    long code = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
  std::uint64_t total() const {
    curl_off_t length = -1;
    curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    return length > 0 ? static_cast<std::uint64_t>(length) : 0;
  }
};

// Weight files begin with "PK" or 0x80; a body that begins with a tag is a page for people.
bool looks_like_html(std::span<const std::byte> body) {
  std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && text[first] == '<';
}

DownloadFailure http_failure(long status) {
  const bool transient = status == 408 || status == 429 || status == 500 || status == 502 ||
                         status == 503 || status == 504;
  return {{Code::kUnreadable, "the server answered with HTTP status " + std::to_string(status), ""},
          transient};
}

DownloadFailure too_large(std::uint64_t max_bytes, std::uint64_t announced) {
  std::string what = "the answer is larger than the " + std::to_string(max_bytes) +
                     " bytes that this file may have";
  if (announced != 0) what += " (announced: " + std::to_string(announced) + " bytes)";
  return {{Code::kBadDigest, std::move(what), ""}, false};
}

std::optional<DownloadFailure> accept(Exchange& exchange, std::span<const std::byte> bytes) {
  if (exchange.received == 0) {
    if (const long status = exchange.status(); status != 200) return http_failure(status);
    if (exchange.total() > exchange.max_bytes)
      return too_large(exchange.max_bytes, exchange.total());
    if (looks_like_html(bytes))
      return DownloadFailure{
          {Code::kUnreadable,
           "the server answered with a web page instead of a weight file: a login page of "
           "the network (captive portal) or a proxy's error page",
           ""},
          false};
  }
  if (bytes.size() > exchange.max_bytes - exchange.received)
    return too_large(exchange.max_bytes, 0);
  exchange.received += bytes.size();
  if (Status status = exchange.sink(bytes); !status)
    return DownloadFailure{std::move(status.error()), false};
  return std::nullopt;
}

std::size_t on_body(char* data, std::size_t, std::size_t count, void* user) {
  Exchange& exchange = *static_cast<Exchange*>(user);
  // The caller is C: an exception must not pass through it, nor a second one that putting the first
  // into words could throw; download() does that.
  try {
    exchange.refused = accept(exchange, std::as_bytes(std::span(data, count)));
  } catch (...) {
    exchange.thrown = std::current_exception();
  }
  return exchange.refused || exchange.thrown ? CURL_WRITEFUNC_ERROR : count;
}

DownloadFailure failure_of(const std::exception_ptr& thrown) {
  std::string what = "internal error: ";
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& exception) {
    what += exception.what();
  } catch (...) {
    what += "exception of unknown type";
  }
  return {{Code::kInternal, std::move(what), ""}, false};
}

bool is_transient(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:  // also a connection that is reset during the handshake
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

// The CA bundle of curl's and OpenSSL's own environment variables; nothing else can change what is
// trusted.
const char* ca_bundle() {
  for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
    const char* path = secure_getenv(name);
    if (path != nullptr && *path != '\0') return path;
  }
  return nullptr;
}

bool configure(CURL* easy, const std::string& url, const Limits& limits, Exchange& exchange,
               char* error_text) {
  bool ok = true;
  const auto set = [&](CURLoption option, auto value) {
    ok = curl_easy_setopt(easy, option, value) == CURLE_OK && ok;
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_ERRORBUFFER, error_text);
  set(CURLOPT_PROTOCOLS_STR, "https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, long{limits.max_redirects});
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  if (const char* bundle = ca_bundle()) set(CURLOPT_CAINFO, bundle);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // never wait for a name look-up that hangs
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect_timeout.count()));
  set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(limits.low_speed_bytes));
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.low_speed_time.count()));
  set(CURLOPT_BUFFERSIZE, 256L << 10);
  set(CURLOPT_USERAGENT, "gst-torchvision");
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&exchange));
  return ok;
}

void report_progress(Exchange& exchange, bool last) {
  if (!exchange.options.progress || exchange.received == 0) return;
  const Clock::time_point now = Clock::now();
  if (!last && now - exchange.last_progress < kProgressInterval) return;
  exchange.last_progress = now;
  exchange.options.progress(exchange.received, exchange.total());
}

// Runs the transfer to its end. nullopt: cancelled, or the process is exiting.
std::optional<CURLcode> drive(Transfer& transfer, Exchange& exchange) {
  for (int running = 1; running != 0;) {
    if (exchange.options.is_cancelled()) return std::nullopt;
    const std::optional<CURLMcode> step = transfer.perform(running);
    if (!step) return std::nullopt;
    if (*step != CURLM_OK) return CURLE_FAILED_INIT;
    report_progress(exchange, false);
    if (running != 0) curl_multi_poll(transfer.multi(), nullptr, 0, kPollMilliseconds, nullptr);
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(transfer.multi(), &left))
    if (message->msg == CURLMSG_DONE) return message->data.result;
  return CURLE_FAILED_INIT;
}

DownloadFailure curl_failure(CURLcode code, const char* detail, CURL* easy) {
  std::string what = curl_easy_strerror(code);
  if (detail[0] != '\0') what += std::string(": ") + detail;
  // The server has a say in some of these texts, and they must stay one harmless line.
  std::replace_if(
      what.begin(), what.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  if (code == CURLE_UNSUPPORTED_PROTOCOL) {
    char* target = nullptr;
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &target);
    what = "the server redirects away from https" +
           (target != nullptr ? ", to " + printable_url(target) : std::string()) +
           ", which is refused";
  }
  return {{Code::kUnreadable, std::move(what), ""}, is_transient(code)};
}

}  // namespace

std::string printable_url(const std::string& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parts(curl_url(), curl_url_cleanup);
  if (!parts ||
      curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return "(no valid URL)";
  for (CURLUPart part :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY, CURLUPART_FRAGMENT})
    curl_url_set(parts.get(), part, nullptr, 0);
  char* text = nullptr;
  if (curl_url_get(parts.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) return "(no valid URL)";
  return CurlString(text).get();
}

std::optional<DownloadFailure> download(const std::string& url, std::uint64_t max_bytes,
                                        const Limits& limits, const FetchOptions& options,
                                        const Sink& sink) {
  // Outlives the handles, which write into it until they are gone.
  char detail[CURL_ERROR_SIZE] = {};
  Transfer transfer;
  if (io::is_exiting()) return DownloadFailure{{Code::kCancelled, "cancelled", ""}, false};
  if (transfer.easy() == nullptr || transfer.multi() == nullptr)
    return DownloadFailure{{Code::kInternal, "libcurl cannot be initialised", ""}, false};
  Exchange exchange{
      .easy = transfer.easy(), .sink = sink, .options = options, .max_bytes = max_bytes};
  if (!configure(transfer.easy(), url, limits, exchange, detail) || !transfer.start())
    return DownloadFailure{
        {Code::kInternal, "libcurl refuses an option (" + std::string(curl_version()) + ")", ""},
        false};
  const std::optional<CURLcode> code = drive(transfer, exchange);
  if (!code) return DownloadFailure{{Code::kCancelled, "cancelled", ""}, false};
  if (exchange.thrown) return failure_of(exchange.thrown);
  if (exchange.refused) return exchange.refused;
  if (*code != CURLE_OK) return curl_failure(*code, detail, transfer.easy());
  if (const long status = exchange.status(); status != 200) return http_failure(status);
  report_progress(exchange, true);
  return std::nullopt;
}

}  // namespace tv::hub
