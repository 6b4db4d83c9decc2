#include "model_registry/registry/text.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "model_registry/io/utf8.hpp"

namespace tv {
namespace {

constexpr std::size_t kQuotedBytes = 120;
/// Longer names are answered without a search for similar ones.
constexpr std::size_t kLongestName = 256;

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool is_control(std::uint32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 || point == 0x2029;
}

}  // namespace

std::string fold_case(std::string_view text) {
  std::string folded(text);
  std::transform(folded.begin(), folded.end(), folded.begin(), lower);
  return folded;
}

bool equal_folded(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string in_quotes(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  while (!text.empty()) {
    if (out.size() > kQuotedBytes) return out + "...\"";
    std::size_t length = 1;
    const std::uint32_t point = io::decode_utf8(text, length);
    const bool plain =
        point != io::kInvalidPoint && !is_control(point) && point != '"' && point != '\\';
    if (plain) {
      out += text.substr(0, length);
    } else {
      for (const char c : text.substr(0, length)) {
        const auto byte = static_cast<unsigned char>(c);
        out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
      }
    }
    text.remove_prefix(length);
  }
  return out + "\"";
}

const char* text_fault(std::string_view text) {
  while (!text.empty()) {
    std::size_t length = 1;
    const std::uint32_t point = io::decode_utf8(text, length);
    if (point == io::kInvalidPoint) return "bytes that are not UTF-8";
    if (is_control(point)) return "a control character";
    text.remove_prefix(length);
  }
  return nullptr;
}

int typing_distance(std::string_view typed, std::string_view name, int enough) {
  constexpr int kEdit = 4;
  constexpr int kCompletion = 1;
  // Rows of the usual dynamic programme: row[j] = cost of turning the first i typed letters into
  // the first j of name.
  const std::size_t width = name.size() + 1;
  std::vector<int> rows(3 * width);
  int *before = rows.data(), *last = before + width, *row = last + width;
  for (std::size_t j = 0; j < width; ++j) row[j] = static_cast<int>(j) * kEdit;
  int least = 0;  // of row
  for (std::size_t i = 1; i <= typed.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    const int least_of_last = least;
    least = row[0] = static_cast<int>(i) * kEdit;
    for (std::size_t j = 1; j < width; ++j) {
      const bool same = typed[i - 1] == name[j - 1];
      int cost = std::min({last[j - 1] + (same ? 0 : kEdit), last[j] + kEdit, row[j - 1] + kEdit});
      const bool swapped =
          i > 1 && j > 1 && typed[i - 1] == name[j - 2] && typed[i - 2] == name[j - 1];
      if (swapped) cost = std::min(cost, before[j - 2] + kEdit);
      row[j] = cost;
      least = std::min(least, cost);
    }
    // Every later cost comes from this row, or by a swap from the one before it.
    if (std::min(least, least_of_last + kEdit) >= enough) return enough;
  }
  int best = row[width - 1];
  for (std::size_t j = 0; j < width; ++j)
    best = std::min(best, row[j] + static_cast<int>(width - 1 - j) * kCompletion);
  return best;
}

std::vector<std::string> nearest_names(std::string_view typed,
                                       const std::vector<std::string>& names, std::size_t count) {
  if (typed.size() > kLongestName || count == 0) return {};
  const std::string folded = fold_case(typed);
  std::vector<std::pair<int, const std::string*>> best;  // nearest first
  for (const std::string& name : names) {
    const int enough = best.size() < count ? std::numeric_limits<int>::max() : best.back().first;
    const int distance = typing_distance(folded, fold_case(name), enough);
    if (distance >= enough) continue;
    const auto farther = [](int value, const auto& other) { return value < other.first; };
    best.emplace(std::upper_bound(best.begin(), best.end(), distance, farther), distance, &name);
    if (best.size() > count) best.pop_back();
  }
  std::vector<std::string> found;
  for (const auto& entry : best) found.push_back(*entry.second);
  return found;
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace tv
