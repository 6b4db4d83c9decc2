// The lines of the input are patterns for list_models: the first half to include, the second to
// exclude.
#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model_registry/registry/registry.hpp"
#include "tests/fuzz/require.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using tv::fuzz::require;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string_view> patterns;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    patterns.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const std::size_t half = (patterns.size() + 1) / 2;
  const auto include = std::span<const std::string_view>(patterns).first(half);
  const auto exclude = std::span<const std::string_view>(patterns).subspan(half);
  const auto all = tv::list_models();
  const auto included = tv::list_models(include);
  const auto some = tv::list_models(include, exclude);
  require(std::is_sorted(some.begin(), some.end()));
  require(std::includes(all.begin(), all.end(), included.begin(), included.end()));
  require(std::includes(included.begin(), included.end(), some.begin(), some.end()));
  return 0;
}
