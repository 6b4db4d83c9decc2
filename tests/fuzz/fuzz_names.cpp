// The input is a name that somebody typed. Suggestions for a wrong one are slow under sanitizers:
// some dozens of inputs a second.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model_registry/registry/registry.hpp"
#include "tests/fuzz/require.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using tv::fuzz::require;

// The user's own entries are no part of the test.
[[maybe_unused]] const bool kNoUserEntries = [] {
  for (const char* variable : {"TV_WEIGHTS_PATH", "XDG_DATA_HOME", "HOME"}) unsetenv(variable);
  return true;
}();

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
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
  return 0;
}
