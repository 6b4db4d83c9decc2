// One user-defined entry as its JSON file states it: read and checked by itself, not yet against
// its neighbours.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model_registry/error.hpp"
#include "model_registry/registry/tables.hpp"
#include "model_registry/registry/weights.hpp"

namespace tv {

struct UserEntry {
  std::string enum_name, entry;
  const Weights* base = nullptr;  ///< the builder's DEFAULT entry, never nullptr
  std::string url, file;          ///< exactly one is set; `file` is absolute
  std::string sha256;             ///< 64 lower-case digits or empty
  Transforms preset;
  std::optional<std::vector<std::string>> categories;  ///< not given: the builder's
  bool is_default = false;
  std::string dataset;
  double acc1 = kNotPublished, acc5 = kNotPublished;
  std::string license, recipe;
};

/// The error of a key ("transforms.crop_size") in a file of entries.
Error entry_error(const std::string& path, std::string_view key, const std::string& expected,
                  const std::string& found);

/// Reads `text`, the content of the file `path` (absolute: what the entry names is looked for
/// beside it). Reads the label file if there is one, but not the weights. Fails with one Error that
/// names file, key, what was expected and what was found.
Result<UserEntry> parse_user_entry(const std::string& path, std::string_view text);

}  // namespace tv
