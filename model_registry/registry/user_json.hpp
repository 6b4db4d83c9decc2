// JSON text to a value, strictly; the only place where nlohmann-json's exceptions can arise.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "model_registry/error.hpp"

namespace tv {

/// Parses `text`. Beyond what JSON asks for, a key that an object has twice and more than 8 levels
/// of nesting are errors. `path` appears in the error. Fails: InvalidArgument, with line and column
/// where the syntax is wrong.
Result<nlohmann::ordered_json> parse_json(const std::string& path, std::string_view text);

/// A value as it would stand in a file, on one line in ASCII, cut after 60 characters.
std::string shown(const nlohmann::ordered_json& value);

}  // namespace tv
