// The input is a JSON file with a user-defined entry.
#include <cstdint>
#include <string_view>

#include "model_registry/registry/user_entry.hpp"
#include "tests/fuzz/require.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using tv::fuzz::require;
  const auto entry =
      tv::parse_user_entry("/nonexistent/entry.json", {reinterpret_cast<const char*>(data), size});
  if (entry) {
    require(entry->base != nullptr && entry->url.empty() != entry->file.empty());
    require(entry->file.empty() || entry->file[0] == '/');
    require(entry->sha256.empty() || entry->sha256.size() == 64);
    require(entry->preset.crop_size >= 1 && entry->preset.resize_size >= 1);
  } else {
    require(entry.error().what.find("/nonexistent/entry.json") != std::string::npos);
    require(entry.error().what.find('\n') == std::string::npos);
  }
  return 0;
}
