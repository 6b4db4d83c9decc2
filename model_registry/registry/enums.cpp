#include "model_registry/registry/enums.hpp"

#include "model_registry/registry/builtin.hpp"

namespace tv {
namespace {

// The rows of an enum stand together.
std::vector<const Weights*> rows_of(std::string_view enum_name) {
  std::vector<const Weights*> rows;
  for (const Weights* const weights : builtin_weights())
    if (weights->enum_name == enum_name) rows.push_back(weights);
  return rows;
}

std::string without(std::string text, std::string_view part) {
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at))
    text.erase(at, part.size());
  return text;
}

}  // namespace

const Weights* builtin_entry(std::string_view enum_name, std::size_t index) {
  const auto rows = rows_of(enum_name);
  return index < rows.size() ? rows[index] : nullptr;
}

Result<std::size_t> verify_entry(std::string_view enum_name, std::string_view text) {
  const auto rows = rows_of(enum_name);
  const std::string entry = without(std::string(text), std::string(enum_name) + ".");
  std::string known;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i]->entry == entry || (entry == "DEFAULT" && rows[i]->is_default)) return i;
    known += std::string(rows[i]->entry) + ", ";
  }
  return Error{Code::kNotFound, std::string(enum_name) + " has no entry \"" + entry + "\"",
               "it has " + known + "DEFAULT"};
}

}  // namespace tv
