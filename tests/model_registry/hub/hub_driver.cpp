// Fetches one entry made from the command line and prints the outcome as one line of JSON. The
// tests of the hub run it against a server of their own: entry, limits and faults are arguments of
// the form key=value.
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "model_registry/hub/download.hpp"
#include "model_registry/hub/fetch.hpp"
#include "model_registry/hub/hub.hpp"

namespace {

using Arguments = std::map<std::string, std::string>;

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string text = argv[i];
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      std::cerr << "hub_driver: not key=value: " << text << "\n";
      std::exit(2);
    }
    arguments[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return arguments;
}

long number(const Arguments& arguments, const std::string& key, long fallback) {
  const auto found = arguments.find(key);
  return found == arguments.end() ? fallback : std::stol(found->second);
}

std::string text(const Arguments& arguments, const std::string& key) {
  const auto found = arguments.find(key);
  return found == arguments.end() ? "" : found->second;
}

// Tests are quick: no waiting between attempts unless one asks for it.
tv::hub::Limits limits_of(const Arguments& arguments) {
  tv::hub::Limits limits;
  limits.connect_timeout = std::chrono::milliseconds(number(arguments, "connect_ms", 20000));
  limits.low_speed_bytes = number(arguments, "low_speed_bytes", 1024);
  limits.low_speed_time = std::chrono::seconds(number(arguments, "low_speed_time", 30));
  limits.attempts = static_cast<int>(number(arguments, "attempts", limits.attempts));
  limits.first_back_off = std::chrono::milliseconds(number(arguments, "back_off_ms", 1));
  limits.size_tolerance = static_cast<std::uint64_t>(number(arguments, "tolerance", 64));
  limits.size_unlisted = static_cast<std::uint64_t>(number(arguments, "size_unlisted", 1 << 20));
  return limits;
}

void limit_file_size(long bytes) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
  setrlimit(RLIMIT_FSIZE, &limit);
}

nlohmann::json outcome(const tv::Result<tv::FileBytes>& result) {
  if (!result)
    return {{"code", tv::code_name(result.error().code)},
            {"what", result.error().what},
            {"hint", result.error().hint}};
  const auto bytes = result->span();
  return {{"code", "ok"},
          {"path", result->path},
          {"sha256", result->sha256},
          {"size", result->size},
          {"first", bytes.empty() ? -1 : static_cast<int>(bytes.front())},
          {"last", bytes.empty() ? -1 : static_cast<int>(bytes.back())}};
}

// A download whose receiver throws std::bad_alloc ("memory") or a number, which is no
// std::exception.
tv::Result<tv::FileBytes> download_to_nobody(const std::string& url, const std::string& what,
                                             const tv::hub::Limits& limits) {
  const tv::hub::Sink sink = [&](std::span<const std::byte>) -> tv::Status {
    if (what == "memory") throw std::bad_alloc();
    throw 7;
  };
  const auto failure = tv::hub::download(url, 1 << 20, limits, {}, sink);
  if (failure) return failure->error;
  return tv::FileBytes{};
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  const std::string url = text(arguments, "url"), file = text(arguments, "file");
  const std::string sha256 = text(arguments, "sha256"), cancel_when = text(arguments, "cancel");
  tv::Weights weights;
  weights.enum_name = "Test_Weights";
  weights.entry = "V1";
  weights.builder = "test";
  weights.url = url;
  weights.file = file;
  weights.sha256 = sha256;
  weights.file_size_mib = static_cast<double>(number(arguments, "size", 0)) / 1048576.0;
  if (arguments.contains("file_limit")) limit_file_size(number(arguments, "file_limit", 0));

  std::atomic<bool> cancel = cancel_when == "before";
  nlohmann::json progress = nlohmann::json::array();
  tv::FetchOptions options;
  options.cancel = &cancel;
  options.offline = arguments.contains("offline");
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    progress.push_back({done, total});
    if (cancel_when == "progress") cancel = true;
  };
  std::thread listener;  // cancel=stdin: the test decides when
  if (cancel_when == "stdin") listener = std::thread([&] { cancel = std::getchar() != EOF; });

  const tv::hub::Limits limits = limits_of(arguments);
  nlohmann::json line = outcome(arguments.contains("throw")
                                    ? download_to_nobody(url, text(arguments, "throw"), limits)
                                    : tv::hub::fetch(weights, options, limits));
  line["progress"] = progress;
  line["cache_dir"] = tv::cache_dir();
  line["cache_path"] = tv::cache_path(weights);
  std::cout << line.dump() << std::endl;
  if (listener.joinable()) listener.join();
  return 0;
}
