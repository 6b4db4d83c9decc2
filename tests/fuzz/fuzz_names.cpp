// The input is a name that somebody typed or, if it has several lines, patterns for list_models.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

#include "model_registry/registry/registry.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// The user's own entries are no part of the test.
const bool kNoUserEntries = [] {
  for (const char* variable : {"TV_WEIGHTS_PATH", "XDG_DATA_HOME", "HOME"}) unsetenv(variable);
  return true;
}();

std::vector<std::string_view> lines(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

void use_name(std::string_view text) {
  const auto exact = tv::get_weight(text);
  const auto resolved = tv::resolve_weights(text);
  // Whatever is exact is what people get when they type it.
  if (exact) require(resolved && *resolved == *exact);
  if (resolved) {
    const auto again = tv::get_weight((*resolved)->name());
    require(again && *again == *resolved);
  } else {
    require(!resolved.error().what.empty() && resolved.error().what.find('\n') == text.npos);
  }
  if (const auto entries = tv::get_model_weights(text)) require(!entries->empty());
  require(tv::nearest_weights(text).size() <= 3);
}

void use_patterns(std::string_view text) {
  const std::vector<std::string_view> patterns = lines(text);
  const std::size_t half = patterns.size() / 2;
  const auto all = tv::list_models();
  const auto some =
      tv::list_models(std::span(patterns).first(half), std::span(patterns).subspan(half));
  require(std::is_sorted(some.begin(), some.end()));
  require(std::includes(all.begin(), all.end(), some.begin(), some.end()));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Suggestions for a wrong name are slow under sanitizers; patterns need not wait for them.
  if (text.find('\n') == text.npos)
    use_name(text);
  else
    use_patterns(text);
  return 0;
}
